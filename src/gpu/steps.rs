//! One operation of a plan as dispatches: kernel, bindings, workgroups, split where a binding
//! would be too large.

use super::buffer::Buffer;
use super::device::Gpu;
use super::dispatch::{Bind, Copy, Draft, Group, Rows, Size, Unit};
use super::extent::Extents;
use super::kernels::{self, Kernel, Row, Target, choose};
use super::memory::SMALLER;
use super::weights::GpuWeights;
use crate::plan::{
    Axis, BoxMean, Concat, Embed, Gather, LocalAffine, Map, Norm, Op, Patchify, Plan, Pool,
    PoolKind, Resize, Role, Rotate, Slice, SlotId, Step,
};
use crate::{Error, Result};

/// A step: a copy, if any, then dispatches.
pub(super) struct Work<'a> {
    pub(super) copy: Option<Copy>,
    pub(super) dispatches: Vec<Draft<'a>>,
}

/// What dispatches are made of.
pub(super) struct Builder<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) plan: &'a Plan,
    pub(super) weights: &'a GpuWeights,
    pub(super) target: Target,
    /// Whether kernels are those that a probe found fastest, in place of the target's family.
    #[cfg(feature = "probe")]
    pub(super) tuned: bool,
    /// Where values lie between two dispatches of a product.
    pub(super) space: Option<&'a Buffer>,
    pub(super) extents: &'a Extents,
    /// By slot; weights have none.
    pub(super) buffers: &'a [Option<Buffer>],
}

impl<'a> Builder<'a> {
    /// Plans one step.
    pub(super) fn step(&self, step: &Step) -> Result<Work<'a>> {
        let y = step.y;
        let copy = match (&step.op, step.op.adds_to()) {
            (Op::Slice(op), _) => Some(self.slice(op, y)?),
            (_, Some(from)) => self.copy(from, y)?,
            (_, None) => None,
        };
        let dispatches = match &step.op {
            Op::Patchify(_) if self.gathers(y) => Vec::new(),
            Op::Patchify(op) => vec![self.patchify(op, y)?],
            Op::Linear(op) => self.linear(op, y)?,
            Op::Embed(op) => vec![self.embed(op, y)?],
            Op::Norm(_) if self.read_norm(y).is_some() => Vec::new(),
            Op::Norm(op) => self.norm(op, y)?,
            Op::Attention(op) => vec![self.attention(op, y)?],
            Op::Slice(_) => Vec::new(),
            #[cfg(feature = "language")]
            Op::Gather(op) if self.plan.slots[op.x].is_weight() => self.pick(op, y)?,
            Op::Gather(op) => vec![self.gather(op, y)?],
            Op::Rotate(op) => vec![self.rotate(op, y)?],
            Op::Add(op) => {
                let shape = kernels::Rows { c: self.cols(y) };
                vec![self.pixels(&kernels::ADD, &shape, &[op.x], y, Size::default())?]
            }
            Op::Interleave(op) => {
                let x = Map { slot: op.x, size: op.size };
                let shape = kernels::Interleave { c: self.cols(y) };
                vec![self.map(&kernels::INTERLEAVE, &shape, x, y, 2 * op.size[1], 0)?]
            }
            Op::Pool(op) => vec![self.pool(op, y)?],
            Op::Resize(op) => vec![self.resize(op, y)?],
            Op::Concat(op) => self.concat(op, y)?,
            Op::BoxMean(op) => vec![self.box_mean(op, y)?],
            Op::Outer(op) => {
                let shape = kernels::Pixels { c: self.cols(op.x) };
                vec![self.pixels(&kernels::OUTER, &shape, &[op.x, op.guide], y, Size::default())?]
            }
            Op::Ridge(op) => {
                let shape = kernels::Ridge { c: self.cols(op.x) / 4, eps: op.eps };
                vec![self.pixels(
                    &kernels::RIDGE,
                    &shape,
                    &[op.moments, op.x],
                    y,
                    Size::default(),
                )?]
            }
            Op::LocalAffine(op) => vec![self.local_affine(op, y)?],
            #[cfg(feature = "language")]
            Op::Append(op) => vec![self.append(op, y)?],
            #[cfg(feature = "language")]
            Op::Causal(op) => vec![self.causal(op, y)?],
            #[cfg(feature = "language")]
            Op::Probabilities(op) => vec![self.probabilities(op, y)?],
            #[cfg(feature = "language")]
            Op::Top(op) => vec![self.top(op, y)?],
        };
        Ok(Work { copy, dispatches })
    }

    pub(super) fn cols(&self, slot: SlotId) -> usize {
        self.plan.slots[slot].cols
    }

    /// Brings what `y` is added to into its memory, unless it lies there.
    fn copy(&self, from: SlotId, y: SlotId) -> Result<Option<Copy>> {
        let (source, to) = (self.buffer(from)?, self.buffer(y)?);
        let ranges = vec![[0, 0, self.extents.of(from).all()]];
        Ok((**source != **to).then(|| Copy { from: source.clone(), to: to.clone(), ranges }))
    }

    fn patchify(&self, op: &Patchify, rows: SlotId) -> Result<Draft<'a>> {
        let (rgba, [height, width]) = self.picture(op.pixels);
        let (height, width) = (height as u32, width as u32);
        let size = Size { height, width, ..self.rows_size(rows) };
        let bindings = [vec![Some(self.whole(op.pixels)?)], vec![Some(self.whole(rows)?)], vec![]];
        let (rgba, half) = (rgba.then_some(op.normal), self.extents.of(rows).half);
        let shape = kernels::Patchify { rgba, patch: op.patch, half };
        let row = choose(&kernels::PATCHIFY, &self.target, &shape)?;
        let cut = self.cut(rows, 0, self.quads_of(rows));
        self.draft(&row.kernel(&self.target, &shape), row.file, bindings, size, cut, [1; 3])
    }

    /// Whether a picture is of bytes, its height and its width.
    pub(super) fn picture(&self, pixels: SlotId) -> (bool, [usize; 2]) {
        let slot = &self.plan.slots[pixels];
        let rgba = slot.role == Role::Rgba;
        (rgba, [if rgba { slot.rows } else { slot.rows / 3 }, slot.cols])
    }

    fn embed(&self, op: &Embed, y: SlotId) -> Result<Draft<'a>> {
        let bindings =
            vec![Some(self.whole(op.patches)?), Some(self.whole(op.rows)?), Some(self.whole(y)?)];
        let shape = kernels::Tokens { c: self.extents.of(y).width, prefix: op.prefix(self.plan) };
        let row = choose(&kernels::EMBED, &self.target, &shape)?;
        let kernel = row.kernel(&self.target, &shape);
        let cut = self.cut(y, 0, self.quads_of(y));
        let bindings = [bindings, vec![], vec![]];
        self.draft(&kernel, row.file, bindings, self.rows_size(y), cut, [1; 3])
    }

    fn norm(&self, op: &Norm, y: SlotId) -> Result<Vec<Draft<'a>>> {
        let x = op.x.slot;
        // A norm over heads sees each as a row.
        let c = self.cols(op.weight);
        let parts = self.cols(y) / c;
        let shape = kernels::Norm {
            c,
            kind: op.kind,
            eps: op.eps,
            bias: op.bias.is_some(),
            activation: op.activation,
            half: [x, y].map(|slot| self.extents.of(slot).half),
        };
        let row = choose(&kernels::NORM, &self.target, &shape)?;
        let kernel = row.kernel(&self.target, &shape);
        let all = self.plan.slots[y].rows * self.plan.batch;
        let mut drafts = Vec::new();
        for (first, rows) in self.row_chunks(all, self.extents.of(y).width) {
            let unit = Unit::WholeRows(row.tile.rows());
            let x = self.range(x, op.x.plane, first, rows)?;
            let place = vec![Some(x), Some(self.range(y, 0, first, rows)?)];
            let affine = vec![Some(self.weight(op.weight)?), self.vector(op.bias)?];
            let size = Size { rows: (rows * parts) as u32, ..self.rows_size(y) };
            let per_picture = self.plan.slots[y].rows * parts;
            let cut = Rows::Cut { first: first * parts, per_picture, unit };
            drafts.push(self.draft(
                &kernel,
                row.file,
                [vec![], place, affine],
                size,
                cut,
                [1; 3],
            )?);
        }
        Ok(drafts)
    }

    fn gather(&self, op: &Gather, y: SlotId) -> Result<Draft<'a>> {
        // Of what all pictures share, the next picture's rows are the same.
        let rows = |slot: SlotId| match self.plan.slots[slot].role {
            Role::Shared => 0,
            _ => self.plan.slots[slot].rows as u32,
        };
        let (c, parts) = (self.cols(op.x), self.cols(op.index));
        let shape = kernels::Gather { c, parts, add: op.residual.is_some() };
        let size = Size { height: rows(op.index), width: rows(op.x), ..Size::default() };
        self.pixels(&kernels::GATHER, &shape, &[op.x, op.index], y, size)
    }

    fn rotate(&self, op: &Rotate, y: SlotId) -> Result<Draft<'a>> {
        let (c, head_dim) = (self.cols(y), self.cols(op.angles));
        let shape = kernels::Rotate { c, head_dim, pairs: op.pairs };
        let row = choose(&kernels::ROTATE, &self.target, &shape)?;
        let x = self.range(op.x.slot, op.x.plane, 0, self.plan.slots[y].rows * self.plan.batch)?;
        let bindings = vec![Some(x), Some(self.whole(op.angles)?), Some(self.whole(y)?)];
        let (cut, bindings) = (self.cut(y, 0, self.quads_of(y)), [bindings, vec![], vec![]]);
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, bindings, self.rows_size(y), cut, [1; 3])
    }

    fn slice(&self, op: &Slice, y: SlotId) -> Result<Copy> {
        let (from, to) = (&self.plan.slots[op.x], &self.plan.slots[y]);
        let bytes = |rows: usize| self.extents.of(y).bytes(rows * self.extents.of(y).width);
        let range = |i| [bytes(i * from.rows + op.first), bytes(i * to.rows), bytes(to.rows)];
        let ranges = (0..self.plan.batch).map(range).collect();
        Ok(Copy { from: self.buffer(op.x)?.clone(), to: self.buffer(y)?.clone(), ranges })
    }

    fn pool(&self, op: &Pool, y: SlotId) -> Result<Draft<'a>> {
        let shape = kernels::Pool { c: self.cols(y), max: op.kind == PoolKind::Max };
        self.map(&kernels::POOL, &shape, op.x, y, op.to[1], 0)
    }

    fn resize(&self, op: &Resize, y: SlotId) -> Result<Draft<'a>> {
        let (c, wide, add) = (self.cols(op.x.slot), self.cols(y), op.add.is_some());
        let shape = kernels::Resize { c, wide, add };
        self.map(&kernels::RESIZE, &shape, op.x, y, op.to[1], 0)
    }

    fn concat(&self, op: &Concat, y: SlotId) -> Result<Vec<Draft<'a>>> {
        let (mut column, mut drafts) = (0, Vec::new());
        for map in &op.maps {
            let c = self.cols(map.slot);
            let shape = kernels::Resize { c, wide: self.cols(y), add: false };
            drafts.push(self.map(&kernels::RESIZE, &shape, *map, y, op.to[1], column)?);
            column += c;
        }
        Ok(drafts)
    }

    fn box_mean(&self, op: &BoxMean, y: SlotId) -> Result<Draft<'a>> {
        let (c, radius, across) = (self.cols(y), op.radius, op.axis == Axis::Across);
        let shape = kernels::BoxMean { c, radius, across };
        self.map(&kernels::BOX_MEAN, &shape, op.x, y, op.x.size[1], 0)
    }

    fn local_affine(&self, op: &LocalAffine, y: SlotId) -> Result<Draft<'a>> {
        let [height, width] = op.x.size.map(|side| side as u32);
        let size = Size { height, width, out_width: op.to[1] as u32, ..Default::default() };
        let shape = kernels::Pixels { c: self.cols(y) };
        self.pixels(&kernels::LOCAL_AFFINE, &shape, &[op.x.slot, op.guide], y, size)
    }

    /// A kernel that reads slots and writes another, four values an invocation.
    fn pixels<S: std::fmt::Debug>(
        &self,
        rows: &'static [Row<S>],
        shape: &S,
        reads: &[SlotId],
        y: SlotId,
        size: Size,
    ) -> Result<Draft<'a>> {
        let Size { rows: all, tokens, .. } = self.rows_size(y);
        let size = Size { rows: all, tokens, ..size };
        let row = choose(rows, &self.target, shape)?;
        let mut bindings = Vec::new();
        for slot in reads.iter().chain([&y]) {
            bindings.push(Some(self.whole(*slot)?));
        }
        let (cut, bindings) = (self.cut(y, 0, self.quads_of(y)), [bindings, vec![], vec![]]);
        self.draft(&row.kernel(&self.target, shape), row.file, bindings, size, cut, [1; 3])
    }

    /// A kernel that reads one map and writes another, four channels an invocation.
    fn map<S: std::fmt::Debug>(
        &self,
        rows: &'static [Row<S>],
        shape: &S,
        x: Map,
        y: SlotId,
        out_width: usize,
        column: usize,
    ) -> Result<Draft<'a>> {
        let size = Size {
            height: x.size[0] as u32,
            width: x.size[1] as u32,
            out_width: out_width as u32,
            column: (column / 4) as u32,
            plane_stride: (self.extents.of(x.slot).plane_stride / 4) as u32,
            ..self.rows_size(y)
        };
        let row = choose(rows, &self.target, shape)?;
        let cut = self.cut(y, 0, self.quads_of(x.slot));
        let bindings = [vec![Some(self.whole(x.slot)?), Some(self.whole(y)?)], vec![], vec![]];
        self.draft(&row.kernel(&self.target, shape), row.file, bindings, size, cut, [1; 3])
    }

    pub(super) fn draft(
        &self,
        kernel: &Kernel,
        file: &'static str,
        bindings: [Group<'a>; 3],
        size: Size,
        rows: Rows,
        counts: [u32; 3],
    ) -> Result<Draft<'a>> {
        Ok(Draft { kernel: kernel.clone(), file, bindings, size, counts, rows })
    }

    pub(super) fn rows_size(&self, slot: SlotId) -> Size {
        Size {
            rows: (self.plan.slots[slot].rows * self.plan.batch) as u32,
            tokens: self.plan.slots[slot].rows as u32,
            ..Default::default()
        }
    }

    /// Invocations that make four values of a slot each.
    pub(super) fn quads_of(&self, slot: SlotId) -> Unit {
        Unit::Values(self.extents.of(slot).width / 4)
    }

    pub(super) fn cut(&self, slot: SlotId, first: usize, unit: Unit) -> Rows {
        Rows::Cut { first, per_picture: self.plan.slots[slot].rows, unit }
    }

    /// Pieces (first row, rows) of `rows` rows, each at most one binding of rows of `width` values.
    /// Pieces start at multiples of 64 rows, so bindings are aligned.
    pub(super) fn row_chunks(&self, rows: usize, width: usize) -> Vec<(usize, usize)> {
        let most = self.gpu.caps.max_binding as usize / (4 * width) / 64 * 64;
        let most = most.max(64);
        (0..rows).step_by(most).map(|first| (first, most.min(rows - first))).collect()
    }

    pub(super) fn weight(&self, slot: SlotId) -> Result<Bind<'a>> {
        let buffer = &self.weights.get(&self.plan.slots[slot].name)?.buffer;
        Ok(Bind { buffer, offset: 0, bytes: buffer.size() })
    }

    pub(super) fn vector(&self, slot: Option<SlotId>) -> Result<Option<Bind<'a>>> {
        slot.map(|slot| self.weight(slot)).transpose()
    }

    /// All planes of a slot.
    pub(super) fn whole(&self, slot: SlotId) -> Result<Bind<'a>> {
        self.bind(slot, 0, self.extents.of(slot).all())
    }

    /// Rows of one plane of a slot.
    pub(super) fn range(
        &self,
        slot: SlotId,
        plane: usize,
        first: usize,
        rows: usize,
    ) -> Result<Bind<'a>> {
        let extent = self.extents.of(slot);
        let at = plane * extent.plane_stride + first * extent.width;
        self.bind(slot, extent.bytes(at), extent.bytes(rows * extent.width))
    }

    fn bind(&self, slot: SlotId, offset: u64, bytes: u64) -> Result<Bind<'a>> {
        if bytes > self.gpu.caps.max_binding {
            return Err(Error::device(format!(
                "{}: {bytes} bytes, but {} allows bindings of {} bytes; {SMALLER}",
                self.plan.slots[slot].name, self.gpu.report.name, self.gpu.caps.max_binding
            )));
        }
        Ok(Bind { buffer: self.buffer(slot)?, offset, bytes })
    }

    fn buffer(&self, slot: SlotId) -> Result<&'a Buffer> {
        let none = || format!("{}: a weight where a value is expected", self.plan.slots[slot].name);
        self.buffers[slot].as_ref().ok_or_else(|| Error::device(none()))
    }
}
