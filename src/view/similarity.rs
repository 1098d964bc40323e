//! Which patches resemble one patch, in the same picture or in another.

use super::math::length;
use crate::Result;
use crate::features::row_count;

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
