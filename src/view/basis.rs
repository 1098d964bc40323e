//! The first three principal components of patch tokens as red, green and blue.

use super::foreground::foreground_among;
use super::math::middle;
use super::principal::principal_directions;
use crate::features::row_count;
use crate::math::dot;
use crate::{Error, Result};

/// Three directions in feature space, and the part of each that colours show. One basis for several
/// layers or pictures makes their colours comparable.
#[derive(Clone, Debug, PartialEq)]
pub struct PcaBasis {
    /// Mean of the tokens it was fitted to, `[C]`.
    pub mean: Vec<f32>,
    /// Directions of largest variance, each `[C]` of length 1; zero where there are too few tokens.
    pub directions: [Vec<f32>; 3],
    /// Lowest and highest score shown, per direction.
    pub ranges: [[f32; 2]; 3],
}

impl PcaBasis {
    /// The basis of `tokens` `[n, c]`.
    ///
    /// Computed in f64 from a fixed start, so the result is the same on every run; signs are fixed
    /// by making the largest loading positive. Each component's range is the middle 98 % of tokens.
    ///
    /// # Errors
    /// [`Error::Input`] where there are no rows of `c` values.
    pub fn fit(tokens: &[f32], c: usize) -> Result<Self> {
        let n = row_count("tokens", tokens, c)?.max(1);
        let mut sum = vec![0.0f64; c];
        for row in tokens.chunks_exact(c) {
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v) / n as f64);
        }
        let centred: Vec<f64> = tokens
            .chunks_exact(c)
            .flat_map(|row| row.iter().zip(&sum).map(|(v, m)| f64::from(*v) - m))
            .collect();
        // Below this lies what rounding tokens to f32 leaves, which is no direction.
        let floor = 1e-13 * tokens.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>();
        let directions = principal_directions(&centred, c, floor).map(|direction| {
            let largest = direction.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs()));
            let sign = if largest.is_some_and(|v| v < 0.0) { -1.0 } else { 1.0 };
            direction.iter().map(|v| (sign * v) as f32).collect()
        });
        let mean = sum.iter().map(|v| *v as f32).collect();
        let mut this = Self { mean, directions, ranges: [[0.0; 2]; 3] };
        let scores = this.scores(tokens)?;
        this.ranges = std::array::from_fn(|k| {
            middle(&scores.iter().map(|score| score[k]).collect::<Vec<_>>())
        });
        Ok(this)
    }

    /// What `tokens` `[n, c]` have of each direction: `[n]`.
    ///
    /// # Errors
    /// [`Error::Input`] where tokens or directions are not as long as the mean.
    pub fn scores(&self, tokens: &[f32]) -> Result<Vec<[f32; 3]>> {
        let c = self.mean.len();
        row_count("tokens", tokens, c)?;
        if let Some(other) = self.directions.iter().find(|direction| direction.len() != c) {
            let text = format!("a basis of {c} channels: found a direction of {}", other.len());
            return Err(Error::input(text));
        }
        let one = |row: &[f32]| {
            let centred: Vec<f32> = row.iter().zip(&self.mean).map(|(v, m)| v - m).collect();
            std::array::from_fn(|k| dot(&centred, &self.directions[k]))
        };
        Ok(tokens.chunks_exact(c).map(one).collect())
    }

    /// Each direction's share, from 0 to 1, of the variance of `tokens` `[n, c]`; 0 of none.
    ///
    /// # Errors
    /// As [`PcaBasis::scores`].
    pub fn shares(&self, tokens: &[f32]) -> Result<[f64; 3]> {
        let scores = self.scores(tokens)?;
        let n = (tokens.len() / self.mean.len()).max(1) as f64;
        let variance = |[sum, squares]: [f64; 2]| squares / n - (sum / n).powi(2);
        // Rows as they lie in memory; each channel has a sum and one of squares.
        let mut sums = vec![[0.0f64; 2]; self.mean.len()];
        for row in tokens.chunks_exact(self.mean.len()) {
            for ((sum, v), mean) in sums.iter_mut().zip(row).zip(&self.mean) {
                let v = f64::from(v - mean);
                *sum = [sum[0] + v, sum[1] + v * v];
            }
        }
        let total: f64 = sums.into_iter().map(variance).sum();
        let along = |k: usize| {
            let values = scores.iter().map(|score| f64::from(score[k]));
            variance(values.fold([0.0, 0.0], |[sum, squares], v| [sum + v, squares + v * v]))
        };
        Ok(std::array::from_fn(|k| if total > 0.0 { along(k) / total } else { 0.0 }))
    }

    /// One RGB colour a token.
    ///
    /// # Errors
    /// As [`PcaBasis::scores`].
    pub fn colours(&self, tokens: &[f32]) -> Result<Vec<[u8; 3]>> {
        Ok(self.colours_of(&self.scores(tokens)?))
    }

    /// The colours of scores.
    pub(super) fn colours_of(&self, scores: &[[f32; 3]]) -> Vec<[u8; 3]> {
        let channel = |score: f32, [low, high]: [f32; 2]| {
            let span = (high - low).max(f32::MIN_POSITIVE);
            ((score - low) / span * 255.0).round().clamp(0.0, 255.0) as u8
        };
        let one = |score: &[f32; 3]| std::array::from_fn(|k| channel(score[k], self.ranges[k]));
        scores.iter().map(one).collect()
    }
}

/// One RGB colour a token of `tokens` `[n, c]`, in their own basis.
///
/// # Errors
/// [`Error::Input`] where there are no rows of `c` values.
pub fn pca_rgb(tokens: &[f32], c: usize) -> Result<Vec<[u8; 3]>> {
    PcaBasis::fit(tokens, c)?.colours(tokens)
}

/// Foreground patches of `tokens` `[rows·cols, c]`, told apart by the first component, and the
/// basis of these patches alone, which shows what differs within them (Oquab et al. 2023, DINOv2,
/// arXiv:2304.07193).
///
/// # Errors
/// [`Error::Input`] where there is not one row of `c` values a patch.
pub fn pca_foreground(tokens: &[f32], c: usize, grid: [usize; 2]) -> Result<(Vec<bool>, PcaBasis)> {
    let all = vec![true; row_count("tokens", tokens, c)?];
    let front = foreground_by_pca(tokens, c, grid, &all)?;
    let basis = PcaBasis::fit(&rows_of(tokens, c, &front), c)?;
    Ok((front, basis))
}

/// Foreground patches, told apart by the first component of those that are `seen`.
pub(super) fn foreground_by_pca(
    tokens: &[f32],
    c: usize,
    grid: [usize; 2],
    seen: &[bool],
) -> Result<Vec<bool>> {
    let scores = PcaBasis::fit(&rows_of(tokens, c, seen), c)?.scores(tokens)?;
    let first: Vec<f32> = scores.iter().map(|score| score[0]).collect();
    foreground_among(&first, grid, seen)
}

/// Of `tokens` `[n, c]` those that are chosen.
pub fn rows_of(tokens: &[f32], c: usize, chosen: &[bool]) -> Vec<f32> {
    let rows = tokens.chunks_exact(c.max(1)).zip(chosen).filter(|(_, chosen)| **chosen);
    rows.flat_map(|(row, _)| row).copied().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// Tokens on three orthogonal axes with falling variance come out as three colours.
    #[test]
    fn components_follow_variance() {
        let mut tokens = Vec::new();
        for i in 0..101 {
            let t = i as f32 / 50.0 - 1.0;
            tokens.extend([1.0, 0.5 * t, 0.2 * (9.0 * t).sin(), 3.0 * (5.0 * t).cos(), 0.0]);
        }
        let colours = pca_rgb(&tokens, 5).unwrap();
        // The largest variance lies on the fourth axis: red follows cos(5t).
        assert!(colours[50][0] > 250 && colours[50 + 31][0] < 5, "{:?}", colours[50]);
        // Green rises with t.
        assert!(colours[5][1] < colours[50][1] && colours[50][1] < colours[95][1]);
    }

    #[test]
    fn equal_tokens_are_no_panic() {
        assert_eq!(pca_rgb(&[1.0; 8], 4).unwrap().len(), 2);
        assert_eq!(pca_rgb(&[1.0; 4], 4).unwrap().len(), 1);
    }
}
