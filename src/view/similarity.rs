//! Which patches resemble one patch, in the same picture or in another.

use super::math::{extent, length};
use super::needs::{Hidden, Query};
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs};
use crate::features::{one_each, row_count};
use crate::order::sort_by;
use crate::{Error, Result};

/// Cosines with one patch, of the same photograph or of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Similarity {
    /// The hidden state; the last if left out.
    pub layer: Option<usize>,
    /// The patch to compare with.
    pub token: Option<usize>,
    /// The photograph that has this patch; the one that is shown if left out.
    pub of: Option<u32>,
    /// Less the mean of the patches that are shown, so that what most of them have in common does not count.
    pub centred: bool,
}

/// The least difference of cosines from the darkest colour to the brightest: less is noise.
const SPAN: f32 = 1e-3;

impl View for Similarity {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)?;
        fields.optional("token", &mut self.token)?;
        fields.flag("centred", &mut self.centred)?;
        let mut of = self.of.map(|of| of as usize);
        fields.optional("of", &mut of)?;
        let unknown = |_| Error::input("of: there are fewer photographs");
        self.of = of.map(u32::try_from).transpose().map_err(unknown)?;
        Ok(())
    }

    fn needs(&self) -> Needs {
        let query = self.token.map(|patch| Query { of: self.of, patch });
        Needs { tokens: Hidden::of(self.layer), query, ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        if self.token.is_none() {
            return Err(Error::input("similarity: the patch to compare with is missing"));
        }
        let values = match self.centred {
            true => centred_similarity(inputs.query, inputs.tokens, inputs.seen)?,
            false => similarity(inputs.query, inputs.tokens)?,
        };
        heat(values, inputs.grid)
    }

    fn sentence(&self, map: &Map) -> String {
        let [low, high] = extent(&map.values);
        format!("Cosines with the patch at the point run from {low:.3} to {high:.3}.")
    }
}

/// Cosines as colours, with the best of them.
pub(super) fn heat(values: Vec<f32>, grid: [usize; 2]) -> Result<Map> {
    let [low, high] = extent(&values);
    // The first of equals, as for the classes.
    let best = (0..values.len()).rev().max_by(|a, b| values[*a].total_cmp(&values[*b]));
    // All of them: cosines have no outliers, and the best match is to be the brightest.
    Ok(Map { best, ..Map::heat(values, grid, [low.min(high - SPAN), high])? })
}

/// The map of one patch joined with the values of others, each `[rows × cols]`: for a patch of the map the
/// largest cosine with the first and those that are `alike`, less the largest with those that are `unlike`
/// where that is above 0.
///
/// # Errors
/// [`Error::Input`] where a list is not as long as the map's values.
pub fn pinned(first: Map, alike: &[Vec<f32>], unlike: &[Vec<f32>]) -> Result<Map> {
    let grid = [first.height, first.width];
    for other in alike.iter().chain(unlike) {
        one_each("patches", other.len(), grid)?;
    }
    let largest = |from: f32, lists: &[Vec<f32>], at: usize| {
        lists.iter().map(|list| list[at]).fold(from, f32::max)
    };
    let joined = first.values.iter().enumerate();
    let joined = joined.map(|(at, own)| largest(*own, alike, at) - largest(0.0, unlike, at));
    heat(joined.collect(), grid)
}

/// The cosine of `query` `[c]` with each token of `tokens` `[n, c]`: `[n]`, each in [-1, 1].
/// A token without length resembles nothing: 0.
///
/// # Errors
/// [`crate::Error::Input`] where the query is empty, or tokens are not as long as it is.
pub fn similarity(query: &[f32], tokens: &[f32]) -> Result<Vec<f32>> {
    row_count("tokens", tokens, query.len())?;
    let query_length = length(query);
    let cosine = |token: &[f32]| {
        let sum: f64 = query.iter().zip(token).map(|(q, t)| f64::from(*q) * f64::from(*t)).sum();
        let size = query_length * length(token);
        if size > 0.0 { (sum / size).clamp(-1.0, 1.0) as f32 } else { 0.0 }
    };
    Ok(tokens.chunks_exact(query.len()).map(cosine).collect())
}

/// The `count` tokens that are most like `query`: their numbers, and the cosine, the largest first; of equal
/// ones the first.
///
/// # Errors
/// As [`similarity`].
pub fn nearest(query: &[f32], tokens: &[f32], count: usize) -> Result<Vec<(usize, f32)>> {
    let mut all: Vec<_> = similarity(query, tokens)?.into_iter().enumerate().collect();
    sort_by(&mut all, |(i, a), (j, b)| b.total_cmp(a).then(i.cmp(j)));
    all.truncate(count);
    Ok(all)
}

/// As [`similarity`], of the query and the tokens less the mean of those tokens that are `seen`.
///
/// # Errors
/// [`crate::Error::Input`] where the query is empty, tokens are not as long as it is, or there is not one
/// entry of `seen` a token.
pub fn centred_similarity(query: &[f32], tokens: &[f32], seen: &[bool]) -> Result<Vec<f32>> {
    let count = row_count("tokens", tokens, query.len())?;
    one_each("patches", seen.len(), [count, 1])?;
    let mut mean = vec![0.0_f64; query.len()];
    let mut rows = 0.0_f64;
    // The mean in f64: thousands of tokens may be nearly alike.
    for (token, _) in tokens.chunks_exact(query.len()).zip(seen).filter(|(_, seen)| **seen) {
        rows += 1.0;
        mean.iter_mut().zip(token).for_each(|(sum, value)| *sum += f64::from(*value));
    }
    mean.iter_mut().for_each(|sum| *sum /= rows.max(1.0));
    let less = |values: &[f32]| {
        let centred =
            values.iter().zip(mean.iter().cycle()).map(|(v, m)| (f64::from(*v) - m) as f32);
        centred.collect::<Vec<f32>>()
    };
    similarity(&less(query), &less(tokens))
}
