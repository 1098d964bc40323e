use crate::plan::SlotId;

/// Four planes to one map of twice the height and width: `y[2r + i][2c + j] = x[2i + j][r][c]`.
///
/// y is `[2 height·2 width, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Interleave {
    /// `[4, height·width, C]`.
    pub x: SlotId,
    /// Height and width of a plane.
    pub size: [usize; 2],
}
