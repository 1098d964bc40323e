//! What a tensor of weights is for.

/// How a weight is used, which decides how it is stored, and what random values are like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// The matrix of a linear layer: packed, in 16 bits or fewer where the device gains by it.
    Matrix,
    /// One f32 factor for each channel, about 1: a norm's, or its variance.
    Gain,
    /// One f32 factor for each channel of a branch, about 0.1.
    LayerScale,
    /// One f32 summand for each channel.
    Bias,
    /// Read by the host alone: tokens and position tables.
    Table,
}
