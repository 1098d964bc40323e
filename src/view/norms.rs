//! Norms of tokens: they show outliers, which hold something about the whole picture in place of
//! their patch ("registers", Darcet et al. 2023, arXiv:2309.16588).

use super::math::length;
use crate::Result;
use crate::features::row_count;

/// The L2 norm of each token: `tokens` `[n, c]` to `[n]`.
///
/// # Errors
/// [`crate::Error::Input`] where there are no rows of `c` values.
pub fn norms(tokens: &[f32], c: usize) -> Result<Vec<f32>> {
    row_count("tokens", tokens, c)?;
    Ok(tokens.chunks_exact(c).map(|token| length(token) as f32).collect())
}
