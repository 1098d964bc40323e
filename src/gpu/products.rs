//! A product as dispatches, split over rows and panels of weights so that every binding fits.

use super::dispatch::{Bind, Draft, Size, Unit};
use super::kernels::{LINEAR, Product, Row, RowKind, Target, choose};
use super::pack::{Format, PANEL, PanelShape, quads};
use super::steps::Builder;
use crate::Result;
#[cfg(feature = "language")]
use crate::model::NormKind;
use crate::plan::{Linear, Norm, Op, Patchify, Role, RowSource, SlotId};

/// Where the rows of a product come from.
struct Source {
    slot: SlotId,
    gather: RowKind,
    /// Height and width of a map or picture.
    sides: [usize; 2],
    /// The weight of the norm through which rows are read.
    gain: Option<SlotId>,
}

/// A part of a product that one dispatch computes.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    first_panel: usize,
    pub(super) panels: usize,
    /// The plane at which the output begins.
    first_plane: usize,
    pub(super) first_row: usize,
    pub(super) rows: usize,
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

    /// The RMSNorm of one row that need not be stored, since products alone read it, each of which can norm what it reads.
    #[cfg(feature = "language")]
    pub(super) fn read_norm(&self, y: SlotId) -> Option<&'a Norm> {
        let (plan, slot) = (self.plan, &self.plan.slots[y]);
        let at = plan.steps.iter().position(|step| step.y == y)?;
        let Op::Norm(norm) = &plan.steps[at].op else { return None };
        let plain = norm.kind == NormKind::Rms && norm.activation.is_none() && norm.x.plane == 0;
        let whole = self.plan.slots[norm.weight].cols == slot.cols;
        let one = slot.rows * plan.batch == 1 && slot.role == Role::Temporary;
        let mut readers =
            plan.steps.iter().enumerate().filter(|(_, s)| s.op.operands().contains(&y)).peekable();
        readers.peek()?;
        let last = readers.try_fold(at, |_, (at, step)| match &step.op {
            Op::Linear(op) if op.rows == RowSource::Rows && op.residual != Some(y) => Some(at),
            _ => None,
        })?;
        // What is normed must be there until the last of them.
        let buffer = |slot: SlotId| self.buffers[slot].as_deref();
        let there = plan.steps[at + 1..=last].iter().all(|s| buffer(s.y) != buffer(norm.x.slot));
        (plain && whole && one && there).then_some(norm)
    }

    #[cfg(not(feature = "language"))]
    pub(super) fn read_norm(&self, _: SlotId) -> Option<&'a Norm> {
        None
    }

    /// A product, split over rows and panels so that every binding fits.
    pub(super) fn linear(&self, op: &Linear, y: SlotId) -> Result<Vec<Draft<'a>>> {
        let source = self.source(op);
        let (product, panels) = self.product(op, y)?;
        let (row, target) = self.product_row(&product, panels)?;
        let kernel = row.kernel(&target, &product);
        let out = &self.plan.slots[y];
        let (mut drafts, mut rounded) = (Vec::new(), None);
        for piece in self.pieces(y, panels, &product, row) {
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
                [Some(self.source_of(&source, piece)?)]
                    .into_iter()
                    .chain(source.gain.map(|gain| self.weight(gain)).transpose()?.map(Some))
                    .collect(),
                self.weights_of(op, product.format, piece)?,
                self.outputs_of(op, y, piece)?,
            ];
            let counts = [piece.panels as u32, 1, 1];
            let draft = self.draft(&kernel, row.file, bindings, size, cut, counts)?;
            #[cfg(feature = "probe")]
            let draft = draft.of_rows(self.gpu.faults.rows(target.family, piece.rows));
            #[cfg(feature = "probe")]
            let draft = match row.parts(&product) {
                1 => draft,
                _ => {
                    let [partial, whole] = self.in_parts(draft, row, &product, panels, piece)?;
                    drafts.push(partial);
                    whole
                }
            };
            let draft = match row.needs.packed {
                false => draft,
                true => {
                    let [round, of_codes] = self.rounded(draft, &product, piece)?;
                    // Other panels of the same rows take the same codes.
                    if rounded.replace(piece.first_row) != Some(piece.first_row) {
                        drafts.push(round);
                    }
                    of_codes
                }
            };
            drafts.push(draft);
        }
        Ok(drafts)
    }

    /// The kernel of a product, and the device with the family that it is of.
    pub(super) fn product_row(
        &self,
        product: &Product,
        panels: PanelShape,
    ) -> Result<(&'static Row<Product>, Target)> {
        #[cfg(feature = "probe")]
        let target = self.product_target(product, panels);
        #[cfg(not(feature = "probe"))]
        let (target, _) = (self.target, panels);
        Ok((choose(LINEAR, &target, product)?, target))
    }

    /// Where a product's rows come from: a slot, a map, or a picture whose patches are not stored.
    fn source(&self, op: &Linear) -> Source {
        #[cfg(feature = "language")]
        if let Some(norm) = self.read_norm(op.x) {
            let channels = self.plan.slots[op.x].cols;
            let gather = RowKind::Normed { channels, eps: norm.eps };
            return Source { slot: norm.x.slot, gather, sides: [0; 2], gain: Some(norm.weight) };
        }
        let written = self.plan.steps.iter().find(|step| step.y == op.x);
        match (written.map(|step| &step.op), op.rows) {
            (Some(Op::Patchify(patchify)), RowSource::Rows) if self.gathers(op.x) => {
                self.patches(patchify)
            }
            (_, RowSource::Windows(sides)) => {
                Source { slot: op.x, gather: RowKind::Windows, sides, gain: None }
            }
            (_, RowSource::Rows) => {
                Source { slot: op.x, gather: RowKind::Rows, sides: [0; 2], gain: None }
            }
        }
    }

    fn patches(&self, op: &Patchify) -> Source {
        let (rgba, sides) = self.picture(op.pixels);
        let gather = RowKind::Patches { rgba: rgba.then_some(op.normal), patch: op.patch };
        Source { slot: op.pixels, gather, sides, gain: None }
    }

    /// A product as the choice of its kernel sees it, and its weights.
    pub(super) fn product(&self, op: &Linear, y: SlotId) -> Result<(Product, PanelShape)> {
        let source = self.source(op);
        let w = &self.plan.slots[op.weight];
        let panels = PanelShape { planes: w.planes, cols: w.rows, k: w.cols, gated: op.gated };
        let product = Product {
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
        };
        Ok((product, panels))
    }

    /// The dispatches of a product. Each has as many panels of W, and as many rows of x and y, as a
    /// binding may have; all planes of y where they fit one, else one plane.
    pub(super) fn pieces(
        &self,
        y: SlotId,
        panels: PanelShape,
        product: &Product,
        _row: &Row<Product>,
    ) -> Vec<Piece> {
        let (out, extent) = (&self.plan.slots[y], self.extents.of(y));
        let k = quads(panels.k);
        let most = (self.gpu.caps.max_binding / panel_bytes(k, product.format)).max(1) as usize;
        let widest = k.max(extent.width);
        #[cfg(feature = "probe")]
        let widest = widest.max(self.parts_width(_row, product, panels));
        let chunks = self.row_chunks(out.rows * self.plan.batch, widest);
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
            RowKind::Windows | RowKind::Patches { .. } => self.whole(source.slot),
            _ => self.range(source.slot, 0, piece.first_row, piece.rows),
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
pub(super) fn panel_bytes(k: usize, format: Format) -> u64 {
    (PANEL * k * format.bits() / 8) as u64
}
