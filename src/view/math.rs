//! Sums that several views need.

use crate::order::sort_by;

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

/// The L2 norm of a vector, in f64.
pub(super) fn length(v: &[f32]) -> f64 {
    v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt()
}

/// The smallest and the largest value; `[0, 0]` of none.
pub fn extent(values: &[f32]) -> [f32; 2] {
    let first = values.first().copied().unwrap_or(0.0);
    values.iter().fold([first; 2], |[low, high], v| [low.min(*v), high.max(*v)])
}

/// The first and the last percentile, which single outliers do not move; `[0, 0]` of none.
pub fn middle(values: &[f32]) -> [f32; 2] {
    let mut sorted = values.to_vec();
    sort_by(&mut sorted, f32::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return [0.0; 2] };
    [sorted[last / 100], sorted[last - last / 100]]
}
