//! Texts: what a model says of them, and of its own classes.

use js_sys::Float32Array;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use internvit::features::Guess;
use internvit::model::TextSpec;
use internvit::session::Words;
use internvit::{Encoder, Error};

/// Most of a model's own classes that are named.
const MOST: usize = 10;

#[derive(Serialize)]
struct Label {
    class: usize,
    name: String,
    probability: f32,
}

#[wasm_bindgen]
impl Engine {
    /// What a photograph shows, the most probable first: `[{ class, name, probability }]`. Of these texts, which
    /// were read; without any the model's own classes, with empty names where they are ImageNet's thousand and its
    /// configuration names none.
    #[wasm_bindgen(unchecked_return_type = "Label[]")]
    pub async fn labels(&mut self, photo: u32, texts: Vec<String>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let found = match texts.is_empty() {
            true => self.album.classify(encoder, photo).await,
            false => self.album.compare(encoder, photo, &texts).await,
        };
        let found = found.map_err(js)?;
        let imagenet = found.len() == 1000;
        let most = if texts.is_empty() { MOST } else { texts.len() };
        let label = |Guess { class, mut name, probability, .. }| {
            if name.is_empty() && !imagenet {
                name = class.to_string();
            }
            Label { class, name, probability }
        };
        to_js(&found.into_iter().take(most).map(label).collect::<Vec<_>>())
    }

    /// The features of a text, of length 1; undefined where it was not read.
    #[wasm_bindgen(unchecked_return_type = "Float32Array<ArrayBuffer> | undefined")]
    pub fn text_features(&self, text: &str) -> JsValue {
        let known = self.album.texts.features(text);
        known.map_or(JsValue::UNDEFINED, |values| Float32Array::from(values).into())
    }

    /// A text as its tokenizer is given it.
    pub fn plain_text(&self, text: &str) -> JsResult<String> {
        Ok(tower(self.encoder.as_ref())?.plain(text))
    }

    /// Reads a text as numbers of tokens, of which the last `ends` end every text.
    pub async fn read_text(&mut self, text: String, ids: Vec<u32>, ends: usize) -> JsResult<()> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let words = Words { ids: tower(Some(encoder))?.fitted(ids, ends), attended: None };
        self.album.texts.read(encoder, &text, words).await.map_err(js)
    }
}

fn tower(encoder: Option<&Encoder>) -> JsResult<&TextSpec> {
    let text = encoder.and_then(|encoder| encoder.checkpoint().text());
    text.ok_or_else(|| js(Error::input("this model reads no texts")))
}
