//! Norms.

use internvit::model::NormKind;
use internvit::plan::{Norm, Op, Plane, Role};

use super::case::{Case, cases, in_both_precisions};
use super::linear::patches;
use crate::common::*;

/// A norm of the last of `planes` planes.
pub fn norm(batch: usize, [planes, rows, c]: [usize; 3], kind: NormKind) -> Case {
    let mut case = Case::new(batch);
    let slot = case.input([planes, rows, c]);
    let weight = case.gain("norm.weight", c);
    let bias = (kind == NormKind::Layer).then(|| case.bias("norm.bias", c));
    let x = Plane { slot, plane: planes - 1 };
    let norm = Norm { x, weight, bias, kind, eps: 1e-6, activation: None };
    case.step([1, rows, c], Op::Norm(norm));
    case
}

#[test]
fn norms_of_both_kinds() {
    in_both_precisions(|gpu| {
        let list = [(8, 1, 1), (24, 5, 3), (192, 33, 1), (1032, 7, 2), (3200, 3, 1), (27, 5, 2)];
        for (c, rows, batch) in cases(gpu, list) {
            for kind in [NormKind::Layer, NormKind::Rms] {
                for planes in [1, 3] {
                    norm(batch, [planes, rows, c], kind).check(gpu);
                }
            }
        }
    });
}

/// More rows than a dimension has workgroups (65,535), and more values than 64 times that.
#[test]
fn more_than_65535_workgroups() {
    let Some(gpu) = gpu() else { return };
    norm(1, [1, 70_000, 8], NormKind::Layer).check(&gpu);
    patches(1, [170, 170], 14, Role::Rgba).0.check(&gpu);
}
