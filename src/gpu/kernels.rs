//! The one table that chooses kernels. The shader check and the kernels' tests go through the same
//! rows, so none can be untested.

use super::{Family, Format};
use crate::image::Normal;
use crate::model::NormKind;
use crate::plan::Activation;
use crate::weights::Quant;

/// A kernel, ready to be linked: equal kernels share a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The main file, then the files that fill its holes.
    pub files: Vec<&'static str>,
    /// Names and values.
    pub knobs: Vec<(&'static str, String)>,
}

/// A variant of the linear kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearRow {
    /// The devices it is for.
    pub family: Family,
    /// The main file.
    pub file: &'static str,
    /// Rows that a workgroup owns.
    pub tile_rows: usize,
    /// Side of the matrices that it multiplies, where it does.
    pub matrix: Option<u32>,
}

const fn linear(family: Family, file: &'static str, tile_rows: usize) -> LinearRow {
    LinearRow { family, file, tile_rows, matrix: None }
}

const fn matrix(side: u32, tile_rows: usize) -> LinearRow {
    let (family, file) = (Family::Matrix, "linear_matrix");
    LinearRow { family, file, tile_rows, matrix: Some(side) }
}

/// Variants of the linear kernel; the family's first that fits is taken. The software rows are from
/// `internvit bench --tune` on lavapipe (2 cores of an Intel Xeon with AVX-512, then of an AMD EPYC with
/// AVX2) and on SwiftShader; the others have run on no GPU yet.
pub const LINEAR: [LinearRow; 8] = [
    linear(Family::Software, "linear_direct", 16),
    linear(Family::SoftwareSubgroups, "linear_subgroup", 16),
    linear(Family::Portable, "linear_tiled", 64),
    matrix(16, 128),
    matrix(8, 32),
    linear(Family::Matrix, "linear_tiled", 64),
    linear(Family::Packed, "linear_packed", 64),
    linear(Family::Packed, "linear_tiled", 64),
];

/// What the rows of a product are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Gather {
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

/// A product, as the choice of its kernel sees it.
#[derive(Clone, Copy, Debug)]
pub struct Product {
    /// Inputs; over windows nine times the map's channels.
    pub k: usize,
    /// Outputs of a plane.
    pub cols: usize,
    /// Whether there is a bias.
    pub bias: bool,
    /// Applied to the sums, bias included.
    pub activation: Option<Activation>,
    /// Whether they are scaled.
    pub scale: bool,
    /// Whether they are added to what y holds.
    pub residual: bool,
    /// What its rows are.
    pub gather: Gather,
    /// How the weights are stored.
    pub format: Format,
    /// Whether x and y are f16.
    pub half: [bool; 2],
}

impl Product {
    /// Whether packed dot products can compute it.
    fn packs(&self) -> bool {
        self.format == Format::Few(Quant::Int8) && self.k.is_multiple_of(32)
    }

    /// Whether matrix units can compute it with matrices of so many rows.
    fn suits(&self, side: u32) -> bool {
        let stored = self.half[0] && matches!(self.format, Format::F16 | Format::Few(_));
        stored && self.gather == Gather::Rows && self.k.is_multiple_of(side as usize)
    }
}

/// A norm, as the choice of its kernel sees it.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    /// Channels.
    pub c: usize,
    /// Which statistics.
    pub kind: NormKind,
    /// Added before the root.
    pub eps: f32,
    /// Whether there is a bias.
    pub bias: bool,
    /// Applied to the result; only with a bias.
    pub activation: Option<Activation>,
    /// Whether x and y are f16.
    pub half: [bool; 2],
}

/// Attention, as the choice of its kernel sees it.
#[derive(Clone, Copy, Debug)]
pub struct Attention {
    /// Of one picture.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Whether q, k, v, and y, are f16.
    pub half: [bool; 2],
}

impl Attention {
    /// Whether matrix units can compute it with matrices of so many rows, where subgroups have
    /// `lanes` invocations.
    fn suits(&self, side: u32, lanes: u32) -> bool {
        let side = side as usize;
        let divides = self.head_dim.is_multiple_of(side) && (lanes as usize).is_multiple_of(side);
        self.half[0] && divides && lanes > 0 && self.tokens >= side
    }
}

/// A tile shape of an attention kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionRow {
    /// The devices it is for.
    pub family: Family,
    /// The main file.
    pub file: &'static str,
    /// For heads of up to so many channels.
    pub max_head_dim: usize,
    /// Queries of a workgroup.
    pub tile_q: usize,
    /// Keys at a time.
    pub tile_k: usize,
    /// Side of the matrices that it multiplies, where it does.
    pub matrix: Option<u32>,
}

const fn tiled(family: Family, max_head_dim: usize, [tile_q, tile_k]: [usize; 2]) -> AttentionRow {
    let file = "attention_tiled";
    AttentionRow { family, file, max_head_dim, tile_q, tile_k, matrix: None }
}

const fn software(family: Family, file: &'static str, tiles: [usize; 2]) -> AttentionRow {
    AttentionRow { file, ..tiled(family, 256, tiles) }
}

const fn by_matrices(side: u32) -> AttentionRow {
    let row = tiled(Family::Matrix, 256, [4 * side as usize, 32]);
    AttentionRow { file: "attention_matrix", matrix: Some(side), ..row }
}

/// Tiles by width of head, the family's first that fits is taken. In workgroup memory, queries, keys
/// and scores together stay under 16 KiB.
pub const ATTENTION: [AttentionRow; 13] = [
    software(Family::Software, "attention_direct", [32, 16]),
    software(Family::SoftwareSubgroups, "attention_subgroup", [16, 32]),
    tiled(Family::Portable, 64, [32, 16]),
    tiled(Family::Portable, 128, [16, 8]),
    tiled(Family::Portable, 256, [8, 4]),
    tiled(Family::Packed, 64, [32, 16]),
    tiled(Family::Packed, 128, [16, 8]),
    tiled(Family::Packed, 256, [8, 4]),
    by_matrices(16),
    by_matrices(8),
    tiled(Family::Matrix, 64, [32, 16]),
    tiled(Family::Matrix, 128, [16, 8]),
    tiled(Family::Matrix, 256, [8, 4]),
];

impl LinearRow {
    /// The variant for a product on a kind of device whose matrix units, if any, take matrices of
    /// so many rows.
    pub fn choose(family: Family, matrix: u32, product: &Product) -> Self {
        let fits = |row: &Self| {
            let side = row.matrix;
            let packs = row.file != "linear_packed" || product.packs();
            let suits = side.is_none_or(|side| side == matrix && product.suits(side));
            row.family == family && packs && suits
        };
        LINEAR.into_iter().find(fits).expect("every family has a row for all products")
    }

    /// The kernel for a product, where subgroups have `lanes` invocations.
    pub fn kernel(self, product: &Product, lanes: u32) -> Kernel {
        let Product { k, cols, format, .. } = *product;
        let [x, y] = stored(product.half);
        let input = match product.gather {
            Gather::Rows => vec!["input/rows", x],
            Gather::Windows => vec!["input/window", x],
            Gather::Patches { rgba, .. } => {
                vec!["input/patches", pixels(rgba.as_ref())]
            }
        };
        let mut files = vec![self.file, y];
        files.push(if product.residual { "finish/residual" } else { "finish/store" });
        files.push(if product.bias { "bias/vector" } else { "bias/none" });
        files.push(if product.scale { "scale/vector" } else { "scale/none" });
        files.push(activation(product.activation));
        match self.matrix {
            Some(side) => files.push(if side == 8 { "tile/8" } else { "tile/16" }),
            None => files.extend(input),
        }
        match (self.matrix, format) {
            (Some(_), Format::F16) => files.push("weight/half"),
            (Some(_), _) => files.extend(["weight/to_half", format.hole()]),
            (None, _) => files.push(format.hole()),
        }
        let mut knobs = vec![("K", format!("{k}u")), ("COLS", format!("{cols}u"))];
        if let Gather::Patches { rgba, patch } = product.gather {
            knobs.push(("PATCH", format!("{patch}u")));
            knobs.extend(normalising(rgba.as_ref()));
        }
        match (self.matrix, self.family.software()) {
            (Some(_), _) => knobs.push(("LANES", format!("{lanes}u"))),
            (None, true) => {}
            (None, false) if self.file == "linear_packed" => {}
            (None, false) => knobs.push(("TILE_ROWS", format!("{}u", self.tile_rows))),
        }
        Kernel { files, knobs }
    }
}

impl AttentionRow {
    /// The row for attention on a kind of device whose matrix units, if any, take matrices of so
    /// many rows, and whose subgroups have `lanes` invocations.
    pub fn choose(family: Family, matrix: u32, lanes: u32, attention: &Attention) -> Self {
        let fits = |row: &Self| {
            let units = |side| side == matrix && attention.suits(side, lanes);
            let wide = attention.head_dim <= row.max_head_dim;
            row.family == family && wide && row.matrix.is_none_or(units)
        };
        let row = ATTENTION.into_iter().find(fits);
        row.expect("the configuration's check bounds head_dim")
    }

    /// Workgroups side by side that share a head's channels: one owns at most eight matrices of sums.
    pub fn parts(self, head_dim: usize) -> usize {
        self.matrix.map_or(1, |side| head_dim.div_ceil(8 * side as usize))
    }

    /// The kernel for attention, where subgroups have `lanes` invocations.
    pub fn kernel(self, attention: &Attention, lanes: u32) -> Kernel {
        let Attention { heads, head_dim, half, .. } = *attention;
        let mut knobs = vec![("D", format!("{head_dim}u")), ("HEADS", format!("{heads}u"))];
        let [x, y] = stored(half);
        let mut files = vec![self.file];
        match self.matrix {
            Some(side) => {
                files.push(if side == 8 { "tile/8" } else { "tile/16" });
                knobs.push(("LANES", format!("{lanes}u")));
            }
            None => files.push(x),
        }
        // On software adapters sums gather in y itself, which is f32.
        if !self.family.software() {
            files.push(y);
            knobs.push(("TILE_K", format!("{}u", self.tile_k)));
        }
        if self.file == "attention_tiled" {
            knobs.push(("TILE_Q", format!("{}u", self.tile_q)));
        }
        Kernel { files, knobs }
    }
}

/// The files that say how what is read and what is written is stored.
fn stored(half: [bool; 2]) -> [&'static str; 2] {
    [if half[0] { "x/f16" } else { "x/f32" }, if half[1] { "y/f16" } else { "y/f32" }]
}

/// The file that computes an activation.
fn activation(activation: Option<Activation>) -> &'static str {
    match activation {
        None => "act/none",
        Some(Activation::Erf) => "act/erf",
        Some(Activation::Tanh) => "act/tanh",
        Some(Activation::Quick) => "act/quick",
        Some(Activation::Silu) => "act/silu",
        Some(Activation::Relu) => "act/relu",
    }
}

/// The file that reads a picture.
fn pixels(rgba: Option<&Normal>) -> &'static str {
    if rgba.is_some() { "pixel/rgba" } else { "pixel/planes" }
}

/// The knobs of the file that reads bytes.
fn normalising(rgba: Option<&Normal>) -> Vec<(&'static str, String)> {
    let Some(Normal { divisor, mean, std }) = rgba else { return Vec::new() };
    let three = |[r, g, b]: [f32; 3]| format!("vec3f({r:?}, {g:?}, {b:?})");
    vec![("DIVISOR", format!("{divisor:?}")), ("MEAN", three(*mean)), ("DEVIATION", three(*std))]
}

impl Kernel {
    /// Patches, f16 or not, from pictures of bytes or of f32 planes.
    pub fn patchify(rgba: Option<Normal>, patch: usize, half: bool) -> Self {
        let (y, rgba) = (stored([false, half])[1], rgba.as_ref());
        let mut knobs = vec![("PATCH", format!("{patch}u"))];
        knobs.extend(normalising(rgba));
        Self { files: vec!["patchify", pixels(rgba), y], knobs }
    }

    /// Prefix tokens and positions.
    pub fn embed(c: usize, prefix: usize) -> Self {
        let knobs = vec![("C", format!("{c}u")), ("PREFIX", format!("{prefix}u"))];
        Self { files: vec!["embed"], knobs }
    }

    /// Four planes to one map.
    pub fn interleave(c: usize) -> Self {
        Self { files: vec!["interleave"], knobs: vec![("C", format!("{c}u"))] }
    }

    /// Pooling over a map.
    pub fn pool(c: usize, max: bool) -> Self {
        let knobs = vec![("C", format!("{c}u")), ("MAX", max.to_string())];
        Self { files: vec!["pool"], knobs }
    }

    /// Bilinear resize of `c` channels into a map of `wide`.
    pub fn resize(c: usize, wide: usize, add: bool) -> Self {
        let knobs =
            vec![("C", format!("{c}u")), ("WIDE", format!("{wide}u")), ("ADD", add.to_string())];
        Self { files: vec!["resize"], knobs }
    }

    /// A norm; `lanes` are the invocations of a subgroup, 0 where they vary or there are none.
    pub fn norm(family: Family, lanes: u32, norm: &Norm) -> Self {
        let [x, y] = stored(norm.half);
        let affine = if norm.bias { "affine/weight_bias" } else { "affine/weight" };
        let mut knobs = vec![
            ("C", format!("{}u", norm.c)),
            ("LAYER", (norm.kind == NormKind::Layer).to_string()),
            ("EPS", format!("{:e}", norm.eps)),
        ];
        let file = if family.software() { "norm_direct" } else { "norm" };
        let mut files = vec![file, x, y, affine, activation(norm.activation)];
        match (family.software(), lanes) {
            (true, _) => {}
            (false, 0) => files.push("shared/sum"),
            (false, _) => {
                files.push("shared/sum_subgroup");
                knobs.push(("LANES", format!("{lanes}u")));
            }
        }
        Self { files, knobs }
    }
}
