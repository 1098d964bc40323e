use crate::plan::Map;

/// The mean over a window of `2·radius + 1` pixels along one axis; at the border over the pixels that
/// are there.
///
/// y is `[height·width, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct BoxMean {
    /// The map that is read.
    pub x: Map,
    /// Pixels on either side of the middle.
    pub radius: usize,
    /// The axis.
    pub axis: Axis,
}

/// An axis of a map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// From row to row.
    Down,
    /// Along a row.
    Across,
}
