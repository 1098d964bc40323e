//! `y = epilogue(x · Wᵀ)`; its twin is `reference::linear`.

use std::ops::Range;

use crate::parallel::prelude::*;

use super::activation::activate;
use super::tile::at_once;
use super::{Codes, Panels, product};
use crate::reference::Epilogue;
use crate::weights::StoredType;
use crate::{Error, Result};

/// W of a product, or some of its output columns, packed: one matrix `[in, columns]` a plane.
pub struct Matrix {
    planes: Vec<Weight>,
    k: usize,
    out: usize,
    columns: Range<usize>,
}

/// A plane of W.
enum Weight {
    Float(Panels),
    Coded(Codes),
}

impl Matrix {
    /// Planes `[out, in]` in few bits.
    pub(super) fn coded(planes: Vec<Codes>, [out, k]: [usize; 2]) -> Self {
        let planes = planes.into_iter().map(Weight::Coded).collect();
        Self { planes, k, out, columns: 0..out }
    }

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
        let planes = planes.iter().map(|w| Weight::Float(pack(w))).collect();
        Self { planes, k, out, columns }
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
        let planes = vec![Weight::Float(panels)];
        Self { planes, k: inputs.len(), out, columns: 0..out }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> u64 {
        let bytes = |plane: &Weight| match plane {
            Weight::Float(panels) => panels.bytes(),
            Weight::Coded(codes) => codes.bytes(),
        };
        self.planes.iter().map(|plane| bytes(plane) as u64).sum()
    }

    /// Where this matrix's columns `[planes, rows, columns]` belong in y.
    pub(super) fn columns(&self) -> Range<usize> {
        self.columns.clone()
    }

    /// Outputs of a plane, this matrix's and the others'.
    pub(super) fn out(&self) -> usize {
        self.out
    }

    /// This matrix's columns of `activation(x · Wᵀ + bias)`, `[planes, rows, columns]`, of one plane
    /// where the first gates the second; of the epilogue, scale and sum are left out.
    pub(super) fn product(&self, x: &[f32], epilogue: Epilogue<'_>) -> Result<Vec<f32>> {
        let planes = if epilogue.gated { 1 } else { self.planes.len() };
        let mut y = vec![0.0; planes * (x.len() / self.k) * self.columns.len()];
        self.product_into(x, epilogue, &mut y)?;
        Ok(y)
    }

    fn product_into(&self, x: &[f32], epilogue: Epilogue<'_>, y: &mut [f32]) -> Result<()> {
        let (rows, columns) = (self.rows(x)?, self.columns.len());
        let each = self.rows_at_once(rows);
        y.par_chunks_exact_mut(rows * columns).enumerate().for_each(|(plane, y)| {
            let parts = y.par_chunks_mut(each * columns).zip(x.par_chunks(each * self.k));
            parts.for_each_init(Vec::new, |space, (y, x)| {
                self.part(plane, x, epilogue, space, y);
            });
        });
        Ok(())
    }

    fn rows(&self, x: &[f32]) -> Result<usize> {
        let rows = x.len() / self.k;
        match x.len() == rows * self.k {
            true => Ok(rows),
            false => Err(Error::device(format!("{} values in rows of {}", x.len(), self.k))),
        }
    }

    /// Rows that a thread takes at a time, so that what follows their product finds it in its cache.
    fn rows_at_once(&self, rows: usize) -> usize {
        // These are widened once for all rows.
        if self.planes.iter().any(|plane| matches!(plane, Weight::Coded(_))) {
            return rows.max(1);
        }
        at_once(rows)
    }

    /// The product of some rows, which a second plane may gate.
    fn part(
        &self,
        plane: usize,
        x: &[f32],
        epilogue: Epilogue<'_>,
        space: &mut Vec<f32>,
        y: &mut [f32],
    ) {
        let Epilogue { bias, activation, gated, .. } = epilogue;
        let sums = |plane: usize, y: &mut [f32]| {
            let bias = bias.map(|b| &b[plane * self.out..][self.columns.clone()]);
            match &self.planes[plane] {
                Weight::Float(panels) => product(x, self.k, panels, 1.0, bias, y),
                Weight::Coded(codes) => codes.product(x, bias, y),
            }
        };
        sums(plane, y);
        if let Some(activation) = activation {
            y.par_chunks_mut(CHUNK).for_each(|part| activate(activation, part));
        }
        if gated {
            space.resize(y.len(), 0.0);
            sums(1, space);
            let pairs = y.par_iter_mut().with_min_len(CHUNK).zip(&space[..]);
            pairs.for_each(|(gate, up)| *gate *= up);
        }
    }
}

/// Values that one thread takes at a time in what follows a product.
const CHUNK: usize = 16 << 10;

/// `x` `[rows, in]`, `y` `[planes, rows, out]`; one plane where there is a scale or a sum.
///
/// # Errors
/// [`crate::Error::Input`] where `x` or `y` has not the length that the weights want.
pub fn linear(x: &[f32], w: &Matrix, epilogue: Epilogue<'_>, y: &mut [f32]) -> Result<()> {
    let Epilogue { scale, add, .. } = epilogue;
    if scale.is_none() && !add {
        return w.product_into(x, epilogue, y);
    }
    let place = if add { Place::Add(scale) } else { Place::Store(scale) };
    let each = w.rows_at_once(w.rows(x)?);
    let parts = y.par_chunks_mut(each * w.out).zip(x.par_chunks(each * w.k));
    parts.for_each_init(Default::default, |(own, space): &mut (Vec<f32>, Vec<f32>), (y, x)| {
        own.resize(x.len() / w.k * w.columns.len(), 0.0);
        w.part(0, x, epilogue, space, own);
        place.put(own, w.columns(), w.out, y);
    });
    Ok(())
}

/// What is done to the values: a scale `[out]`, if any, then stored or added.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    Store(Option<&'a [f32]>),
    Add(Option<&'a [f32]>),
}

impl Place<'_> {
    /// Puts `part` `[rows, columns]` into columns of `y` `[rows, out]`.
    pub(super) fn put(self, part: &[f32], columns: Range<usize>, out: usize, y: &mut [f32]) {
        let lines = y.par_chunks_exact_mut(out).zip(part.par_chunks_exact(columns.len()));
        lines.with_min_len(CHUNK / out + 1).for_each(|(y, part)| {
            let pairs = y[columns.clone()].iter_mut().zip(part);
            match self {
                Self::Store(None) => pairs.for_each(|(y, part)| *y = *part),
                Self::Add(None) => pairs.for_each(|(y, part)| *y += part),
                Self::Store(Some(scale)) => pairs
                    .zip(&scale[columns.clone()])
                    .for_each(|((y, part), scale)| *y = scale * part),
                Self::Add(Some(scale)) => pairs
                    .zip(&scale[columns.clone()])
                    .for_each(|((y, part), scale)| *y += scale * part),
            }
        });
    }
}
