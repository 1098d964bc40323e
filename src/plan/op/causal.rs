use super::Heads;
use crate::plan::SlotId;

/// `softmax(turned(q)·kᵀ / √d) · v` of each query over the rows of a state up to its own, `place + r` of query r. Query
/// head h reads the key head `h / (queries / keys)`.
///
/// y is `[rows, queries·d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Causal {
    /// Where queries are, and how they are turned.
    pub heads: Heads,
    /// The state of keys and values, `[capacity, 2·keys·d]`.
    pub state: SlotId,
    /// How many rows the state held before these, `[1, 1]`, shared.
    pub place: SlotId,
}
