//! A tile of a product in registers: some rows by two registers of columns.

use rten_simd::Isa;
use rten_simd::ops::{BitOps, NumOps};

/// Products of `x` `[depth, R]` and a panel `[depth, width]`, summed over the depth.
#[inline(always)]
pub(super) fn sums<I: Isa, const R: usize>(isa: I, x: &[f32], panel: &[f32]) -> [[I::F32; 2]; R] {
    let ops = isa.f32();
    let mut sums = [[ops.zero(); 2]; R];
    for (x, w) in x.as_chunks::<R>().0.iter().zip(panel.chunks_exact(2 * ops.len())) {
        let w = ops.load_many::<2>(w);
        for (sums, x) in sums.iter_mut().zip(x) {
            let x = ops.splat(*x);
            sums[0] = ops.mul_add(x, w[0], sums[0]);
            sums[1] = ops.mul_add(x, w[1], sums[1]);
        }
    }
    sums
}
