//! What the page teaches: a linear head on patches that the visitor has named.

use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use super::records::*;
use crate::model::MAX_CLASSES;
use crate::view::{Taught, default_palette, fit};
use crate::weights::{LinearHead, Source};
use crate::{Error, Result, Tensor};

#[wasm_bindgen]
impl Engine {
    /// The features of some patches in all layers, `[patches, layers + 1, C]`: what a lesson keeps
    /// of a photograph that is let go.
    #[wasm_bindgen(unchecked_return_type = "Tensor")]
    pub async fn vectors(&mut self, photo: u32, patches: Vec<usize>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let photo = self.photos.get_mut(&photo).ok_or_else(|| no_photo(photo))?;
        let sizes = encoder.spec().sizes;
        let (layers, c) = (sizes.layers + 1, sizes.hidden);
        let mut values = vec![0.0; patches.len() * layers * c];
        for layer in 0..layers {
            let tokens = photo.read(encoder, layer).await.map_err(js)?;
            for (at, patch) in patches.iter().enumerate() {
                let row = tokens.chunks_exact(c).nth(*patch);
                let row = row.ok_or_else(|| js(Error::input(format!("no patch {patch}"))))?;
                values[(at * layers + layer) * c..][..c].copy_from_slice(row);
            }
        }
        tensor(&Tensor { shape: vec![patches.len(), layers, c], values })
    }

    /// Fits a linear head to patches that the visitor has named:
    /// `{ layers, names, examples: [{ photo, token, class }], vectors: [{ features, class }] }`.
    /// Answers with the head, `{ layers, names, palette, milliseconds }`.
    #[wasm_bindgen(unchecked_return_type = "Taught")]
    pub async fn teach(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Lesson")] lesson: JsValue,
    ) -> JsResult<JsValue> {
        let lesson: Lesson = serde_wasm_bindgen::from_value(lesson)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let sizes = encoder.spec().sizes;
        let blocks = 0..=sizes.layers;
        if lesson.layers.is_empty() || lesson.layers.iter().any(|layer| !blocks.contains(layer)) {
            let last = sizes.layers;
            return Err(js(Error::input(format!("layers to teach: expected some of 0 to {last}"))));
        }
        if lesson.names.len() > MAX_CLASSES {
            let found = lesson.names.len();
            return Err(js(Error::input(format!(
                "{found} classes: expected at most {MAX_CLASSES}"
            ))));
        }
        let c = sizes.hidden * lesson.layers.len();
        let (mut tokens, mut examples) = (Vec::new(), Vec::new());
        for (id, photo) in &mut self.photos {
            let own = lesson.examples.iter().filter(|example| example.photo == *id);
            let own: Vec<_> = own.map(|e| (e.token, e.class)).collect();
            if own.is_empty() {
                continue;
            }
            let all = photo.read_all(encoder, &lesson.layers).await.map_err(js)?;
            let first = tokens.len() / c;
            let (rows, own) = photo.taught_by(&all, c, &own).map_err(js)?;
            tokens.extend(rows);
            examples.extend(own.into_iter().map(|(row, class)| (first + row, class)));
        }
        for vector in &lesson.vectors {
            if vector.features.len() != c {
                let found = vector.features.len();
                return Err(js(Error::input(format!("{found} features of a patch, expected {c}"))));
            }
            examples.push((tokens.len() / c, vector.class));
            tokens.extend(&vector.features);
        }
        let classes = lesson.names.len();
        if examples.iter().any(|(_, class)| *class >= classes) {
            return Err(js(Error::input("an example's class does not exist")));
        }
        let start = precise_now();
        let fitted = fit(&tokens, c, classes, &examples).map_err(js)?;
        let milliseconds = precise_now() - start;
        self.taught = Some(LinearHead {
            layers: lesson.layers,
            palette: default_palette(classes),
            names: lesson.names,
            mean: fitted.mean,
            variance: fitted.variance,
            weight: fitted.weight,
            bias: fitted.bias,
        });
        self.taught_info(milliseconds)
    }

    /// The taught head as a safetensors file.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array<ArrayBuffer>")]
    pub fn export_head(&self) -> JsResult<Vec<u8>> {
        let none = || js(Error::input("nothing has been taught yet"));
        self.taught.as_ref().ok_or_else(none)?.to_bytes().map_err(js)
    }

    /// Takes over a head that was exported; answers as `teach` does.
    #[wasm_bindgen(unchecked_return_type = "Taught")]
    pub async fn import_head(&mut self, name: String, bytes: Vec<u8>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let source = Source::memory(&name, bytes);
        self.taught = Some(LinearHead::read(&source, encoder.spec()).await.map_err(js)?);
        self.taught_info(0.0)
    }

    fn taught_info(&self, milliseconds: f64) -> JsResult<JsValue> {
        let Some(head) = &self.taught else { return Ok(JsValue::NULL) };
        let (layers, names) = (head.layers.clone(), head.names.clone());
        let palette = head.palette.clone();
        to_js(&TaughtInfo { layers, names, palette, milliseconds })
    }
}

/// The logits `[n, classes]` of tokens, by a taught head.
pub(super) fn taught_logits(head: &LinearHead, tokens: &[f32]) -> Result<Vec<f32>> {
    let (mean, variance) = (head.mean.clone(), head.variance.clone());
    let (weight, bias) = (head.weight.clone(), head.bias.clone());
    Taught { mean, variance, weight, bias }.logits(tokens)
}
