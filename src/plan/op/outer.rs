use crate::plan::SlotId;

/// Each value times each of the guide's: `y[p][4c + i] = x[p][c] · guide[p][i]`.
///
/// y is `[height·width, 4·C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Outer {
    /// `[height·width, C]`.
    pub x: SlotId,
    /// Red, green, blue and 1, `[height·width, 4]`.
    pub guide: SlotId,
}
