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
/// `qkv` holds the planes q, k, v, each `[batch·tokens, C]`; head h has channels `h·d .. (h+1)·d`.
/// `y` takes the heads of `part`: `[batch·tokens, part·d]`.
pub fn attention(
    qkv: &[f32],
    [batch, tokens, c]: [usize; 3],
    heads: usize,
    part: Range<usize>,
    y: &mut [f32],
) {
    let (d, plane) = (c / heads, batch * tokens * c);
    let width = part.len() * d;
    for (picture, y) in y.chunks_exact_mut(tokens * width).enumerate() {
        // A head's matrix [tokens, d] within a plane, from token `first` on; rows are c apart.
        let matrix = |of: usize, head: usize, first: usize| {
            &qkv[of * plane + (picture * tokens + first) * c + head * d..]
        };
        let packed: Vec<_> = part
            .clone()
            .into_par_iter()
            .map(|head| {
                let k = Panels::pack(matrix(1, head, 0), [tokens, d], [c, 1]);
                (k, Panels::pack(matrix(2, head, 0), [d, tokens], [1, c]))
            })
            .collect();
        let scale = 1.0 / (d as f32).sqrt();
        y.par_chunks_mut(QUERIES * width).enumerate().for_each(|(block, y)| {
            let rows = y.len() / width;
            let (mut scores, mut out) = (vec![0.0; rows * tokens], vec![0.0; rows * d]);
            for (at, (head, (k, v))) in part.clone().zip(&packed).enumerate() {
                product(matrix(0, head, block * QUERIES), c, k, scale, None, &mut scores);
                for row in scores.chunks_exact_mut(tokens) {
                    Softmax::new_mut(row).dispatch();
                }
                product(&scores, tokens, v, 1.0, None, &mut out);
                for (y, out) in y.chunks_exact_mut(width).zip(out.chunks_exact(d)) {
                    y[at * d..][..d].copy_from_slice(out);
                }
            }
        });
    }
}
