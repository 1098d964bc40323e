//! Twin of `shaders/linear_*.wgsl`.

use crate::math::dot;
use crate::plan::Activation;

/// Rows of `x` for which a row of weights is used while it is in the cache.
const BLOCK: usize = 16;

/// What follows the sums `s = x·Wᵀ`: `scale ⊙ activation(s + bias)`, added to y or stored in it. An
/// absent bias is zero, an absent scale one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogue<'a> {
    /// `[planes·out]`.
    pub bias: Option<&'a [f32]>,
    /// Elementwise.
    pub activation: Option<Activation>,
    /// `[out]`.
    pub scale: Option<&'a [f32]>,
    /// Whether y holds a residual.
    pub add: bool,
}

/// `y = epilogue(x·Wᵀ)`.
///
/// `sizes` are [in, out]; `x` `[rows, in]`, `w` `[planes·out, in]`, `y` `[planes, rows, out]`.
pub fn linear(x: &[f32], w: &[f32], [k, out]: [usize; 2], epilogue: Epilogue<'_>, y: &mut [f32]) {
    let Epilogue { bias, activation, scale, add } = epilogue;
    let rows = x.len() / k;
    // Sixteen rows of x while a row of weights is in the cache.
    for first in (0..rows).step_by(BLOCK) {
        for (o, weights) in w.chunks_exact(k).enumerate() {
            for row in first..rows.min(first + BLOCK) {
                let sum = dot(&x[row * k..][..k], weights) + bias.map_or(0.0, |b| b[o]);
                let value = scale.map_or(1.0, |s| s[o % out]) * activate(activation, sum);
                let cell = &mut y[((o / out) * rows + row) * out + o % out];
                *cell = if add { *cell + value } else { value };
            }
        }
    }
}

/// The activation's value, in f64 where it is not exact.
pub(super) fn activate(activation: Option<Activation>, x: f32) -> f32 {
    match activation {
        None => x,
        Some(Activation::Relu) => x.max(0.0),
        Some(Activation::Gelu) => {
            let x = f64::from(x);
            (0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
        }
    }
}
