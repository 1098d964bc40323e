//! Texts: what a model says of them, and of its own classes.

use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use internvit::features::Guess;
use internvit::model::TextSpec;
use internvit::session::Words;
use internvit::{Encoder, Error};

#[derive(Serialize)]
struct Label {
    name: String,
    probability: f32,
}

#[wasm_bindgen]
impl Engine {
    /// The model's own classes for a photograph, the `top` most probable first: `[{ name, probability }]`.
    #[wasm_bindgen(unchecked_return_type = "Label[]")]
    pub async fn classify(&mut self, photo: u32, top: usize) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let found = self.album.classify(encoder, photo).await.map_err(js)?;
        labels(found.into_iter().take(top))
    }

    /// The same of texts that were read.
    #[wasm_bindgen(unchecked_return_type = "Label[]")]
    pub async fn compare(&mut self, photo: u32, texts: Vec<String>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        labels(self.album.compare(encoder, photo, &texts).await.map_err(js)?.into_iter())
    }

    /// Whether a text was read.
    pub fn has_text(&self, text: &str) -> bool {
        self.album.texts.has(text)
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

/// A `tokenizer.json` of CLIP's `vocab.json` and `merges.txt`.
#[wasm_bindgen]
pub fn clip_tokenizer(vocabulary: &str, merges: &str) -> JsResult<String> {
    let wrong = |e| js(Error::config("vocab.json", e));
    let vocabulary = serde_json::from_str(vocabulary).map_err(wrong)?;
    Ok(internvit::model::clip_tokenizer(vocabulary, merges).to_string())
}

fn tower(encoder: Option<&Encoder>) -> JsResult<&TextSpec> {
    let text = encoder.and_then(|encoder| encoder.checkpoint().text());
    text.ok_or_else(|| js(Error::input("this model reads no texts")))
}

fn labels(found: impl Iterator<Item = Guess>) -> JsResult<JsValue> {
    let label = |Guess { name, probability, .. }| Label { name, probability };
    to_js(&found.map(label).collect::<Vec<_>>())
}
