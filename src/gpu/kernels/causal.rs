//! What states hold: rows that are put into them, and attention over them.

use super::{Needs, Row, Rows, Tile};
use crate::gpu::family::Family;

/// Attention over what states hold.
#[derive(Clone, Copy, Debug)]
pub struct Causal {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub key_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
}

impl Causal {
    /// The limit that a shape exceeds.
    pub fn unsupported(&self) -> Option<String> {
        let d = self.head_dim;
        (!(CAUSAL[0].fits)(self))
            .then(|| format!("expected heads of a multiple of 4 channels up to 256, found {d}"))
    }
}

/// The one variant.
pub static APPEND: [Row<Rows>; 1] = [Row {
    op: "append",
    file: "append",
    with: &[],
    families: &Family::ALL,
    needs: Needs::NONE,
    tile: Tile::Quads,
    fits: |_| true,
    specialise: |kernel, _, _, shape| kernel.knob("C", shape.c),
}];

/// The one variant.
pub static CAUSAL: [Row<Causal>; 1] = [over_states("causal")];

/// The one variant.
pub static PROBABILITIES: [Row<Causal>; 1] = [over_states("probabilities")];

const fn over_states(file: &'static str) -> Row<Causal> {
    Row {
        op: file,
        file,
        with: &[],
        families: &Family::ALL,
        needs: Needs::NONE,
        tile: Tile::Head { queries: 1, keys: 64 },
        fits: |shape| shape.head_dim.is_multiple_of(4) && shape.head_dim <= 256,
        specialise: |kernel, _, _, shape| {
            let kernel = kernel.knob("D", shape.head_dim).knob("HEADS", shape.heads);
            kernel.knob("KEY_HEADS", shape.key_heads)
        },
    }
}
