//! Attention.

use internvit::gpu::Precision;
use internvit::plan::{Attention, Op, Plane, Role};

use super::case::{Case, cases, in_both_precisions};
use crate::common::*;

/// Attention over planes of one slot, or over slots of their own.
fn attention(case: &mut Case, shape: [usize; 2], heads: usize, apart: bool) {
    let [tokens, c] = shape;
    let [q, k, v] = match apart {
        true => [0; 3].map(|_| Plane::from(case.input([1, tokens, c]))),
        false => {
            let slot = case.input([3, tokens, c]);
            [0, 1, 2].map(|plane| Plane { slot, plane })
        }
    };
    case.step([1, tokens, c], Op::Attention(Attention { q, k, v, heads }));
}

#[test]
fn attention_for_every_width_of_head() {
    in_both_precisions(|gpu| {
        let list = [
            (8, 3, 1, 1),
            (8, 1, 17, 3),
            (24, 2, 40, 1),
            (40, 1, 33, 2),
            (64, 2, 65, 2),
            (72, 1, 31, 1),
            (80, 3, 37, 1),
            (128, 2, 50, 2),
            (200, 1, 19, 1),
            (256, 1, 21, 1),
        ];
        for (d, heads, tokens, batch) in cases(gpu, list) {
            let mut case = Case::new(batch);
            attention(&mut case, [tokens, d * heads], heads, d % 16 == 8);
            case.check(gpu);
        }
    });
}

/// Scores so large that exp overflows unless the maximum is subtracted, and later keys with larger
/// ones, so that sums are rescaled. q, k and v are such that f16 holds them.
#[test]
fn attention_with_large_scores() {
    in_both_precisions(|gpu| {
        let (c, tokens) = (64, 70);
        let mut case = Case::new(1);
        attention(&mut case, [tokens, c], 1, false);
        if gpu.precision == Precision::F16 {
            case.plan.slots[0].role = Role::Temporary;
        }
        case.plan.outputs.push(("y".into(), 1));
        for gain in [4.0, 40.0] {
            let value = |(i, v): (usize, f32)| {
                let grown = gain * (1 + i / c % tokens) as f32 / tokens as f32;
                (v * grown * 32.0).round() / 32.0
            };
            let qkv = noise(9, 3 * tokens * c).into_iter().enumerate().map(value).collect();
            // Scores reach 10^4, so their own rounding (6e-8 relative) is 1e-3 in the exponent.
            case.compare(gpu, &[(0, qkv)], 2e-3);
        }
    });
}
