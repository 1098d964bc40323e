//! A product as dispatches, split over rows and panels of weights so that every binding fits.

use super::dispatch::{Bind, Draft, Size, Unit};
use super::kernels::{LINEAR, Product, RowKind, choose};
use super::pack::{Format, PANEL, PanelShape, quads};
use super::steps::Builder;
use crate::Result;
use crate::plan::{Linear, Op, Patchify, Role, RowSource, SlotId};

/// Where the rows of a product come from.
struct Source {
    slot: SlotId,
    gather: RowKind,
    /// Height and width of a map or picture.
    sides: [usize; 2],
}

/// A part of a product that one dispatch computes.
#[derive(Clone, Copy)]
struct Piece {
    first_panel: usize,
    panels: usize,
    /// The plane at which the output begins.
    first_plane: usize,
    first_row: usize,
    rows: usize,
    /// Whether all planes of y are bound at once.
    joined: bool,
}

impl<'a> Builder<'a> {
    /// Whether patches need not be stored, since one product alone reads them. Software adapters
    /// store them: there a workgroup has no memory to keep what it has gathered.
    pub(super) fn gathers(&self, rows: SlotId) -> bool {
        let mut readers = self.plan.steps.iter().filter(|step| step.op.operands().contains(&rows));
        let product = readers.next().is_some_and(
            |s| matches!(&s.op, Op::Linear(op) if op.x == rows && op.rows == RowSource::Rows),
        );
        let inside = self.plan.slots[rows].role == Role::Temporary;
        inside && product && readers.next().is_none() && !self.target.family.software()
    }

    /// A product, split over rows and panels so that every binding fits.
    pub(super) fn linear(&self, op: &Linear, y: SlotId) -> Result<Vec<Draft<'a>>> {
        let source = self.source(op);
        let w = &self.plan.slots[op.weight];
        let panels = PanelShape { planes: w.planes, cols: w.rows, k: w.cols, gated: op.gated };
        let product = self.product(op, y, &source, panels)?;
        let row = choose(&LINEAR, &self.target, &product)?;
        let kernel = row.kernel(&self.target, &product);
        let out = &self.plan.slots[y];
        let mut drafts = Vec::new();
        for piece in self.pieces(y, panels, product.format) {
            let [height, width] = source.sides.map(|side| side as u32);
            let size = Size {
                rows: piece.rows as u32,
                first_panel: piece.first_panel as u32,
                first_plane: piece.first_plane as u32,
                plane_stride: (self.extents.of(y).plane_stride / 4) as u32,
                tokens: out.rows as u32,
                height,
                width,
                first_row: piece.first_row as u32,
                ..Default::default()
            };
            let cut = self.cut(y, piece.first_row, Unit::Rows(row.tile.rows()));
            let bindings = [
                vec![Some(self.source_of(&source, piece)?)],
                self.weights_of(op, product.format, piece)?,
                self.outputs_of(op, y, piece)?,
            ];
            let counts = [piece.panels as u32, 1, 1];
            drafts.push(self.draft(&kernel, row.file, bindings, size, cut, counts)?);
        }
        Ok(drafts)
    }

    /// Where a product's rows come from: a slot, a map, or a picture whose patches nobody stores.
    fn source(&self, op: &Linear) -> Source {
        let written = self.plan.steps.iter().find(|step| step.y == op.x);
        match (written.map(|step| &step.op), op.rows) {
            (Some(Op::Patchify(patchify)), RowSource::Rows) if self.gathers(op.x) => {
                self.patches(patchify)
            }
            (_, RowSource::Windows(sides)) => {
                Source { slot: op.x, gather: RowKind::Windows, sides }
            }
            (_, RowSource::Rows) => Source { slot: op.x, gather: RowKind::Rows, sides: [0; 2] },
        }
    }

    fn patches(&self, op: &Patchify) -> Source {
        let (rgba, sides) = self.picture(op.pixels);
        let gather = RowKind::Patches { rgba: rgba.then_some(op.normal), patch: op.patch };
        Source { slot: op.pixels, gather, sides }
    }

    fn product(
        &self,
        op: &Linear,
        y: SlotId,
        source: &Source,
        panels: PanelShape,
    ) -> Result<Product> {
        Ok(Product {
            rows: self.plan.slots[y].rows,
            k: quads(panels.k),
            cols: quads(panels.outputs()),
            bias: op.bias.is_some(),
            activation: op.activation,
            gated: op.gated,
            scale: op.scale.is_some(),
            residual: op.residual.is_some(),
            gather: source.gather,
            format: self.weights.get(&self.plan.slots[op.weight].name)?.format,
            half: [source.slot, y].map(|slot| self.extents.of(slot).half),
        })
    }

    /// The dispatches of a product. Each has as many panels of W, and as many rows of x and y, as a
    /// binding may have; all planes of y where they fit one, else one plane.
    fn pieces(&self, y: SlotId, panels: PanelShape, format: Format) -> Vec<Piece> {
        let (out, extent) = (&self.plan.slots[y], self.extents.of(y));
        let k = quads(panels.k);
        let most = (self.gpu.caps.max_binding / panel_bytes(k, format)).max(1) as usize;
        let chunks = self.row_chunks(out.rows * self.plan.batch, k.max(extent.width));
        let joined = chunks.len() == 1 && extent.all() <= self.gpu.caps.max_binding;
        let (all, per_plane) = (panels.panels(), panels.panels_of_plane());
        let span = if joined { all } else { per_plane };
        let mut pieces = Vec::new();
        for start in (0..all).step_by(span) {
            for first_panel in (start..start + span).step_by(most) {
                let panels = most.min(start + span - first_panel);
                let first_plane = if joined { 0 } else { first_panel / per_plane };
                for &(first_row, rows) in &chunks {
                    pieces.push(Piece {
                        first_panel,
                        panels,
                        first_plane,
                        first_row,
                        rows,
                        joined,
                    });
                }
            }
        }
        pieces
    }

    fn source_of(&self, source: &Source, piece: Piece) -> Result<Bind<'a>> {
        match source.gather {
            RowKind::Rows => self.range(source.slot, 0, piece.first_row, piece.rows),
            _ => self.whole(source.slot),
        }
    }

    /// The numbers of the bindings: panels, and the scales of a matrix in few bits.
    fn weights_of(
        &self,
        op: &Linear,
        format: Format,
        piece: Piece,
    ) -> Result<Vec<Option<Bind<'a>>>> {
        let slot = &self.plan.slots[op.weight];
        let bytes = panel_bytes(quads(slot.cols), format);
        let (offset, bytes) = (piece.first_panel as u64 * bytes, piece.panels as u64 * bytes);
        let w = Bind { offset, bytes, ..self.weight(op.weight)? };
        let scales = self.weights.get(&slot.name)?.scales.as_ref();
        let scales = scales.map(|buffer| Bind { buffer, offset: 0, bytes: buffer.size() });
        Ok(vec![Some(w), scales])
    }

    /// The numbers of the bindings: y, bias, scale.
    fn outputs_of(&self, op: &Linear, y: SlotId, piece: Piece) -> Result<Vec<Option<Bind<'a>>>> {
        let out = match piece.joined {
            true => self.whole(y)?,
            false => self.range(y, piece.first_plane, piece.first_row, piece.rows)?,
        };
        Ok(vec![Some(out), self.vector(op.bias)?, self.vector(op.scale)?])
    }
}

/// Bytes of a panel of `k` inputs.
fn panel_bytes(k: usize, format: Format) -> u64 {
    (PANEL * k * format.bits() / 8) as u64
}
