use crate::plan::{Plan, SlotId};

/// Rows of queries, keys and values side by side, `[rows, (queries + 2 keys)·d]`, head by head; and what becomes of a
/// head of queries or keys before it is used: a norm, where there is one, then rotary positions, whose pairs are the
/// channels j and j + d/2.
#[derive(Clone, Debug, PartialEq)]
pub struct Heads {
    /// The rows.
    pub x: SlotId,
    /// Heads of queries.
    pub queries: usize,
    /// Heads of keys, and as many of values.
    pub keys: usize,
    /// Cosines of a token's d/2 angles, then their sines: `[rows, d]`, shared.
    pub angles: SlotId,
    /// Weight `[d]` and epsilon of the RMSNorm of queries, where there is one.
    pub query_norm: Option<(SlotId, f32)>,
    /// The same of keys.
    pub key_norm: Option<(SlotId, f32)>,
}

impl Heads {
    /// Channels of a head.
    pub fn d(&self, plan: &Plan) -> usize {
        plan.slots[self.angles].cols
    }

    /// What is read for queries.
    pub(super) fn of_queries(&self) -> impl Iterator<Item = SlotId> {
        [self.x, self.angles].into_iter().chain(self.query_norm.map(|(weight, _)| weight))
    }

    /// What is read for keys and values.
    pub(super) fn of_keys(&self) -> impl Iterator<Item = SlotId> {
        [self.x, self.angles].into_iter().chain(self.key_norm.map(|(weight, _)| weight))
    }
}
