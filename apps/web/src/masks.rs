//! What the page makes of the classes that were taught: masks, how unsure they are, what is cut out.

use js_sys::{Float32Array, Uint8Array};
use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::*;
use internvit::Error;
use internvit::view::{Coco, Refine, Soft, labels_png};

#[wasm_bindgen]
impl Engine {
    /// The classes that were taught on a photograph, at the size of its maps, or `whole` at its own.
    /// `refine` is `{ edges, smooth, least }`; `soft` adds the classes' probabilities.
    #[wasm_bindgen(unchecked_return_type = "Masks")]
    pub async fn masks(
        &mut self,
        photo: u32,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
        whole: bool,
        soft: bool,
    ) -> JsResult<JsValue> {
        masks(&self.soft(photo, refine, whole).await?, soft)
    }

    /// The photograph's pixels, all but a class's transparent: `{ width, height, rgba }`.
    #[wasm_bindgen(unchecked_return_type = "CutOut")]
    pub async fn cut_out(
        &mut self,
        photo: u32,
        class: usize,
        #[wasm_bindgen(unchecked_param_type = "Refine")] refine: JsValue,
    ) -> JsResult<JsValue> {
        let soft = self.soft(photo, refine, true).await?;
        cut_out(&soft, &soft.cut_out(class).map_err(js)?)
    }

    /// Labels as a PNG with the classes' colours as its palette.
    pub fn labels_png(&self, labels: &[u8], width: usize, height: usize) -> JsResult<Vec<u8>> {
        let labels: Vec<i32> = labels.iter().map(|label| i32::from(*label)).collect();
        let palette = self.album.head.as_ref().map_or(&[][..], |head| &head.palette);
        labels_png(&labels, [height, width], palette).map_err(js)
    }

    /// The mask of one photograph as COCO's JSON; `file` is its name.
    pub fn annotations(
        &self,
        file: &str,
        labels: &[u8],
        width: usize,
        height: usize,
    ) -> JsResult<String> {
        if width.checked_mul(height) != Some(labels.len()) {
            return Err(js(Error::input("annotations: expected a label for each pixel")));
        }
        let names = self.album.head.as_ref().map_or(&[][..], |head| &head.names);
        let labels: Vec<i32> = labels.iter().map(|label| i32::from(*label)).collect();
        let mut coco = Coco::new(names);
        coco.add(file, &labels, [height, width]);
        Ok(coco.to_json())
    }
}

impl Engine {
    async fn soft(&mut self, photo: u32, refine: JsValue, whole: bool) -> JsResult<Soft> {
        let refine: Refine = serde_wasm_bindgen::from_value(refine)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        if self.album.head.is_none() {
            return Err(js(Error::input("nothing has been taught yet")));
        }
        let side = if whole { None } else { Some(super::SIDE) };
        self.album.soft_within(encoder, photo, refine, side).await.map_err(js)
    }
}

fn masks(soft: &Soft, with_planes: bool) -> JsResult<JsValue> {
    let mut planes = Vec::new();
    let keep = &mut |plane: &[f32]| {
        if with_planes {
            planes.extend_from_slice(plane);
        }
    };
    let named = soft.named_by(keep).map_err(js)?;
    let [height, width] = soft.size();
    let labels: Vec<u8> = named.labels.iter().map(|label| *label as u8).collect();
    object(&[
        ("width", number(width as f64)),
        ("height", number(height as f64)),
        ("labels", Uint8Array::from(&labels[..]).into()),
        ("unsure", Float32Array::from(&named.unsure[..]).into()),
        ("cells", tensor(&soft.cells())?),
        ("probabilities", Float32Array::from(&planes[..]).into()),
    ])
}

fn cut_out(soft: &Soft, rgba: &[u8]) -> JsResult<JsValue> {
    let [height, width] = soft.size();
    object(&[
        ("width", number(width as f64)),
        ("height", number(height as f64)),
        ("rgba", Uint8Array::from(rgba).into()),
    ])
}
