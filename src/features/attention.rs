//! Attention of one block, and its way through all blocks.

use crate::math::{dot, softmax};
use crate::{Error, Result};

/// What is wrong where distances are of other tokens.
const NO_DISTANCE: &str = "attention: distances that are not of all tokens";

/// Queries and keys of one block for one picture. Rows of attention are computed when asked for,
/// as a whole `[heads, N, N]` would be large.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockAttention {
    /// Heads; head h has the channels `h·d .. (h+1)·d`.
    pub heads: usize,
    /// Channels of all heads together, `C = heads·d`.
    pub channels: usize,
    /// Queries `[N, C]`, normed where the model norms them.
    pub queries: Vec<f32>,
    /// Keys `[N, C]`, likewise.
    pub keys: Vec<f32>,
    /// What the distance of two tokens adds to their score, where it does.
    pub distances: Option<Distances>,
}

/// What the distance of two tokens adds to their score.
#[derive(Clone, Debug, PartialEq)]
pub struct Distances {
    /// A row of values for each distance, one a head: `[distances, heads]`.
    pub table: Vec<f32>,
    /// The distance of each query and key, a row of the table: `[N, N]`.
    pub index: Vec<u32>,
}

impl BlockAttention {
    /// Tokens, prefix included.
    pub fn tokens(&self) -> usize {
        self.keys.len().checked_div(self.channels).unwrap_or(0)
    }

    /// `softmax(q·kᵀ / √d + distances)` of token `query` in one head, over all tokens: `[N]`, of sum 1.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such head or token, or lengths do not agree.
    pub fn row(&self, head: usize, query: usize) -> Result<Vec<f32>> {
        self.check()?;
        if head >= self.heads || query >= self.tokens() {
            return Err(Error::input(format!(
                "attention of token {query} in head {head}: there are {} tokens and {} heads",
                self.tokens(),
                self.heads
            )));
        }
        let d = self.channels / self.heads;
        let scale = (d as f32).sqrt().recip();
        let q = &self.queries[query * self.channels + head * d..][..d];
        let keys = self.keys.chunks_exact(self.channels).map(|k| &k[head * d..][..d]);
        let mut row: Vec<f32> = keys.map(|k| scale * dot(q, k)).collect();
        if let Some(Distances { table, index }) = &self.distances {
            for (score, at) in row.iter_mut().zip(&index[query * self.tokens()..]) {
                let value = table.get(*at as usize * self.heads + head);
                *score += value.ok_or_else(|| Error::input(NO_DISTANCE))?;
            }
        }
        softmax(&mut row);
        Ok(row)
    }

    /// That queries and keys are as many, in whole heads and tokens.
    fn check(&self) -> Result<()> {
        let (heads, channels) = (self.heads, self.channels);
        let (queries, keys) = (self.queries.len(), self.keys.len());
        let whole =
            |length: usize, part: usize| part > 0 && length > 0 && length.is_multiple_of(part);
        let pairs = self.tokens() * self.tokens();
        if self.distances.as_ref().is_some_and(|distances| distances.index.len() != pairs) {
            return Err(Error::input(NO_DISTANCE));
        }
        if whole(channels, heads) && whole(keys, channels) && queries == keys {
            return Ok(());
        }
        Err(Error::input(format!(
            "attention of {heads} heads and {channels} channels: expected as many queries as keys, \
             in whole tokens; found {queries} and {keys} values"
        )))
    }

    /// The mean of all heads' rows of token `query`: `[N]`, of sum 1.
    ///
    /// # Errors
    /// As [`BlockAttention::row`].
    pub fn mean(&self, query: usize) -> Result<Vec<f32>> {
        self.check()?;
        let mut mean = vec![0.0f64; self.tokens()];
        for head in 0..self.heads {
            let row = self.row(head, query)?;
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(v) / self.heads as f64);
        }
        Ok(mean.into_iter().map(|v| v as f32).collect())
    }

    /// One block of attention rollout, taken from the last block down: `row · ½(A + I)`, with the
    /// heads' mean A (Abnar & Zuidema 2020, arXiv:2005.00928). A's rows have the sum 1, so the
    /// half normalises those of A + I. Starting with 1 at a token and 0 elsewhere, the result
    /// after the first block is that token's row of the rollout.
    ///
    /// # Errors
    /// [`Error::Input`] where `row` has not one value a token; as [`BlockAttention::row`].
    pub fn through(&self, row: &[f64]) -> Result<Vec<f64>> {
        self.check()?;
        if row.len() != self.tokens() {
            let (expected, found) = (self.tokens(), row.len());
            let text = format!("a row of the rollout: expected {expected} values, found {found}");
            return Err(Error::input(text));
        }
        let mut next: Vec<f64> = row.iter().map(|v| 0.5 * v).collect();
        for (token, weight) in row.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let mean = self.mean(token)?;
            next.iter_mut().zip(mean).for_each(|(n, a)| *n += 0.5 * weight * f64::from(a));
        }
        Ok(next)
    }
}
