//! A photograph that a conversation is about.

use js_sys::{Float32Array, Function};
use wasm_bindgen::JsValue;

use super::js::{JsResult, js, number, object, told};
use internvit::app::{Cut, Shape};
use internvit::image::Picture;
use internvit::language::over_photograph;
use internvit::model::SquareOrder;
use internvit::{Encoder, Images};

/// A photograph, and its visual tokens once the model has looked at it.
pub(super) struct Shown {
    /// How many tiles it has, a thumbnail among them.
    pub(super) count: usize,
    /// Rows and columns of tiles, a thumbnail left out.
    pub(super) cut: [usize; 2],
    /// Rows and columns of a tile's tokens.
    pub(super) side: [usize; 2],
    /// The tiles that the model has not looked at.
    pub(super) tiles: Vec<Picture>,
    /// The visual tokens of those that it has.
    pub(super) values: Vec<f32>,
}

impl Shown {
    /// A photograph cut into tiles, of which each `patch` pixels on a side are a token.
    pub(super) fn cut(photo: &Picture, shape: &Shape, patch: usize) -> JsResult<Self> {
        let Cut { grid, pictures, .. } = shape.cut(photo).map_err(js)?;
        let first = pictures.first().map_or([0, 0], |one| [one.height, one.width]);
        Ok(Self {
            count: pictures.len(),
            cut: [grid.rows as usize, grid.cols as usize],
            side: first.map(|pixels| pixels as usize / patch),
            tiles: pictures,
            values: Vec::new(),
        })
    }

    pub(super) fn tokens(&self) -> usize {
        self.count * self.side[0] * self.side[1]
    }

    /// Computes the visual tokens of its tiles, if that was not done.
    pub(super) async fn look(
        &mut self,
        encoder: &mut Encoder,
        progress: Option<&Function>,
    ) -> JsResult<()> {
        let mut values = Vec::new();
        for (tile, picture) in self.tiles.iter().enumerate() {
            let on = &mut async |done: usize, total: usize| {
                let (done, total) = (tile * total + done, self.tiles.len() * total);
                told(progress, [done as f64, total as f64]).await
            };
            let images = Images::Pictures(std::slice::from_ref(picture));
            values.extend(encoder.visual_tokens(images, on).await.map_err(js)?.values);
        }
        self.values.extend(values);
        self.tiles.clear();
        Ok(())
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
