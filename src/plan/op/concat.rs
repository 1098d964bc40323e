use crate::plan::Map;

/// Maps resized to one size as [`Resize`](super::Resize) does, their channels side by side.
///
/// y is `[to[0]·to[1], sum of C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Concat {
    /// From the first channels to the last.
    pub maps: Vec<Map>,
    /// Height and width of y.
    pub to: [usize; 2],
}
