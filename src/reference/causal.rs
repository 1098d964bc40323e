//! Twins of `shaders/append.wgsl`, `shaders/causal.wgsl` and `shaders/probabilities.wgsl`.

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

/// `softmax(q·kᵀ / √d)` of the last query over the rows of a state up to its own, `place + rows - 1`; 0 behind it.
///
/// `q` is `[rows, heads·d]`, `k` `[capacity, key_heads·d]`, `y` `[heads, capacity]`.
pub fn probabilities(
    [q, k]: [&[f32]; 2],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (c, pitch, scale) = (heads * d, key_heads * d, 1.0 / (d as f32).sqrt());
    let (rows, capacity) = (q.len() / c, y.len() / heads);
    let seen = place + rows;
    let last = q[(rows - 1) * c..].chunks_exact(d);
    for (head, (q, y)) in last.zip(y.chunks_exact_mut(capacity)).enumerate() {
        let first = head / (heads / key_heads) * d;
        y.fill(0.0);
        for (key, score) in y[..seen].iter_mut().enumerate() {
            *score = scale * dot(q, &k[key * pitch + first..][..d]);
        }
        softmax(&mut y[..seen]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where values are the rows of the unit matrix, attention is its weights.
    #[test]
    fn probabilities_are_the_weights_of_attention() {
        let (d, heads, rows, place, capacity) = (8, 4, 3, 4, 8);
        let numbers = |count: usize| (0..count).map(|i| ((i * 37 % 23) as f32 - 11.0) / 9.0);
        let q: Vec<f32> = numbers(rows * heads * d).collect();
        for key_heads in [4, 2] {
            let k: Vec<f32> = numbers(capacity * key_heads * d).collect();
            let unit = |i: usize| if i / (key_heads * d) == i % d { 1.0 } else { 0.0 };
            let v: Vec<f32> = (0..capacity * key_heads * d).map(unit).collect();
            let mut y = vec![0.0; rows * heads * d];
            causal([&q, &k, &v], place, [heads, key_heads, d], &mut y);
            let mut found = vec![9.0; heads * capacity];
            probabilities([&q, &k], place, [heads, key_heads, d], &mut found);
            assert_eq!(found, y[(rows - 1) * heads * d..]);
            assert!(found.chunks(capacity).all(|head| head[place + rows..] == [0.0]));
        }
    }
}
