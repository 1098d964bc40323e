use crate::plan::SlotId;

/// The rows of each picture from `first` on.
///
/// y is `[rows - first, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Slice {
    /// `[rows, C]`.
    pub x: SlotId,
    /// Rows of a picture that are left out.
    pub first: usize,
}
