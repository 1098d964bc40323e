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
        // Both of a head apart, as three heads, say, are not shared evenly by two threads.
        let packed: Vec<_> = (0..2 * of.heads)
            .into_par_iter()
            .map(|at| {
                let (plane, head) = (1 + at % 2, at / 2);
                Tiles { rows: matrix(plane, keys, head, 0), c, size: [keys, d], plane }.dispatch()
            })
            .collect();
        // One at a time, as few are shared evenly by nothing else.
        let blocks = y.par_chunks_mut(QUERIES * c).enumerate().with_max_len(1);
        blocks.for_each_init(Vec::new, |space, (block, y)| {
            let (first, rows) = (block * QUERIES, y.len() / c);
            for (at, (head, queries)) in packed.chunks_exact(2).zip(queries).enumerate() {
                let own = queries.start.max(first)..queries.end.min(first + rows);
                if own.is_empty() {
                    continue;
                }
                let begin = own.start;
                let bias = |query, row: &mut [f32]| of.add_bias(at, [group, begin + query], row);
                Block {
                    k: &head[0],
                    v: &head[1],
                    size: [keys, d],
                    q: matrix(0, of.queries, at, begin),
                    rows: own.len(),
                    c,
                    bias: of.bias.is_some().then_some(&bias),
                    space,
                    y: &mut y[(begin - first) * c + at * d..],
                }
                .dispatch();
            }
        });
    });
}

/// Packs keys (plane 1) or values (2) of a head, `rows` `[keys, d]` that are `c` apart, in tiles; what is missing in
/// the last one is zeros. A tile's rows are keys, `[tiles, d, R]`, or the parts of a value, `[tiles, keys, R]`.
struct Tiles<'a> {
    rows: &'a [f32],
    c: usize,
    size: [usize; 2],
    plane: usize,
}

impl SimdOp for Tiles<'_> {
    type Output = Vec<f32>;

    fn eval<I: Isa>(self, isa: I) -> Vec<f32> {
        match height(isa.f32().len()) {
            4 => self.pack::<4>(),
            6 => self.pack::<6>(),
            _ => self.pack::<8>(),
        }
    }
}

impl Tiles<'_> {
    fn pack<const R: usize>(self) -> Vec<f32> {
        let Self { rows, c, size: [keys, d], plane } = self;
        let row = |key: usize| &rows[key * c..][..d];
        if plane == 1 {
            let mut tiles = vec![0.0; keys.next_multiple_of(R) * d];
            for (at, tile) in tiles.chunks_exact_mut(R * d).enumerate() {
                let own = R.min(keys - at * R);
                let lines: [&[f32]; R] = std::array::from_fn(|r| row(at * R + r.min(own - 1)));
                for (p, values) in tile.as_chunks_mut::<R>().0.iter_mut().enumerate() {
                    for (value, line) in values.iter_mut().zip(lines).take(own) {
                        *value = line[p];
                    }
                }
            }
            return tiles;
        }
        let mut tiles = vec![0.0; d.next_multiple_of(R) * keys];
        for (at, tile) in tiles.chunks_exact_mut(R * keys).enumerate() {
            for (key, values) in tile.as_chunks_mut::<R>().0.iter_mut().enumerate() {
                match row(key)[at * R..].first_chunk::<R>() {
                    Some(all) => *values = *all,
                    None => values.iter_mut().zip(&row(key)[at * R..]).for_each(|(to, v)| *to = *v),
                }
            }
        }
        tiles
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

/// Adds to the scores of one of some queries.
type AddBias<'a> = dyn Fn(usize, &mut [f32]) + 'a;

/// Some queries of a head.
struct Block<'a> {
    /// Its keys and values, packed.
    k: &'a [f32],
    v: &'a [f32],
    /// Keys, and channels of a head.
    size: [usize; 2],
    /// Rows, `c` apart.
    q: &'a [f32],
    rows: usize,
    c: usize,
    /// Adds what is added to the scores of a query of this block.
    bias: Option<&'a AddBias<'a>>,
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
    fn run<I: Isa, const R: usize>(mut self, isa: I) {
        let lanes = isa.f32().len();
        for first in (0..self.rows).step_by(2 * lanes) {
            let own = (2 * lanes).min(self.rows - first);
            // Often one is left, the class token's. WebAssembly's registers are short, and its module is to be small.
            match R > 4 && own <= lanes {
                true => self.queries::<I, R, 1>(isa, first, own),
                false => self.queries::<I, R, 2>(isa, first, own),
            }
        }
    }

    /// As many queries as `W` registers have lanes, of which the first `own` are there.
    #[inline(always)]
    fn queries<I: Isa, const R: usize, const W: usize>(
        &mut self,
        isa: I,
        first: usize,
        own: usize,
    ) {
        let Self { k, v, size: [keys, d], q, c, bias, ref mut space, ref mut y, .. } = *self;
        let (ops, scale) = (isa.f32(), LOG2_E / (d as f32).sqrt());
        let width = W * ops.len();
        let sizes = [keys.next_multiple_of(R), d.next_multiple_of(R), d].map(|rows| rows * width);
        space.resize(space.len().max(sizes.iter().sum()), 0.0);
        let (scores, rest) = space.split_at_mut(sizes[0]);
        let (out, panel) = rest.split_at_mut(sizes[1]);
        for lane in 0..width {
            // Lanes without a query repeat the last one.
            let row = &q[(first + lane.min(own - 1)) * c..][..d];
            for (line, value) in panel.chunks_exact_mut(width).zip(row) {
                line[lane] = value * scale;
            }
        }
        let panel = &panel[..sizes[2]];
        for (tile, lines) in k.chunks_exact(R * d).zip(scores.chunks_exact_mut(R * width)) {
            let sums = sums::<I, R, W>(isa, tile, panel);
            for (sums, line) in sums.into_iter().zip(lines.chunks_exact_mut(width)) {
                for (sum, part) in sums.into_iter().zip(line.chunks_exact_mut(ops.len())) {
                    ops.store(sum, part);
                }
            }
        }
        let scores = &mut scores[..keys * width];
        if let Some(bias) = bias {
            let mut row = vec![0.0; keys];
            for lane in 0..own {
                row.fill(0.0);
                bias(first + lane, &mut row);
                for (line, value) in scores.chunks_exact_mut(width).zip(&row) {
                    line[lane] += value * LOG2_E;
                }
            }
        }
        let mut inverse = weights::<I, W>(isa, scores);
        for total in &mut inverse {
            *total = ops.reciprocal(*total);
        }
        out.fill(0.0);
        // Parts of one depth, as a short one would read and write all sums once more.
        let depth = keys.div_ceil(keys.div_ceil(DEPTH));
        for (at, part) in scores.chunks(depth * width).enumerate() {
            let from = at * depth;
            let tiles = v.chunks_exact(R * keys).map(|v| &v[from * R..][..part.len() / width * R]);
            for (tile, lines) in tiles.zip(out.chunks_exact_mut(R * width)) {
                let sums = sums::<I, R, W>(isa, tile, part);
                for (sums, line) in sums.into_iter().zip(lines.chunks_exact_mut(width)) {
                    for (sum, part) in sums.into_iter().zip(line.chunks_exact_mut(ops.len())) {
                        ops.store(ops.add(ops.load(part), sum), part);
                    }
                }
            }
        }
        for (at, line) in out.chunks_exact_mut(width).take(d).enumerate() {
            for (inverse, part) in inverse.into_iter().zip(line.chunks_exact_mut(ops.len())) {
                ops.store(ops.mul(ops.load(part), inverse), part);
            }
            for (lane, value) in line.iter().enumerate().take(own) {
                y[(first + lane) * c + at] = *value;
            }
        }
    }
}

/// Scores `[keys, width]`, which are multiples of log₂ e, become `exp(score - the largest of its query)`; the sum of each
/// query.
#[inline(always)]
fn weights<I: Isa, const W: usize>(isa: I, scores: &mut [f32]) -> [I::F32; W] {
    let ops = isa.f32();
    let width = W * ops.len();
    let mut most = ops.load_many::<W>(scores);
    for line in scores.chunks_exact(width) {
        for (most, score) in most.iter_mut().zip(ops.load_many::<W>(line)) {
            *most = larger(isa, *most, score);
        }
    }
    let constants = Constants::new(isa);
    let mut sums = [ops.zero(); W];
    for line in scores.chunks_exact_mut(width) {
        // No closure: natively it would be compiled without the registers' instructions.
        for ((sum, part), most) in sums.iter_mut().zip(line.chunks_exact_mut(ops.len())).zip(most) {
            let weight = power(isa, &constants, ops.sub(ops.load(part), most));
            *sum = ops.add(*sum, weight);
            ops.store(weight, part);
        }
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
