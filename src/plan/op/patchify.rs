use crate::image::Normal;
use crate::plan::SlotId;

/// Cuts pictures into patches: row p of y holds the values of patch p (grid row-major) in the order
/// channel, y, x. RGBA bytes are normalised; f32 planes are taken as they are.
///
/// y is `[patches, 3·patch²]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Patchify {
    /// RGBA `[height, width]` or f32 planes `[3·height, width]`.
    pub pixels: SlotId,
    /// Side of a patch, pixels.
    pub patch: usize,
    /// How RGBA bytes are normalised.
    pub normal: Normal,
}
