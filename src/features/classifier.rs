//! A linear classifier on features.

use super::row_count;
use crate::math::dot;
use crate::{Error, Result};

/// BatchNorm's eps.
pub(crate) const EPS: f32 = 1e-5;

/// A classifier on standardised tokens, in the form of a linear segmentation head: BatchNorm
/// statistics, then a 1 × 1 convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Mean of each channel, `[C]`.
    pub mean: Vec<f32>,
    /// Variance of each channel, `[C]`.
    pub variance: Vec<f32>,
    /// `[classes, C]`.
    pub weight: Vec<f32>,
    /// `[classes]`.
    pub bias: Vec<f32>,
}

impl Classifier {
    /// Logits of tokens `[n, C]`: `[classes, n]`.
    ///
    /// # Errors
    /// [`Error::Input`] where tokens are not as long as the mean, or the classifier's own lengths
    /// do not agree.
    pub fn logits(&self, tokens: &[f32]) -> Result<Vec<f32>> {
        let c = self.mean.len();
        row_count("tokens", tokens, c)?;
        let weights = self.bias.len().checked_mul(c);
        if self.variance.len() != c || weights != Some(self.weight.len()) {
            return Err(Error::input(format!(
                "a classifier of {c} channels and {} classes: found {} variances and {} weights",
                self.bias.len(),
                self.variance.len(),
                self.weight.len()
            )));
        }
        let standard: Vec<f32> = tokens
            .chunks_exact(c)
            .flat_map(|row| {
                (0..c).map(|i| (row[i] - self.mean[i]) / (self.variance[i] + EPS).sqrt())
            })
            .collect();
        let planes = self.weight.chunks_exact(c).zip(&self.bias);
        let logits = planes.flat_map(|(w, b)| standard.chunks_exact(c).map(move |x| dot(w, x) + b));
        Ok(logits.collect())
    }
}
