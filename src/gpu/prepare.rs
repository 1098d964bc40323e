//! A plan made ready for a device: buffers, pipelines, bind groups, dispatches.

use super::buffer::Buffer;
use super::device::Gpu;
use super::dispatch::{Copy, Dispatch, UNIFORM_STRIDE};
use super::extent::Extents;
use super::family::Family;
use super::kernels::Target;
use super::memory::SMALLER;
use super::states::States;
use super::steps::{Builder, Work};
use super::supports::supports;
use super::weights::GpuWeights;
use crate::plan::{Arena, Plan, Role, SlotId, arena_of};
use crate::progress::LocalBoxFuture;
use crate::{Error, Result};

/// A plan on a device: buffers, and every dispatch.
pub struct PreparedPlan {
    pub(super) plan: Plan,
    /// By slot; weights have none.
    buffers: Vec<Option<Buffer>>,
    pub(super) extents: Extents,
    /// Bytes of a value of each slot.
    pub(super) value_bytes: Vec<f64>,
    pub(super) steps: Vec<PreparedStep>,
    uniforms: Buffer,
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

impl PreparedPlan {
    /// Allocates what `plan` needs and builds every dispatch.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where a slot does not fit the device's limits or memory.
    pub async fn new(gpu: &Gpu, plan: Plan, weights: &GpuWeights) -> Result<Self> {
        #[cfg(feature = "probe")]
        gpu.probe(&plan, weights).await;
        Self::prepare(gpu, plan, weights, None, States::default()).await
    }

    /// As [`PreparedPlan::new`], with the kernels of a given family.
    ///
    /// # Errors
    /// As [`PreparedPlan::new`].
    pub fn with_family<'a>(
        gpu: &'a Gpu,
        plan: Plan,
        weights: &'a GpuWeights,
        family: Family,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Self::prepare(gpu, plan, weights, Some(family), States::default())
    }

    /// As [`PreparedPlan::new`], with `states` that other plans have too.
    ///
    /// # Errors
    /// As [`PreparedPlan::new`].
    #[cfg(feature = "language")]
    pub async fn with_states(
        gpu: &Gpu,
        plan: Plan,
        weights: &GpuWeights,
        states: &States,
    ) -> Result<Self> {
        Self::prepare(gpu, plan, weights, None, states.clone()).await
    }

    /// With the kernels of a family, or else with those that suit the device best.
    fn prepare<'a>(
        gpu: &'a Gpu,
        plan: Plan,
        weights: &'a GpuWeights,
        forced: Option<Family>,
        states: States,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            supports(&plan)?;
            let forced = forced.or(gpu.forced);
            let family = forced.unwrap_or_else(|| gpu.family());
            let extents = Extents::new(&plan, family, gpu.precision);
            let arena = arena_of(&plan, &|slot| extents.of(slot).words());
            let (buffers, bytes) = allocate(gpu, &plan, &arena, &extents, &states).await?;
            let target = Target::of(&gpu.caps, family);
            let (extents_of, buffers_of) = (&extents, buffers.as_slice());
            let builder = Builder {
                gpu,
                plan: &plan,
                weights,
                target,
                #[cfg(feature = "probe")]
                tuned: forced.is_none(),
                space: None,
                extents: extents_of,
                buffers: buffers_of,
            };
            let space = match builder.space_bytes()? {
                0 => None,
                bytes => {
                    let usage = wgpu::BufferUsages::STORAGE;
                    Some(gpu.buffer("space of products", bytes, usage, SMALLER).await?)
                }
            };
            let builder = Builder { space: space.as_ref(), ..builder };
            let bytes = bytes + space.as_ref().map_or(0, |buffer| buffer.size());
            let works: Vec<Work<'_>> =
                plan.steps.iter().map(|step| builder.step(step)).collect::<Result<_>>()?;
            gpu.compile(works.iter().flat_map(|work| &work.dispatches).map(|draft| &draft.kernel))?;
            gpu.save_pipelines();
            let (uniforms, steps) = bind(gpu, &plan, works).await?;
            let value_bytes = plan.slots.iter().enumerate().map(|(id, slot)| match slot.role {
                Role::Weight(_) => weights.value_bytes(&slot.name),
                _ => extents.of(id).value() as f64,
            });
            let (value_bytes, batch) = (value_bytes.collect(), plan.batch);
            let mut this = Self {
                plan,
                buffers,
                extents,
                value_bytes,
                steps,
                uniforms,
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

    /// The buffer in which a slot lies.
    pub(super) fn buffer(&self, slot: SlotId) -> Result<&Buffer> {
        let none = || format!("{}: expected a value, found a weight", self.plan.slots[slot].name);
        self.buffers[slot].as_ref().ok_or_else(|| Error::device(none()))
    }

    /// Bytes of a row of a slot as it lies in memory.
    #[cfg(feature = "language")]
    pub(super) fn row_bytes(&self, slot: SlotId) -> u64 {
        self.extents.of(slot).bytes(self.extents.of(slot).width)
    }

    /// Makes the next run one of `batch` pictures, at most the plan's.
    pub(super) fn set_batch(&mut self, gpu: &Gpu, batch: usize) {
        if self.batch == batch {
            return;
        }
        self.batch = batch;
        let mut bytes = Vec::new();
        for dispatch in self.steps.iter_mut().flat_map(|step| &mut step.dispatches) {
            bytes.extend_from_slice(bytemuck::bytes_of(&dispatch.set_batch(batch)));
            bytes.resize(bytes.len().next_multiple_of(UNIFORM_STRIDE as usize), 0);
        }
        gpu.queue.write_buffer(&self.uniforms, 0, &bytes);
    }
}

/// Binds the dispatches of all steps, each with a uniform of its own.
async fn bind(gpu: &Gpu, plan: &Plan, works: Vec<Work<'_>>) -> Result<(Buffer, Vec<PreparedStep>)> {
    let count: usize = works.iter().map(|work| work.dispatches.len()).sum();
    let usage = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
    let bytes = count as u64 * UNIFORM_STRIDE;
    let uniforms = gpu.buffer("sizes", bytes, usage, SMALLER).await?;
    let mut index = 0..;
    let steps = works.into_iter().zip(&plan.steps).map(|(work, step)| {
        let drafts = work.dispatches.into_iter().zip(&mut index);
        let bound = drafts.map(|(draft, index)| draft.bind(gpu, &uniforms, index));
        let dispatches = bound.collect::<Result<_>>()?;
        Ok(PreparedStep { flop: plan.flop(step, plan.batch), copy: work.copy, dispatches })
    });
    let steps = steps.collect::<Result<_>>()?;
    Ok((uniforms, steps))
}

/// The buffers of all slots but weights, and their bytes.
async fn allocate(
    gpu: &Gpu,
    plan: &Plan,
    arena: &Arena,
    extents: &Extents,
    states: &States,
) -> Result<(Vec<Option<Buffer>>, u64)> {
    let usage =
        wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
    let mut total = 0;
    let mut new = async |label: &str, words: usize, help: &str| {
        total += 4 * words as u64;
        gpu.buffer(label, 4 * words as u64, usage, help).await
    };
    let mut shared = Vec::new();
    for (i, words) in arena.sizes.iter().enumerate() {
        shared.push(new(&format!("arena.{i}"), *words, SMALLER).await?);
    }
    let mut buffers: Vec<Option<Buffer>> = vec![None; plan.slots.len()];
    // Owners come last in their chains of sums.
    for (id, slot) in plan.slots.iter().enumerate().rev().filter(|(_, slot)| !slot.is_weight()) {
        let known = buffers[arena.owner[id]].clone().or_else(|| states.get(slot));
        let buffer = match (arena.buffer[id], known) {
            (Some(index), _) => shared[index].clone(),
            (None, Some(known)) => known,
            (None, None) => new(&slot.name, extents.of(id).words(), States::help(slot)).await?,
        };
        states.keep(slot, &buffer);
        buffers[id] = Some(buffer);
    }
    Ok((buffers, total))
}
