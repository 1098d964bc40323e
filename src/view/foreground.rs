//! Foreground and background, told apart by one number a patch.

use crate::Result;
use crate::features::one_each;
use crate::order::sort_by;

/// Which patches of a grid are foreground. `scores` `[rows, cols]` are cut in two where Otsu's
/// criterion says so; the side that meets the picture's border more than its size explains is
/// background.
///
/// The lower edge does not count: people and things stand on it. A side that covers much of the
/// picture also meets much of its border, so it may do so up to halfway between a half and its
/// share of the picture.
///
/// The first principal component of patch tokens is such a score (Oquab et al. 2023, DINOv2,
/// arXiv:2304.07193).
///
/// # Errors
/// [`crate::Error::Input`] where there is not one score a patch.
pub fn foreground(scores: &[f32], grid: [usize; 2]) -> Result<Vec<bool>> {
    foreground_among(scores, grid, &vec![true; scores.len()])
}

/// As [`foreground`], where only the patches in `seen` count and can be foreground.
///
/// # Errors
/// [`crate::Error::Input`] where there is not one score, and one entry of `seen`, a patch.
pub fn foreground_among(
    scores: &[f32],
    [rows, cols]: [usize; 2],
    seen: &[bool],
) -> Result<Vec<bool>> {
    one_each("scores", scores.len(), [rows, cols])?;
    one_each("patches", seen.len(), [rows, cols])?;
    let known: Vec<usize> = (0..scores.len()).filter(|at| seen[*at]).collect();
    let threshold = otsu(&known.iter().map(|at| scores[*at]).collect::<Vec<_>>());
    let above = |at: &usize| scores[*at] > threshold;
    let on_border = |at: &usize| at / cols == 0 || [0, cols - 1].contains(&(at % cols));
    let all: Vec<bool> = known.iter().map(above).collect();
    let border: Vec<bool> = known.iter().filter(|at| on_border(at)).map(above).collect();
    let flip = 2.0 * share(&border) > 0.5 + share(&all);
    Ok((0..scores.len()).map(|at| seen[at] && above(&at) != flip).collect())
}

/// The part of a list that is true; 0 of none.
fn share(list: &[bool]) -> f64 {
    list.iter().filter(|is| **is).count() as f64 / list.len().max(1) as f64
}

/// The threshold that leaves the largest variance between the values below and above (Otsu 1979),
/// found exactly, without a histogram: halfway between two neighbours in order. Equal values all
/// lie below.
pub fn otsu(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sort_by(&mut sorted, f32::total_cmp);
    let total: f64 = sorted.iter().map(|v| f64::from(*v)).sum();
    let n = sorted.len() as f64;
    let (mut sum, mut best) = (0.0, 0.0);
    let mut threshold = sorted.last().copied().unwrap_or(0.0);
    for (at, pair) in sorted.windows(2).enumerate() {
        sum += f64::from(pair[0]);
        let below = (at + 1) as f64;
        let difference = sum / below - (total - sum) / (n - below);
        let variance = below * (n - below) * difference * difference;
        if pair[0] < pair[1] && variance > best {
            best = variance;
            // In halves, so that neighbouring floats stay on their sides.
            threshold = pair[0] + (pair[1] - pair[0]) / 2.0;
            if threshold >= pair[1] {
                threshold = pair[0];
            }
        }
    }
    threshold
}
