use crate::plan::SlotId;

/// Rows of each picture from `first` on, as many as y has.
///
/// y is `[n, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// `[rows, C]`.
    pub x: SlotId,
    /// Rows of a picture before them.
    pub first: usize,
}
