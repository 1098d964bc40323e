//! Attention.

use internvit::gpu::{Family, Precision};
use internvit::plan::{Attention, Op, Plane, Role, ScoreBias, Value};

use super::case::{Case, TOLERANCE, cases, in_both_precisions};
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
    case.step([1, tokens, c], Op::Attention(Attention::new([q, k, v], heads)));
}

#[test]
fn attention_for_every_width_of_head() {
    in_both_precisions(|gpu| {
        let list = [
            (8, 3, 1, 1),
            (8, 1, 17, 3),
            (20, 2, 37, 2),
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

/// Every width of head that models have, and numbers of tokens at the edges of tiles of queries and keys.
#[test]
fn attention_at_ragged_edges() {
    in_both_precisions(|gpu| {
        let list = [
            (64, 1),
            (64, 31),
            (64, 64),
            (64, 97),
            (80, 25),
            (88, 17),
            (96, 66),
            (128, 63),
            (128, 1),
        ];
        for (d, tokens) in cases(gpu, list) {
            let mut case = Case::new(2);
            attention(&mut case, [tokens, 2 * d], 2, false);
            case.check(gpu);
        }
    });
}

/// As many tokens as a picture of 896 pixels has. Sums so long round more.
#[test]
fn attention_of_many_tokens() {
    let Some(gpu) = gpu() else { return };
    let (d, tokens) = (16, 4100);
    let mut case = Case::new(1);
    attention(&mut case, [tokens, d], 1, false);
    case.plan.output("y", 1);
    case.compare(&gpu, &[(0, noise(1, 3 * tokens * d))], 2.0 * TOLERANCE);
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

/// Where a subgroup does not hold a team, whatever the device says, the result is no number: a probe refuses it.
#[test]
fn attention_by_teams_that_are_not_whole_is_no_number() {
    let Some(mut gpu) = gpu() else { return };
    if !(1..16).contains(&gpu.caps.subgroup) {
        eprintln!("SKIPPED: {} has no subgroups, or larger ones", gpu.report.name);
        return;
    }
    gpu.caps.least_subgroup = 16;
    let (d, tokens) = (256, 9);
    let mut case = Case::new(1);
    attention(&mut case, [tokens, d], 1, false);
    case.plan.output("y", 1);
    let values = noise(1, 3 * tokens * d);
    let list = case.on_gpu(&gpu, &[(0, Value::F32(&values))]);
    assert!(list.iter().any(|(family, _)| *family == Family::Subgroups));
    for (family, found) in list {
        let teams = family == Family::Subgroups;
        assert!(found.iter().all(|value| value.is_nan() == teams), "{family:?}");
    }
}

/// Groups of a picture, other keys than queries, and summands that are looked up, of all pictures or of each.
#[test]
fn attention_in_groups_with_summands() {
    in_both_precisions(|gpu| {
        let list = [
            ([3, 16, 16], 32, 2, 2, true),
            ([1, 1, 37], 24, 3, 3, false),
            ([4, 9, 9], 64, 1, 1, true),
            ([1, 29, 29], 80, 2, 2, true),
            ([2, 5, 18], 136, 1, 2, true),
        ];
        for ([groups, queries, keys], d, heads, batch, bias) in list {
            for own in [false, true] {
                let mut case = Case::new(batch);
                let c = d * heads;
                let q = Plane::from(case.input([1, groups * queries, c]));
                let kv = case.input([2, groups * keys, c]);
                let [k, v] = [0, 1].map(|plane| Plane { slot: kv, plane });
                let bias = bias.then(|| {
                    let entries = 11;
                    let (role, copies) = if own { (Role::Input, batch) } else { (Role::Shared, 1) };
                    let shape = [1, groups * queries, keys];
                    let all = copies * groups * queries * keys;
                    let entry = |i: usize| ((i * 7 + i / keys) % entries) as f32;
                    let index = case.numbers(shape, role, (0..all).map(entry).collect());
                    let table = case.given([1, entries, heads], Role::Shared);
                    ScoreBias { table, index }
                });
                let attention = Attention { groups, bias, ..Attention::new([q, k, v], heads) };
                case.step([1, groups * queries, c], Op::Attention(attention));
                case.check(gpu);
            }
        }
    });
}
