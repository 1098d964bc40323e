//! The page's benchmark: what `internvit bench` measures, here.

use std::ops::ControlFlow;

use js_sys::Function;
use serde::Deserialize;
use serde_json::json;
use wasm_bindgen::prelude::*;

use super::Engine;
use super::js::{JsResult, js, no_model, number, precise_now, to_js, turn};
use internvit::image::Picture;
use internvit::measure::measure;
use internvit::{Error, Images};

#[derive(Deserialize)]
struct Request {
    /// Side of the square picture in pixels; the model's own if left out.
    side: Option<u32>,
    /// Pictures of one encoding.
    batch: usize,
    /// Encodings to measure; as many as some 20 s allow if left out.
    runs: Option<usize>,
}

#[wasm_bindgen]
impl Engine {
    /// Encodes a made-up picture again and again: `{ side, batch, runs }`. Answers with the JSON of
    /// `internvit bench --json`; `progress(part, 1)` returns false, or a promise of it, to cancel.
    #[wasm_bindgen(unchecked_return_type = "Benchmark")]
    pub async fn benchmark(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "BenchmarkRequest")] request: JsValue,
        #[wasm_bindgen(unchecked_param_type = "OnProgress")] progress: Function,
    ) -> JsResult<JsValue> {
        let request: Request = serde_wasm_bindgen::from_value(request)?;
        let times = self.times;
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let sizes = encoder.spec().sizes;
        let side = request.side.unwrap_or(sizes.image as u32);
        if request.batch == 0 || !side.is_multiple_of(sizes.patch as u32) {
            let text =
                format!("{} × {side} px: expected multiples of {}", request.batch, sizes.patch);
            return Err(js(Error::input(text)));
        }
        let pictures = vec![Picture::noise(side).map_err(js)?; request.batch];
        let clock = || precise_now() / 1e3;
        let mut on_progress = async |part: f64| -> ControlFlow<()> {
            turn(progress.call2(&JsValue::NULL, &number(part), &number(1.0))).await
        };
        let images = Images::Pictures(&pictures);
        let measured =
            measure(encoder, images, request.runs, &clock, &mut on_progress).await.map_err(js)?;
        // The module's memory grows only, so what it has is what it needed at most.
        let pages = core::arch::wasm32::memory_size::<0>();
        let ceilings = encoder.session().ceilings(&clock).await.map_err(js)?;
        let before = [("open_device", times[0]), ("load_weights", times[1])];
        let mut report = measured.json(&ceilings, &before);
        report["image_size"] = json!(side);
        report["memory"]["host_peak_bytes"] = json!((pages as f64) * 65536.0);
        to_js(&report)
    }
}
