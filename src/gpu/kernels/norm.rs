//! Norms.

use super::linear::act;
use super::{Kernel, Needs, Row, Subgroups, Target, Tile};
use crate::gpu::family::Family;
use crate::model::NormKind;
use crate::plan::Activation;

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
    /// Applied to the result.
    pub activation: Option<Activation>,
    /// Whether x and y are f16.
    pub half: [bool; 2],
}

const ROW: Row<Norm> = Row {
    op: "norm",
    file: "norm",
    with: &["shared/sum"],
    families: Family::GPUS,
    needs: Needs::NONE,
    tile: Tile::Rows(1),
    fits: |_| true,
    specialise,
};

/// Variants of the norm: a workgroup a row, which sums by subgroups where there are any, or on software
/// adapters an invocation a row.
pub static NORM: [Row<Norm>; 3] = [
    Row {
        file: "norm_direct",
        with: &[],
        families: &Family::SOFTWARE,
        tile: Tile::Rows(64),
        ..ROW
    },
    Row {
        with: &["shared/sum_subgroup"],
        needs: Needs::subgroups(Subgroups::Even),
        specialise: |kernel, row, target, norm| {
            specialise(kernel, row, target, norm).knob("LANES", target.subgroup)
        },
        ..ROW
    },
    ROW,
];

fn specialise(kernel: Kernel, _: &Row<Norm>, _: &Target, norm: &Norm) -> Kernel {
    kernel
        .stored(norm.half)
        .with(if norm.bias { "affine/weight_bias" } else { "affine/weight" })
        .with(act(norm.activation))
        .knob("C", norm.c)
        .knob("LAYER", norm.kind == NormKind::Layer)
        .knob("EPS", norm.eps)
}
