//! Patches of pictures.

use super::{Kernel, Row};
use crate::image::Normal;

/// Patches, as the choice of their kernel sees them.
#[derive(Clone, Copy, Debug)]
pub struct Patchify {
    /// Of bytes, what becomes of them; none for f32 planes.
    pub rgba: Option<Normal>,
    /// Side of a patch, pixels.
    pub patch: usize,
    /// Whether y is f16.
    pub half: bool,
}

/// The one variant.
pub static PATCHIFY: [Row<Patchify>; 1] = [Row::only(
    "patchify",
    |_| true,
    |kernel, _, _, shape| {
        let kernel = normalising(kernel.writes(shape.half), shape.rgba.as_ref());
        kernel.knob("PATCH", shape.patch)
    },
)];

/// Fills the hole that reads a picture of bytes or of f32 planes.
pub(super) fn normalising(kernel: Kernel, rgba: Option<&Normal>) -> Kernel {
    match rgba {
        None => kernel.with("pixel/planes"),
        Some(Normal { divisor, mean, std }) => {
            let kernel = kernel.with("pixel/rgba").knob("DIVISOR", *divisor);
            kernel.knob("MEAN", *mean).knob("DEVIATION", *std)
        }
    }
}
