//! What the page's downloads ask for: what of a repository is the encoder's, digests.

use js_sys::{Array, Function, Uint8Array};
use sha2::Digest;
use wasm_bindgen::prelude::*;

use super::js::*;
use internvit::plan::TEXT;
use internvit::weights::{Extract, Source, shards};

/// The shards that an index's text names for the encoder.
#[wasm_bindgen(unchecked_return_type = "string[]")]
pub async fn encoder_shards(index: String) -> JsResult<JsValue> {
    let source = Source::memory("model.safetensors.index.json", index.into_bytes());
    to_js(&shards(&source).await.map_err(js)?)
}

/// Checks configuration and headers as `Engine.load` does, and tells what of each file the encoder
/// needs, and with `words` its tower for texts: `[{ header, ranges } | null]`, null for all of it. Where the
/// encoder's are `stored` already, those of the tower for texts alone.
#[wasm_bindgen(unchecked_return_type = "(FilePart | null)[]")]
pub async fn encoder_parts(
    config: String,
    #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
    words: bool,
    stored: bool,
) -> JsResult<Array> {
    let mut checkpoint = checkpoint(&config, files, &read).await?;
    if words {
        add_text(&mut checkpoint).await?;
    }
    let mut extracts: Vec<_> =
        checkpoint.extracts().into_iter().map(|(_, extract)| extract).collect();
    if stored {
        let text = checkpoint.text().is_some();
        let wanted = |name: &str| text && (name.starts_with(TEXT) || name.starts_with("logit_"));
        let files = extracts.iter_mut().enumerate();
        files.for_each(|(file, extract)| {
            *extract = Some(Extract::of(&checkpoint.manifest, file..file + 1, &wanted));
        });
    }
    let parts = extracts.into_iter().map(|extract| {
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
