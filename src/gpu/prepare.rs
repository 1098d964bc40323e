//! A plan made ready for a device: buffers, pipelines, bind groups, dispatches.

use std::collections::HashMap;

use super::memory::SMALLER;
use super::steps::{Builder, Copy, Planned};
use super::{Buffer, Family, Gpu, GpuWeights, Precision};
use crate::Result;
use crate::plan::{Arena, Op, Plan, Role, SlotId, arena_of};
use crate::progress::LocalBoxFuture;

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
    pub spare0: u32,
    pub spare1: u32,
}

/// A plan on a device.
pub struct Prepared {
    pub(super) plan: Plan,
    pub(super) buffers: HashMap<SlotId, Buffer>,
    /// Slots that hold f16.
    pub(super) half: Vec<bool>,
    /// Bytes of a value of each slot.
    pub(super) value_bytes: Vec<f64>,
    pub(super) steps: Vec<PreparedStep>,
    uniforms: Buffer,
    sizes: Vec<Size>,
    arena: Arena,
    bytes: u64,
    /// Pictures that the uniforms are set for.
    batch: usize,
}

/// A step of the plan: a copy, if any, then its dispatches.
pub(super) struct PreparedStep {
    pub(super) flop: f64,
    pub(super) copy: Option<Copy>,
    pub(super) dispatches: Vec<Dispatch>,
}

pub(super) struct Dispatch {
    /// The main file's name.
    pub(super) kernel: &'static str,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) groups: Vec<wgpu::BindGroup>,
    /// What the groups refer to, for as long.
    pub(super) _bound: Vec<Buffer>,
    pub(super) counts: [u32; 3],
    pub(super) uniform: usize,
    pub(super) rows: Rows,
}

/// How many of a dispatch's rows a smaller batch leaves.
#[derive(Clone, Copy)]
pub(super) enum Rows {
    /// `size.rows` is cut to what is left of `per_picture · batch` after `first`, and counts follow.
    Cut { first: usize, per_picture: usize, unit: Unit },
    /// A workgroup layer a picture.
    Pictures,
}

/// What a workgroup covers.
#[derive(Clone, Copy)]
pub(super) enum Unit {
    /// So many rows, in the y dimension.
    Rows(usize),
    /// 1/64 of so many values a row, in x and y.
    Values(usize),
}

pub(super) const UNIFORM_STRIDE: u64 = 256;
const MAX_GROUPS: u32 = 65_535;

impl Prepared {
    /// Allocates what `plan` needs and builds every dispatch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where a slot does not fit the device's limits or memory.
    pub async fn new(gpu: &Gpu, plan: Plan, weights: &GpuWeights) -> Result<Self> {
        Self::with_family(gpu, plan, weights, gpu.family()).await
    }

    /// As [`Prepared::new`], with the kernels of a given family.
    pub fn with_family<'a>(
        gpu: &'a Gpu,
        plan: Plan,
        weights: &'a GpuWeights,
        family: Family,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            let half = halves(&plan, family, gpu.precision);
            let arena = arena_of(&plan, &|slot| words(&plan, &half, slot));
            let (buffers, bytes) = allocate(gpu, &plan, &arena, &half).await?;
            let mut builder = Builder::new(gpu, &plan, weights, family, &half, &buffers);
            let mut works = Vec::new();
            for step in &plan.steps {
                works.push(builder.step(step)?);
            }
            gpu.save_pipelines();
            let Builder { pending, sizes, .. } = builder;
            let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let uniforms =
                gpu.buffer("sizes", sizes.len() as u64 * UNIFORM_STRIDE, usage, SMALLER).await?;
            let mut dispatches = Vec::new();
            for (uniform, pending) in pending.into_iter().enumerate() {
                dispatches.push(Some(pending.bind(gpu, &uniforms, uniform)));
            }
            let mut steps = Vec::new();
            for (Planned { copy, dispatches: range }, step) in works.into_iter().zip(&plan.steps) {
                let flop = plan.flop(step, plan.batch);
                let dispatches = range.filter_map(|i| dispatches[i].take()).collect();
                steps.push(PreparedStep { flop, copy, dispatches });
            }
            let value_bytes = plan.slots.iter().zip(&half).map(|(slot, half)| match slot.role {
                Role::Weight(_) => weights.value_bytes(&slot.name),
                _ => {
                    if *half {
                        2.0
                    } else {
                        4.0
                    }
                }
            });
            let value_bytes = value_bytes.collect();
            let batch = plan.batch;
            let mut this = Self {
                plan,
                buffers,
                half,
                value_bytes,
                steps,
                uniforms,
                sizes,
                arena,
                bytes,
                batch: 0,
            };
            this.set_batch(gpu, batch);
            Ok(this)
        })
    }

    /// Bytes of the buffers that hold slots.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The plan that was prepared.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The assignment of temporary slots to buffers.
    pub fn arena(&self) -> &Arena {
        &self.arena
    }

    /// Makes the next run one of `batch` pictures, at most the plan's.
    pub(super) fn set_batch(&mut self, gpu: &Gpu, batch: usize) {
        if self.batch == batch {
            return;
        }
        self.batch = batch;
        let mut bytes = vec![0u8; self.sizes.len() * UNIFORM_STRIDE as usize];
        for step in &mut self.steps {
            for dispatch in &mut step.dispatches {
                let mut size = self.sizes[dispatch.uniform];
                match dispatch.rows {
                    Rows::Pictures => dispatch.counts[2] = batch as u32,
                    Rows::Cut { first, per_picture, unit } => {
                        let left = (per_picture * batch).saturating_sub(first);
                        let rows = left.min(size.rows as usize);
                        size.rows = rows as u32;
                        match unit {
                            Unit::Rows(tile) => {
                                dispatch.counts[1] = rows.div_ceil(tile) as u32;
                            }
                            Unit::Values(values) => {
                                let (x, y) = split((rows * values).div_ceil(64));
                                (dispatch.counts[0], dispatch.counts[1]) = (x, y);
                            }
                        }
                    }
                }
                let at = dispatch.uniform * UNIFORM_STRIDE as usize;
                bytes[at..at + size_of::<Size>()].copy_from_slice(bytemuck::bytes_of(&size));
            }
        }
        gpu.queue.write_buffer(&self.uniforms, 0, &bytes);
    }
}

/// `count` workgroups in two dimensions; kernels that use it number them row by row.
fn split(count: usize) -> (u32, u32) {
    let y = count.div_ceil(MAX_GROUPS as usize).max(1);
    (count.div_ceil(y) as u32, y as u32)
}

/// Which slots hold f16: those between products, norms and attention that are not the residual
/// stream. What is fed, kept, copied or mapped is f32.
fn halves(plan: &Plan, family: Family, precision: Precision) -> Vec<bool> {
    if precision != Precision::F16 {
        return vec![false; plan.slots.len()];
    }
    // Planes start at multiples of 256 bytes.
    let aligned = |planes: usize, cols: usize| planes == 1 || cols.is_multiple_of(8);
    let inside = plan.slots.iter().map(|s| s.role == Role::Temporary && aligned(s.planes, s.cols));
    let mut half: Vec<bool> = inside.collect();
    for step in &plan.steps {
        let reads = || plan.reads(step);
        let whole: Vec<SlotId> = match &step.op {
            Op::Linear(op) => op.residual.into_iter().flat_map(|from| [from, step.y]).collect(),
            // Their kernel's sums gather in y itself.
            Op::Attention(_) if family.software() => vec![step.y],
            Op::Patchify(op) => vec![op.pixels],
            Op::Norm(_) | Op::Attention(_) => vec![],
            _ => reads().chain([step.y]).collect(),
        };
        whole.into_iter().for_each(|slot| half[slot] = false);
    }
    half
}

/// Room that a slot takes, in units of four bytes.
fn words(plan: &Plan, half: &[bool], slot: SlotId) -> usize {
    let values = plan.slots[slot].planes * plan.slots[slot].plane_stride(plan.batch);
    if half[slot] { values / 2 } else { values }
}

async fn allocate(
    gpu: &Gpu,
    plan: &Plan,
    arena: &Arena,
    half: &[bool],
) -> Result<(HashMap<SlotId, Buffer>, u64)> {
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let mut total = 0;
    let mut new = async |label: &str, words: usize| {
        total += 4 * words as u64;
        gpu.buffer(label, 4 * words as u64, usage, SMALLER).await
    };
    let mut shared = Vec::new();
    for (i, words) in arena.sizes.iter().enumerate() {
        shared.push(new(&format!("arena.{i}"), *words).await?);
    }
    let mut buffers = HashMap::new();
    // Owners come last in their chains of sums.
    for (id, slot) in plan.slots.iter().enumerate().rev().filter(|(_, slot)| !slot.is_weight()) {
        let owned: Option<&Buffer> = buffers.get(&arena.owner[id]);
        let buffer = match (arena.buffer[id], owned) {
            (Some(index), _) => shared[index].clone(),
            (None, Some(owned)) => owned.clone(),
            (None, None) => new(&slot.name, words(plan, half, id)).await?,
        };
        buffers.insert(id, buffer);
    }
    Ok((buffers, total))
}
