//! A product as dispatches, split over rows and panels of weights so that every binding fits.

use super::kernels::{Gather, LinearRow, Product};
use super::pack::PANEL;
use super::prepare::{Size, Unit};
use super::steps::{Bind, Builder};
use crate::Result;
use crate::plan::{Linear, Op, Role, RowSource, SlotId};

impl<'a> Builder<'a> {
    /// Whether patches need not be stored, since one product alone reads them. Software adapters
    /// store them: there a workgroup has no memory to keep what it has gathered.
    pub(super) fn gathers(&self, rows: SlotId) -> bool {
        let mut readers = self.plan.steps.iter().filter(|step| step.op.operands().contains(&rows));
        let product = readers.next().is_some_and(
            |s| matches!(&s.op, Op::Linear(op) if op.x == rows && op.rows == RowSource::Rows),
        );
        let inside = self.plan.slots[rows].role == Role::Temporary;
        inside && product && readers.next().is_none() && !self.family.software()
    }

    /// A product, split over rows and panels so that every binding fits.
    pub(super) fn linear(&mut self, op: &Linear, y: SlotId) -> Result<()> {
        let batch = self.plan.batch;
        let out = &self.plan.slots[y];
        let matrix = self.weights.get(&self.plan.slots[op.weight].name)?;
        let (k, format) = (self.plan.slots[op.weight].cols, matrix.format);
        let (planes, cols) = (out.planes, out.cols);
        // Where the rows come from, and the height and width of a map or picture.
        let (x, gather, [height, width]) = match (self.patches.get(&op.x), op.rows) {
            (Some(&(pixels, patch, normal)), _) => {
                let (rgba, sides) = self.picture(pixels);
                let rgba = rgba.then_some(normal);
                (pixels, Gather::Patches { rgba, patch }, sides)
            }
            (None, RowSource::Windows(sides)) => (op.x, Gather::Windows, sides),
            (None, RowSource::Rows) => (op.x, Gather::Rows, [0; 2]),
        };
        let product = Product {
            k,
            cols,
            bias: op.bias.is_some(),
            activation: op.activation,
            scale: op.scale.is_some(),
            residual: op.residual.is_some(),
            gather,
            format,
            half: [self.half[x], self.half[y]],
        };
        let caps = &self.gpu.caps;
        let row = LinearRow::choose(self.family, caps.matrix, &product);
        let kernel = row.kernel(&product, caps.subgroup);
        let per_plane = cols.div_ceil(PANEL);
        let panel_bytes = (PANEL * k * format.bits() / 8) as u64;
        let most = (self.gpu.caps.max_binding / panel_bytes).max(1) as usize;
        let stride = out.plane_stride(batch);
        let chunks = self.row_chunks(out.rows * batch, k.max(cols));
        // Planes share a dispatch where all of them fit one binding.
        let bytes = self.bytes(y, planes * stride);
        let joined = chunks.len() == 1 && bytes <= self.gpu.caps.max_binding;
        let span = if joined { planes * per_plane } else { per_plane };
        for start in (0..planes * per_plane).step_by(span) {
            for first in (start..start + span).step_by(most) {
                let panels = most.min(start + span - first);
                for &(first_row, rows) in &chunks {
                    let first_plane = if joined { 0 } else { first / per_plane };
                    let mut w = self.weight(op.weight)?;
                    w.offset = first as u64 * panel_bytes;
                    w.bytes = panels as u64 * panel_bytes;
                    let out_bind = if joined {
                        self.whole(y)?
                    } else {
                        self.range(y, first_plane, first_row, rows)?
                    };
                    // The numbers of the bindings: y, bias, scale.
                    let end = vec![Some(out_bind), self.vector(op.bias)?, self.vector(op.scale)?];
                    let size = Size {
                        rows: rows as u32,
                        first_panel: first as u32,
                        first_plane: first_plane as u32,
                        plane_stride: (stride / 4) as u32,
                        tokens: out.rows as u32,
                        height: height as u32,
                        width: width as u32,
                        first_row: first_row as u32,
                        ..Default::default()
                    };
                    let cut = self.cut(y, first_row, Unit::Rows(row.tile_rows));
                    let x_bind = match gather {
                        Gather::Rows => self.range(x, 0, first_row, rows)?,
                        _ => self.whole(x)?,
                    };
                    let w = vec![Some(w), self.scales(op.weight)?];
                    self.push(&kernel, [vec![Some(x_bind)], w, end], size, cut)?;
                    self.last_counts()[0] = panels as u32;
                }
            }
        }
        Ok(())
    }

    /// The scales of a matrix in few bits.
    fn scales(&self, weight: SlotId) -> Result<Option<Bind<'a>>> {
        let scales = self.weights.get(&self.plan.slots[weight].name)?.scales.as_ref();
        Ok(scales.map(|buffer| Bind { buffer, offset: 0, bytes: buffer.size() }))
    }
}
