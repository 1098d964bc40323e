//! Twins of `shaders/append.wgsl`, `shaders/causal.wgsl` and `shaders/probabilities.wgsl`.

use std::ops::Range;

use super::{norm, rotate};
use crate::math::{dot, softmax};
use crate::model::{NormKind, Pairs};

/// Rows of queries, keys and values side by side, `[rows, (queries + 2 keys)·d]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    /// The rows.
    pub x: &'a [f32],
    /// Heads of queries, heads of keys, and channels of a head.
    pub sizes: [usize; 3],
    /// Cosines and sines of each row's angles, `[rows, d]`.
    pub angles: &'a [f32],
    /// Weight `[d]` and epsilon of the RMSNorm of queries, where there is one.
    pub query_norm: Option<(&'a [f32], f32)>,
    /// The same of keys.
    pub key_norm: Option<(&'a [f32], f32)>,
}

impl Rows<'_> {
    /// Queries, normed and turned, `[rows, queries·d]`.
    pub fn queries(&self) -> Vec<f32> {
        let [queries, _, d] = self.sizes;
        self.turned(0..queries * d, self.query_norm)
    }

    /// Keys, normed and turned, `[rows, keys·d]`.
    fn keys(&self) -> Vec<f32> {
        let [queries, keys, d] = self.sizes;
        self.turned(queries * d..(queries + keys) * d, self.key_norm)
    }

    fn columns(&self, own: Range<usize>) -> impl Iterator<Item = &[f32]> {
        let [queries, keys, d] = self.sizes;
        self.x.chunks_exact((queries + 2 * keys) * d).map(move |row| &row[own.clone()])
    }

    fn turned(&self, own: Range<usize>, normed: Option<(&[f32], f32)>) -> Vec<f32> {
        let (c, d) = (own.len(), self.sizes[2]);
        let mut rows: Vec<f32> = self.columns(own).flatten().copied().collect();
        if let Some((weight, eps)) = normed {
            norm(&mut rows, weight, None, NormKind::Rms, eps, None);
        }
        rotate(&mut rows, self.angles, [c, d], Pairs::Halves);
        rows
    }
}

/// Puts the keys and values of rows into a state `[capacity, 2·keys·d]`, from row `place` on.
pub fn append(rows: &Rows<'_>, place: usize, state: &mut [f32]) {
    let [queries, keys, d] = rows.sizes;
    let (c, first) = (keys * d, (queries + keys) * d);
    let turned = rows.keys();
    let new = turned.chunks_exact(c).zip(rows.columns(first..first + c));
    for ((k, v), state) in new.zip(state[place * 2 * c..].chunks_exact_mut(2 * c)) {
        state[..c].copy_from_slice(k);
        state[c..].copy_from_slice(v);
    }
}

/// `softmax(q·kᵀ / √d) · v` of each query over the rows of a state up to its own, `place + r` of query r.
///
/// `q` and `y` are `[rows, heads·d]`, `state` is `[capacity, 2·key_heads·d]`.
pub fn causal(
    q: &[f32],
    state: &[f32],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (c, width, scale) = (heads * d, key_heads * d, 1.0 / (d as f32).sqrt());
    for (row, (q, y)) in q.chunks_exact(c).zip(y.chunks_exact_mut(c)).enumerate() {
        let seen = place + row + 1;
        for (head, (q, y)) in q.chunks_exact(d).zip(y.chunks_exact_mut(d)).enumerate() {
            let first = head / (heads / key_heads) * d;
            let own = |at: usize| &state[at * width + first..][..d];
            let mut scores: Vec<f32> = (0..seen).map(|key| scale * dot(q, own(2 * key))).collect();
            softmax(&mut scores);
            y.fill(0.0);
            for (key, weight) in scores.iter().enumerate() {
                y.iter_mut().zip(own(2 * key + 1)).for_each(|(y, v)| *y += weight * v);
            }
        }
    }
}

/// `softmax(q·kᵀ / √d)` of the last query over the rows of a state up to its own, `place + rows - 1`; 0 behind it.
///
/// `q` is `[rows, heads·d]`, `state` `[capacity, 2·key_heads·d]`, `y` `[heads, capacity]`.
pub fn probabilities(
    q: &[f32],
    state: &[f32],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (c, pitch, scale) = (heads * d, 2 * key_heads * d, 1.0 / (d as f32).sqrt());
    let (rows, capacity) = (q.len() / c, y.len() / heads);
    let seen = place + rows;
    let last = q[(rows - 1) * c..].chunks_exact(d);
    for (head, (q, y)) in last.zip(y.chunks_exact_mut(capacity)).enumerate() {
        let first = head / (heads / key_heads) * d;
        y.fill(0.0);
        for (key, score) in y[..seen].iter_mut().enumerate() {
            *score = scale * dot(q, &state[key * pitch + first..][..d]);
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
        let number = |i: usize| ((i * 37 % 23) as f32 - 11.0) / 9.0;
        let q: Vec<f32> = (0..rows * heads * d).map(number).collect();
        for key_heads in [4, 2] {
            let c = key_heads * d;
            let unit = |i: usize| if i / (2 * c) == i % d { 1.0 } else { 0.0 };
            let value = |i: usize| if i % (2 * c) < c { number(i) } else { unit(i) };
            let state: Vec<f32> = (0..capacity * 2 * c).map(value).collect();
            let mut y = vec![0.0; rows * heads * d];
            causal(&q, &state, place, [heads, key_heads, d], &mut y);
            let mut found = vec![9.0; heads * capacity];
            probabilities(&q, &state, place, [heads, key_heads, d], &mut found);
            assert_eq!(found, y[(rows - 1) * heads * d..]);
            assert!(found.chunks(capacity).all(|head| head[place + rows..] == [0.0]));
        }
    }

    /// What is appended row by row is what is appended at once; values stay as they are.
    #[test]
    fn keys_are_turned_and_values_are_not() {
        let (sizes, rows) = ([2, 1, 8], 3);
        let x: Vec<f32> = (0..rows * 32).map(|i| (i as f32 * 0.7).sin()).collect();
        let angles: Vec<f32> = (0..rows * 4)
            .map(|i| i as f32)
            .collect::<Vec<_>>()
            .chunks(4)
            .flat_map(|row| row.iter().map(|a| a.cos()).chain(row.iter().map(|a| a.sin())))
            .collect();
        let weight = [0.5; 8];
        let of = |from: usize, to: usize| Rows {
            x: &x[from * 32..to * 32],
            sizes,
            angles: &angles[from * 8..to * 8],
            query_norm: None,
            key_norm: Some((&weight, 1e-6)),
        };
        let [mut whole, mut parts] = [0; 2].map(|_| vec![0.0; 5 * 16]);
        append(&of(0, 3), 1, &mut whole);
        append(&of(0, 1), 1, &mut parts);
        append(&of(1, 3), 2, &mut parts);
        assert_eq!(whole, parts);
        assert_eq!(whole[16 + 8..32], x[24..32]);
        let square = |row: &[f32]| row.iter().map(|v| v * v).sum::<f32>();
        assert!((square(&whole[16..24]) - 8.0 * 0.25).abs() < 1e-4);
        assert_eq!(whole[..16], [0.0; 16]);
    }
}
