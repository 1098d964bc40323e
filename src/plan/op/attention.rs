use crate::plan::{Plan, Plane, SlotId};

/// `softmax(q·kᵀ / √d + bias) · v` for every head, of each query over the keys of its group.
///
/// y is `[groups·queries, heads·d]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Queries, `[groups·queries, heads·d]`.
    pub q: Plane,
    /// Keys, `[groups·keys, heads·d]`.
    pub k: Plane,
    /// Values, `[groups·keys, heads·d]`.
    pub v: Plane,
    /// Number of heads.
    pub heads: usize,
    /// Parts of a picture, one behind the other, within which tokens attend.
    pub groups: usize,
    /// What is added to scores.
    pub bias: Option<ScoreBias>,
}

/// Summands of scores, looked up: of query r, counted through the groups, and key c in head h it is
/// `table[index[r][c]][h]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreBias {
    /// `[entries, heads]`, shared by the batch.
    pub table: SlotId,
    /// `[groups·queries, keys]` whole numbers, of each picture or shared by all.
    pub index: SlotId,
}

impl Attention {
    /// Every token of a picture over all of them.
    pub fn new([q, k, v]: [Plane; 3], heads: usize) -> Self {
        Self { q, k, v, heads, groups: 1, bias: None }
    }

    /// Queries and keys of a group.
    pub fn sizes(&self, plan: &Plan) -> [usize; 2] {
        [self.q, self.k].map(|plane| plan.slots[plane.slot].rows / self.groups)
    }

    pub(super) fn operands(&self) -> Vec<SlotId> {
        let bias = self.bias.iter().flat_map(|bias| [bias.table, bias.index]);
        [self.q.slot, self.k.slot, self.v.slot].into_iter().chain(bias).collect()
    }
}
