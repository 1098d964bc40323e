use crate::plan::SlotId;

/// `y = to + x`.
///
/// y is `[rows, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Add {
    /// `[rows, C]`.
    pub x: SlotId,
    /// `[rows, C]`.
    pub to: SlotId,
}
