//! Norms of tokens: they show outliers, which hold something about the whole picture in place of
//! their patch ("registers", Darcet et al. 2023, arXiv:2309.16588).

use super::math::{extent, length, middle};
use super::needs::Hidden;
use super::request::View;
use super::settings::Fields;
use super::{Edges, Inputs, Map, Needs};
use crate::Result;
use crate::features::row_count;

/// Lengths of the tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Norms {
    /// The hidden state; the last if left out.
    pub layer: Option<usize>,
}

impl View for Norms {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)
    }

    fn needs(&self) -> Needs {
        Needs { tokens: Hidden::of(self.layer), ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        let lengths = norms(inputs.tokens, inputs.channels)?;
        // All of them, a square each: a single outlier is what this view is for.
        let range = extent(&lengths);
        Ok(Map { edges: Edges::Patches, ..Map::heat(lengths, inputs.grid, range)? })
    }

    fn sentence(&self, map: &Map) -> String {
        let ([low, high], [least, most]) = (extent(&map.values), middle(&map.values));
        format!(
            "Norms run from {low:.2} to {high:.2}; the middle 98 % from {least:.2} to {most:.2}."
        )
    }
}

/// The L2 norm of each token: `tokens` `[n, c]` to `[n]`.
///
/// # Errors
/// [`crate::Error::Input`] where there are no rows of `c` values.
pub fn norms(tokens: &[f32], c: usize) -> Result<Vec<f32>> {
    row_count("tokens", tokens, c)?;
    Ok(tokens.chunks_exact(c).map(|token| length(token) as f32).collect())
}
