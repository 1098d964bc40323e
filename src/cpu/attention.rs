//! Attention by blocks of queries on all cores; the twin is `reference::attention`.

use std::ops::Range;

use crate::parallel::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::{Panels, product};
use crate::reference::Scores;

/// Queries of a block: their scores with 1,025 keys fit the second-level cache.
const QUERIES: usize = 64;

/// `softmax(q·kᵀ / √d + bias) · v` for every picture, group, head and query.
///
/// `q`, `k` and `v` are as the twin's. `queries` has for every head the rows of a group that are asked for;
/// other rows of `y` stay as they are.
pub fn attention(qkv: [&[f32]; 3], of: &Scores<'_>, queries: &[Range<usize>], y: &mut [f32]) {
    let (c, d, keys) = (of.c, of.c / of.heads, of.keys);
    for (group, y) in y.chunks_exact_mut(of.queries * c).take(of.batch * of.groups).enumerate() {
        // A head's matrix [rows, d] within a plane, from row `first` on; rows are c apart.
        let matrix = |plane: usize, rows: usize, head: usize, first: usize| {
            &qkv[plane][(group * rows + first) * c + head * d..]
        };
        let packed: Vec<_> = (0..of.heads)
            .into_par_iter()
            .map(|head| {
                let k = Panels::pack(matrix(1, keys, head, 0), [keys, d], [c, 1]);
                (k, Panels::pack(matrix(2, keys, head, 0), [d, keys], [1, c]))
            })
            .collect();
        let scale = 1.0 / (d as f32).sqrt();
        y.par_chunks_mut(QUERIES * c).enumerate().for_each(|(block, y)| {
            let (first, rows) = (block * QUERIES, y.len() / c);
            let (mut scores, mut out) = (vec![0.0; rows * keys], vec![0.0; rows * d]);
            for (head, ((k, v), queries)) in packed.iter().zip(queries).enumerate() {
                let own = queries.start.max(first)..queries.end.min(first + rows);
                if own.is_empty() {
                    continue;
                }
                let scores = &mut scores[..own.len() * keys];
                let out = &mut out[..own.len() * d];
                let from = matrix(0, of.queries, head, own.start);
                product(from, c, k, scale, None, scores);
                for (query, row) in own.clone().zip(scores.chunks_exact_mut(keys)) {
                    of.add_bias(head, [group, query], row);
                    Softmax::new_mut(row).dispatch();
                }
                product(scores, keys, v, 1.0, None, out);
                let lines = y[(own.start - first) * c..].chunks_exact_mut(c);
                for (y, out) in lines.zip(out.chunks_exact(d)) {
                    y[head * d..][..d].copy_from_slice(out);
                }
            }
        });
    }
}
