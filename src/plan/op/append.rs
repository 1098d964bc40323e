use crate::plan::{Plane, SlotId};

/// Rows of x behind what a state holds: `y[place + r] = x[r]`; y is the state.
#[derive(Clone, Debug, PartialEq)]
pub struct Append {
    /// `[rows, C]`.
    pub x: Plane,
    /// How many rows the state holds, `[1, 1]`, shared.
    pub place: SlotId,
    /// The state, `[capacity, C]`.
    pub to: SlotId,
}
