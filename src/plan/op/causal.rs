use crate::plan::{Plane, SlotId};

/// `softmax(q·kᵀ / √d) · v` of each query over the rows of two states up to its own, `place + r` of query r. Query
/// head h reads the key head `h / (heads / key_heads)`.
///
/// y is `[rows, heads·d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Causal {
    /// Queries, `[rows, heads·d]`.
    pub q: Plane,
    /// A state of keys, `[capacity, key_heads·d]`.
    pub k: SlotId,
    /// A state of values, `[capacity, key_heads·d]`.
    pub v: SlotId,
    /// How many rows the states held before these, `[1, 1]`, shared.
    pub place: SlotId,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub key_heads: usize,
}
