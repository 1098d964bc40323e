use crate::plan::{Plane, SlotId};

/// `softmax(q·kᵀ / √d)` of the last query over the rows of a state up to its own: the weights by which
/// [`Causal`](super::Causal) takes values. What is behind its own row weighs nothing.
///
/// y is `[heads, capacity]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// Queries, `[rows, heads·d]`.
    pub q: Plane,
    /// A state of keys, `[capacity, key_heads·d]`.
    pub k: SlotId,
    /// How many rows the state held before those of these queries, `[1, 1]`, shared.
    pub place: SlotId,
    /// Heads of keys.
    pub key_heads: usize,
}
