//! `y = finish(x · Wᵀ + b)`; its twin is `reference::linear`.

use std::ops::Range;

use rayon::prelude::*;
use rten_simd::SimdUnaryOp;
use rten_vecmath::Gelu;

use super::{Panels, product};
use crate::plan::Finish;
use crate::weights::StoredType;
use crate::{Error, Result};

/// W of a product, or some of its output columns, packed: one matrix `[in, columns]` a plane.
pub struct Matrix {
    planes: Vec<Panels>,
    k: usize,
    out: usize,
    columns: Range<usize>,
}

impl Matrix {
    /// Packs `w` `[planes·out, in]`.
    pub fn pack(w: &[f32], [planes, out]: [usize; 2]) -> Self {
        let planes: Vec<_> = w.chunks_exact(w.len() / planes).collect();
        Self::pack_columns(&planes, out, 0..out, StoredType::F32)
    }

    /// Packs `columns` of `out`, in as many bits as they are `stored` in: of each plane these rows
    /// of W, `[columns, in]`.
    pub(super) fn pack_columns<W: AsRef<[f32]>>(
        planes: &[W],
        out: usize,
        columns: Range<usize>,
        stored: StoredType,
    ) -> Self {
        let k = planes.first().map_or(0, |w| w.as_ref().len() / columns.len());
        let pack = |w: &W| Panels::pack(w.as_ref(), [columns.len(), k], [k, 1]).halved(stored);
        Self { planes: planes.iter().map(pack).collect(), k, out, columns }
    }

    /// Packs the matrix of some `inputs` of `w` `[out, k]`: its products are to be summed with those
    /// of the others.
    pub(super) fn pack_inputs(
        w: &[f32],
        [out, k]: [usize; 2],
        inputs: Range<usize>,
        stored: StoredType,
    ) -> Self {
        let panels = Panels::pack(&w[inputs.start..], [out, inputs.len()], [k, 1]).halved(stored);
        Self { planes: vec![panels], k: inputs.len(), out, columns: 0..out }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> u64 {
        self.planes.iter().map(|plane| plane.bytes() as u64).sum()
    }

    /// Where this matrix's columns `[planes, rows, columns]` belong in y.
    pub(super) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Outputs of a plane, this matrix's and the others'.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// This matrix's columns of `finish(x · Wᵀ + b)`, `[planes, rows, columns]`; a residual is left
    /// to the caller. `bias` is `[planes·out]`.
    pub(super) fn product(
        &self,
        x: &[f32],
        bias: Option<&[f32]>,
        finish: &Finish,
    ) -> Result<Vec<f32>> {
        let mut y = vec![0.0; self.planes.len() * (x.len() / self.k) * self.columns.len()];
        self.product_into(x, bias, finish, &mut y)?;
        Ok(y)
    }

    fn product_into(
        &self,
        x: &[f32],
        bias: Option<&[f32]>,
        finish: &Finish,
        y: &mut [f32],
    ) -> Result<()> {
        let rows = x.len() / self.k;
        if x.len() != rows * self.k {
            return Err(Error::device(format!("{} values in rows of {}", x.len(), self.k)));
        }
        let parts = y.chunks_exact_mut(rows * self.columns.len());
        for (plane, (w, part)) in self.planes.iter().zip(parts).enumerate() {
            let bias = bias.map(|b| &b[plane * self.out..][self.columns.clone()]);
            product(x, self.k, w, 1.0, bias, part);
        }
        match finish {
            Finish::Gelu => y.par_chunks_mut(CHUNK).for_each(|part| Gelu {}.map_mut(part)),
            Finish::Relu => y.par_iter_mut().with_min_len(CHUNK).for_each(|v| *v = v.max(0.0)),
            Finish::Store | Finish::Residual { .. } => {}
        }
        Ok(())
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
    if scale.is_none() {
        return w.product_into(x, bias, finish, y);
    }
    place(&w.product(x, bias, finish)?, w.columns(), w.out, scale, y);
    Ok(())
}

/// Puts `part` `[rows, columns]` into columns of `y` `[rows, out]`; with a residual's `scale`
/// `[out]`, `y + scale ⊙ part`.
pub(super) fn place(
    part: &[f32],
    columns: Range<usize>,
    out: usize,
    scale: Option<&[f32]>,
    y: &mut [f32],
) {
    let lines = y.par_chunks_exact_mut(out).zip(part.par_chunks_exact(columns.len()));
    lines.with_min_len(CHUNK / out + 1).for_each(|(y, part)| {
        let y = &mut y[columns.clone()];
        let Some(scale) = scale else { return y.copy_from_slice(part) };
        for ((y, part), scale) in y.iter_mut().zip(part).zip(&scale[columns.clone()]) {
            *y += scale * part;
        }
    });
}
