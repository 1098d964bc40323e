use crate::plan::Map;

/// Pooling.
///
/// y is `[to[0]·to[1], C]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// The map that is read.
    pub x: Map,
    /// Height and width of y.
    pub to: [usize; 2],
    /// How values are joined.
    pub kind: PoolKind,
}

/// How pooling joins values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The mean over adaptive bins.
    Mean,
    /// The maximum of 2 × 2 pixels, stride 2.
    Max,
}
