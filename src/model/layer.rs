//! Which layer is meant, counted from either end.

use crate::{Error, Result};

/// The layer that `layer` names in a model of `layers` blocks: 0 is the embedding, i the output of
/// block i; -1 is the last, -2 the one before, as Python counts. The first that is allowed is
/// `first`: 0 for hidden states, 1 where a block is meant.
///
/// # Errors
/// [`Error::Input`] with what is allowed.
pub fn layer(layers: usize, first: usize, layer: i64) -> Result<usize> {
    let end = i64::try_from(layers).unwrap_or(i64::MAX).saturating_add(1);
    let place = if layer < 0 { end.saturating_add(layer) } else { layer };
    let found = usize::try_from(place).ok().filter(|place| (first..=layers).contains(place));
    found.ok_or_else(|| {
        let count = (layers + 1).saturating_sub(first);
        Error::input(format!(
            "layer {layer}: expected {first} to {layers}, or -{count} to -1 counted from the end"
        ))
    })
}
