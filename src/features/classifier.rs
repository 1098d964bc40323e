//! A classifier on features: linear, or with one hidden layer.

use super::row_count;
use crate::math::dot;
use crate::{Error, Result};

/// BatchNorm's eps.
pub(crate) const EPS: f32 = 1e-5;

/// A classifier on standardised tokens, in the form of a linear segmentation head: BatchNorm
/// statistics, a hidden layer where there is one, then a 1 × 1 convolution.
#[derive(Clone, Debug, PartialEq)]
pub struct Classifier {
    /// Mean of each channel, `[C]`.
    pub mean: Vec<f32>,
    /// Variance of each channel, `[C]`.
    pub variance: Vec<f32>,
    /// The layer before the classes.
    pub hidden: Option<Hidden>,
    /// `[classes, C]`, or as many columns as there are hidden units.
    pub weight: Vec<f32>,
    /// `[classes]`.
    pub bias: Vec<f32>,
}

/// A layer of units: products, a bias, and nothing below 0.
#[derive(Clone, Debug, PartialEq)]
pub struct Hidden {
    /// `[units, C]`.
    pub weight: Vec<f32>,
    /// `[units]`.
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
        self.check(c)?;
        let standard: Vec<f32> = tokens
            .chunks_exact(c)
            .flat_map(|row| {
                (0..c).map(|i| (row[i] - self.mean[i]) / (self.variance[i] + EPS).sqrt())
            })
            .collect();
        let (rows, length) = match &self.hidden {
            Some(Hidden { weight, bias }) => {
                let unit = |x, (w, b): (_, &f32)| (dot(w, x) + b).max(0.0);
                let units = standard.chunks_exact(c).flat_map(|x| {
                    weight.chunks_exact(c).zip(bias).map(move |layer| unit(x, layer))
                });
                (units.collect(), bias.len())
            }
            None => (standard, c),
        };
        let planes = self.weight.chunks_exact(length).zip(&self.bias);
        let logits =
            planes.flat_map(|(w, b)| rows.chunks_exact(length).map(move |x| dot(w, x) + b));
        Ok(logits.collect())
    }

    /// That its lengths agree.
    fn check(&self, c: usize) -> Result<()> {
        let units = self.hidden.as_ref().map_or(c, |hidden| hidden.bias.len());
        let wanted = self.bias.len().checked_mul(units).filter(|_| units > 0);
        let layer = self
            .hidden
            .as_ref()
            .is_none_or(|hidden| hidden.bias.len().checked_mul(c) == Some(hidden.weight.len()));
        if self.variance.len() == c && wanted == Some(self.weight.len()) && layer {
            return Ok(());
        }
        Err(Error::input(format!(
            "a classifier of {c} channels, {units} units and {} classes: found {} variances and {} \
             weights",
            self.bias.len(),
            self.variance.len(),
            self.weight.len()
        )))
    }
}
