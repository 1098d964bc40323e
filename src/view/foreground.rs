//! Foreground and background, told apart by one number a patch.

use crate::Result;
use crate::features::one_each;

/// Which patches of a grid are foreground. `scores` `[rows, cols]` are cut in two where Otsu's
/// criterion says so; the side on which most of the picture's border lies is background.
///
/// The first principal component of patch tokens is such a score (Oquab et al. 2023, DINOv2,
/// arXiv:2304.07193).
///
/// # Errors
/// [`crate::Error::Input`] where there is not one score a patch.
pub fn foreground(scores: &[f32], [rows, cols]: [usize; 2]) -> Result<Vec<bool>> {
    one_each("scores", scores.len(), [rows, cols])?;
    let threshold = otsu(scores);
    let above: Vec<bool> = scores.iter().map(|score| *score > threshold).collect();
    let on_border =
        |at: &usize| [0, rows - 1].contains(&(at / cols)) || [0, cols - 1].contains(&(at % cols));
    let border: Vec<bool> = (0..rows * cols).filter(on_border).map(|at| above[at]).collect();
    let flip = 2 * border.iter().filter(|above| **above).count() > border.len();
    Ok(above.into_iter().map(|above| above != flip).collect())
}

/// The threshold that leaves the largest variance between the values below and above (Otsu 1979),
/// found exactly, without a histogram: halfway between two neighbours in order. Equal values all
/// lie below.
pub fn otsu(values: &[f32]) -> f32 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
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
