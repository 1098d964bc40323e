//! `y = x · Wᵀ + b` for a few rows and W in 8 or 4 bits, which is widened in registers: the time is that of
//! reading W. `reference::linear` is the twin.

use std::borrow::Cow;

use crate::parallel::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, SimdOp};

use super::codes::{Codes, Int4, Int8, WIDTH, Widened};
use crate::weights::QuantFormat;

/// Rows at most; where there are more, W is widened once for all of them.
pub(super) const MOST: usize = 32;

/// Rows of a tile at most: what is widened serves them all.
const TILE: usize = 8;

/// Weights that are worth a thread's way to them.
const PART: usize = 1 << 15;

/// Words of a column that are asked of the memory before they are needed: a page of them.
const AHEAD: usize = 64;

/// Depths of int8 that are summed before they are scaled.
const DEPTH: usize = 128;

/// `x` `[rows, k]`, `y` `[rows, columns]`, `bias` `[columns]`.
pub(super) fn few_rows(x: &[f32], w: &Codes, bias: Option<&[f32]>, y: &mut [f32]) {
    let [columns, _] = w.shape();
    match y.len() / columns {
        1 => run::<1, 4>(x, w, bias, y),
        2 => run::<2, 2>(x, w, bias, y),
        3 | 4 => run::<4, 1>(x, w, bias, y),
        _ => run::<TILE, 1>(x, w, bias, y),
    }
}

/// The same in tiles of `R` rows, each in `S` sums side by side.
fn run<const R: usize, const S: usize>(x: &[f32], w: &Codes, bias: Option<&[f32]>, y: &mut [f32]) {
    let [columns, k] = w.shape();
    let tiles = (y.len() / columns).div_ceil(R);
    let x = interleaved::<R>(x, k, 32 / w.quant.bits());
    let panels = columns.div_ceil(WIDTH);
    let threads = crate::parallel::current_num_threads();
    let each = panels.div_ceil(4 * threads).max(PART.div_ceil(k * WIDTH));
    let mut sums = vec![0.0; panels * tiles * R * WIDTH];
    sums.par_chunks_mut(each * tiles * R * WIDTH).enumerate().for_each(|(at, sums)| {
        Block::<R, S> { x: &x, w, first: at * each, tiles, sums }.dispatch();
    });
    for (row, y) in y.chunks_exact_mut(columns).enumerate() {
        for (panel, y) in y.chunks_mut(WIDTH).enumerate() {
            y.copy_from_slice(&sums[(panel * tiles * R + row) * WIDTH..][..y.len()]);
        }
        for (y, bias) in y.iter_mut().zip(bias.into_iter().flatten()) {
            *y += bias;
        }
    }
}

/// Rows `[rows, k]` as tiles `[tiles, k, R]`, with zeros where the last has fewer rows, and up to a multiple of
/// `unit` inputs.
fn interleaved<const R: usize>(x: &[f32], k: usize, unit: usize) -> Cow<'_, [f32]> {
    if R == 1 && k.is_multiple_of(unit) {
        return x.into();
    }
    let len = k.next_multiple_of(unit) * R;
    let mut tiles = vec![0.0; (x.len() / k).div_ceil(R) * len];
    for (tile, x) in tiles.chunks_exact_mut(len).zip(x.chunks(R * k)) {
        for (row, x) in x.chunks_exact(k).enumerate() {
            for (line, x) in tile.chunks_exact_mut(R).zip(x) {
                line[row] = *x;
            }
        }
    }
    tiles.into()
}

/// The sums `[panels, tiles, R, 16]` of some panels, which are zeros before; x is `[tiles, inputs, R]`.
struct Block<'a, const R: usize, const S: usize> {
    x: &'a [f32],
    w: &'a Codes,
    first: usize,
    tiles: usize,
    sums: &'a mut [f32],
}

impl<const R: usize, const S: usize> SimdOp for Block<'_, R, S> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match self.w.quant {
            QuantFormat::Int8 => self.run::<I, Int8, 4>(isa, DEPTH),
            QuantFormat::Int4 => self.run::<I, Int4, 8>(isa, QuantFormat::GROUP),
        }
    }
}

impl<const R: usize, const S: usize> Block<'_, R, S> {
    /// `N` codes are in a word; `depth` of them, a multiple, have one scale.
    #[inline(always)]
    fn run<I: Isa, W: Widened<N>, const N: usize>(self, isa: I, depth: usize) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let len = self.x.len() / self.tiles;
        for (at, sums) in self.sums.chunks_exact_mut(R * WIDTH).enumerate() {
            // All tiles take a panel while it is in the first-level cache.
            let (panel, tile) = (self.first + at / self.tiles, at % self.tiles);
            let x = &self.x[tile * len..][..len];
            let blocks = self.w.panel(panel).chunks(depth / N * WIDTH).zip(x.chunks(depth * R));
            for (block, (words, x)) in blocks.enumerate() {
                let scales = self.w.scales(panel, block);
                for group in 0..WIDTH / ops.len() {
                    let lane = group * ops.len();
                    let mut parts = [[ops.zero(); S]; R];
                    for (words, x) in words.as_chunks::<WIDTH>().0.iter().zip(x.chunks_exact(N * R))
                    {
                        ints.prefetch(words.as_ptr().wrapping_add(AHEAD * WIDTH));
                        let w = W::widened(isa, ints.load(&words[lane..]));
                        let x = &x.as_chunks::<R>().0[..N];
                        for j in 0..N {
                            for r in 0..R {
                                let sum = &mut parts[r][j % S];
                                *sum = ops.mul_add(ops.splat(x[j][r]), w[j], *sum);
                            }
                        }
                    }
                    let scale = ops.load(&scales[lane..]);
                    for (part, sums) in parts.into_iter().zip(sums.chunks_exact_mut(WIDTH)) {
                        let mut sum = part[0];
                        for more in &part[1..] {
                            sum = ops.add(sum, *more);
                        }
                        let sums = &mut sums[lane..];
                        ops.store(ops.mul_add(sum, scale, ops.load(sums)), sums);
                    }
                }
            }
        }
    }
}
