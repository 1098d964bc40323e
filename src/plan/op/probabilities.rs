use super::Heads;
use crate::plan::SlotId;

/// `softmax(turned(q)·kᵀ / √d)` of the last query over the rows of a state up to its own: the weights by which
/// [`Causal`](super::Causal) takes values. What is behind its own row weighs nothing.
///
/// y is `[queries, capacity]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Probabilities {
    /// Where queries are, and how they are turned.
    pub heads: Heads,
    /// The state of keys and values, `[capacity, 2·keys·d]`.
    pub state: SlotId,
    /// How many rows the state held before those of these queries, `[1, 1]`, shared.
    pub place: SlotId,
}
