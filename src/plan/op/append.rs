use super::Heads;
use crate::plan::SlotId;

/// Keys and values of new tokens behind those that a state holds, side by side: `y[place + r] = turned(k[r]) ‖ v[r]`; y
/// is the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// Where keys and values are, and how keys are turned.
    pub heads: Heads,
    /// How many rows the state holds, `[1, 1]`, shared.
    pub place: SlotId,
    /// The state, `[capacity, 2·keys·d]`.
    pub to: SlotId,
}
