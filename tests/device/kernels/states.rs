//! What language models do with states, of one row whose norm nobody stores, and the largest of many values.

use internvit::gpu::{Gpu, Precision};
use internvit::model::NormKind;
use internvit::plan::{
    Append, Causal, Gather, Heads, Linear, Norm, Op, Plane, Probabilities, Role, SlotId, Top,
};

use super::case::{Case, in_both_precisions};
use crate::common::*;

/// Rows of heads, normed or not, behind `first` others.
struct Shape {
    d: usize,
    heads: [usize; 2],
    rows: usize,
    first: usize,
    capacity: usize,
    norm: bool,
}

fn shapes() -> [Shape; 6] {
    let list = [
        (16, [3, 1], 1, 0, 8, false),
        (64, [4, 2], 40, 0, 40, true),
        (64, [14, 2], 1, 129, 201, false),
        (128, [4, 4], 5, 63, 70, true),
        (24, [4, 2], 3, 64, 67, true),
        (256, [2, 1], 2, 5, 9, false),
    ];
    list.map(|(d, heads, rows, first, capacity, norm)| Shape {
        d,
        heads,
        rows,
        first,
        capacity,
        norm,
    })
}

impl Shape {
    /// The rows, a state and the place of the first row.
    fn begin(&self, role: Role) -> (Case, Heads, [SlotId; 2]) {
        let Self { d, heads: [queries, keys], rows, first, capacity, norm } = *self;
        let mut case = Case::new(1);
        let x = case.input([1, rows, (queries + 2 * keys) * d]);
        let angles = case.given([1, rows, d], Role::Shared);
        let mut gain = |name: &str| norm.then(|| (case.gain(name, d), 1e-6));
        let [query_norm, key_norm] = [gain("q_norm"), gain("k_norm")];
        let heads = Heads { x, queries, keys, angles, query_norm, key_norm };
        let state = case.given([1, capacity, 2 * keys * d], role);
        let place = case.numbers([1, 1, 1], Role::Shared, vec![first as f32]);
        (case, heads, [state, place])
    }
}

/// What states are in these tests: where the precision is f16 they are that too, else what is fed.
fn role(gpu: &Gpu) -> Role {
    if gpu.precision == Precision::F16 { Role::State } else { Role::Shared }
}

/// A prompt, and single tokens behind many others; fewer heads of keys than of queries.
#[test]
fn attention_over_states() {
    in_both_precisions(|gpu| {
        for shape in shapes() {
            let (mut case, heads, [state, place]) = shape.begin(role(gpu));
            let size = [1, shape.rows, shape.d * shape.heads[0]];
            case.step(size, Op::Causal(Causal { heads, state, place }));
            case.check(gpu);
        }
    });
}

/// Of one query, and of the last of several; also where a row is no whole number of quads.
#[test]
fn where_attention_over_states_looks() {
    in_both_precisions(|gpu| {
        for shape in shapes() {
            let (mut case, heads, [state, place]) = shape.begin(role(gpu));
            let size = [1, shape.heads[0], shape.capacity];
            case.step(size, Op::Probabilities(Probabilities { heads, state, place }));
            case.check(gpu);
        }
    });
}

/// What stands before and behind stays.
#[test]
fn keys_and_values_are_appended() {
    in_both_precisions(|gpu| {
        for shape in shapes() {
            let (mut case, heads, [to, place]) = shape.begin(role(gpu));
            let size = [1, shape.capacity, 2 * shape.d * shape.heads[1]];
            let y = match role(gpu) {
                Role::State => case.given(size, Role::State),
                _ => case.given(size, Role::Temporary),
            };
            case.plan.push(y, Op::Append(Append { heads, place, to }));
            case.check(gpu);
        }
    });
}

/// Products that read one row through its norm, which is never stored; the row is read again behind them.
#[test]
fn products_norm_the_row_that_they_read() {
    let Some(mut gpu) = gpu() else { return };
    for precision in [Precision::F32, Precision::Int8, Precision::Int4] {
        gpu.precision = precision;
        for (c, out, readers) in [(96, 132, 1), (896, 320, 2), (30, 12, 1), (32, 64, 3)] {
            if precision == Precision::Int4 && c % 32 > 0 {
                continue;
            }
            let mut case = Case::new(1);
            let x = case.input([1, 1, c]);
            let gain = case.gain("gain", c);
            let (kind, bias, activation) = (NormKind::Rms, None, None);
            let norm = Norm { x: Plane::from(x), weight: gain, bias, kind, eps: 1e-3, activation };
            let normed = case.step([1, 1, c], Op::Norm(norm));
            let mut last = None;
            for reader in 0..readers {
                let weight = case.matrix(&format!("w{reader}"), [1, out, c]);
                let op = Linear { residual: last, ..Linear::new(normed, weight) };
                last = Some(case.step([1, 1, out], Op::Linear(op)));
            }
            let case = match precision.quant() {
                Some(quant) => case.rounded(|w, k| quant.quantise(w, k).values()),
                None => case,
            };
            case.check(&gpu);
        }
    }
}

/// Rows of a table by their numbers, of as many panels at a time as a binding has.
#[test]
fn rows_of_weights_are_picked() {
    let Some(mut gpu) = gpu() else { return };
    for (vocabulary, c, most) in [(320, 64, 1 << 20), (130, 30, 1 << 20), (1000, 96, 1 << 15)] {
        gpu.caps.max_binding = most;
        for number in [0, 63, 64, 129, vocabulary - 1] {
            let mut case = Case::new(1);
            let x = case.table("table", [1, vocabulary, c]);
            let index = case.numbers([1, 1, 1], Role::Shared, vec![number as f32]);
            case.step([1, 1, c], Op::Gather(Gather { x, index, residual: None }));
            case.check(&gpu);
        }
    }
}

/// The largest of many values and their numbers; many are equal, and some are no numbers.
#[test]
fn the_largest_of_many_values() {
    let Some(gpu) = gpu() else { return };
    for (n, count) in [(5, 1), (320, 2), (4097, 1), (20_000, 64), (9000, Top::MOST)] {
        let mut values: Vec<f32> = noise(7, n).iter().map(|v| (v * 50.0).round() / 50.0).collect();
        values[n / 2] = -0.0;
        let mut case = Case::new(1);
        let x = case.numbers([1, 1, n], Role::Input, values);
        let parts = n.div_ceil(Top::STEP);
        let top = |x, numbered| Op::Top(Top { x, numbered, count });
        let found = case.step([1, parts, 2 * count], top(x, false));
        case.step([1, 1, 2 * count], top(found, true));
        case.check(&gpu);
    }
}
