//! A dispatch: what is bound, how many workgroups there are, and how both follow the batch.

use std::sync::atomic::Ordering;

use super::buffer::Buffer;
use super::device::Gpu;
use super::kernels::Kernel;
use crate::Result;

/// The uniform of every kernel; the same fields stand in `shaders/shared/size.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
#[allow(missing_docs, reason = "documented in the shader file")]
pub struct Size {
    pub rows: u32,
    pub tokens: u32,
    pub first_panel: u32,
    pub first_plane: u32,
    pub plane_stride: u32,
    pub height: u32,
    pub width: u32,
    pub out_width: u32,
    pub first_row: u32,
    pub column: u32,
    pub part_stride: u32,
    pub spare: u32,
}

/// Bytes from one dispatch's uniform to the next.
pub(super) const UNIFORM_STRIDE: u64 = 256;
const MAX_GROUPS: u32 = 65_535;

/// A range of a buffer, in bytes.
pub(super) struct Bind<'a> {
    pub(super) buffer: &'a Buffer,
    pub(super) offset: u64,
    pub(super) bytes: u64,
}

/// The bindings of a group by their numbers, from 0; in the first group from 1.
pub(super) type Group<'a> = Vec<Option<Bind<'a>>>;

/// A copy between buffers.
pub(super) struct Copy {
    pub(super) from: Buffer,
    pub(super) to: Buffer,
    /// Where it begins in either, and bytes.
    pub(super) ranges: Vec<[u64; 3]>,
}

/// A dispatch whose uniform has no buffer yet.
pub(super) struct Draft<'a> {
    pub(super) kernel: Kernel,
    /// Its main file.
    pub(super) file: &'static str,
    pub(super) bindings: [Group<'a>; 3],
    pub(super) size: Size,
    /// Workgroups, as far as the batch does not decide.
    pub(super) counts: [u32; 3],
    pub(super) rows: Rows,
}

/// A dispatch, ready to be recorded.
pub(super) struct Dispatch {
    /// The main file's name.
    pub(super) kernel: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) groups: Vec<wgpu::BindGroup>,
    /// What the groups refer to, for as long.
    _bound: Vec<Buffer>,
    pub(super) counts: [u32; 3],
    /// Of a full batch.
    size: Size,
    rows: Rows,
}

/// How many of a dispatch's rows a smaller batch leaves.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// `size.rows` is cut to what is left of `per_picture · batch` after `first`, and counts follow.
    Cut { first: usize, per_picture: usize, unit: Unit },
    /// So many workgroup layers a picture.
    Pictures(usize),
}

/// What a workgroup covers.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// A number of rows, in the y dimension.
    Rows(usize),
    /// A number of rows, numbered through x and y.
    WholeRows(usize),
    /// 64 values of rows of a given length, numbered through x and y.
    Values(usize),
}

impl Rows {
    /// The same rows, covered by other workgroups.
    pub(super) fn in_units(self, unit: Unit) -> Self {
        match self {
            Self::Cut { first, per_picture, .. } => Self::Cut { first, per_picture, unit },
            pictures => pictures,
        }
    }
}

impl Draft<'_> {
    /// The same for another number of rows.
    #[cfg(feature = "probe")]
    pub(super) fn of_rows(mut self, rows: usize) -> Self {
        self.size.rows = rows as u32;
        self
    }

    /// Binds its buffers to its pipeline, and as its uniform the one numbered `index`.
    pub(super) fn bind(self, gpu: &Gpu, uniforms: &Buffer, index: usize) -> Result<Dispatch> {
        let pipeline = gpu.pipeline(&self.kernel)?;
        let offset = index as u64 * UNIFORM_STRIDE;
        let mut uniform =
            Some(Some(Bind { buffer: uniforms, offset, bytes: size_of::<Size>() as u64 }));
        let (mut groups, mut bound) = (Vec::new(), Vec::new());
        // The uniform is the first binding of the first group.
        for (index, bindings) in self.bindings.into_iter().enumerate() {
            if index > 0 && bindings.is_empty() {
                continue;
            }
            let all: Group = uniform.take().into_iter().chain(bindings).collect();
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
            gpu.health.made.fetch_add(1, Ordering::Relaxed);
            bound.extend(numbered().map(|(_, bind)| bind.buffer.clone()));
            groups.push(gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(index as u32),
                entries: &entries,
            }));
        }
        let Draft { file: kernel, counts, rows, size, .. } = self;
        Ok(Dispatch { kernel, pipeline, groups, _bound: bound, counts, size, rows })
    }
}

impl Dispatch {
    /// Makes the next run one of `batch` pictures; the uniform for it.
    pub(super) fn set_batch(&mut self, batch: usize) -> Size {
        let mut size = self.size;
        match self.rows {
            Rows::Pictures(layers) => self.counts[2] = (layers * batch) as u32,
            Rows::Cut { first, per_picture, unit } => {
                let left = (per_picture * batch).saturating_sub(first);
                let rows = left.min(size.rows as usize);
                size.rows = rows as u32;
                match unit {
                    Unit::Rows(tile) => self.counts[1] = rows.div_ceil(tile) as u32,
                    Unit::WholeRows(tile) => self.spread(rows.div_ceil(tile)),
                    Unit::Values(values) => self.spread((rows * values).div_ceil(64)),
                }
            }
        }
        size
    }

    /// `count` workgroups in two dimensions; kernels that use it number them row by row.
    fn spread(&mut self, count: usize) {
        let y = count.div_ceil(MAX_GROUPS as usize).max(1);
        (self.counts[0], self.counts[1]) = (count.div_ceil(y) as u32, y as u32);
    }
}

/// Records dispatches that have something to do.
pub(super) fn dispatch_all(pass: &mut wgpu::ComputePass<'_>, list: &[Dispatch]) {
    for dispatch in list.iter().filter(|d| d.counts.iter().all(|n| *n > 0)) {
        pass.set_pipeline(&dispatch.pipeline);
        for (index, group) in dispatch.groups.iter().enumerate() {
            pass.set_bind_group(index as u32, group, &[]);
        }
        let [x, y, z] = dispatch.counts;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Records a copy.
pub(super) fn copy(encoder: &mut wgpu::CommandEncoder, Copy { from, to, ranges }: &Copy) {
    for [start, end, bytes] in ranges {
        encoder.copy_buffer_to_buffer(from, *start, to, *end, *bytes);
    }
}
