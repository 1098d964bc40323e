//! What the page teaches: a head on patches and pixels that the visitor has named.

use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use super::records::*;
use internvit::Error;
use internvit::app::Lesson;
use internvit::weights::{LinearHead, Source};

#[wasm_bindgen]
impl Engine {
    /// What a lesson keeps of a photograph that is let go: the features of some patches in all layers,
    /// `[patches, layers + 1, C]`, and how all patches are spread there.
    #[wasm_bindgen(unchecked_return_type = "Kept")]
    pub async fn kept(&mut self, photo: u32, patches: Vec<usize>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let found = self.album.kept(encoder, photo, &patches).await.map_err(js)?;
        kept(&found)
    }

    /// Fits a linear head to patches that the visitor has named:
    /// `{ layers, names, examples: [{ photo, token, class, at }], vectors: [{ features, class, before }], spreads, method }`.
    /// Answers with the head, `{ layers, names, palette, milliseconds }`.
    #[wasm_bindgen(unchecked_return_type = "Taught")]
    pub async fn teach(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Lesson")] lesson: JsValue,
    ) -> JsResult<JsValue> {
        let lesson: Lesson = serde_wasm_bindgen::from_value(lesson)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let gathered = lesson.gather(&mut self.album, encoder).await.map_err(js)?;
        let start = precise_now();
        self.album.learn(lesson.fit(&gathered).map_err(js)?, &lesson.examples);
        self.taught_info(precise_now() - start)
    }

    /// The taught head as a safetensors file.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array<ArrayBuffer>")]
    pub fn export_head(&self) -> JsResult<Vec<u8>> {
        let none = || js(Error::input("nothing has been taught yet"));
        self.album.head.as_ref().ok_or_else(none)?.to_bytes().map_err(js)
    }

    /// Takes over a head that was exported; answers as `teach` does.
    #[wasm_bindgen(unchecked_return_type = "Taught")]
    pub async fn import_head(&mut self, name: String, bytes: Vec<u8>) -> JsResult<JsValue> {
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        let source = Source::memory(&name, bytes);
        let head = LinearHead::read(&source, encoder.spec()).await.map_err(js)?;
        self.album.learn(head, &[]);
        self.taught_info(0.0)
    }

    fn taught_info(&self, milliseconds: f64) -> JsResult<JsValue> {
        let Some(head) = &self.album.head else { return Ok(JsValue::NULL) };
        let (layers, names) = (head.layers.clone(), head.names.clone());
        let palette = head.palette.clone();
        to_js(&TaughtInfo { layers, names, palette, milliseconds })
    }
}
