//! Twin of `shaders/linear_*.wgsl`.

use super::activate;
use crate::math::dot;
use crate::plan::Activation;

/// Rows of `x` for which a row of weights is used while it is in the cache.
const BLOCK: usize = 16;

/// What follows the sums `s = x·Wᵀ + bias`: `scale ⊙ activation(s)`, or where it is gated
/// `scale ⊙ activation(s₀) ⊙ s₁` of two planes, added to y or stored in it. An absent bias is zero,
/// an absent scale one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// `[planes·out]`.
    pub bias: Option<&'a [f32]>,
    /// Elementwise.
    pub activation: Option<Activation>,
    /// Whether the first plane gates the second.
    pub gated: bool,
    /// `[out]`.
    pub scale: Option<&'a [f32]>,
    /// Whether y holds a residual.
    pub add: bool,
}

/// `y = epilogue(x·Wᵀ)`.
///
/// `sizes` are [in, out]; `x` `[rows, in]`, `w` `[planes·out, in]`, `y` `[planes, rows, out]`, of one
/// plane where w has two and is gated.
pub fn linear(x: &[f32], w: &[f32], [k, out]: [usize; 2], epilogue: Epilogue<'_>, y: &mut [f32]) {
    let Epilogue { bias, activation, gated, scale, add } = epilogue;
    let rows = x.len() / k;
    let sum = |row: usize, o: usize| {
        dot(&x[row * k..][..k], &w[o * k..][..k]) + bias.map_or(0.0, |b| b[o])
    };
    let outputs = w.len() / k / if gated { 2 } else { 1 };
    // Sixteen rows of x while a row of weights is in the cache.
    for first in (0..rows).step_by(BLOCK) {
        for o in 0..outputs {
            for row in first..rows.min(first + BLOCK) {
                let value = activation.map_or(sum(row, o), |act| activate(act, sum(row, o)));
                let value = if gated { value * sum(row, o + out) } else { value };
                let value = scale.map_or(1.0, |s| s[o % out]) * value;
                let cell = &mut y[((o / out) * rows + row) * out + o % out];
                *cell = if add { *cell + value } else { value };
            }
        }
    }
}
