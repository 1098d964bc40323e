//! The door to conversations: a module of its own, which the page loads when one begins.

#[allow(unreachable_pub, reason = "the module exports functions only if they are public")]
mod described;
#[allow(dead_code, reason = "the page's module has the rest")]
mod js;
#[allow(dead_code, reason = "the page's module has the rest")]
mod records;
mod shown;

use std::io::Cursor;
use std::ops::ControlFlow;

use js_sys::Function;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use self::js::*;
use self::records::*;
use self::shown::Shown;
use internvit::app::Shape;
use internvit::budget::{Amount, USUAL, picture_memory};
use internvit::image::{Options, Resize, decode_with};
use internvit::language::{
    Answering, Look, PICTURE, Piece, Role, Said, Sampling, Talk, Template, places,
};
use internvit::{Compute, Device, Encoder, Error, Images, Precision, Tensor};

#[wasm_bindgen(typescript_custom_section)]
const RECORDS: &str = r#"
import type { Device, DeviceChoice, Dtype, FileInfo, ModelTexts } from "../shared/protocol";
import type { Described, Looked, Part, Seen, TalkInfo } from "../shared/talk";

/** Reads bytes `start..end` of the file of that number. */
type ReadRange = (file: number, start: number, end: number) => Promise<Uint8Array>;

/** Receives the progress; false cancels the call, whose promise then rejects. */
type OnProgress = (done: number, total: number) => void | boolean | Promise<boolean>;
"#;

/// Panics that should not happen are at least told to the console.
fn main() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
    }));
}

/// What is known of a model that is loaded.
#[derive(Serialize)]
struct TalkInfo {
    layers: usize,
    heads: usize,
    hidden: usize,
    /// Tokens of a conversation at most.
    length: usize,
    parameters: f64,
    bytes: f64,
    random_weights: bool,
    /// Tiles of a photograph at most, where no other number is asked for.
    tiles: u32,
    /// The tokens that end an answer, by their names.
    stops: [&'static str; 2],
}

/// A part of a prompt: text, or so often a control token.
#[derive(Serialize)]
struct Part {
    control: bool,
    text: String,
    times: usize,
}

/// What the model is given of a photograph.
#[derive(Serialize)]
struct Seen {
    photo: usize,
    tokens: usize,
    tiles: usize,
}

/// A model that speaks, and the conversation with it.
#[wasm_bindgen]
pub struct Chat {
    device: Device,
    report: DeviceReport,
    encoder: Option<Encoder>,
    template: Template,
    talk: Talk,
    how: Answering,
    seen: Vec<Shown>,
    logits: Vec<f32>,
    /// The last token of which it is known where the model looked, by its place in the conversation.
    looked: Option<(usize, Tensor)>,
}

#[wasm_bindgen]
impl Chat {
    /// `auto` (a GPU, else the CPU), `gpu` or `cpu`.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "DeviceChoice")] device: String,
    ) -> JsResult<Chat> {
        let device: Device = device.parse().unwrap_or_default();
        let report = device.open().await.map_err(js)?.into();
        Ok(Chat {
            device,
            report,
            encoder: None,
            template: Template::port(),
            talk: Talk::default(),
            how: Answering::default(),
            seen: Vec::new(),
            logits: Vec::new(),
            looked: None,
        })
    }

    /// `{ kind, name, backend, reason }`
    #[wasm_bindgen(unchecked_return_type = "Device")]
    pub fn device(&self) -> JsResult<JsValue> {
        to_js(&self.report)
    }

    /// What the model's files ask for that is not done, and what it did by itself, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        let notes = |encoder: &Encoder| {
            encoder.checkpoint().notes.iter().chain(encoder.notes()).cloned().collect()
        };
        self.encoder.as_ref().map_or(Vec::new(), notes)
    }

    /// Destroys the graphics device, as a driver that is reset does: for tests.
    pub fn lose(&self) {
        if let Some(gpu) = self.encoder.as_ref().and_then(|encoder| encoder.gpu()) {
            gpu.lose();
        }
    }

    /// Loads a model from `{ config, processor, preprocessor, words }`, the texts of its `config.json` and, where it has
    /// them, its `processor_config.json` and `preprocessor_config.json` (`words` is of no account here), and from its files,
    /// of which ranges are read through `read(file, start, end) -> Promise<Uint8Array>`, and keeps it in `dtype`; the CPU
    /// f16 in f32.
    #[wasm_bindgen(unchecked_return_type = "TalkInfo")]
    pub async fn load(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "ModelTexts")] texts: JsValue,
        #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
        #[wasm_bindgen(unchecked_param_type = "OnProgress")] progress: Function,
        #[wasm_bindgen(unchecked_param_type = "Dtype")] dtype: String,
    ) -> JsResult<JsValue> {
        let texts = serde_wasm_bindgen::from_value(texts)?;
        let checkpoint = prepared(texts, files, &read).await?;
        let checkpoint = checkpoint.with_language().await.map_err(js)?;
        self.template = Template::of("config.json", &checkpoint.config).map_err(js)?;
        (self.talk, self.seen, self.looked) = (Talk::default(), Vec::new(), None);
        // Both may not fit the device together.
        self.encoder = None;
        let device = if self.report.kind == "cpu" { &Device::Cpu } else { &self.device };
        let asked: Precision = dtype.parse().map_err(js)?;
        // The CPU computes in f32.
        let halved = *device == Device::Cpu && asked == Precision::F16;
        let compute = Compute::from(device).precision(if halved { Precision::F32 } else { asked });
        let mut on_progress =
            async |done, total| told(Some(&progress), [done as f64, total as f64]).await;
        let encoder = Encoder::load(checkpoint, compute, &mut on_progress).await.map_err(js)?;
        let (language, checkpoint) =
            (encoder.session().language().map_err(js)?, encoder.checkpoint());
        let info = TalkInfo {
            layers: language.layers,
            heads: language.heads,
            hidden: language.hidden,
            length: language.length,
            parameters: checkpoint.manifest.parameters() as f64,
            bytes: checkpoint.manifest.bytes() as f64,
            random_weights: checkpoint.random_weights(),
            tiles: encoder.spec().preprocessing.most_tiles(),
            stops: self.template.stops,
        };
        self.encoder = Some(encoder);
        to_js(&info)
    }

    /// The tokens that end an answer, and the one that stands where visual tokens are.
    pub fn use_tokens(&mut self, stops: Vec<u32>, picture: Option<u32>) {
        (self.how.stops, self.how.picture) = (stops, picture);
    }

    /// A temperature of 0 takes the likeliest tokens; the same seed draws the same ones.
    pub fn use_sampling(&mut self, temperature: f64, seed: u32) {
        self.how.sampling = Sampling { temperature, seed: seed.into(), ..Sampling::default() };
    }

    /// Cuts a photograph file into at most this number of tiles. The model looks at them when something is said about them.
    #[wasm_bindgen(unchecked_return_type = "Seen")]
    pub fn see(&mut self, name: String, bytes: Vec<u8>, tiles: u32) -> JsResult<JsValue> {
        let needed = picture_memory(Cursor::new(&bytes));
        if needed > USUAL {
            let (needed, most) = (Amount(needed), Amount(USUAL));
            let reason = format!("needs {needed} of memory, the page has {most}: make it smaller");
            return Err(js(Error::image(&name, reason)));
        }
        let white = Options { background: Some([255; 3]), ..Options::default() };
        let photo = decode_with(&name, &bytes, white).map_err(js)?.picture;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let shape = Shape::new(encoder.spec(), None, Some(Resize::Squash), tiles).map_err(js)?;
        let shown = Shown::cut(&photo, &shape, 2 * encoder.spec().sizes.patch)?;
        self.talk.fits(encoder, shown.tokens()).map_err(js)?;
        self.add(shown)
    }

    /// The same of `pixel_values` of shape `[tiles, 3, height, width]`, for tests.
    #[wasm_bindgen(unchecked_return_type = "Seen")]
    pub async fn see_pixel_values(
        &mut self,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let shape = four(shape)?;
        let images = Images::PixelValues { shape, values: &values };
        let mut go_on = async |_, _| ControlFlow::Continue(());
        let visual = encoder.visual_tokens(images, &mut go_on).await.map_err(js)?;
        let patch = 2 * encoder.spec().sizes.patch;
        let side = [shape[2] / patch, shape[3] / patch];
        let values = visual.values;
        self.add(Shown { count: shape[0], cut: [shape[0], 1], side, tiles: Vec::new(), values })
    }

    fn add(&mut self, shown: Shown) -> JsResult<JsValue> {
        let (tiles, tokens) = (shown.count, shown.tokens());
        self.seen.push(shown);
        to_js(&Seen { photo: self.seen.len() - 1, tokens, tiles })
    }

    /// The prompt for a question about the photographs from number `before` on, and those before: the first of a
    /// conversation, or what follows an answer that `ended` by itself or not.
    #[wasm_bindgen(unchecked_return_type = "Part[]")]
    pub fn prompt(
        &self,
        question: String,
        before: usize,
        first: bool,
        ended: bool,
    ) -> JsResult<JsValue> {
        let tokens: Vec<usize> = self.seen.iter().map(Shown::tokens).collect();
        let (old, new) = tokens.split_at(before.min(tokens.len()));
        let text = self.template.question(&question, new.len());
        let tokens = [old, &places(&text, new).map_err(js)?].concat();
        let pieces = match first {
            true => self.template.prompt(None, &[(Role::User, text)], tokens.len()),
            false => self.template.next(ended, &text, [old.len(), tokens.len()]),
        };
        let part = |control, text: &str, times| Part { control, text: text.into(), times };
        let parts = pieces.iter().flat_map(|piece| match piece {
            Piece::Text(text) => vec![part(false, text, 1)],
            Piece::Control(name) => vec![part(true, name, 1)],
            Piece::Picture(number) => {
                let [open, token, close] = PICTURE;
                vec![part(true, open, 1), part(true, token, tokens[*number]), part(true, close, 1)]
            }
        });
        to_js(&parts.collect::<Vec<_>>())
    }

    /// Adds a prompt's tokens, and the photographs from number `before` on, which the model looks at where there is room
    /// for all.
    pub async fn say(
        &mut self,
        ids: Vec<u32>,
        before: usize,
        #[wasm_bindgen(unchecked_optional_param_type = "OnProgress")] progress: Option<Function>,
    ) -> JsResult<()> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        self.talk.takes(encoder, &ids).map_err(js)?;
        let new = self.seen.get_mut(before..).unwrap_or_default();
        for shown in &mut *new {
            shown.look(encoder, progress.as_ref()).await?;
        }
        let count = new.iter().map(|shown| shown.tokens()).sum();
        let values: Vec<f32> = new.iter().flat_map(|shown| &shown.values).copied().collect();
        let hidden = encoder.session().language().map_err(js)?.hidden;
        let visual = Tensor { shape: vec![1, count, hidden], values };
        self.talk.say(encoder, &ids, Some(&visual)).map_err(js)
    }

    /// The answer's next token, where it may have `left` more. The one before it is the last of what was said. Of a long
    /// prompt `progress` is told how many tokens are read; where it stops that there is no next token.
    pub async fn next(
        &mut self,
        left: usize,
        #[wasm_bindgen(unchecked_optional_param_type = "OnProgress")] progress: Option<Function>,
    ) -> JsResult<Option<u32>> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        self.how.most = left;
        let (logits, looked, place) = (&mut self.logits, &mut self.looked, self.talk.ids().len());
        // The page decides between two tokens whether there is another.
        let watch = &mut |said: Said<'_>| {
            *logits = said.logits.to_vec();
            *looked = said.attention.map(|attention| (place, attention.clone()));
            ControlFlow::Break(())
        };
        let reading = &mut async |done: usize, total: usize| {
            told(progress.as_ref(), [done as f64, total as f64]).await
        };
        let said = self.talk.answer(encoder, &self.how, reading, watch).await.map_err(js)?;
        Ok(said.last().copied())
    }

    /// Whether each token tells at once where the model looked.
    pub fn use_looking(&mut self, looking: bool) {
        self.how.attention = looking;
    }

    /// Where the model looked on a photograph when it chose the tokens in places `first..end`: in a layer, from 1, or in
    /// all, by a head, from 0, or the mean of all.
    #[wasm_bindgen(unchecked_return_type = "Looked")]
    pub async fn look(
        &mut self,
        first: usize,
        end: usize,
        photo: usize,
        layer: Option<usize>,
        head: Option<usize>,
    ) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let none = || js(Error::input("the conversation has no such photograph or word"));
        let shown = self.seen.get(photo).ok_or_else(none)?;
        let order = encoder.checkpoint().visual().ok_or_else(none)?.order;
        let before: usize = self.seen[..photo].iter().map(Shown::tokens).sum();
        let places = self.talk.places(&self.how);
        let places = places.get(before..before + shown.tokens()).ok_or_else(none)?;
        let mut sum = vec![0.0; places.len()];
        for at in first..end {
            if self.looked.as_ref().is_none_or(|(known, _)| *known != at) {
                let found = self.talk.attention(encoder, &self.how, at).await.map_err(js)?;
                self.looked = Some((at, found));
            }
            let Some((_, attention)) = &self.looked else { return Err(none()) };
            let weights = Look { layer, head }.weights(attention).map_err(js)?;
            // A token before the photograph was shown has not seen it.
            let own = places.iter().map(|place| weights.get(*place).copied().unwrap_or(0.0));
            sum.iter_mut().zip(own).for_each(|(sum, weight)| *sum += weight / (end - first) as f32);
        }
        shown.looked(&sum, order)
    }

    /// Whether the logits by which a token is chosen are kept: for tests.
    pub fn use_logits(&mut self, logits: bool) {
        self.how.logits = logits;
    }

    /// The logits by which the last token was chosen, where they are kept: for tests.
    pub fn logits(&self) -> Vec<f32> {
        self.logits.clone()
    }

    /// How many tokens were said, and how many an answer may have beside them.
    pub fn said(&self) -> JsResult<Vec<usize>> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        Ok(vec![self.talk.ids().len(), self.talk.room(encoder).map_err(js)?])
    }

    /// The token that was said last.
    pub fn last(&self) -> Option<u32> {
        self.talk.ids().last().copied()
    }

    /// Takes back all but the first `tokens` and the first `photos`.
    pub fn take_back(&mut self, tokens: usize, photos: usize) {
        let values = self.seen.iter().take(photos).map(|shown| shown.values.len()).sum();
        self.talk.take_back(tokens, values);
        self.looked = None;
        self.seen.truncate(photos);
    }
}
