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
    families: &Family::GPUS,
    needs: Needs::NONE,
    tile: Tile::Panel(64),
    fits: |_| true,
    specialise: loading,
};

/// Matrix times a few vectors.
const VECTOR: Row<Product> = Row {
    file: "linear_vector",
    tile: Tile::Panel(FEW),
    fits: |product| product.rows <= FEW,
    specialise: |kernel, row, target, product| {
        loading(kernel, row, target, product).knob("ROWS", row.tile.rows())
    },
    ..PRODUCT
};

/// Variants of the linear kernel. The software rows are from `internvit bench --tune` on lavapipe (2 cores
/// of an Intel Xeon with AVX-512, then of an AMD EPYC with AVX2) and on SwiftShader; the others have run on
/// no GPU yet.
pub static LINEAR: [Row<Product>; 9] = [
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
    Row { tile: Tile::Panel(1), fits: |product| product.rows == 1, ..VECTOR },
    VECTOR,
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
            product.format == Format::Quantized(QuantFormat::Int8) && product.k.is_multiple_of(32)
        },
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
    /// Whether matrix units can compute it with matrices of this many rows.
    fn suits_matrices(&self, side: usize) -> bool {
        let stored = self.half[0] && matches!(self.format, Format::F16 | Format::Quantized(_));
        stored && self.gather == RowKind::Rows && self.k.is_multiple_of(side)
    }
}

/// A kernel that loads rows and weights as f32.
fn loading(kernel: Kernel, _: &Row<Product>, _: &Target, product: &Product) -> Kernel {
    let kernel = match product.gather {
        RowKind::Rows => kernel.with("input/rows").reads(product.half[0]),
        RowKind::Windows => kernel.with("input/window").reads(product.half[0]),
        RowKind::Patches { rgba, patch } => {
            normalising(kernel.with("input/patches"), rgba.as_ref()).knob("PATCH", patch)
        }
    };
    finishing(kernel.with(product.format.hole()), product)
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

/// The holes behind the sums, each by itself: bias, activation, gate, scale, residual.
fn finishing(kernel: Kernel, product: &Product) -> Kernel {
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
        .knob("K", product.k)
        .knob("COLS", product.cols)
}

/// The file of an activation, which has its name.
pub(super) fn act(activation: Option<Activation>) -> String {
    format!("act/{}", activation.map_or("none", Activation::name))
}
