//! Which hidden states are kept.

use std::str::FromStr;

use internvit::Result;
use internvit::model::layer;

/// A hidden state that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Hidden {
    All,
    Layer(i64),
}

impl FromStr for Hidden {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Layer).map_err(|_| "expected numbers, or all".into()),
        }
    }
}

/// The hidden states that are asked for, counted from 0.
pub(super) fn taps(asked: &[Hidden], layers: usize) -> Result<Vec<usize>> {
    let mut taps = Vec::new();
    for hidden in asked {
        match hidden {
            Hidden::All => taps.extend(0..=layers),
            Hidden::Layer(given) => taps.push(layer(layers, 0, *given)?),
        }
    }
    taps.sort_unstable();
    taps.dedup();
    Ok(taps)
}
