//! A photograph that a conversation is about.

use js_sys::Float32Array;
use wasm_bindgen::JsValue;

use super::js::{JsResult, js, number, object};
use internvit::Tensor;
use internvit::language::over_photograph;
use internvit::model::SquareOrder;

/// The visual tokens of a photograph.
pub(super) struct Shown {
    /// `[tiles, tokens of a tile, C]`.
    pub(super) visual: Tensor,
    /// Rows and columns of tiles, a thumbnail left out.
    pub(super) cut: [usize; 2],
    /// Rows and columns of a tile's tokens.
    pub(super) side: [usize; 2],
}

impl Shown {
    pub(super) fn tokens(&self) -> usize {
        self.visual.shape.iter().take(2).product()
    }

    /// Weights of its tokens as a map of the photograph, whose sum is theirs.
    pub(super) fn looked(&self, weights: &[f32], order: SquareOrder) -> JsResult<JsValue> {
        looked(over_photograph(weights, self.cut, self.side, order).map_err(js)?)
    }
}

fn looked(([rows, cols], values): ([usize; 2], Vec<f32>)) -> JsResult<JsValue> {
    object(&[
        ("rows", number(rows as f64)),
        ("cols", number(cols as f64)),
        ("values", Float32Array::from(values.as_slice()).into()),
    ])
}
