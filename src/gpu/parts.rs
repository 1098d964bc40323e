//! Products whose inputs several workgroups share: each sums a part, and a second dispatch adds the parts.

use super::dispatch::{Bind, Draft, Size, Unit};
use super::family::Family;
use super::kernels::{PARTS, Product, Row, Target, choose};
use super::pack::PanelShape;
use super::products::{Piece, panel_bytes};
use super::steps::Builder;
use super::tuning::product_shape;
use crate::{Error, Result};

/// Bytes of the sums of all parts, beyond which rows are computed some at a time.
const MOST: usize = 64 << 20;

impl<'a> Builder<'a> {
    /// The device with the family whose kernel is taken for a product.
    pub(super) fn product_target(&self, product: &Product, panels: PanelShape) -> Target {
        let planes = if panels.gated { 1 } else { panels.planes };
        let shape = || product_shape(product, planes);
        let found = self.tuned.then(|| self.gpu.best_family(shape())).flatten();
        let family = found.unwrap_or(self.target.family);
        // A dispatch that has some panels of a plane cannot add the others' parts.
        let bytes = panel_bytes(product.k, product.format) * panels.panels() as u64;
        let cut = bytes > self.gpu.caps.max_binding;
        let family = if cut && family == Family::Split { Family::Wide } else { family };
        Target { family, ..self.target }
    }

    /// Sums of a row of all planes and parts; 0 where there are no parts. They are so many that rows which fit a
    /// binding, taken as this wide, have sums that fit it, and [`MOST`].
    pub(super) fn parts_width(
        &self,
        row: &Row<Product>,
        product: &Product,
        panels: PanelShape,
    ) -> usize {
        let parts = row.parts(product);
        if parts == 1 {
            return 0;
        }
        let binding = self.gpu.caps.max_binding as usize;
        parts * planes(panels) * product.cols * binding.div_ceil(MOST).max(1)
    }

    /// A product's dispatch as that of its parts, and the one that adds them.
    pub(super) fn in_parts(
        &self,
        whole: Draft<'a>,
        row: &Row<Product>,
        product: &Product,
        panels: PanelShape,
        piece: Piece,
    ) -> Result<[Draft<'a>; 2]> {
        let buffer = self.space.ok_or_else(|| Error::device("no memory for parts of sums"))?;
        let (planes, stride) = (planes_of(panels, piece), stride(row, product, piece.rows));
        let sums = || Bind { buffer, offset: 0, bytes: stride * planes as u64 * 16 };
        let Draft { bindings: [x, w, out], size, counts, .. } = whole;
        let target = Target { family: Family::Split, ..self.target };
        let adding = choose(&PARTS, &target, product)?;
        let unit = Unit::Values(product.cols / 4);
        let add = Draft {
            kernel: adding.kernel(&target, product),
            file: adding.file,
            bindings: [vec![], vec![Some(sums())], out],
            size: Size { part_stride: stride as u32, ..size },
            counts: [1, 1, planes as u32],
            rows: whole.rows.in_units(unit),
        };
        let partial = Draft {
            bindings: [x, w, vec![Some(sums())]],
            size: Size { plane_stride: stride as u32, ..size },
            counts: [counts[0], counts[1], row.parts(product) as u32],
            ..whole
        };
        Ok([partial, add])
    }
}

/// Bytes of the sums of all parts; 0 where there are no parts.
pub(super) fn parts_bytes(
    row: &Row<Product>,
    product: &Product,
    panels: PanelShape,
    piece: Piece,
) -> u64 {
    match row.parts(product) {
        1 => 0,
        _ => stride(row, product, piece.rows) * planes_of(panels, piece) as u64 * 16,
    }
}

fn planes(panels: PanelShape) -> usize {
    if panels.gated { 1 } else { panels.planes }
}

/// The planes of a piece, which has whole ones.
fn planes_of(panels: PanelShape, piece: Piece) -> usize {
    piece.panels / panels.panels_of_plane()
}

/// Quads from one plane's sums to the next.
fn stride(row: &Row<Product>, product: &Product, rows: usize) -> u64 {
    (row.parts(product) * rows * (product.cols / 4)) as u64
}
