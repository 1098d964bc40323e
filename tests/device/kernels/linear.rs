//! Products.

use half::{bf16, f16};
use internvit::gpu::{Gpu, Precision};
use internvit::image::Normal;
use internvit::plan::{Activation, Linear, Op, Patchify, Role, RowSource, Slice};

use super::case::{Case, cases, in_both_precisions};
use crate::common::*;

/// A product, and what follows it.
#[derive(Clone, Copy, Default)]
pub struct Product {
    pub batch: usize,
    /// Of one picture.
    pub rows: usize,
    /// Planes, outputs of each, inputs; of a gated product one plane.
    pub shape: [usize; 3],
    pub bias: bool,
    pub activation: Option<Activation>,
    pub gated: bool,
    pub scale: bool,
    pub residual: Residual,
}

#[derive(Clone, Copy, Default, PartialEq)]
pub enum Residual {
    #[default]
    None,
    /// In memory that the sum takes over.
    TakenOver,
    /// Needed later, so that it cannot be overwritten.
    Kept,
}

impl Product {
    pub fn case(self) -> Case {
        let Self { batch, rows, shape: [planes, out, k], activation, gated, .. } = self;
        let mut case = Case::new(batch);
        let x = case.input([1, rows, k]);
        let residual = (self.residual != Residual::None).then(|| case.input([1, rows, out]));
        let sums = if gated { 2 } else { planes };
        let weight = case.matrix("w", [sums, out, k]);
        let mut op = Linear { residual, activation, gated, ..Linear::new(x, weight) };
        op.bias = self.bias.then(|| case.bias("bias", sums * out));
        op.scale = self.scale.then(|| case.layer_scale("ls2", out));
        if let (Residual::TakenOver, Some(x)) = (self.residual, residual) {
            // A temporary slot.
            op.residual = Some(case.step([1, rows, out], Op::Slice(Slice { x, first: 0 })));
        }
        case.step([planes, rows, out], Op::Linear(op));
        case
    }
}

/// Products of a block of C channels with an MLP of M: plain, with LayerScale and residual, q, k and v,
/// GELU.
fn products(c: usize, m: usize, rows: usize, batch: usize) -> [Product; 6] {
    let plain = Product { batch, rows, shape: [1, m, c], ..Product::default() };
    let bias = Product { bias: true, ..plain };
    let residual = if rows % 2 == 1 { Residual::Kept } else { Residual::TakenOver };
    [
        plain,
        Product { shape: [1, c, m], scale: true, residual, ..bias },
        Product { shape: [3, c, c], ..bias },
        Product { activation: Some(Activation::Erf), ..bias },
        bias,
        Product { shape: [3, c, c], ..plain },
    ]
}

/// (hidden, mlp, rows of one picture, batch)
const SIZES: [(usize, usize, usize, usize); 8] = [
    (8, 4, 1, 1),
    (8, 4, 33, 3),
    (24, 68, 5, 2),
    (64, 132, 65, 1),
    (192, 768, 31, 1),
    (320, 1028, 129, 1),
    (32, 80, 130, 2),
    (72, 200, 2, 2),
];

/// Most of the time is the driver's, which compiles a kernel for every size and epilogue: so every one for
/// two sizes, two in turn for the others; in three tests, side by side.
fn linear_in_every_epilogue(gpu: Option<Gpu>, sizes: impl IntoIterator<Item = usize>) {
    let Some(gpu) = &gpu else { return };
    for i in cases(gpu, sizes) {
        let (c, m, rows, batch) = SIZES[i];
        for (at, product) in products(c, m, rows, batch).into_iter().enumerate() {
            if matches!(i, 2 | 4) || at % 3 == i % 3 {
                let case = product.case();
                let case = if i == 2 { case.with_candidates() } else { case };
                case.check(gpu);
            }
        }
    }
}

#[test]
fn linear_in_every_variant_and_finish() {
    linear_in_every_epilogue(gpu(), 0..4);
}

#[test]
fn linear_in_every_variant_and_finish_of_larger_sizes() {
    linear_in_every_epilogue(gpu(), 4..SIZES.len());
}

#[test]
fn linear_in_every_variant_and_finish_in_f16() {
    linear_in_every_epilogue(half_gpu(), 0..SIZES.len());
}

/// Rows, inputs and outputs at the edges of every tile, and inputs that parts share unevenly; the epilogues in turn.
#[test]
fn linear_at_ragged_edges() {
    in_both_precisions(|gpu| {
        let list = [(64, 64, 256), (65, 68, 260), (127, 132, 36), (129, 60, 1028), (63, 4, 388)];
        for (at, (rows, out, k)) in cases(gpu, list).enumerate() {
            let base =
                Product { batch: 2, rows, shape: [1, out, k], bias: true, ..Product::default() };
            let residual = Residual::TakenOver;
            let product = match at % 4 {
                0 => Product { activation: Some(Activation::Erf), ..base },
                1 => Product { shape: [3, out, k], ..base },
                2 => Product { scale: true, residual, ..base },
                _ => Product { activation: Some(Activation::Silu), gated: true, ..base },
            };
            product.case().with_candidates().check(gpu);
        }
    });
}

/// Parts of sums that exceed a binding are computed some rows at a time; and so are those of planes by themselves.
#[test]
fn linear_in_parts_split_over_bindings() {
    let Some(mut gpu) = gpu() else { return };
    gpu.caps.max_binding = 512 << 10;
    for shape in [[1, 132, 512], [3, 64, 512]] {
        let base = Product { batch: 2, rows: 330, shape, bias: true, ..Product::default() };
        base.case().with_candidates().check(&gpu);
    }
    // Panels are cut: parts are not taken.
    let wide = Product { batch: 1, rows: 70, shape: [1, 260, 600], ..Product::default() };
    wide.case().with_candidates().check(&gpu);
}

/// Bias, scale and residual are there or not, each by itself, with a gate and without.
#[test]
fn linear_with_every_combination_of_holes() {
    let Some(gpu) = &gpu() else { return };
    for bits in 0..16 {
        let [bias, scale, gated, added] = [1, 2, 4, 8].map(|bit| bits & bit > 0);
        let residual = if added { Residual::TakenOver } else { Residual::None };
        let activation = gated.then_some(Activation::Silu);
        let shape = [1, 68, 24];
        let product =
            Product { batch: 1, rows: 7, shape, bias, activation, gated, scale, residual };
        product.case().check(gpu);
    }
}

/// Weights that are rounded already lose nothing in few bits, so the twin needs none of it.
#[test]
fn linear_with_weights_in_few_bits() {
    let Some(mut gpu) = gpu() else { return };
    for precision in [Precision::Int8, Precision::Int4] {
        gpu.precision = precision;
        let sizes = [(64, 160, 33, 128 << 20), (192, 768, 65, 128 << 20), (64, 2048, 4, 40 << 10)];
        for (c, m, rows, max_binding) in sizes {
            gpu.caps.max_binding = max_binding;
            let base =
                Product { batch: 1, rows, shape: [1, m, c], bias: true, ..Product::default() };
            let residual = Residual::TakenOver;
            for product in [
                Product { activation: Some(Activation::Erf), ..base },
                Product { shape: [1, c, m], scale: true, residual, ..base },
                Product { shape: [3, c, c], ..base },
                Product { activation: Some(Activation::Silu), gated: true, ..base },
            ] {
                let quant = precision.quant().unwrap();
                product.case().rounded(|w, k| quant.quantise(w, k).values()).check(&gpu);
            }
        }
    }
}

/// Matrix times vector, with weights in every format.
#[test]
fn linear_of_few_rows() {
    let Some(mut gpu) = gpu() else { return };
    gpu.caps.half_weights = true;
    let halves = |w: &[f32], _| w.iter().map(|v| f16::from_f32(*v).to_f32()).collect();
    let brains = |w: &[f32], _| w.iter().map(|v| bf16::from_f32(*v).to_f32()).collect();
    let product = |rows| Product {
        batch: 1,
        rows,
        shape: [1, 132, 96],
        bias: true,
        activation: Some(Activation::Erf),
        ..Product::default()
    };
    for rows in 1..=5 {
        gpu.precision = Precision::F32;
        product(rows).case().check(&gpu);
        product(rows).case().rounded(halves).check(&gpu);
        product(rows).case().rounded(brains).check(&gpu);
        Product { shape: [3, 132, 96], activation: None, ..product(rows) }.case().check(&gpu);
        // Several pictures are several tiles.
        Product { batch: 3, ..product(rows) }.case().check(&gpu);
        for precision in [Precision::Int8, Precision::Int4] {
            gpu.precision = precision;
            let quant = precision.quant().unwrap();
            product(rows).case().rounded(|w, k| quant.quantise(w, k).values()).check(&gpu);
        }
    }
}

/// Bindings of 40 KiB: rows, panels and planes are all split, and nothing changes.
#[test]
fn linear_split_over_bindings() {
    in_both_precisions(|gpu| {
        let (c, m, rows) = (64, 132, 320);
        gpu.caps.max_binding = 40 << 10;
        let base = Product { batch: 1, rows, shape: [1, m, c], bias: true, ..Product::default() };
        let residual = Residual::Kept;
        for product in [
            Product { activation: Some(Activation::Erf), ..base },
            Product { shape: [1, c, m], scale: true, residual, ..base },
            Product { rows: 130, shape: [3, c, c], ..base },
            Product { activation: Some(Activation::Silu), gated: true, ..base },
        ] {
            product.case().check(gpu);
        }
    });
}

/// A 3 × 3 convolution is a product over windows.
#[test]
fn convolutions_over_windows() {
    in_both_precisions(|gpu| {
        for ([h, w], c, batch) in [([1, 1], 8, 1), ([3, 5], 8, 2), ([9, 10], 16, 1)] {
            let mut case = Case::new(batch);
            let x = case.input([1, h * w, c]);
            let weight = case.matrix("w", [1, 24, 9 * c]);
            let bias = Some(case.bias("bias", 24));
            let (rows, activation) = (RowSource::Windows([h, w]), Some(Activation::Relu));
            let op = Linear { bias, rows, activation, ..Linear::new(x, weight) };
            case.step([1, h * w, 24], Op::Linear(op));
            case.check(gpu);
        }
    });
}

/// Patches of a picture of `h` × `w` patches, of bytes or f32 planes, and their slot.
pub fn patches(batch: usize, [h, w]: [usize; 2], patch: usize, role: Role) -> (Case, usize) {
    let mut case = Case::new(batch);
    let channels = if role == Role::Rgba { 1 } else { 3 };
    let pixels = case.given([1, channels * h * patch, w * patch], role);
    let shape = [1, h * w, 3 * patch * patch];
    // As no model normalises, so that nothing else is built in.
    let normal = Normal { divisor: 127.5, mean: [0.5, -0.25, 1.0], std: [0.5, 2.0, 0.125] };
    let rows = case.step(shape, Op::Patchify(Patchify { pixels, patch, normal }));
    (case, rows)
}

#[test]
fn patches_of_bytes_and_planes() {
    in_both_precisions(|gpu| {
        for (h, w, patch, batch) in
            [(1, 1, 14, 1), (2, 3, 14, 2), (3, 1, 16, 1), (5, 4, 2, 3), (2, 3, 5, 2)]
        {
            for role in [Role::Rgba, Role::Input] {
                patches(batch, [h, w], patch, role).0.check(gpu);
            }
        }
    });
}

/// Where GPUs read the picture itself, and where patches are stored first.
#[test]
fn products_of_patches() {
    in_both_precisions(|gpu| {
        for (h, w, patch, batch) in [(1, 1, 14, 1), (5, 4, 2, 3), (9, 15, 4, 2), (2, 3, 5, 2)] {
            for role in [Role::Rgba, Role::Input] {
                let (mut case, x) = patches(batch, [h, w], patch, role);
                let weight = case.matrix("w", [1, 72, 3 * patch * patch]);
                let bias = Some(case.bias("bias", 72));
                case.step([1, h * w, 72], Op::Linear(Linear { bias, ..Linear::new(x, weight) }));
                case.check(gpu);
            }
        }
    });
}
