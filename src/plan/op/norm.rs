use crate::model::Activation;
use crate::model::NormKind;
use crate::plan::{Plane, SlotId};

/// `y = activation(norm(x))`, row by row.
///
/// y is `[rows, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// `[rows, C]`.
    pub x: Plane,
    /// `[C]`.
    pub weight: SlotId,
    /// `[C]`; LayerNorm has one.
    pub bias: Option<SlotId>,
    /// Which statistics.
    pub kind: NormKind,
    /// Added before the root.
    pub eps: f32,
    /// Applied to the result; only with a bias.
    pub activation: Option<Activation>,
}

impl Norm {
    pub(super) fn operands(&self) -> Vec<SlotId> {
        [self.x.slot, self.weight].into_iter().chain(self.bias).collect()
    }
}
