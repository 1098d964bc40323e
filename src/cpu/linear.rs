//! `y = finish(x · Wᵀ + b)` by the library's product; its twin is `reference::linear`.

use rayon::prelude::*;
use rten_gemm::{BiasVector, GemmExecutor, GemmInputA, GemmInputB, GemmOptions, PackedBMatrix};
use rten_simd::SimdUnaryOp;
use rten_tensor::NdTensorView;
use rten_vecmath::Gelu;

use crate::plan::Finish;
use crate::{Error, Result};

/// W of a product, packed: one matrix `[in, out]` a plane.
pub struct Matrix {
    planes: Vec<PackedBMatrix<f32>>,
    k: usize,
    out: usize,
}

impl Matrix {
    /// Packs `w` `[planes·out, in]`.
    pub fn pack(w: &[f32], [planes, out]: [usize; 2]) -> Self {
        let k = w.len() / (planes * out);
        let product = GemmExecutor::<f32>::new();
        let pack = |w| product.prepack_b(NdTensorView::from_data([out, k], w).transposed());
        Self { planes: w.chunks_exact(out * k).map(pack).collect(), k, out }
    }
}

/// Values that one thread takes at a time in what follows a product.
const CHUNK: usize = 16 << 10;

/// `x` `[rows, in]`, `y` `[planes, rows, out]`; `scale` `[out]` is the residual's.
pub fn linear(
    x: &[f32],
    w: &Matrix,
    bias: Option<&[f32]>,
    finish: &Finish,
    scale: Option<&[f32]>,
    y: &mut [f32],
) -> Result<()> {
    let (rows, out) = (x.len() / w.k, w.out);
    let product = GemmExecutor::<f32>::new();
    let mut sums = Vec::new();
    if scale.is_some() {
        sums.resize(y.len(), 0.0);
    }
    let target: &mut [f32] = if scale.is_some() { &mut sums } else { y };
    for (plane, (w, part)) in w.planes.iter().zip(target.chunks_exact_mut(rows * out)).enumerate() {
        let bias = bias.map(|b| BiasVector::Row(&b[plane * out..][..out]));
        let x = GemmInputA::Unpacked(NdTensorView::from_data([rows, x.len() / rows], x));
        let options = GemmOptions { bias, ..Default::default() };
        product.gemm(part, x, GemmInputB::Packed(w), options).map_err(Error::device)?;
    }
    match (finish, scale) {
        (Finish::Gelu, _) => y.par_chunks_mut(CHUNK).for_each(|part| Gelu {}.map_mut(part)),
        (Finish::Relu, _) => y.par_iter_mut().with_min_len(CHUNK).for_each(|v| *v = v.max(0.0)),
        (_, Some(scale)) => {
            let lines = y.par_chunks_exact_mut(out).zip(sums.par_chunks_exact(out));
            lines.with_min_len(CHUNK / out + 1).for_each(|(y, sums)| {
                for ((y, sum), scale) in y.iter_mut().zip(sums).zip(scale) {
                    *y += scale * sum;
                }
            });
        }
        _ => {}
    }
    Ok(())
}
