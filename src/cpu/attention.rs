//! Attention by blocks of queries on all cores; the twin is `reference::attention`.

use std::ops::Range;

use rayon::prelude::*;
use rten_gemm::{GemmExecutor, GemmInputA, GemmInputB, GemmOptions};
use rten_simd::SimdOp;
use rten_tensor::NdTensorView;
use rten_vecmath::Softmax;

use crate::{Error, Result};

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
) -> Result<()> {
    let (d, plane) = (c / heads, batch * tokens * c);
    let width = part.len() * d;
    let product = GemmExecutor::<f32>::new();
    for (picture, y) in y.chunks_exact_mut(tokens * width).enumerate() {
        // A head's matrix [tokens, d] within a plane, from token `first` on.
        let matrix = |of: usize, head: usize, first: usize, rows: usize| {
            let start = of * plane + (picture * tokens + first) * c + head * d;
            let values = &qkv[start..][..(rows - 1) * c + d];
            NdTensorView::from_data_with_strides([rows, d], values, [c, 1])
        };
        let packed: Vec<_> = part
            .clone()
            .into_par_iter()
            .map(|head| {
                let k = matrix(1, head, 0, tokens).map_err(Error::device)?;
                let v = matrix(2, head, 0, tokens).map_err(Error::device)?;
                Ok((product.prepack_b(k.transposed()), product.prepack_b(v)))
            })
            .collect::<Result<_>>()?;
        let scale = 1.0 / (d as f32).sqrt();
        y.par_chunks_mut(QUERIES * width).enumerate().try_for_each(|(block, y)| {
            let rows = y.len() / width;
            let (mut scores, mut out) = (vec![0.0; rows * tokens], vec![0.0; rows * d]);
            for (at, (head, (k, v))) in part.clone().zip(&packed).enumerate() {
                let q = matrix(0, head, block * QUERIES, rows).map_err(Error::device)?;
                let options = GemmOptions { alpha: scale, ..Default::default() };
                let (q, k, v) =
                    (GemmInputA::Unpacked(q), GemmInputB::Packed(k), GemmInputB::Packed(v));
                product.gemm(&mut scores, q, k, options).map_err(Error::device)?;
                for row in scores.chunks_exact_mut(tokens) {
                    Softmax::new_mut(row).dispatch();
                }
                let weights = NdTensorView::from_data([rows, tokens], scores.as_slice());
                product
                    .gemm(&mut out, GemmInputA::Unpacked(weights), v, Default::default())
                    .map_err(Error::device)?;
                for (y, out) in y.chunks_exact_mut(width).zip(out.chunks_exact(d)) {
                    y[at * d..][..d].copy_from_slice(out);
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}
