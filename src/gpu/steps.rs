//! One operation of a plan as dispatches: kernel, bindings, workgroups, split where a binding
//! would be too large.

use std::collections::HashMap;

use super::kernels::{self, AttentionRow, Kernel};
use super::memory::SMALLER;
use super::prepare::{Dispatch, Rows, Size, UNIFORM_STRIDE, Unit};
use super::{Buffer, Family, Gpu, GpuWeights};
use crate::image::Normal;
use crate::plan::{
    Attention, Embed, Map, Norm, Op, Patchify, Plan, PoolKind, Role, Slice, SlotId, Step,
};
use crate::{Error, Result};

/// A range of a buffer, in bytes.
pub(super) struct Bind<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// The bindings of a group by their numbers, from 0; in the first group from 1.
pub(super) type Group<'a> = Vec<Option<Bind<'a>>>;

/// A step between planning and binding: a copy, if any, then dispatches.
pub(super) struct Planned {
    pub(super) copy: Option<Copy>,
    pub(super) dispatches: std::ops::Range<usize>,
}

/// A copy between buffers.
pub(super) struct Copy {
    pub(super) from: Buffer,
    pub(super) to: Buffer,
    /// Where it begins in either, and bytes.
    pub(super) ranges: Vec<[u64; 3]>,
}

/// A dispatch whose uniform has no buffer yet.
pub(super) struct Pending<'a> {
    kernel: &'static str,
    pipeline: wgpu::ComputePipeline,
    bindings: [Group<'a>; 3],
    counts: [u32; 3],
    rows: Rows,
}

impl Pending<'_> {
    pub(super) fn bind(self, gpu: &Gpu, uniforms: &Buffer, uniform: usize) -> Dispatch {
        let size = Bind {
            buffer: uniforms,
            offset: uniform as u64 * UNIFORM_STRIDE,
            bytes: size_of::<Size>() as u64,
        };
        let mut size = Some(Some(size));
        let (mut groups, mut bound) = (Vec::new(), Vec::new());
        for (index, bindings) in self.bindings.into_iter().enumerate() {
            if index > 0 && bindings.is_empty() {
                continue;
            }
            let all: Group = size.take().into_iter().chain(bindings).collect();
            let numbered = || (0..).zip(&all).filter_map(|(n, bind)| Some((n, bind.as_ref()?)));
            let entries: Vec<_> = numbered()
                .map(|(binding, bind)| wgpu::BindGroupEntry {
                    binding,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: bind.buffer,
                        offset: bind.offset,
                        size: wgpu::BufferSize::new(bind.bytes),
                    }),
                })
                .collect();
            bound.extend(numbered().map(|(_, bind)| bind.buffer.clone()));
            groups.push(gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &self.pipeline.get_bind_group_layout(index as u32),
                entries: &entries,
            }));
        }
        let Pending { kernel, pipeline, counts, rows, .. } = self;
        Dispatch { kernel, pipeline, groups, _bound: bound, counts, uniform, rows }
    }
}

pub(super) struct Builder<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) plan: &'a Plan,
    pub(super) weights: &'a GpuWeights,
    pub(super) family: Family,
    pub(super) half: &'a [bool],
    buffers: &'a HashMap<SlotId, Buffer>,
    /// Rows of patches that their product reads from the picture: the picture, and a patch's side.
    pub(super) patches: HashMap<SlotId, (SlotId, usize, Normal)>,
    pub(super) pending: Vec<Pending<'a>>,
    pub(super) sizes: Vec<Size>,
}

impl<'a> Builder<'a> {
    pub(super) fn new(
        gpu: &'a Gpu,
        plan: &'a Plan,
        weights: &'a GpuWeights,
        family: Family,
        half: &'a [bool],
        buffers: &'a HashMap<SlotId, Buffer>,
    ) -> Self {
        let patches = HashMap::new();
        let (pending, sizes) = (Vec::new(), Vec::new());
        Self { gpu, plan, weights, family, half, buffers, patches, pending, sizes }
    }

    /// Plans one step: its dispatches are appended to `pending`, their uniforms to `sizes`.
    pub(super) fn step(&mut self, step: &Step) -> Result<Planned> {
        let (first, y) = (self.pending.len(), step.y);
        let mut copy = step.op.adds_to().and_then(|from| self.copy(from, y));
        match &step.op {
            Op::Patchify(op) if self.gathers(y) => {
                self.patches.insert(y, (op.pixels, op.patch, op.normal));
            }
            Op::Patchify(op) => self.patchify(op, y)?,
            Op::Linear(op) => self.linear(op, y)?,
            Op::Embed(op) => self.embed(op, y)?,
            Op::Norm(op) => self.norm(op, y)?,
            Op::Attention(op) => self.attention(op, y)?,
            Op::Slice(op) => copy = Some(self.slice(op, y)),
            Op::Interleave(op) => {
                let x = Map { slot: op.x, size: op.size };
                self.map(&Kernel::interleave(self.cols(y)), x, y, 2 * op.size[1], 0)?;
            }
            Op::Pool(op) => {
                let kernel = Kernel::pool(self.cols(y), op.kind == PoolKind::Max);
                self.map(&kernel, op.x, y, op.to[1], 0)?;
            }
            Op::Resize(op) => {
                let (c, wide) = (self.cols(op.x.slot), self.cols(y));
                let kernel = Kernel::resize(c, wide, op.add.is_some());
                self.map(&kernel, op.x, y, op.to[1], 0)?;
            }
            Op::Concat(op) => {
                let mut column = 0;
                for map in &op.maps {
                    let c = self.cols(map.slot);
                    let kernel = Kernel::resize(c, self.cols(y), false);
                    self.map(&kernel, *map, y, op.to[1], column)?;
                    column += c;
                }
            }
        }
        Ok(Planned { copy, dispatches: first..self.pending.len() })
    }

    fn cols(&self, slot: SlotId) -> usize {
        self.plan.slots[slot].cols
    }

    /// Brings what `y` is added to into its memory, unless it lies there.
    fn copy(&self, from: SlotId, y: SlotId) -> Option<Copy> {
        let (source, to) = (&self.buffers[&from], &self.buffers[&y]);
        let slot = &self.plan.slots[from];
        let bytes = self.bytes(from, slot.planes * slot.plane_stride(self.plan.batch));
        let ranges = vec![[0, 0, bytes]];
        (**source != **to).then(|| Copy { from: source.clone(), to: to.clone(), ranges })
    }

    fn patchify(&mut self, op: &Patchify, rows: SlotId) -> Result<()> {
        let out = &self.plan.slots[rows];
        let (rgba, [height, width]) = self.picture(op.pixels);
        let (height, width) = (height as u32, width as u32);
        let size = Size { height, width, ..self.rows_size(rows) };
        let bindings = [vec![Some(self.whole(op.pixels)?)], vec![Some(self.whole(rows)?)], vec![]];
        let unit = Unit::Values(out.cols / 4);
        let kernel = Kernel::patchify(rgba.then_some(op.normal), op.patch, self.half[rows]);
        self.push(&kernel, bindings, size, self.cut(rows, 0, unit))
    }

    /// Whether a picture is of bytes, its height and its width.
    pub(super) fn picture(&self, pixels: SlotId) -> (bool, [usize; 2]) {
        let slot = &self.plan.slots[pixels];
        let rgba = slot.role == Role::Rgba;
        (rgba, [if rgba { slot.rows } else { slot.rows / 3 }, slot.cols])
    }

    fn embed(&mut self, op: &Embed, y: SlotId) -> Result<()> {
        let c = self.cols(y);
        let bindings =
            vec![Some(self.whole(op.patches)?), Some(self.whole(op.rows)?), Some(self.whole(y)?)];
        let cut = self.cut(y, 0, Unit::Values(c / 4));
        let size = self.rows_size(y);
        self.push(&Kernel::embed(c, op.prefix(self.plan)), [bindings, vec![], vec![]], size, cut)
    }

    fn norm(&mut self, op: &Norm, y: SlotId) -> Result<()> {
        let (c, x) = (self.cols(y), op.x.slot);
        let norm = kernels::Norm {
            c,
            kind: op.kind,
            eps: op.eps,
            bias: op.bias.is_some(),
            activation: op.activation,
            half: [self.half[x], self.half[y]],
        };
        let kernel = Kernel::norm(self.family, self.gpu.caps.subgroup, &norm);
        let all = self.plan.slots[y].rows * self.plan.batch;
        // An invocation a row, or a workgroup.
        let unit = Unit::Values(if self.family.software() { 1 } else { 64 });
        for (first, rows) in self.row_chunks(all, c) {
            let x = self.range(x, op.x.plane, first, rows)?;
            let place = vec![Some(x), Some(self.range(y, 0, first, rows)?)];
            let affine = vec![Some(self.weight(op.weight)?), self.vector(op.bias)?];
            let size = Size { rows: rows as u32, ..self.rows_size(y) };
            let cut = self.cut(y, first, unit);
            self.push(&kernel, [vec![], place, affine], size, cut)?;
        }
        Ok(())
    }

    fn slice(&self, op: &Slice, y: SlotId) -> Copy {
        let (from, to) = (&self.plan.slots[op.x], &self.plan.slots[y]);
        let bytes = |rows: usize| 4 * (rows * to.cols) as u64;
        let range = |i| [bytes(i * from.rows + op.first), bytes(i * to.rows), bytes(to.rows)];
        let ranges = (0..self.plan.batch).map(range).collect();
        Copy { from: self.buffers[&op.x].clone(), to: self.buffers[&y].clone(), ranges }
    }

    /// A kernel that reads one map and writes another, four channels an invocation.
    fn map(
        &mut self,
        kernel: &Kernel,
        x: Map,
        y: SlotId,
        out_width: usize,
        column: usize,
    ) -> Result<()> {
        let source = &self.plan.slots[x.slot];
        let size = Size {
            height: x.size[0] as u32,
            width: x.size[1] as u32,
            out_width: out_width as u32,
            column: (column / 4) as u32,
            plane_stride: (source.plane_stride(self.plan.batch) / 4) as u32,
            ..self.rows_size(y)
        };
        let cut = self.cut(y, 0, Unit::Values(source.cols / 4));
        let bindings = vec![Some(self.whole(x.slot)?), Some(self.whole(y)?)];
        self.push(kernel, [bindings, vec![], vec![]], size, cut)
    }

    fn attention(&mut self, op: &Attention, y: SlotId) -> Result<()> {
        let (tokens, heads) = (self.plan.slots[y].rows, op.heads);
        let head_dim = self.cols(y) / heads;
        let half = [self.half[op.q.slot], self.half[y]];
        let attention = kernels::Attention { tokens, heads, head_dim, half };
        let caps = &self.gpu.caps;
        let row = AttentionRow::choose(self.family, caps.matrix, caps.subgroup, &attention);
        let rows = tokens * self.plan.batch;
        let mut bindings = Vec::new();
        for plane in [op.q, op.k, op.v] {
            bindings.push(Some(self.range(plane.slot, plane.plane, 0, rows)?));
        }
        bindings.push(Some(self.whole(y)?));
        let size = self.rows_size(y);
        let kernel = row.kernel(&attention, caps.subgroup);
        self.push(&kernel, [bindings, vec![], vec![]], size, Rows::Pictures)?;
        let tiles = tokens.div_ceil(row.tile_q) as u32;
        let columns = (heads * row.parts(head_dim)) as u32;
        *self.last_counts() = [tiles, columns, self.plan.batch as u32];
        Ok(())
    }

    pub(super) fn last_counts(&mut self) -> &mut [u32; 3] {
        &mut self.pending.last_mut().expect("a dispatch was pushed").counts
    }

    pub(super) fn push(
        &mut self,
        kernel: &Kernel,
        bindings: [Group<'a>; 3],
        size: Size,
        rows: Rows,
    ) -> Result<()> {
        let pipeline = self.gpu.pipeline(kernel)?;
        let kernel = kernel.files[0];
        self.pending.push(Pending { kernel, pipeline, bindings, counts: [1; 3], rows });
        self.sizes.push(size);
        Ok(())
    }

    fn rows_size(&self, slot: SlotId) -> Size {
        Size {
            rows: (self.plan.slots[slot].rows * self.plan.batch) as u32,
            tokens: self.plan.slots[slot].rows as u32,
            ..Default::default()
        }
    }

    pub(super) fn cut(&self, slot: SlotId, first: usize, unit: Unit) -> Rows {
        Rows::Cut { first, per_picture: self.plan.slots[slot].rows, unit }
    }

    /// Pieces (first row, rows) of `rows` rows, each at most one binding of rows of `cols` values.
    /// Pieces start at multiples of 64 rows, so bindings are aligned.
    pub(super) fn row_chunks(&self, rows: usize, cols: usize) -> Vec<(usize, usize)> {
        let most = self.gpu.caps.max_binding as usize / (4 * cols) / 64 * 64;
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
        let s = &self.plan.slots[slot];
        self.fits(slot, 0, self.bytes(slot, s.planes * s.plane_stride(self.plan.batch)))
    }

    /// Rows of one plane of a slot.
    pub(super) fn range(
        &self,
        slot: SlotId,
        plane: usize,
        first: usize,
        rows: usize,
    ) -> Result<Bind<'a>> {
        let s = &self.plan.slots[slot];
        let at = plane * s.plane_stride(self.plan.batch) + first * s.cols;
        self.fits(slot, self.bytes(slot, at), self.bytes(slot, rows * s.cols))
    }

    /// Bytes of so many values of a slot.
    pub(super) fn bytes(&self, slot: SlotId, values: usize) -> u64 {
        (if self.half[slot] { 2 } else { 4 }) * values as u64
    }

    fn fits(&self, slot: SlotId, offset: u64, bytes: u64) -> Result<Bind<'a>> {
        if bytes > self.gpu.caps.max_binding {
            return Err(Error::device(format!(
                "{}: {bytes} bytes, but {} allows bindings of {} bytes; {SMALLER}",
                self.plan.slots[slot].name, self.gpu.report.name, self.gpu.caps.max_binding
            )));
        }
        Ok(Bind { buffer: &self.buffers[&slot], offset, bytes })
    }
}
