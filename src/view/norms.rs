//! Norms of tokens: they show outliers, which hold something about the whole picture in place of
//! their patch ("registers", Darcet et al. 2023, arXiv:2309.16588).

use super::math::length;

/// The L2 norm of each token: `tokens` `[n, c]` to `[n]`.
pub fn norms(tokens: &[f32], c: usize) -> Vec<f32> {
    tokens.chunks_exact(c).map(|token| length(token) as f32).collect()
}
