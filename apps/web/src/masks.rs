//! What the page makes of the classes that were taught: masks, how unsure they are, what is cut out.

use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use internvit::Error;
use internvit::view::{Coco, Refine, Soft};

#[wasm_bindgen]
impl Engine {
    /// The classes that were taught on a photograph, at the size of its maps. `refine` is
    /// `{ edges, smooth, least }`.
    #[wasm_bindgen(unchecked_return_type = "Masks")]
    pub async fn masks(
        &mut self,
        photo: u32,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
    ) -> JsResult<JsValue> {
        let soft = self.soft(photo, refine).await?;
        masks(&soft)
    }

    /// The probability of a class at each pixel of these masks.
    #[wasm_bindgen(unchecked_return_type = "Float32Array<ArrayBuffer>")]
    pub async fn probability(
        &mut self,
        photo: u32,
        class: usize,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
    ) -> JsResult<Vec<f32>> {
        self.soft(photo, refine).await?.plane(class).map_err(js)
    }

    /// The photograph's pixels as RGBA, all but a class's transparent.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array<ArrayBuffer>")]
    pub async fn cut_out(
        &mut self,
        photo: u32,
        class: usize,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
    ) -> JsResult<Vec<u8>> {
        self.soft(photo, refine).await?.cut_out(class).map_err(js)
    }

    /// The masks of photographs as COCO's JSON; `files` are their names.
    pub async fn annotations(
        &mut self,
        photos: Vec<u32>,
        files: Vec<String>,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
    ) -> JsResult<String> {
        let names = self.album.head.as_ref().map(|head| head.names.clone()).unwrap_or_default();
        let mut coco = Coco::new(&names);
        for (photo, file) in photos.into_iter().zip(&files) {
            let soft = self.soft(photo, refine.clone()).await?;
            coco.add(file, &soft.named().map_err(js)?.labels, soft.size());
        }
        Ok(coco.to_json())
    }
}

impl Engine {
    async fn soft(&mut self, photo: u32, refine: JsValue) -> JsResult<Soft> {
        let refine: Refine = serde_wasm_bindgen::from_value(refine)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        if self.album.head.is_none() {
            return Err(js(Error::input("nothing has been taught yet")));
        }
        self.album.soft(encoder, photo, refine).await.map_err(js)
    }
}

fn masks(soft: &Soft) -> JsResult<JsValue> {
    let named = soft.named().map_err(js)?;
    let [height, width] = soft.size();
    let labels: Vec<u8> = named.labels.iter().map(|label| *label as u8).collect();
    object(&[
        ("width", number(width as f64)),
        ("height", number(height as f64)),
        ("labels", Uint8Array::from(&labels[..]).into()),
        ("unsure", Float32Array::from(&named.unsure[..]).into()),
    ])
}
