use crate::plan::SlotId;

/// The largest values, the largest first, with their numbers; of equal ones those with lower numbers. What is no finite
/// number counts as larger than all that are, so that it is found.
///
/// y is `[parts, 2·count]`: of each part as many values, then their numbers. Where there are fewer, the rest is
/// [`f32::MIN`].
#[derive(Clone, Debug, PartialEq)]
pub struct Top {
    /// `[1, n]`, of whose columns, their numbers, each part takes [`Top::STEP`]; or where there is one part of numbered
    /// values, `[parts, 2·count]` of an earlier one.
    pub x: SlotId,
    /// Whether x are values with numbers.
    pub numbered: bool,
    /// How many of each part.
    pub count: usize,
}

impl Top {
    /// Values of a part.
    pub const STEP: usize = 4096;

    /// Values of a part at most.
    pub const MOST: usize = 65;
}
