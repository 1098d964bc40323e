use crate::plan::{Plan, SlotId};

/// Patches behind the prefix tokens, positions added: `y[t] = rows[t]` of a prefix token,
/// `y[t] = rows[t] + patches[t - prefix]` of another.
///
/// y is `[prefix + patches, C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Embed {
    /// `[patches, C]`.
    pub patches: SlotId,
    /// Prefix tokens with their positions, then the positions of the patches:
    /// `[prefix + patches, C]`, shared by the batch.
    pub rows: SlotId,
}

impl Embed {
    /// Prefix tokens.
    pub fn prefix(&self, plan: &Plan) -> usize {
        plan.slots[self.rows].rows - plan.slots[self.patches].rows
    }
}
