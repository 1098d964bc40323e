//! What an encoder returns.

mod attention;
mod classifier;
mod guess;
mod likeness;
mod summary;

pub use attention::{BlockAttention, Distances};
pub(crate) use classifier::EPS;
pub use classifier::{Classifier, Hidden};
pub use guess::{Guess, guesses};
pub use likeness::{Scale, likeness, likeness_logits, means, softmax, unit};
pub use summary::Summary;

use std::collections::BTreeMap;
use std::ops::{Bound, RangeBounds};

use crate::error::list;
use crate::{Error, Result};

/// A named f32 tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Vec<f32>,
}

/// What an encoder returns.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// Pictures.
    pub batch: usize,
    /// Rows and columns of patches; unknown where embeddings were given.
    pub grid: Option<[usize; 2]>,
    /// Tokens before the patches.
    pub prefix: usize,
    /// `last_hidden_state` `[batch, tokens, C]`, `pooler_output` `[batch, C]`, and
    /// `hidden_states.{i}` `[batch, tokens, C]` for every i that was asked for.
    pub tensors: BTreeMap<String, Tensor>,
}

impl Features {
    /// What is compared with features of texts, `[batch, C]`: `image_features`, or what a learned query
    /// gathers; none of models that were not taught beside texts, whose `channels` of such are none.
    pub fn image_features(&self, channels: Option<usize>) -> Option<&Tensor> {
        channels?;
        self.tensors.get("image_features").or_else(|| self.tensors.get("pooler_output"))
    }

    /// Some tokens of a tensor `[batch, tokens, C]`; `pooler_output` is returned as it is.
    ///
    /// # Errors
    /// [`Error::Input`] for a tensor that is not here, and for tokens that it does not have.
    pub fn tokens(&self, name: &str, range: impl RangeBounds<usize>) -> Result<Tensor> {
        let Some(tensor) = self.tensors.get(name) else {
            let known = list(self.tensors.keys());
            return Err(Error::input(format!("no tensor {name}; there are {known}")));
        };
        let &[batch, tokens, c] = tensor.shape.as_slice() else { return Ok(tensor.clone()) };
        let start = match range.start_bound() {
            Bound::Included(first) => *first,
            Bound::Excluded(before) => before.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(last) => last.saturating_add(1),
            Bound::Excluded(end) => *end,
            Bound::Unbounded => tokens,
        };
        if start > end || end > tokens {
            return Err(Error::input(format!(
                "tokens {start} to {end} of {name}: expected a part of 0 to {tokens}"
            )));
        }
        let pictures = tensor.values.chunks_exact((tokens * c).max(1));
        let values = pictures.flat_map(|p| &p[start * c..end * c]).copied().collect();
        Ok(Tensor { shape: vec![batch, end - start, c], values })
    }
}

/// Rows of several layers side by side: `[n, c]` each to `[n, layers·c]`.
///
/// # Errors
/// [`Error::Input`] where a layer has no rows of `c` values, or layers differ in their number.
pub fn side_by_side(layers: &[Vec<f32>], c: usize) -> Result<Vec<f32>> {
    let Some(first) = layers.first() else { return Ok(Vec::new()) };
    let rows = row_count("a layer", first, c)?;
    if let Some(other) = layers.iter().find(|layer| layer.len() != first.len()) {
        return Err(Error::input(format!(
            "layers side by side: expected {} values each, found {}",
            first.len(),
            other.len()
        )));
    }
    let row = |row: usize| layers.iter().flat_map(move |layer| &layer[row * c..][..c]).copied();
    Ok((0..rows).flat_map(row).collect())
}

/// How many rows of `c` values there are.
pub(crate) fn row_count(what: &str, values: &[f32], c: usize) -> Result<usize> {
    if c > 0 && values.len().is_multiple_of(c) {
        return Ok(values.len() / c);
    }
    Err(Error::input(format!("{what}: {} values are no rows of {c}", values.len())))
}

/// That there is one value for each patch of a grid `[rows, cols]`, and at least one patch.
pub(crate) fn one_each(what: &str, values: usize, [rows, cols]: [usize; 2]) -> Result<()> {
    if values > 0 && rows.checked_mul(cols) == Some(values) {
        return Ok(());
    }
    Err(Error::input(format!(
        "{what}: expected {rows} × {cols} values, at least one; found {values}"
    )))
}

/// The first value that is NaN or infinite.
pub fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Whole stretches at once: compilers make vectors of that.
    let bad = |stretch: &[f32]| stretch.iter().fold(false, |bad, v| bad | !v.is_finite());
    let stretch = values.chunks(STRETCH).position(bad)? * STRETCH;
    values[stretch..].iter().position(|v| !v.is_finite()).map(|at| stretch + at)
}

const STRETCH: usize = 4096;

/// `|a - b| / |b|`, infinite where a holds a NaN or lengths differ.
pub fn relative_l2(a: &[f32], b: &[f32]) -> f64 {
    if a.len() != b.len() || a.iter().any(|v| !v.is_finite()) {
        return f64::INFINITY;
    }
    let pairs = a.iter().zip(b).map(|(a, b)| (f64::from(*a), f64::from(*b)));
    let (difference, size) =
        pairs.fold((0.0, 0.0), |(d, s), (a, b)| (d + (a - b).powi(2), s + b * b));
    if difference == 0.0 { 0.0 } else { (difference / size).sqrt() }
}
