//! Twins of `shaders/append.wgsl` and `shaders/causal.wgsl`.

use crate::math::{dot, softmax};

/// Puts rows of `c` channels into a state, from row `place` on.
pub fn append(x: &[f32], place: usize, c: usize, state: &mut [f32]) {
    state[place * c..][..x.len()].copy_from_slice(x);
}

/// `softmax(q·kᵀ / √d) · v` of each query over the rows of both states up to its own, `place + r` of query r.
///
/// `q` and `y` are `[rows, heads·d]`, `k` and `v` `[capacity, key_heads·d]`.
pub fn causal(
    [q, k, v]: [&[f32]; 3],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (c, pitch, scale) = (heads * d, key_heads * d, 1.0 / (d as f32).sqrt());
    for (row, (q, y)) in q.chunks_exact(c).zip(y.chunks_exact_mut(c)).enumerate() {
        let seen = place + row + 1;
        for (head, (q, y)) in q.chunks_exact(d).zip(y.chunks_exact_mut(d)).enumerate() {
            let first = head / (heads / key_heads) * d;
            let own = |key: usize| key * pitch + first..key * pitch + first + d;
            let mut scores: Vec<f32> = (0..seen).map(|key| scale * dot(q, &k[own(key)])).collect();
            softmax(&mut scores);
            y.fill(0.0);
            for (key, weight) in scores.iter().enumerate() {
                y.iter_mut().zip(&v[own(key)]).for_each(|(y, v)| *y += weight * v);
            }
        }
    }
}
