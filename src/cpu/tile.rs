//! A tile of a product in registers: some rows by one or two registers of columns.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

use crate::parallel::current_num_threads;

/// Rows at a time at most: what is packed of them stays in the second-level cache, and what follows their product finds it
/// there.
const ROWS: usize = 264;

/// Rows are divided between threads by multiples of this: whole tiles on every machine.
const TILES: usize = 12;

/// Of `rows` those that a thread takes at a time.
pub(super) fn at_once(rows: usize) -> usize {
    let threads = current_num_threads();
    let parts = threads * rows.div_ceil(threads * ROWS);
    rows.div_ceil(parts.max(1)).next_multiple_of(TILES).max(2 * TILES)
}

/// Products of `x` `[depth, R]` and a panel `[depth, width]`, summed over the depth.
#[inline(always)]
pub(super) fn sums<I: Isa, const R: usize, const W: usize>(
    isa: I,
    x: &[f32],
    panel: &[f32],
) -> [[I::F32; W]; R] {
    let ops = isa.f32();
    let mut sums = [[ops.zero(); W]; R];
    for (x, w) in x.as_chunks::<R>().0.iter().zip(panel.chunks_exact(W * ops.len())) {
        let w = ops.load_many::<W>(w);
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = ops.splat(*x);
            for (sum, w) in sums.iter_mut().zip(w) {
                *sum = ops.mul_add(x, w, *sum);
            }
        }
    }
    sums
}
