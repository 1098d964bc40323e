//! Twin of `shaders/linear_*.wgsl`.

/// Rows of `x` for which a row of weights is used while it is in the cache.
const BLOCK: usize = 16;

/// `y = x·Wᵀ + b`, then GELU, or `y + scale ⊙ (x·Wᵀ + b)` where `scale` is given.
///
/// `sizes` are [in, out]; `x` `[rows, in]`, `w` `[planes·out, in]`, `y` `[planes, rows, out]`.
pub fn linear(
    x: &[f32],
    w: &[f32],
    bias: Option<&[f32]>,
    [k, out]: [usize; 2],
    gelu: bool,
    scale: Option<&[f32]>,
    y: &mut [f32],
) {
    let rows = x.len() / k;
    for first in (0..rows).step_by(BLOCK) {
        for (o, weights) in w.chunks_exact(k).enumerate() {
            for row in first..rows.min(first + BLOCK) {
                let sum = dot(&x[row * k..][..k], weights) + bias.map_or(0.0, |b| b[o]);
                let sum = if gelu { gelu_erf(sum) } else { sum };
                let cell = &mut y[((o / out) * rows + row) * out + o % out];
                *cell = scale.map_or(sum, |s| *cell + s[o] * sum);
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

fn gelu_erf(x: f32) -> f32 {
    let x = f64::from(x);
    (0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2))) as f32
}
