use crate::model::Activation;
use crate::plan::SlotId;

/// `y = residual + scale ⊙ activation(x · Wᵀ + bias)`; what is absent is left out.
///
/// y is `[planes, rows, out]`; output o of W goes to plane o / out. Where it is gated, W has two
/// planes and y one: with `s = x · Wᵀ + bias` of either, `y = residual + scale ⊙ activation(s₀) ⊙ s₁`.
#[derive(Clone, Debug, PartialEq)]
pub struct Linear {
    /// `[rows, in]`; over windows `[height·width, in / 9]`.
    pub x: SlotId,
    /// W, `[planes, out, in]`.
    pub weight: SlotId,
    /// `[planes·out]`.
    pub bias: Option<SlotId>,
    /// What a row of x is.
    pub rows: RowSource,
    /// Applied to the sums, bias included.
    pub activation: Option<Activation>,
    /// Whether the activation of the first plane's sums, the gate, multiplies the second's.
    pub gated: bool,
    /// LayerScale, `[out]`.
    pub scale: Option<SlotId>,
    /// `[rows, out]`.
    pub residual: Option<SlotId>,
}

/// Where a linear layer's rows come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSource {
    /// The rows of x.
    Rows,
    /// The 3 × 3 window around each pixel of a map of this height and width, zero outside, in the
    /// order y, x, channel: a convolution.
    Windows([usize; 2]),
}

impl Linear {
    /// `y = x · Wᵀ`.
    pub fn new(x: SlotId, weight: SlotId) -> Self {
        let (rows, activation, gated) = (RowSource::Rows, None, false);
        let (bias, scale, residual) = (None, None, None);
        Self { x, weight, bias, rows, activation, gated, scale, residual }
    }

    pub(super) fn operands(&self) -> Vec<SlotId> {
        let all = [Some(self.x), self.residual, Some(self.weight), self.bias, self.scale];
        all.into_iter().flatten().collect()
    }
}
