//! Sums that several views need.

use crate::order::sort_by;

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
