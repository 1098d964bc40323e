//! Attention.

use super::{Kernel, Needs, Row, Subgroups, Tile};
use crate::gpu::family::Family;

/// Attention, as the choice of its kernel sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Queries of a group.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Whether something is added to scores.
    pub bias: bool,
    /// Whether a group has other keys than queries.
    pub cross: bool,
    /// Whether q, k, v, and y, are f16.
    pub half: [bool; 2],
}

/// Channels of a head at most: with more, queries and keys of a tile exceed 16 KiB.
const WIDEST: usize = 256;

const TILED: Row<Attention> = Row {
    op: "attention",
    file: "attention_tiled",
    with: &[],
    families: Family::GPUS,
    needs: Needs::NONE,
    tile: Tile::Head { queries: 32, keys: 16 },
    fits: |attention| attention.head_dim <= 64,
    specialise: |kernel, row, _, attention| {
        let Tile::Head { queries, keys } = row.tile else { return kernel };
        let kernel = sized(kernel.stored(attention.half), attention);
        let kernel = kernel.with(attention.summand());
        kernel.knob("TILE_Q", queries).knob("TILE_K", keys)
    },
};

/// For software adapters: sums gather in y itself, which is f32.
const DIRECT: Row<Attention> = Row {
    file: "attention_direct",
    families: &[Family::Software],
    fits: |attention| attention.head_dim <= WIDEST,
    specialise: |kernel, _, _, attention| {
        sized(kernel.reads(attention.half[0]), attention).with(attention.summand())
    },
    ..TILED
};

/// For software adapters with subgroups.
const SUBGROUP: Row<Attention> = Row {
    file: "attention_subgroup",
    families: &[Family::SoftwareSubgroups],
    fits: |attention| attention.plain() && attention.head_dim <= WIDEST,
    specialise: |kernel, _, _, attention| sized(kernel.reads(attention.half[0]), attention),
    ..DIRECT
};

/// For GPUs with subgroups: teams of this number of lanes, which takes heads of 16 channels a lane.
const fn team(lanes: u32) -> Row<Attention> {
    Row {
        file: "attention_team",
        families: &[Family::Subgroups],
        needs: Needs::subgroups(Subgroups::AtLeast(lanes)),
        tile: Tile::Head { queries: 64, keys: 128 / lanes as usize },
        fits: match lanes {
            4 => |attention| attention.plain() && attention.head_dim <= 64,
            8 => |attention| attention.plain() && attention.head_dim <= 128,
            _ => |attention| attention.plain() && attention.head_dim <= 256,
        },
        specialise: |kernel, row, _, attention| {
            let Subgroups::AtLeast(lanes) = row.needs.subgroup else { return kernel };
            let keys = 2048 / attention.head_dim.next_multiple_of(8) / 8 * 8;
            let kernel = sized(kernel.stored(attention.half), attention);
            kernel.knob("TEAM", lanes).knob("TILE_K", keys.min(64))
        },
        ..TILED
    }
}

const MATRIX: Row<Attention> = Row {
    file: "attention_matrix",
    families: &[Family::Matrix],
    specialise: |kernel, row, target, attention| {
        let Tile::Head { keys, .. } = row.tile else { return kernel };
        let kernel = sized(kernel.writes(attention.half[1]), attention);
        kernel.knob("TILE_K", keys).knob("LANES", target.subgroup)
    },
    ..TILED
};

/// Variants of the attention kernel, tiles by width of head. In workgroup memory, queries, keys and
/// scores together stay under 16 KiB.
pub static ATTENTION: &[Row<Attention>] = &[
    DIRECT,
    Row {
        needs: Needs::subgroups(Subgroups::Exactly(8)),
        tile: Tile::Head { queries: 16, keys: 32 },
        ..SUBGROUP
    },
    Row {
        file: "attention_subgroup4",
        needs: Needs::subgroups(Subgroups::Exactly(4)),
        tile: Tile::Head { queries: 16, keys: 16 },
        fits: |attention| attention.plain() && attention.head_dim <= 64,
        ..SUBGROUP
    },
    Row { families: &[Family::SoftwareSubgroups], ..DIRECT },
    Row {
        with: &["tile/16"],
        needs: Needs::matrices(16, Subgroups::MultipleOf(16)),
        tile: Tile::Head { queries: 64, keys: 32 },
        fits: |attention| attention.suits_matrices(16),
        ..MATRIX
    },
    Row {
        with: &["tile/8"],
        needs: Needs::matrices(8, Subgroups::MultipleOf(8)),
        tile: Tile::Head { queries: 32, keys: 32 },
        fits: |attention| attention.suits_matrices(8),
        ..MATRIX
    },
    team(4),
    team(8),
    team(16),
    TILED,
    Row {
        tile: Tile::Head { queries: 16, keys: 8 },
        fits: |attention| attention.head_dim <= 128,
        ..TILED
    },
    Row {
        tile: Tile::Head { queries: 8, keys: 4 },
        fits: |attention| attention.head_dim <= WIDEST,
        ..TILED
    },
];

impl Attention {
    /// Whether matrix units can compute it with matrices of this many rows.
    fn suits_matrices(&self, side: usize) -> bool {
        self.plain() && self.half[0] && self.head_dim.is_multiple_of(side) && self.tokens >= side
    }

    /// Whether it is of every token over all others, of their products alone.
    fn plain(&self) -> bool {
        !self.bias && !self.cross
    }

    /// What fills the hole for what is added to scores.
    fn summand(&self) -> &'static str {
        if self.bias { "summand/table" } else { "summand/none" }
    }

    /// What no kernel can compute.
    pub fn unsupported(&self) -> Option<String> {
        let fits = self.head_dim.is_multiple_of(4) && self.head_dim <= WIDEST;
        (!fits).then(|| {
            let found = self.head_dim;
            format!("expected heads of a multiple of 4 channels up to {WIDEST}, found {found}")
        })
    }
}

impl Row<Attention> {
    /// Workgroups side by side that share a head's channels: a subgroup owns at most eight matrices of
    /// sums.
    pub fn parts(&self, head_dim: usize) -> usize {
        match self.needs.matrix {
            0 => 1,
            side => head_dim.div_ceil(8 * side as usize),
        }
    }
}

fn sized(kernel: Kernel, attention: &Attention) -> Kernel {
    kernel.knob("D", attention.head_dim).knob("HEADS", attention.heads)
}
