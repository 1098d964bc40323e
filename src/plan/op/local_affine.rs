use crate::plan::{Map, SlotId};

/// The guide's pixels through coefficients, which are resized as [`Resize`](super::Resize) does:
/// `y[p][c] = Σᵢ x[p][4c + i] · guide[p][i]`.
///
/// y is `[to[0]·to[1], C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalAffine {
    /// Coefficients, `[height·width, 4·C]`.
    pub x: Map,
    /// Red, green, blue and 1, `[to[0]·to[1], 4]`.
    pub guide: SlotId,
    /// Height and width of y.
    pub to: [usize; 2],
}
