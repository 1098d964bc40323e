//! Rows in another order, rotary positions, sums.

use internvit::model::Pairs;
use internvit::plan::{Add, Gather, Op, Plane, Role, Rotate};

use super::case::Case;
use crate::common::*;

#[test]
fn rows_are_gathered() {
    let Some(gpu) = gpu() else { return };
    for (c, from, rows, parts, batch) in
        [(8, 3, 5, 1, 2), (24, 12, 3, 4, 1), (10, 4, 9, 1, 3), (192, 70, 49, 2, 2)]
    {
        for (x_role, own, add) in
            [(Role::Input, false, false), (Role::Input, true, true), (Role::Shared, false, true)]
        {
            let mut case = Case::new(batch);
            let x = case.given([1, from, c], x_role);
            let (role, copies) = if own { (Role::Input, batch) } else { (Role::Shared, 1) };
            // Some are negative: rows of zeros.
            let row = |i: usize| ((i * 5) % (from + 1)) as f32 - 1.0;
            let numbers = (0..copies * rows * parts).map(row).collect();
            let index = case.numbers([1, rows, parts], role, numbers);
            let residual = add.then(|| case.input([1, rows, parts * c]));
            case.step([1, rows, parts * c], Op::Gather(Gather { x, index, residual }));
            case.check(&gpu);
        }
    }
}

#[test]
fn planes_are_rotated() {
    let Some(gpu) = gpu() else { return };
    for pairs in [Pairs::Halves, Pairs::Neighbours] {
        for (d, heads, tokens, batch) in
            [(8, 1, 3, 1), (24, 2, 7, 2), (64, 3, 19, 2), (40, 1, 5, 3)]
        {
            let mut case = Case::new(batch);
            let slot = case.input([3, tokens, d * heads]);
            let angles = case.given([1, tokens, d], Role::Shared);
            let x = Plane { slot, plane: 1 };
            case.step([1, tokens, d * heads], Op::Rotate(Rotate { x, angles, pairs }));
            case.check(&gpu);
        }
    }
}

#[test]
fn slots_are_summed() {
    let Some(gpu) = gpu() else { return };
    for (c, rows, batch) in [(8, 1, 1), (10, 7, 2), (192, 33, 3)] {
        let mut case = Case::new(batch);
        let [x, to] = [0; 2].map(|_| case.input([1, rows, c]));
        case.step([1, rows, c], Op::Add(Add { x, to }));
        case.check(&gpu);
    }
}
