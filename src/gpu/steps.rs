//! One operation of a plan as dispatches: kernel, bindings, workgroups, split where a binding
//! would be too large.

use std::collections::HashMap;

use super::kernels::{Attention, AttentionRow, Kernel, Norm};
use super::memory::SMALLER;
use super::prepare::{Dispatch, Rows, Size, UNIFORM_STRIDE, Unit};
use super::{Buffer, Family, Gpu, GpuWeights};
use crate::image::Normal;
use crate::plan::{Op, Plan, Role, SlotId};
use crate::{Error, Result};

/// A range of a buffer, in bytes.
pub(super) struct Bind<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// A step between planning and binding.
pub(super) enum Planned {
    Dispatch(std::ops::Range<usize>),
    Copy(Buffer, Buffer, Vec<[u64; 3]>),
}

/// A dispatch whose uniform has no buffer yet.
pub(super) struct Pending<'a> {
    kernel: &'static str,
    pipeline: wgpu::ComputePipeline,
    bindings: [Vec<Bind<'a>>; 3],
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
        let mut size = Some(size);
        let (mut groups, mut bound) = (Vec::new(), Vec::new());
        for (index, bindings) in self.bindings.into_iter().enumerate() {
            if index > 0 && bindings.is_empty() {
                continue;
            }
            let all: Vec<Bind> = size.take().into_iter().chain(bindings).collect();
            let entries: Vec<_> = all
                .iter()
                .enumerate()
                .map(|(binding, bind)| wgpu::BindGroupEntry {
                    binding: binding as u32,
                    resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                        buffer: bind.buffer,
                        offset: bind.offset,
                        size: wgpu::BufferSize::new(bind.bytes),
                    }),
                })
                .collect();
            bound.extend(all.iter().map(|bind| bind.buffer.clone()));
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

    /// Plans one operation: its dispatches are appended to `pending`, their uniforms to `sizes`.
    pub(super) fn step(&mut self, op: &Op) -> Result<Planned> {
        let first = self.pending.len();
        match op {
            Op::Unfold { pixels, rows, patch, normal } if self.gathers(*rows) => {
                self.patches.insert(*rows, (*pixels, *patch, *normal));
            }
            Op::Unfold { pixels, rows, patch, normal } => {
                self.unfold(*pixels, *rows, *patch, *normal)?;
            }
            Op::Linear { .. } => self.linear(op)?,
            Op::Embed { patches, position, y, cls } => {
                self.embed([*patches, *position, *y], cls)?;
            }
            Op::Norm { .. } => self.norm(op)?,
            Op::Attention { qkv, y, heads } => self.attention(*qkv, *y, *heads)?,
            Op::Keep { x, y, skip } => return Ok(self.keep(*x, *y, *skip)),
            Op::Interleave { x, y, from } => self.interleave(*x, *y, *from)?,
            Op::Pool { x, y, from, to, max } => {
                let kernel = Kernel::pool(self.plan.slots[*y].cols, *max);
                self.map(&kernel, [*x, *y], *from, to[1], 0)?;
            }
            Op::Resize { x, y, from, to, column, add } => {
                let (c, wide) = (self.plan.slots[*x].cols, self.plan.slots[*y].cols);
                self.map(&Kernel::resize(c, wide, *add), [*x, *y], *from, to[1], *column)?;
            }
        }
        Ok(Planned::Dispatch(first..self.pending.len()))
    }

    fn unfold(&mut self, pixels: SlotId, rows: SlotId, patch: usize, normal: Normal) -> Result<()> {
        let out = &self.plan.slots[rows];
        let (rgba, [height, width]) = self.picture(pixels);
        let (height, width) = (height as u32, width as u32);
        let size = Size { height, width, ..self.rows_size(rows) };
        let bindings = [vec![self.whole(pixels)?], vec![self.whole(rows)?], vec![]];
        let unit = Unit::Values(out.cols / 4);
        let kernel = Kernel::unfold(rgba.then_some(normal), patch, self.half[rows]);
        self.push(&kernel, bindings, size, self.cut(rows, 0, unit))
    }

    /// Whether a picture is of bytes, its height and its width.
    pub(super) fn picture(&self, pixels: SlotId) -> (bool, [usize; 2]) {
        let slot = &self.plan.slots[pixels];
        let rgba = slot.role == Role::Rgba;
        (rgba, [if rgba { slot.rows } else { slot.rows / 3 }, slot.cols])
    }

    fn embed(&mut self, [patches, position, y]: [SlotId; 3], cls: &str) -> Result<()> {
        let c = self.plan.slots[y].cols;
        let mut bindings = vec![self.whole(patches)?, self.whole(position)?];
        bindings.push(self.weight(cls)?);
        bindings.push(self.whole(y)?);
        let cut = self.cut(y, 0, Unit::Values(c / 4));
        let size = self.rows_size(y);
        self.push(&Kernel::embed(c), [bindings, vec![], vec![]], size, cut)
    }

    fn norm(&mut self, op: &Op) -> Result<()> {
        let &Op::Norm { x, y, plane, ref weight, ref bias, kind, eps, gelu } = op else {
            unreachable!("called for norms only")
        };
        let c = self.plan.slots[y].cols;
        let (bias_is, in_place) = (bias.is_some(), x == y);
        let half = [self.half[x], self.half[y]];
        let norm = Norm { c, kind, eps, bias: bias_is, gelu, in_place, half };
        let kernel = Kernel::norm(self.family, self.gpu.caps.subgroup, &norm);
        let all = self.plan.slots[y].rows * self.plan.batch;
        // An invocation a row, or a workgroup.
        let unit = Unit::Values(if self.family.software() { 1 } else { 64 });
        for (first, rows) in self.row_chunks(all, c) {
            let mut place = vec![self.range(y, plane, first, rows)?];
            if !in_place {
                place.insert(0, self.range(x, plane, first, rows)?);
            }
            let mut affine = vec![self.weight(weight)?];
            if let Some(bias) = bias {
                affine.push(self.weight(bias)?);
            }
            let size = Size { rows: rows as u32, ..self.rows_size(y) };
            let cut = self.cut(y, first, unit);
            self.push(&kernel, [vec![], place, affine], size, cut)?;
        }
        Ok(())
    }

    fn keep(&self, x: SlotId, y: SlotId, skip: usize) -> Planned {
        let (from, to) = (&self.plan.slots[x], &self.plan.slots[y]);
        let bytes = |rows: usize| 4 * (rows * to.cols) as u64;
        let ranges = if skip == 0 {
            vec![[0, 0, bytes(to.rows * self.plan.batch)]]
        } else {
            let range = |i| [bytes(i * from.rows + skip), bytes(i * to.rows), bytes(to.rows)];
            (0..self.plan.batch).map(range).collect()
        };
        Planned::Copy(self.buffers[&x].clone(), self.buffers[&y].clone(), ranges)
    }

    fn interleave(&mut self, x: SlotId, y: SlotId, from: [usize; 2]) -> Result<()> {
        let kernel = Kernel::interleave(self.plan.slots[y].cols);
        self.map(&kernel, [x, y], from, 2 * from[1], 0)
    }

    /// A kernel that reads one map and writes another, four channels an invocation.
    fn map(
        &mut self,
        kernel: &Kernel,
        [x, y]: [SlotId; 2],
        from: [usize; 2],
        out_width: usize,
        column: usize,
    ) -> Result<()> {
        let source = &self.plan.slots[x];
        let size = Size {
            height: from[0] as u32,
            width: from[1] as u32,
            out_width: out_width as u32,
            column: (column / 4) as u32,
            tokens: self.plan.slots[y].rows as u32,
            plane_stride: (source.plane_stride(self.plan.batch) / 4) as u32,
            ..self.rows_size(y)
        };
        let cut = self.cut(y, 0, Unit::Values(source.cols / 4));
        let bindings = [vec![self.whole(x)?, self.whole(y)?], vec![], vec![]];
        self.push(kernel, bindings, size, cut)
    }

    fn attention(&mut self, qkv: SlotId, y: SlotId, heads: usize) -> Result<()> {
        let (tokens, head_dim) = (self.plan.tokens, self.plan.slots[y].cols / heads);
        let half = [self.half[qkv], self.half[y]];
        let attention = Attention { tokens, heads, head_dim, half };
        let caps = &self.gpu.caps;
        let row = AttentionRow::choose(self.family, caps.matrix, caps.subgroup, &attention);
        let rows = self.plan.slots[y].rows * self.plan.batch;
        let mut bindings = Vec::new();
        for plane in 0..3 {
            bindings.push(self.range(qkv, plane, 0, rows)?);
        }
        bindings.push(self.whole(y)?);
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
        bindings: [Vec<Bind<'a>>; 3],
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
            tokens: self.plan.tokens as u32,
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

    pub(super) fn weight(&self, name: &str) -> Result<Bind<'a>> {
        let buffer = &self.weights.get(name)?.buffer;
        Ok(Bind { buffer, offset: 0, bytes: buffer.size() })
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
