//! Sums that several rooms need.

/// The dot product in sixteen running sums: quick, and more exact than one.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; 16];
    let (a_chunks, a_rest) = a.as_chunks::<16>();
    let (b_chunks, b_rest) = b.as_chunks::<16>();
    // Independent sums leave the compiler free to use vectors.
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Scores to shares of 1: `exp(score) / Σ exp(score)`, summed in f64. The largest is taken off first, so that no
/// power overflows.
pub(crate) fn softmax(scores: &mut [f32]) {
    let most = scores.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    scores.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f64 = scores.iter().map(|power| f64::from(*power)).sum();
    scores.iter_mut().for_each(|power| *power = (f64::from(*power) / sum) as f32);
}
