//! What a view answers: values, colours over the photograph, and their names.

use crate::Result;
use crate::view::shares;

/// A view's result.
#[derive(Default)]
pub(super) struct Map {
    /// The view's data, row-major, and its shape.
    pub(super) values: Vec<f32>,
    pub(super) shape: Vec<usize>,
    /// RGBA pixels to be stretched over the region.
    pub(super) rgba: Vec<u8>,
    pub(super) width: usize,
    pub(super) height: usize,
    /// Values of the darkest and the brightest colour.
    pub(super) range: Option<[f32; 2]>,
    /// For each pixel the number of its class or cluster; 255 where the photograph is transparent.
    pub(super) labels: Vec<u8>,
    pub(super) names: Vec<String>,
    pub(super) palette: Vec<[u8; 3]>,
    /// Percent of the region.
    pub(super) shares: Vec<f64>,
    /// The patch that resembles most.
    pub(super) best: Option<usize>,
}

/// The label of what is transparent.
const NONE: u8 = 255;

/// Labels `[height, width]` in their colours; those below 0 are transparent and no part of the whole.
pub(super) fn coloured(
    labels: Vec<i32>,
    [height, width]: [usize; 2],
    names: Vec<String>,
    palette: Vec<[u8; 3]>,
) -> Result<Map> {
    let seen: Vec<i32> = labels.iter().copied().filter(|label| *label >= 0).collect();
    let shares = shares(&seen, names.len())?;
    let colour = |label: &i32| match usize::try_from(*label) {
        Ok(label) => {
            let [r, g, b] = palette[label % palette.len()];
            [r, g, b, 255]
        }
        Err(_) => [0; 4],
    };
    Ok(Map {
        rgba: labels.iter().flat_map(colour).collect(),
        labels: labels.iter().map(|label| u8::try_from(*label).unwrap_or(NONE)).collect(),
        width,
        height,
        shares,
        names,
        palette,
        ..Map::default()
    })
}
