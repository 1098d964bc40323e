//! Attention on all cores, two registers of queries at a time: their scores lie side by side, so that softmax sums
//! nothing across a register and the product with the values finds them packed. The twin is `reference::attention`.

use std::f32::consts::{LN_2, LOG2_E};
use std::hint::black_box;
use std::ops::Range;

use rten_simd::ops::{BitOps, FloatOps, IntOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use super::tile::sums;
use crate::parallel::prelude::*;
use crate::reference::Scores;

/// Queries that a thread takes at a time: whole registers on every machine.
const QUERIES: usize = 32;

/// Keys at a time at most in a product with the values: their weights stay in the first-level cache.
const DEPTH: usize = 256;

/// `softmax(q·kᵀ / √d + bias) · v` for every picture, group, head and query.
///
/// `q`, `k` and `v` are as the twin's. `queries` has for every head the rows of a group that are asked for;
/// other rows of `y` stay as they are.
pub fn attention(qkv: [&[f32]; 3], of: &Scores<'_>, queries: &[Range<usize>], y: &mut [f32]) {
    let (c, d, keys) = (of.c, of.c / of.heads, of.keys);
    y.par_chunks_exact_mut(of.queries * c).enumerate().for_each(|(group, y)| {
        // A head's matrix [rows, d] within a plane, from row `first` on; rows are c apart.
        let matrix = |plane: usize, rows: usize, head: usize, first: usize| {
            &qkv[plane][(group * rows + first) * c + head * d..]
        };
        let packed: Vec<_> = (0..of.heads)
            .into_par_iter()
            .map(|head| {
                let [k, v] = [1, 2].map(|plane| matrix(plane, keys, head, 0));
                Head::pack(k, v, c, [keys, d])
            })
            .collect();
        let blocks = y.par_chunks_mut(QUERIES * c).enumerate();
        blocks.for_each_init(Vec::new, |space, (block, y)| {
            let (first, rows) = (block * QUERIES, y.len() / c);
            for (at, (head, queries)) in packed.iter().zip(queries).enumerate() {
                let own = queries.start.max(first)..queries.end.min(first + rows);
                if own.is_empty() {
                    continue;
                }
                let begin = own.start;
                Block {
                    head,
                    q: matrix(0, of.queries, at, begin),
                    rows: own.len(),
                    c,
                    bias: &|query, row| of.add_bias(at, [group, begin + query], row),
                    biased: of.bias.is_some(),
                    space,
                    y: &mut y[(begin - first) * c + at * d..],
                }
                .dispatch();
            }
        });
    });
}

/// Keys and values of a head in tiles, whose rows behind the last are zeros.
struct Head {
    /// Rows are keys: `[tiles, d, R]`.
    k: Vec<f32>,
    /// Rows are the parts of a value: `[tiles, keys, R]`.
    v: Vec<f32>,
    keys: usize,
    d: usize,
}

impl Head {
    /// Packs `k` and `v` `[keys, d]`, whose rows are `c` apart.
    fn pack(k: &[f32], v: &[f32], c: usize, [keys, d]: [usize; 2]) -> Self {
        let height = height(Lanes.dispatch());
        let mut tiles = vec![0.0; keys.next_multiple_of(height) * d];
        for (key, row) in k.chunks(c).take(keys).enumerate() {
            let tile = &mut tiles[key / height * height * d..][..height * d];
            for (line, value) in tile.chunks_exact_mut(height).zip(row) {
                line[key % height] = *value;
            }
        }
        let mut turned = vec![0.0; d.next_multiple_of(height) * keys];
        for (key, row) in v.chunks(c).take(keys).enumerate() {
            for (tile, part) in row[..d].chunks(height).enumerate() {
                turned[(tile * keys + key) * height..][..part.len()].copy_from_slice(part);
            }
        }
        Self { k: tiles, v: turned, keys, d }
    }
}

/// Lanes of a register.
struct Lanes;

impl SimdOp for Lanes {
    type Output = usize;

    fn eval<I: Isa>(self, isa: I) -> usize {
        isa.f32().len()
    }
}

/// Rows of a tile: twice as many sums, beside what they are made of, are to stay in registers.
fn height(lanes: usize) -> usize {
    match lanes {
        4 => 4,
        8 => 6,
        _ => 8,
    }
}

/// Some queries of a head.
struct Block<'a> {
    head: &'a Head,
    /// Rows, `c` apart.
    q: &'a [f32],
    rows: usize,
    c: usize,
    /// Adds what is added to the scores of a query of this block, if anything is.
    bias: &'a dyn Fn(usize, &mut [f32]),
    biased: bool,
    space: &'a mut Vec<f32>,
    /// Rows, `c` apart.
    y: &'a mut [f32],
}

impl SimdOp for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match height(isa.f32().len()) {
            4 => self.run::<I, 4>(isa),
            6 => self.run::<I, 6>(isa),
            _ => self.run::<I, 8>(isa),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn run<I: Isa, const R: usize>(self, isa: I) {
        let Self { head, q, rows, c, bias, biased, space, y } = self;
        let &Head { ref k, ref v, keys, d } = head;
        let (ops, scale) = (isa.f32(), LOG2_E / (d as f32).sqrt());
        let width = 2 * ops.len();
        let sizes = [keys.next_multiple_of(R), d.next_multiple_of(R), d].map(|rows| rows * width);
        space.resize(sizes.iter().sum(), 0.0);
        let (scores, rest) = space.split_at_mut(sizes[0]);
        let (out, panel) = rest.split_at_mut(sizes[1]);
        for first in (0..rows).step_by(width) {
            let own = width.min(rows - first);
            for lane in 0..width {
                // Lanes without a query repeat the last one.
                let row = &q[(first + lane.min(own - 1)) * c..][..d];
                for (line, value) in panel.chunks_exact_mut(width).zip(row) {
                    line[lane] = value * scale;
                }
            }
            for (tile, lines) in k.chunks_exact(R * d).zip(scores.chunks_exact_mut(R * width)) {
                let sums = sums::<I, R>(isa, tile, panel);
                for (sums, line) in sums.into_iter().zip(lines.chunks_exact_mut(width)) {
                    ops.store(sums[0], line);
                    ops.store(sums[1], &mut line[ops.len()..]);
                }
            }
            let scores = &mut scores[..keys * width];
            if biased {
                let mut row = vec![0.0; keys];
                for lane in 0..own {
                    row.fill(0.0);
                    bias(first + lane, &mut row);
                    for (line, value) in scores.chunks_exact_mut(width).zip(&row) {
                        line[lane] += value * LOG2_E;
                    }
                }
            }
            let [left, right] = weights(isa, scores);
            let inverse = [ops.reciprocal(left), ops.reciprocal(right)];
            out.fill(0.0);
            // Parts of one depth, as a short one would read and write all sums once more.
            let depth = keys.div_ceil(keys.div_ceil(DEPTH));
            for (at, part) in scores.chunks(depth * width).enumerate() {
                let from = at * depth;
                let tiles =
                    v.chunks_exact(R * keys).map(|v| &v[from * R..][..part.len() / width * R]);
                for (tile, lines) in tiles.zip(out.chunks_exact_mut(R * width)) {
                    let sums = sums::<I, R>(isa, tile, part);
                    for (sums, line) in sums.into_iter().zip(lines.chunks_exact_mut(width)) {
                        let [a, b] = ops.load_many::<2>(line);
                        ops.store(ops.add(a, sums[0]), line);
                        ops.store(ops.add(b, sums[1]), &mut line[ops.len()..]);
                    }
                }
            }
            for (at, line) in out.chunks_exact_mut(width).take(d).enumerate() {
                let [a, b] = ops.load_many::<2>(line);
                ops.store(ops.mul(a, inverse[0]), line);
                ops.store(ops.mul(b, inverse[1]), &mut line[ops.len()..]);
                for (lane, value) in line.iter().enumerate().take(own) {
                    y[(first + lane) * c + at] = *value;
                }
            }
        }
    }
}

/// Scores `[keys, width]`, which are multiples of log₂ e, become `exp(score - the largest of its query)`; the sum of each
/// query.
#[inline(always)]
fn weights<I: Isa>(isa: I, scores: &mut [f32]) -> [I::F32; 2] {
    let ops = isa.f32();
    let width = 2 * ops.len();
    let mut most = ops.load_many::<2>(scores);
    for line in scores.chunks_exact(width) {
        let line = ops.load_many::<2>(line);
        most = [larger(isa, most[0], line[0]), larger(isa, most[1], line[1])];
    }
    let constants = Constants::new(isa);
    let mut sums = [ops.zero(); 2];
    for line in scores.chunks_exact_mut(width) {
        let [a, b] = ops.load_many::<2>(line);
        // No closure: natively it would be compiled without the registers' instructions.
        let a = power(isa, &constants, ops.sub(a, most[0]));
        let b = power(isa, &constants, ops.sub(b, most[1]));
        sums = [ops.add(sums[0], a), ops.add(sums[1], b)];
        ops.store(a, line);
        ops.store(b, &mut line[ops.len()..]);
    }
    sums
}

/// The larger of both, `b` where one is not a number: WebAssembly's own maximum takes twice the instructions.
#[inline(always)]
fn larger<I: Isa>(isa: I, a: I::F32, b: I::F32) -> I::F32 {
    let ops = isa.f32();
    ops.select(a, b, ops.gt(a, b))
}

/// Coefficients of the polynomial of least relative error (8e-8 in f32) for 2ˣ between -½ and ½, of the highest power
/// first.
const POWER: [f32; 7] =
    [1.534_581_2e-4, 1.339_993_1e-3, 9.618_489e-3, 5.550_328_6e-2, 2.402_264_6e-1, LN_2, 1.0];

/// Below this power of two a weight is nothing beside the largest, 1; subnormal numbers would be slow.
const LEAST: f32 = -100.0;

/// What is added to a number of this size leaves its nearest integer in the lowest bits.
const MAGIC: f32 = 12_582_912.0;

/// Constants of `power` in registers.
struct Constants<I: Isa> {
    power: [I::F32; POWER.len()],
    least: I::F32,
    magic: I::F32,
    bias: I::I32,
}

impl<I: Isa> Constants<I> {
    #[inline(always)]
    fn new(isa: I) -> Self {
        let ops = isa.f32();
        // WebAssembly's compilers make a constant anew wherever it is used, which takes longer than what it is used for.
        // They keep what they do not know to be one.
        let (power, [least, magic]) = black_box((POWER, [LEAST, MAGIC]));
        Self {
            power: std::array::from_fn(|at| ops.splat(power[at])),
            least: ops.splat(least),
            magic: ops.splat(magic),
            bias: isa.i32().splat(black_box(127 << 23)),
        }
    }
}

/// 2ˣ for x of 0 and below.
#[inline(always)]
fn power<I: Isa>(isa: I, constants: &Constants<I>, x: I::F32) -> I::F32 {
    let (ops, ints) = (isa.f32(), isa.i32());
    let Constants { power, least, magic, bias } = constants;
    // Where x is not a number, it remains.
    let x = larger(isa, *least, x);
    let sum = ops.add(x, *magic);
    let rest = ops.sub(x, ops.sub(sum, *magic));
    let mut value = power[0];
    for coefficient in &power[1..] {
        value = ops.mul_add(value, rest, *coefficient);
    }
    let bits: I::I32 = sum.reinterpret_cast();
    let exponent = ints.add(ints.shift_left::<23>(bits), *bias);
    ops.mul(value, exponent.reinterpret_cast())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A register of powers of two.
    struct Powers<'a>(&'a [f32]);

    impl SimdOp for Powers<'_> {
        type Output = Vec<f32>;

        fn eval<I: Isa>(self, isa: I) -> Vec<f32> {
            let constants = Constants::new(isa);
            let power =
                |x: &f32| power(isa, &constants, isa.f32().splat(*x)).to_array().as_ref()[0];
            self.0.iter().map(power).collect()
        }
    }

    #[test]
    fn powers_of_two() {
        let x: Vec<f32> = (0..400_000).map(|at| at as f32 * -2.5e-4).collect();
        for (x, y) in x.iter().zip(Powers(&x).dispatch()) {
            let expected = f64::from(*x).exp2();
            assert!(
                (f64::from(y) / expected - 1.0).abs() < 1.2e-7,
                "{x}: {y}, expected {expected}"
            );
        }
        let ends = Powers(&[0.0, -0.0, -100.5, -1e9, f32::NEG_INFINITY, f32::NAN]).dispatch();
        let least = 2.0f32.powi(-100);
        assert_eq!(ends[..5], [1.0, 1.0, least, least, least]);
        assert!(ends[5].is_nan());
    }
}
