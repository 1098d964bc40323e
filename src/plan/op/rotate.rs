use crate::model::Pairs;
use crate::plan::{Plane, SlotId};

/// Rotary positions: in every head the pair of channels `(a, b)` numbered j becomes
/// `(a cos φ - b sin φ, b cos φ + a sin φ)`, φ the token's angle j.
///
/// y is `[tokens, heads·d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Rotate {
    /// `[tokens, heads·d]`.
    pub x: Plane,
    /// Cosines of a token's d/2 angles, then their sines: `[tokens, d]`, shared by the batch.
    pub angles: SlotId,
    /// Which channels are a pair.
    pub pairs: Pairs,
}
