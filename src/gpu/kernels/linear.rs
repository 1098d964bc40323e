//! Products.

use super::patchify::normalising;
use super::{Kernel, Needs, Row, Subgroups, Target, Tile};
use crate::gpu::family::Family;
use crate::gpu::pack::Format;
use crate::image::Normal;
use crate::plan::Activation;
use crate::weights::QuantFormat;

/// A product, as the choice of its kernel sees it. Inputs and outputs are counted as they lie in
/// memory, in rows of whole quads.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Rows of one picture, so that a picture takes the same kernel alone and in a batch.
    pub rows: usize,
    /// Inputs; over windows nine times the map's channels.
    pub k: usize,
    /// Sums of a plane; of a gated one gates and what they multiply, in turn.
    pub cols: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Applied to the sums, bias included.
    pub activation: Option<Activation>,
    /// Whether the activation of every other sum multiplies the next.
    pub gated: bool,
    /// Whether the result is scaled.
    pub scale: bool,
    /// Whether it is added to what y holds.
    pub residual: bool,
    /// What its rows are.
    pub gather: RowKind,
    /// How the weights are stored.
    pub format: Format,
    /// Whether x and y are f16.
    pub half: [bool; 2],
}

/// What the rows of a product are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RowKind {
    /// A slot's.
    Rows,
    /// 3 × 3 windows of a map.
    Windows,
    /// A slot's with RMSNorm, of this number of channels, which adds `eps` before the root.
    #[cfg(feature = "language")]
    Normed {
        /// Channels, without the zeros behind them.
        channels: usize,
        /// Added before the root.
        eps: f32,
    },
    /// Patches of pictures of bytes or of f32 planes.
    Patches {
        /// Of bytes, what becomes of them.
        rgba: Option<Normal>,
        /// Side of a patch, pixels.
        patch: usize,
    },
}

/// Rows of a product of a matrix and a few vectors.
const FEW: usize = 4;

const PRODUCT: Row<Product> = Row {
    op: "linear",
    file: "linear_tiled",
    with: &[],
    families: Family::GPUS,
    needs: Needs::NONE,
    tile: Tile::Panel(64),
    fits: Product::is_stored,
    specialise: loading,
};

/// Matrix times one vector, which may be normed as it is read.
#[cfg(feature = "language")]
const ONE: Row<Product> = Row {
    file: "linear_one",
    families: Family::ALL,
    tile: Tile::Panel(1),
    fits: Product::is_one,
    specialise: |kernel, row, target, product| {
        // On other software adapters a barrier costs more than a longer sum.
        let shares: usize = if target.family.software() { 1 } else { 32 };
        let unit = match product.format {
            Format::Quantized(QuantFormat::Int4) => QuantFormat::GROUP,
            _ => 4,
        };
        by_eight(kernel, row, target, product).knob("UNIT", unit).knob("SHARES", shares)
    },
    ..PRODUCT
};

/// Matrix times a few vectors.
const VECTOR: Row<Product> = Row {
    file: "linear_vector",
    tile: Tile::Panel(FEW),
    fits: |product| product.rows <= FEW && product.is_stored(),
    specialise: |kernel, row, target, product| {
        loading(kernel, row, target, product).knob("ROWS", row.tile.rows())
    },
    ..PRODUCT
};

/// For GPUs with subgroups: teams of this number of lanes.
const fn team(lanes: u32) -> Row<Product> {
    Row {
        file: "linear_team",
        families: &[Family::Subgroups],
        needs: Needs::subgroups(Subgroups::AtLeast(lanes)),
        specialise: |kernel, row, target, product| {
            let Subgroups::AtLeast(lanes) = row.needs.subgroup else { return kernel };
            loading(kernel, row, target, product).knob("TEAM", lanes)
        },
        ..PRODUCT
    }
}

/// 8 × 8 outputs an invocation. Of few rows there is no more to be had than of `VECTOR`.
#[cfg(feature = "probe")]
const WIDE: Row<Product> = Row {
    file: "linear_wide",
    families: &[Family::Wide],
    specialise: |kernel, row, target, product| {
        // Tiles of x have 512 quads.
        let rows = row.tile.rows();
        let kernel = loading(kernel, row, target, product);
        kernel.knob("TILE_ROWS", rows).knob("TILE_K", 2048 / rows)
    },
    ..PRODUCT
};

/// The same of a part of the inputs: sums in f32, which `PARTS` adds.
#[cfg(feature = "probe")]
const PART: Row<Product> = Row {
    families: &[Family::Split],
    tile: Tile::Part(64),
    fits: |product| {
        let groups = product.rows.div_ceil(64) * product.cols.div_ceil(64);
        product.is_stored() && product.k >= 2 * SHARE && groups <= 1024
    },
    specialise: |kernel, row, target, product| {
        let plain = Product {
            bias: false,
            activation: None,
            gated: false,
            scale: false,
            residual: false,
            half: [product.half[0], false],
            ..*product
        };
        (WIDE.specialise)(kernel, row, target, &plain).knob("PARTS", row.parts(product))
    },
    ..WIDE
};

/// Inputs that are worth a workgroup of their own.
#[cfg(feature = "probe")]
const SHARE: usize = 128;

/// What rounds the inputs of products of integers.
pub static ROUND: [Row<Product>; 1] = [Row {
    op: "round",
    file: "round",
    families: &[Family::Packed],
    needs: Needs { packed: true, ..Needs::NONE },
    tile: Tile::Quads,
    fits: |product| product.k.is_multiple_of(32) && product.is_stored(),
    specialise: |kernel, _, _, product| gathering(kernel, product).knob("K", product.k),
    with: &[],
}];

/// What adds the parts.
#[cfg(feature = "probe")]
pub static PARTS: [Row<Product>; 1] = [Row {
    op: "parts",
    file: "linear_parts",
    with: &[],
    families: &[Family::Split],
    tile: Tile::Quads,
    specialise: |kernel, _, _, product| ending(kernel, product).knob("PARTS", PART.parts(product)),
    ..PART
}];

#[cfg(feature = "probe")]
impl Row<Product> {
    /// Workgroups that share the inputs of a product.
    pub fn parts(&self, product: &Product) -> usize {
        match self.tile {
            Tile::Part(_) => (product.k / SHARE).clamp(1, 8),
            _ => 1,
        }
    }
}

/// Variants of the linear kernel. The software rows are from `internvit bench --tune` on lavapipe (2 cores
/// of an Intel Xeon with AVX-512, then of an AMD EPYC with AVX2) and on SwiftShader; the others have run on
/// no GPU yet.
pub static LINEAR: &[Row<Product>] = &[
    #[cfg(feature = "language")]
    Row {
        file: "linear_one_subgroup",
        families: &[Family::SoftwareSubgroups],
        needs: Needs::subgroups(Subgroups::Exactly(8)),
        fits: |product| product.is_one() && product.k.is_multiple_of(32),
        specialise: by_eight,
        ..ONE
    },
    #[cfg(feature = "language")]
    ONE,
    Row { file: "linear_direct", families: &[Family::Software], tile: Tile::Panel(16), ..PRODUCT },
    Row {
        file: "linear_subgroup",
        families: &[Family::SoftwareSubgroups],
        needs: Needs::subgroups(Subgroups::Exactly(8)),
        tile: Tile::Panel(16),
        ..PRODUCT
    },
    Row {
        file: "linear_subgroup4",
        families: &[Family::SoftwareSubgroups],
        needs: Needs::subgroups(Subgroups::Exactly(4)),
        tile: Tile::Panel(16),
        ..PRODUCT
    },
    Row {
        tile: Tile::Panel(1),
        fits: |product| product.rows == 1 && product.is_stored(),
        ..VECTOR
    },
    VECTOR,
    team(8),
    team(4),
    #[cfg(feature = "probe")]
    WIDE,
    #[cfg(feature = "probe")]
    Row { families: &[Family::Tall], tile: Tile::Panel(128), ..WIDE },
    #[cfg(feature = "probe")]
    PART,
    Row {
        file: "linear_matrix",
        with: &["tile/16"],
        families: &[Family::Matrix],
        needs: Needs::matrices(16, Subgroups::Even),
        tile: Tile::Panel(128),
        fits: |product| product.suits_matrices(16),
        specialise: multiplying_halves,
        ..PRODUCT
    },
    Row {
        file: "linear_matrix",
        with: &["tile/8"],
        families: &[Family::Matrix],
        needs: Needs::matrices(8, Subgroups::Even),
        tile: Tile::Panel(32),
        fits: |product| product.suits_matrices(8),
        specialise: multiplying_halves,
        ..PRODUCT
    },
    Row {
        file: "linear_packed",
        families: &[Family::Packed],
        needs: Needs { packed: true, ..Needs::NONE },
        fits: |product| {
            let int8 = product.format == Format::Quantized(QuantFormat::Int8);
            int8 && product.k.is_multiple_of(32) && product.is_stored()
        },
        specialise: |kernel, _, _, product| finishing(kernel.with(product.format.hole()), product),
        ..PRODUCT
    },
    Row {
        specialise: |kernel, row, target, product| {
            loading(kernel, row, target, product).knob("TILE_ROWS", row.tile.rows())
        },
        ..PRODUCT
    },
];

impl Product {
    /// Whether it is of one row of a picture, taken as it is or normed.
    #[cfg(feature = "language")]
    fn is_one(&self) -> bool {
        let rows = matches!(self.gather, RowKind::Rows | RowKind::Normed { .. });
        self.rows == 1 && rows
    }

    /// Whether its rows are taken as they are stored.
    fn is_stored(&self) -> bool {
        #[cfg(feature = "language")]
        return !matches!(self.gather, RowKind::Normed { .. });
        #[cfg(not(feature = "language"))]
        true
    }

    /// Whether rows, and weights but for their scales, are of f16 or less.
    fn is_half(&self) -> bool {
        self.half[0] && matches!(self.format, Format::F16 | Format::Quantized(_))
    }

    /// Whether matrix units can compute it with matrices of this many rows.
    fn suits_matrices(&self, side: usize) -> bool {
        self.is_half() && self.gather == RowKind::Rows && self.k.is_multiple_of(side)
    }
}

/// A kernel that loads rows and weights as f32.
fn loading(kernel: Kernel, _: &Row<Product>, _: &Target, product: &Product) -> Kernel {
    finishing(gathering(kernel, product).with(product.format.hole()), product)
}

/// A kernel that loads rows as f32.
fn gathering(kernel: Kernel, product: &Product) -> Kernel {
    match product.gather {
        RowKind::Rows => kernel.with("input/rows").reads(product.half[0]),
        RowKind::Windows => kernel.with("input/window").reads(product.half[0]),
        RowKind::Patches { rgba, patch } => {
            normalising(kernel.with("input/patches"), rgba.as_ref()).knob("PATCH", patch)
        }
        #[cfg(feature = "language")]
        RowKind::Normed { .. } => unreachable!("of one row, by its own kernel"),
    }
}

/// A kernel that sums eight outputs of a row at once.
#[cfg(feature = "language")]
fn by_eight(kernel: Kernel, _: &Row<Product>, _: &Target, product: &Product) -> Kernel {
    let kernel = match product.gather {
        RowKind::Normed { channels, eps } => {
            kernel.with("row/normed").knob("CHANNELS", channels).knob("EPS", eps)
        }
        _ => kernel.with("row/plain"),
    };
    let eight = match product.format {
        Format::Quantized(QuantFormat::Int4) => "eight/int4",
        Format::Quantized(QuantFormat::Int8) => "eight/int8",
        _ => "eight/plain",
    };
    finishing(kernel.with(eight).with(product.format.hole()).reads(product.half[0]), product)
}

/// A kernel that multiplies rows and weights as f16.
fn multiplying_halves(
    kernel: Kernel,
    _: &Row<Product>,
    target: &Target,
    product: &Product,
) -> Kernel {
    let kernel = match product.format {
        Format::F16 => kernel.with("weight/half"),
        format => kernel.with("weight/to_half").with(format.hole()),
    };
    finishing(kernel, product).knob("LANES", target.subgroup)
}

/// A kernel that sums, and what follows the sums.
fn finishing(kernel: Kernel, product: &Product) -> Kernel {
    ending(kernel, product).knob("K", product.k)
}

/// The holes behind the sums, each by itself: bias, activation, gate, scale, residual.
fn ending(kernel: Kernel, product: &Product) -> Kernel {
    let finish = match (product.gated, product.residual) {
        (false, false) => "finish/store",
        (false, true) => "finish/residual",
        (true, false) => "finish/gated",
        (true, true) => "finish/gated_residual",
    };
    let bias = match (product.bias, product.gated) {
        (false, _) => "bias/none",
        (true, false) => "bias/vector",
        (true, true) => "bias/pairs",
    };
    kernel
        .with(bias)
        .with(act(product.activation))
        .with(if product.scale { "scale/vector" } else { "scale/none" })
        .with(finish)
        .writes(product.half[1])
        .knob("COLS", product.cols)
}

/// The file of an activation, which has its name.
pub(super) fn act(activation: Option<Activation>) -> String {
    format!("act/{}", activation.map_or("none", Activation::name))
}
