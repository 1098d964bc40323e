//! Every activation, behind products, behind norms, and as a gate.

use internvit::gpu::Precision;
use internvit::model::NormKind;
use internvit::plan::{Activation, Linear, Norm, Op};

use super::case::{Case, in_both_precisions};
use super::linear::Product;
use crate::common::*;

#[test]
fn activations_behind_products() {
    in_both_precisions(|gpu| {
        let shapes = [(true, 6), (false, 6), (true, 2)];
        // The activation is the same in both: in f16 one case shows what is stored.
        let count = if gpu.precision == Precision::F16 { 1 } else { shapes.len() };
        for activation in Activation::ALL.map(Some) {
            for (gated, rows) in shapes.into_iter().take(count) {
                let (batch, shape, bias) = (1, [1, 20, 12], true);
                let (scale, residual) = Default::default();
                let product =
                    Product { batch, rows, shape, bias, activation, gated, scale, residual };
                product.case().amplified(4.0).check(gpu);
            }
        }
    });
}

#[test]
fn activations_behind_norms() {
    let Some(gpu) = &gpu() else { return };
    for activation in Activation::ALL.map(Some) {
        let mut case = Case::new(1);
        let x = case.input([1, 5, 24]);
        let weight = case.gain("norm.weight", 24);
        let bias = Some(case.bias("norm.bias", 24));
        let (kind, eps) = (NormKind::Layer, 1e-6);
        let norm = Norm { x: x.into(), weight, bias, kind, eps, activation };
        case.step([1, 5, 24], Op::Norm(norm));
        case.check(gpu);
    }
}

/// No exponential overflows: the twin's values are finite, and so are all others.
#[test]
fn activations_of_large_values() {
    let Some(gpu) = &gpu() else { return };
    for gain in [100.0, 1e5, 1e15] {
        for activation in Activation::ALL.map(Some) {
            let (batch, rows, shape) = (1, 6, [1, 20, 12]);
            let product = Product { batch, rows, shape, activation, ..Default::default() };
            product.case().amplified(gain).check(gpu);
        }
    }
}

/// Members take some channels through gate, product and second matrix each.
#[test]
fn a_gated_mlp_is_shared_by_a_team() {
    for members in [2, 3] {
        let (rows, c, m) = (5, 12, 120);
        let mut case = Case::new(2);
        let x = case.input([1, rows, c]);
        let weight = case.matrix("fc1", [2, m, c]);
        let bias = Some(case.bias("fc1.bias", 2 * m));
        let (activation, gated) = (Some(Activation::Silu), true);
        let op = Linear { bias, activation, gated, ..Linear::new(x, weight) };
        let a = case.step([1, rows, m], Op::Linear(op));
        let weight = case.matrix("fc2", [1, c, m]);
        let scale = Some(case.layer_scale("ls2", c));
        let op = Linear { scale, residual: Some(x), ..Linear::new(a, weight) };
        case.step([1, rows, c], Op::Linear(op));
        case.check_team(members);
    }
}
