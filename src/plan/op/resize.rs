use crate::plan::{Map, SlotId};

/// Bilinear resize of a map (half-pixel centres, border clamped), added to another where there is one.
///
/// y is `[to[0]·to[1], C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// The map that is read.
    pub x: Map,
    /// Height and width of y.
    pub to: [usize; 2],
    /// `[to[0]·to[1], C]`.
    pub add: Option<SlotId>,
}
