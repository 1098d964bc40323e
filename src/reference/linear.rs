//! Twin of `shaders/linear_*.wgsl`.

/// Rows of `x` for which a row of weights is used while it is in the cache.
const BLOCK: usize = 16;

/// What becomes of `s = x·Wᵀ + b`.
#[derive(Clone, Copy, Debug)]
pub enum After<'a> {
    /// `s`
    Store,
    /// `½ s (1 + erf(s/√2))`
    Gelu,
    /// `max(s, 0)`
    Relu,
    /// `y + scale ⊙ s`
    Residual(&'a [f32]),
}

/// `y = after(x·Wᵀ + b)`.
///
/// `sizes` are [in, out]; `x` `[rows, in]`, `w` `[planes·out, in]`, `y` `[planes, rows, out]`.
pub fn linear(
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    [k, out]: [usize; 2],
    after: After<'_>,
    y: &mut [f32],
) {
    let rows = x.len() / k;
    for first in (0..rows).step_by(BLOCK) {
        for (o, weights) in w.chunks_exact(k).enumerate() {
            for row in first..rows.min(first + BLOCK) {
                let sum = dot(&x[row * k..][..k], weights) + bias.map_or(0.0, |b| b[o]);
                let cell = &mut y[((o / out) * rows + row) * out + o % out];
                *cell = match after {
                    After::Store => sum,
                    After::Gelu => gelu_erf(sum),
                    After::Relu => sum.max(0.0),
                    After::Residual(scale) => *cell + scale[o] * sum,
                };
            }
        }
    }
}

/// Sixteen running sums: quick, and more exact than one.
pub(super) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_chunks, a_rest) = a.as_chunks::<16>();
    let (b_chunks, b_rest) = b.as_chunks::<16>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

pub(super) fn gelu_erf(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
}
