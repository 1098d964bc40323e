//! Attention over what states hold, a head of a query at a time on all cores; the twin is `reference::causal`.

use crate::math::dot;
use crate::parallel::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

/// `softmax(q·kᵀ / √d) · v` of each query over the rows of both states up to its own, `place + r` of query r; shapes
/// are the twin's.
pub fn causal(
    [q, k, v]: [&[f32]; 3],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (pitch, scale) = (key_heads * d, 1.0 / (d as f32).sqrt());
    y.par_chunks_exact_mut(d).enumerate().for_each(|(at, y)| {
        let (row, head) = (at / heads, at % heads);
        let first = head / (heads / key_heads) * d;
        let q = &q[at * d..][..d];
        let own = |key: usize| key * pitch + first..key * pitch + first + d;
        let mut scores: Vec<f32> =
            (0..place + row + 1).map(|key| scale * dot(q, &k[own(key)])).collect();
        Softmax::new_mut(&mut scores).dispatch();
        y.fill(0.0);
        for (key, weight) in scores.iter().enumerate() {
            y.iter_mut().zip(&v[own(key)]).for_each(|(y, v)| *y += weight * v);
        }
    });
}
