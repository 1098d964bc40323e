//! What language models do beside products: rows of the table of tokens, rows that are put into states, attention over
//! them, the largest logits.

use super::{Kernel, Needs, Row, Subgroups, Target, Tile};
use crate::gpu::family::Family;
use crate::gpu::pack::Format;

/// Heads over a state.
#[derive(Clone, Copy, Debug)]
pub struct Causal {
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub key_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// What the norm of those that are turned adds before the root, where there is one.
    pub norm: Option<f32>,
    /// Whether the state is f16.
    pub half: bool,
}

impl Causal {
    /// The limit that a shape exceeds.
    pub fn unsupported(&self) -> Option<String> {
        let d = self.head_dim;
        (!(CAUSAL[0].fits)(self))
            .then(|| format!("expected heads of a multiple of 8 channels up to 256, found {d}"))
    }
}

/// The largest values of parts of a row.
#[derive(Clone, Copy, Debug)]
pub struct Top {
    /// How many of each part.
    pub count: usize,
    /// Values in all.
    pub cols: usize,
    /// Values of a part.
    pub step: usize,
    /// Whether they have numbers of their own.
    pub numbered: bool,
}

/// Rows of a matrix of weights.
#[derive(Clone, Copy, Debug)]
pub struct Pick {
    /// Channels as they lie in memory.
    pub k: usize,
    /// How the matrix is stored.
    pub format: Format,
}

const OVER_STATE: Row<Causal> = Row {
    op: "append",
    file: "append",
    with: &["shared/turned"],
    families: Family::ALL,
    needs: Needs::NONE,
    tile: Tile::Quads,
    fits: |shape| shape.head_dim.is_multiple_of(8) && shape.head_dim <= 256,
    specialise: |kernel, row, target, shape| turning(kernel, row, target, shape).writes(shape.half),
};

/// The one variant.
pub static APPEND: [Row<Causal>; 1] = [OVER_STATE];

/// A workgroup a query, or on software adapters with subgroups sixteen queries that share keys.
pub static CAUSAL: [Row<Causal>; 2] = [
    Row {
        op: "causal",
        families: &[Family::SoftwareSubgroups],
        needs: Needs::subgroups(Subgroups::Exactly(8)),
        tile: Tile::Head { queries: 16, keys: 32 },
        ..reading("causal_subgroup")
    },
    reading("causal"),
];

/// The one variant.
pub static PROBABILITIES: [Row<Causal>; 1] = [reading("probabilities")];

const fn reading(file: &'static str) -> Row<Causal> {
    Row {
        op: file,
        file,
        tile: Tile::Head { queries: 1, keys: 64 },
        specialise: |kernel, row, target, shape| {
            turning(kernel, row, target, shape).reads(shape.half)
        },
        ..OVER_STATE
    }
}

fn turning(kernel: Kernel, _: &Row<Causal>, _: &Target, shape: &Causal) -> Kernel {
    let kernel = kernel.knob("D", shape.head_dim).knob("HEADS", shape.heads);
    let kernel = kernel.knob("KEY_HEADS", shape.key_heads);
    match shape.norm {
        Some(eps) => kernel.with("turn/normed").knob("EPS", eps),
        None => kernel.with("turn/plain"),
    }
}

/// The one variant.
pub static TOP: [Row<Top>; 1] = [Row {
    op: "top",
    file: "top",
    with: &[],
    families: Family::ALL,
    needs: Needs::NONE,
    tile: Tile::Rows(1),
    fits: |_| true,
    specialise: |kernel, _, _, shape| {
        let kernel = kernel.knob("COUNT", shape.count).knob("COLS", shape.cols);
        kernel.knob("STEP", shape.step).knob("NUMBERED", shape.numbered)
    },
}];

/// The one variant. Few bits would not give the rows that the file has.
pub static PICK: [Row<Pick>; 1] = [Row {
    op: "gather",
    file: "pick",
    with: &[],
    families: Family::ALL,
    needs: Needs::NONE,
    tile: Tile::Quads,
    fits: |shape| !matches!(shape.format, Format::Quantized(_)),
    specialise: |kernel, _, _, shape| kernel.with(shape.format.hole()).knob("K", shape.k),
}];
