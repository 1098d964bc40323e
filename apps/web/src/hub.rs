//! What the page's downloads ask for: the catalogue, what of a repository is the encoder's, digests.

use js_sys::{Array, Function, Uint8Array};
use serde::Serialize;
use sha2::Digest;
use wasm_bindgen::prelude::*;

use super::js::*;
use internvit::model::CATALOGUE;
use internvit::plan::parameters;
use internvit::weights::{Source, shards};

#[derive(Serialize)]
struct Published {
    /// `owner/name` on the hub.
    name: String,
    image: usize,
    layers: usize,
    hidden: usize,
    parameters: f64,
    /// In 16 bits, as published.
    bytes: f64,
}

/// Every published InternViT: `[{ name, image, layers, hidden, parameters, bytes }]`.
#[wasm_bindgen(unchecked_return_type = "PublishedModel[]")]
pub fn catalogue() -> JsResult<JsValue> {
    let list = CATALOGUE.iter().map(|entry| {
        let spec = entry.spec();
        let parameters = parameters(&spec) as f64;
        let (image, sizes) = (entry.image, spec.sizes);
        let name = format!("OpenGVLab/{}", entry.name);
        let (layers, hidden) = (sizes.layers, sizes.hidden);
        Published { name, image, layers, hidden, parameters, bytes: 2.0 * parameters }
    });
    to_js(&list.collect::<Vec<_>>())
}

/// The shards that an index's text names for the encoder.
#[wasm_bindgen(unchecked_return_type = "string[]")]
pub async fn encoder_shards(index: String) -> JsResult<JsValue> {
    let source = Source::memory("model.safetensors.index.json", index.into_bytes());
    to_js(&shards(&source).await.map_err(js)?)
}

/// Checks configuration and headers as `Engine.load` does, and tells what of each file the encoder
/// needs, and with `words` its tower for texts: `[{ header, ranges } | null]`, null for all of it.
#[wasm_bindgen(unchecked_return_type = "(FilePart | null)[]")]
pub async fn encoder_parts(
    config: String,
    #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
    words: bool,
) -> JsResult<Array> {
    let mut checkpoint = checkpoint(&config, files, &read).await?;
    if words {
        add_text(&mut checkpoint).await?;
    }
    let parts = checkpoint.extracts().into_iter().map(|(_, extract)| {
        let Some(extract) = extract else { return Ok(JsValue::NULL) };
        let ranges: Vec<_> =
            extract.ranges.iter().map(|(_, r)| [r.start as f64, r.end as f64]).collect();
        let header = Uint8Array::from(extract.header.as_slice());
        object(&[("header", header.into()), ("ranges", to_js(&ranges)?)])
    });
    parts.collect()
}

/// A SHA-256 of bytes that come in pieces.
#[wasm_bindgen]
pub struct Sha256(sha2::Sha256);

#[wasm_bindgen]
impl Sha256 {
    /// Of nothing so far.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self(sha2::Sha256::new())
    }

    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest in hexadecimal; afterwards there is nothing left to update.
    pub fn hex(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
