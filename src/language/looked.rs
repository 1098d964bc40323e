//! What a model looked at: attention to visual tokens as a map over a photograph.

use crate::features::Tensor;
use crate::model::SquareOrder;
use crate::{Error, Result};

/// Which attention is looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The block, from 1; the mean of all if left out.
    pub layer: Option<usize>,
    /// The head, from 0; the mean of all if left out.
    pub head: Option<usize>,
}

impl Look {
    /// The weight of each token of [`Talk::attention`](super::Talk::attention), `[layers, heads, tokens]`: the mean over
    /// the layers and heads that are looked at.
    ///
    /// # Errors
    /// [`Error::Input`] for a layer or a head that the model has not.
    pub fn weights(self, attention: &Tensor) -> Result<Vec<f32>> {
        let [layers, heads, tokens] = attention.shape[..] else {
            let shape = &attention.shape;
            return Err(Error::input(format!(
                "attention: expected [layers, heads, tokens], found {shape:?}"
            )));
        };
        let within = |what: &str, number: Option<usize>, first: usize, count: usize| match number {
            None => Ok(0..count),
            Some(n) if (first..first + count).contains(&n) => Ok(n - first..n - first + 1),
            Some(n) => {
                Err(Error::input(format!("{what} {n}: the model has {count}, from {first}")))
            }
        };
        let (chosen, own) =
            (within("layer", self.layer, 1, layers)?, within("head", self.head, 0, heads)?);
        let share = 1.0 / (chosen.len() * own.len()) as f32;
        let mut sums = vec![0.0; tokens];
        for head in chosen.flat_map(|layer| own.clone().map(move |head| layer * heads + head)) {
            let row = &attention.values[head * tokens..][..tokens];
            sums.iter_mut().zip(row).for_each(|(sum, weight)| *sum += share * weight);
        }
        Ok(sums)
    }
}

/// The weights of a photograph's visual tokens, one tile after the other, as one map of the photograph, row-major with
/// its height and width. `cut` is how many rows and columns of tiles it was cut into, of `side` rows and columns of tokens
/// each. What a thumbnail behind several tiles weighs lies on all that it shows, so the sum stays.
///
/// # Errors
/// [`Error::Input`] where there are not as many weights.
pub fn over_photograph(
    weights: &[f32],
    cut: [usize; 2],
    side: [usize; 2],
    order: SquareOrder,
) -> Result<([usize; 2], Vec<f32>)> {
    let (tiles, tokens) = (cut[0] * cut[1], side[0] * side[1]);
    let found = weights.len().checked_div(tokens).unwrap_or(0);
    if found * tokens != weights.len() || !(tiles..=tiles + 1).contains(&found) {
        return Err(Error::input(format!(
            "{} weights of visual tokens: expected {tiles} tiles of {tokens}, or one more",
            weights.len()
        )));
    }
    let size = [cut[0] * side[0], cut[1] * side[1]];
    let token = |y: usize, x: usize| match order {
        SquareOrder::Rows => y * side[1] + x,
        SquareOrder::Columns => x * side[0] + y,
    };
    let places = (0..size[0]).flat_map(|y| (0..size[1]).map(move |x| (y, x)));
    let map = places.map(|(y, x)| {
        let tile = y / side[0] * cut[1] + x / side[1];
        let own = weights[tile * tokens + token(y % side[0], x % side[1])];
        let thumbnail = weights.get(tiles * tokens + token(y / cut[0], x / cut[1]));
        own + thumbnail.map_or(0.0, |weight| weight / tiles as f32)
    });
    Ok((size, map.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn layers_and_heads_are_chosen() {
        let attention = Tensor { shape: vec![2, 2, 1], values: vec![1.0, 2.0, 3.0, 6.0] };
        let of = |layer, head| Look { layer, head }.weights(&attention).unwrap()[0];
        assert_eq!(
            [of(None, None), of(Some(1), None), of(None, Some(1)), of(Some(2), Some(0))],
            [3.0, 1.5, 4.0, 3.0]
        );
        let error = Look { layer: Some(3), head: None }.weights(&attention).unwrap_err();
        assert_eq!(error.to_string(), "layer 3: the model has 2, from 1");
        assert!(Look { layer: None, head: Some(2) }.weights(&attention).is_err());
    }

    /// Two tiles side by side of 2 × 2 tokens, and a thumbnail.
    #[test]
    fn tiles_and_thumbnail_make_one_map() {
        let mut weights = vec![0.0; 12];
        weights[1] = 1.0; // first tile
        weights[6] = 2.0; // second tile
        weights[11] = 4.0; // thumbnail
        let found = |order| over_photograph(&weights, [1, 2], [2, 2], order).unwrap();
        let (size, rows) = found(SquareOrder::Rows);
        assert_eq!(size, [2, 4]);
        assert_eq!(rows, [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0]);
        let (_, columns) = found(SquareOrder::Columns);
        assert_eq!(columns, [0.0, 0.0, 0.0, 2.0, 1.0, 0.0, 2.0, 2.0]);
        assert!(over_photograph(&weights, [1, 1], [2, 2], SquareOrder::Rows).is_err());
        let (_, alone) = over_photograph(&weights[..4], [1, 1], [2, 2], SquareOrder::Rows).unwrap();
        assert_eq!(alone, weights[..4]);
    }
}
