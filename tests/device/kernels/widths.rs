//! Widths that are no multiple of four: rows end with zeros on the device, and no kernel counts them.

use internvit::gpu::{Precision, supports};
use internvit::model::NormKind;
use internvit::plan::{Activation, Linear, Map, Norm, Op, Resize, Slice};

use super::case::{Case, in_both_precisions};
use super::linear::{Product, Residual};
use crate::common::*;

/// A gated MLP of `m` channels with a norm inside, as EVA-02 has it: 2730 in the large one.
fn mlp(batch: usize, [rows, c, m]: [usize; 3], kind: NormKind) -> Case {
    let mut case = Case::new(batch);
    let x = case.input([1, rows, c]);
    let weight = case.matrix("fc1", [2, m, c]);
    let bias = Some(case.bias("fc1.bias", 2 * m));
    let (activation, gated) = (Some(Activation::Silu), true);
    let fc1 = Linear { bias, activation, gated, ..Linear::new(x, weight) };
    let a = case.step([1, rows, m], Op::Linear(fc1));
    let weight = case.gain("norm.weight", m);
    let bias = (kind == NormKind::Layer).then(|| case.bias("norm.bias", m));
    let norm = Norm { x: a.into(), weight, bias, kind, eps: 1e-6, activation: None };
    let a = case.step([1, rows, m], Op::Norm(norm));
    let weight = case.matrix("fc2", [1, c, m]);
    let bias = Some(case.bias("fc2.bias", c));
    let fc2 = Linear { bias, residual: Some(x), ..Linear::new(a, weight) };
    case.step([1, rows, c], Op::Linear(fc2));
    case
}

#[test]
fn an_mlp_of_any_width() {
    in_both_precisions(|gpu| {
        for shape in [[5, 8, 27], [3, 10, 30], [33, 24, 70], [2, 16, 65]] {
            for kind in [NormKind::Layer, NormKind::Rms] {
                mlp(2, shape, kind).check(gpu);
            }
        }
    });
}

#[test]
fn products_of_any_width() {
    in_both_precisions(|gpu| {
        for (rows, shape) in [(9, [1, 67, 26]), (3, [3, 10, 7]), (70, [1, 1, 5])] {
            let base = Product { batch: 2, rows, shape, bias: true, ..Product::default() };
            base.case().check(gpu);
            if shape[0] == 1 {
                let residual = Residual::TakenOver;
                Product { scale: true, residual, ..base }.case().check(gpu);
                Product { gated: true, ..base }.case().check(gpu);
            }
        }
    });
}

#[test]
fn products_of_any_width_split_over_bindings() {
    let Some(mut gpu) = gpu() else { return };
    gpu.caps.max_binding = 40 << 10;
    let base =
        Product { batch: 1, rows: 330, shape: [1, 130, 61], bias: true, ..Product::default() };
    base.case().check(&gpu);
    Product { gated: true, ..base }.case().check(&gpu);
    Product { shape: [3, 61, 66], rows: 130, ..base }.case().check(&gpu);
}

#[test]
fn eight_bits_of_any_width() {
    let Some(mut gpu) = gpu() else { return };
    gpu.precision = Precision::Int8;
    let quant = Precision::Int8.quant().unwrap();
    for gated in [false, true] {
        let shape = [1, 33, 27];
        let product = Product { batch: 1, rows: 9, shape, bias: true, gated, ..Product::default() };
        product.case().rounded(|w, k| quant.quantise(w, k).values()).check(&gpu);
    }
}

#[test]
fn rows_of_any_width_are_sliced() {
    let Some(gpu) = gpu() else { return };
    let mut case = Case::new(3);
    let x = case.input([1, 7, 10]);
    case.step([1, 5, 10], Op::Slice(Slice { x, first: 2 }));
    case.check(&gpu);
}

/// What has no kernel is refused before anything is loaded, by operation and limit.
#[test]
fn limits_are_named() {
    let mut case = Case::new(1);
    let slot = case.input([1, 4, 6]);
    let x = Map { slot, size: [2, 2] };
    case.step([1, 16, 6], Op::Resize(Resize { x, to: [4, 4], add: None }));
    let limit = "resize slot 1: expected a map of a multiple of 4 channels, found 6";
    refused("a map of 6 channels", supports(&case.plan), limit);

    for (c, heads) in [(20, 2), (264, 1)] {
        let mut case = Case::new(1);
        let slot = case.input([3, 5, c]);
        let [q, k, v] = [0, 1, 2].map(|plane| internvit::plan::Plane { slot, plane });
        case.step([1, 5, c], Op::Attention(internvit::plan::Attention::new([q, k, v], heads)));
        let found = format!(
            "attention slot 1: expected heads of a multiple of 4 channels up to 256, found {}",
            c / heads
        );
        refused("a head", supports(&case.plan), &found);
    }
}
