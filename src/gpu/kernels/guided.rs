//! Operations of upsampling along a photograph's edges: an invocation computes four values.

use super::Row;

/// A mean over a window along one axis.
#[derive(Clone, Copy, Debug)]
pub struct BoxMean {
    /// Channels.
    pub c: usize,
    /// Pixels on either side of the middle.
    pub radius: usize,
    /// Along rows, otherwise from row to row.
    pub across: bool,
}

/// Pixels with a guide.
#[derive(Clone, Copy, Debug)]
pub struct Pixels {
    /// Channels.
    pub c: usize,
}

/// A ridge regression.
#[derive(Clone, Copy, Debug)]
pub struct Ridge {
    /// Channels.
    pub c: usize,
    /// Added to the variances.
    pub eps: f32,
}

/// The one variant.
pub static BOX_MEAN: [Row<BoxMean>; 1] = [Row::only(
    "box_mean",
    |shape| shape.c.is_multiple_of(4),
    |kernel, _, _, shape| {
        let kernel = kernel.knob("C", shape.c).knob("RADIUS", shape.radius);
        kernel.knob("ACROSS", shape.across)
    },
)];

/// The one variant.
pub static OUTER: [Row<Pixels>; 1] = [Row::only(
    "outer",
    |shape| shape.c.is_multiple_of(4),
    |kernel, _, _, shape| kernel.knob("C", shape.c),
)];

/// The one variant.
pub static RIDGE: [Row<Ridge>; 1] = [Row::only(
    "ridge",
    |_| true,
    |kernel, _, _, shape| kernel.knob("C", shape.c).knob("EPS", shape.eps),
)];

/// The one variant.
pub static LOCAL_AFFINE: [Row<Pixels>; 1] = [Row::only(
    "local_affine",
    |shape| shape.c.is_multiple_of(4),
    |kernel, _, _, shape| kernel.knob("C", shape.c),
)];
