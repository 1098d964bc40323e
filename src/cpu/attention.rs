//! Attention by blocks of queries on all cores; the twin is `reference::attention`.

use std::ops::Range;

use rayon::prelude::*;
use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::{Panels, product};

/// Queries of a block: their scores with 1,025 keys fit the second-level cache.
const QUERIES: usize = 64;

/// `softmax(q·kᵀ / √d) · v` for every picture, head and token.
///
/// `q`, `k` and `v` are `[batch·tokens, C]`; head h has channels `h·d .. (h+1)·d`.
/// `queries` has for every head the tokens of a picture that are asked for; other rows of `y`
/// `[batch·tokens, C]` stay as they are.
pub fn attention(
    qkv: [&[f32]; 3],
    [batch, tokens, c]: [usize; 3],
    queries: &[Range<usize>],
    y: &mut [f32],
) {
    let d = c / queries.len();
    for (picture, y) in y.chunks_exact_mut(tokens * c).take(batch).enumerate() {
        // A head's matrix [tokens, d] within a plane, from token `first` on; rows are c apart.
        let matrix = |of: usize, head: usize, first: usize| {
            &qkv[of][(picture * tokens + first) * c + head * d..]
        };
        let packed: Vec<_> = (0..queries.len())
            .into_par_iter()
            .map(|head| {
                let k = Panels::pack(matrix(1, head, 0), [tokens, d], [c, 1]);
                (k, Panels::pack(matrix(2, head, 0), [d, tokens], [1, c]))
            })
            .collect();
        let scale = 1.0 / (d as f32).sqrt();
        y.par_chunks_mut(QUERIES * c).enumerate().for_each(|(block, y)| {
            let (first, rows) = (block * QUERIES, y.len() / c);
            let (mut scores, mut out) = (vec![0.0; rows * tokens], vec![0.0; rows * d]);
            for (head, ((k, v), queries)) in packed.iter().zip(queries).enumerate() {
                let own = queries.start.max(first)..queries.end.min(first + rows);
                if own.is_empty() {
                    continue;
                }
                let scores = &mut scores[..own.len() * tokens];
                let out = &mut out[..own.len() * d];
                product(matrix(0, head, own.start), c, k, scale, None, scores);
                for row in scores.chunks_exact_mut(tokens) {
                    Softmax::new_mut(row).dispatch();
                }
                product(scores, tokens, v, 1.0, None, out);
                let lines = y[(own.start - first) * c..].chunks_exact_mut(c);
                for (y, out) in lines.zip(out.chunks_exact(d)) {
                    y[head * d..][..d].copy_from_slice(out);
                }
            }
        });
    }
}
