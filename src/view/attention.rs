//! Where tokens look: attention of one block, and its way through all blocks.

use super::math::dot;

/// Queries and keys of one block for one picture. Rows of attention are computed when asked for,
/// as a whole `[heads, N, N]` would be large.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Heads; head h has the channels `h·d .. (h+1)·d`.
    pub heads: usize,
    /// Channels of all heads together, `C = heads·d`.
    pub channels: usize,
    /// Queries `[N, C]`, normed where the model norms them.
    pub queries: Vec<f32>,
    /// Keys `[N, C]`, likewise.
    pub keys: Vec<f32>,
}

impl Attention {
    /// Tokens, prefix included.
    pub fn tokens(&self) -> usize {
        self.keys.len() / self.channels
    }

    /// `softmax(q·kᵀ / √d)` of token `query` in one head, over all tokens: `[N]`, of sum 1.
    ///
    /// # Panics
    /// Where there is no such head or token.
    pub fn row(&self, head: usize, query: usize) -> Vec<f32> {
        assert!(head < self.heads && query < self.tokens(), "a head and a token that exist");
        let d = self.channels / self.heads;
        let scale = (d as f32).sqrt().recip();
        let q = &self.queries[query * self.channels + head * d..][..d];
        let keys = self.keys.chunks_exact(self.channels).map(|k| &k[head * d..][..d]);
        let mut row: Vec<f32> = keys.map(|k| scale * dot(q, k)).collect();
        let max = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        row.iter_mut().for_each(|score| *score = (*score - max).exp());
        let sum: f64 = row.iter().map(|v| f64::from(*v)).sum();
        row.iter_mut().for_each(|v| *v = (f64::from(*v) / sum) as f32);
        row
    }

    /// The mean of all heads' rows of token `query`: `[N]`, of sum 1.
    pub fn mean(&self, query: usize) -> Vec<f32> {
        let mut mean = vec![0.0f64; self.tokens()];
        for head in 0..self.heads {
            let row = self.row(head, query);
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(v) / self.heads as f64);
        }
        mean.into_iter().map(|v| v as f32).collect()
    }

    /// One block of attention rollout, taken from the last block down: `row · ½(A + I)`, with the
    /// heads' mean A (Abnar & Zuidema 2020, arXiv:2005.00928). A's rows have the sum 1, so the
    /// half normalises those of A + I. Starting with 1 at a token and 0 elsewhere, the result
    /// after the first block is that token's row of the rollout.
    pub fn through(&self, row: &[f64]) -> Vec<f64> {
        let mut next: Vec<f64> = row.iter().map(|v| 0.5 * v).collect();
        for (token, weight) in row.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            let mean = self.mean(token);
            next.iter_mut().zip(mean).for_each(|(n, a)| *n += 0.5 * weight * f64::from(a));
        }
        next
    }
}
