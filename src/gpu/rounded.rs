//! Products of integers: one dispatch rounds the inputs to 8 bits, once for all outputs, and another multiplies.

use super::dispatch::{Bind, Draft, Unit};
use super::family::Family;
use super::kernels::{Product, ROUND, Target, choose};
use super::pack::quads;
#[cfg(feature = "probe")]
use super::parts::parts_bytes;
use super::products::Piece;
use super::steps::Builder;
use crate::plan::Op;
use crate::{Error, Result};

/// Inputs that have a scale in common.
const GROUP: usize = 32;

impl<'a> Builder<'a> {
    /// Bytes of the most values that lie between two dispatches of a product.
    pub(super) fn space_bytes(&self) -> Result<u64> {
        let mut most = 0;
        for step in &self.plan.steps {
            let Op::Linear(op) = &step.op else { continue };
            let (product, panels) = self.product(op, step.y)?;
            let (row, _) = self.product_row(&product, panels)?;
            for piece in self.pieces(step.y, panels, &product, row) {
                #[cfg(feature = "probe")]
                let bytes = parts_bytes(row, &product, panels, piece);
                #[cfg(not(feature = "probe"))]
                let bytes = 0;
                let codes = row.needs.packed.then(|| rounded_bytes(&product, piece.rows));
                most = most.max(bytes).max(codes.unwrap_or(0));
            }
        }
        Ok(most)
    }

    /// Dispatches of a product: the one that rounds its inputs, and the product of what that made.
    pub(super) fn rounded(
        &self,
        whole: Draft<'a>,
        product: &Product,
        piece: Piece,
    ) -> Result<[Draft<'a>; 2]> {
        let buffer = self.space.ok_or_else(|| Error::device("no memory for rounded inputs"))?;
        let Draft { bindings: [x, w, out], size, rows, .. } = whole;
        let bytes = rounded_bytes(product, piece.rows);
        let codes = || vec![Some(Bind { buffer, offset: 0, bytes })];
        let target = Target { family: Family::Packed, ..self.target };
        let rounding = choose(&ROUND, &target, product)?;
        let round = Draft {
            kernel: rounding.kernel(&target, product),
            // A step is told by its first dispatch.
            file: whole.file,
            bindings: [x, codes(), vec![]],
            size,
            counts: [1; 3],
            rows: rows.in_units(Unit::Values(product.k / GROUP)),
        };
        Ok([round, Draft { bindings: [codes(), w, out], ..whole }])
    }
}

/// Bytes of some rows: four codes to a word, then scales in whole quads.
fn rounded_bytes(product: &Product, rows: usize) -> u64 {
    let words = product.k / 4 + quads(product.k / GROUP);
    (4 * words * rows) as u64
}
