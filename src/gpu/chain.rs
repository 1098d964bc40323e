//! Several tokens of an answer in one submission: each run of a plan is fed the token that the one before it has chosen.

use super::buffer::Buffer;
use super::device::Gpu;
use super::memory::SHORTER;
use super::prepare::PreparedPlan;
use super::states::States;
use super::weights::GpuWeights;
use crate::plan::{Plan, SlotId};
use crate::{Error, Result};

/// A plan of one token by its number ([`record_next`](crate::plan::record_next)), and what its runs are given and find.
pub struct Chain {
    prepared: PreparedPlan,
    /// Of each run the angles, then the place.
    given: Buffer,
    /// Of each run the largest logit and its token.
    found: Buffer,
    token: SlotId,
    angles: SlotId,
    place: SlotId,
    best: SlotId,
}

/// Bytes of a quad, which a single value takes.
const QUAD: u64 = 16;

impl Chain {
    /// Tokens of a submission at most: each bears an eighth of what submitting and reading cost, and few are computed for
    /// nothing where the answer ends among them.
    pub const MOST: usize = 8;

    /// Prepares a plan for weights and states.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no memory, or the plan is of another kind.
    pub async fn new(gpu: &Gpu, plan: Plan, weights: &GpuWeights, states: &States) -> Result<Self> {
        let slot = |name: &str| {
            plan.slot(name).ok_or_else(|| Error::device(format!("{name}: not in a token's plan")))
        };
        let (token, angles) = (slot("token")?, slot("angles")?);
        let (place, best) = (slot("place")?, slot("best")?);
        let prepared = PreparedPlan::with_states(gpu, plan, weights, states).await?;
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let most = Self::MOST as u64;
        let bytes = most * (prepared.row_bytes(angles) + QUAD);
        let given = gpu.buffer("angles and places", bytes, usage, SHORTER).await?;
        let found = gpu.buffer("tokens", most * QUAD, usage, SHORTER).await?;
        Ok(Self { prepared, given, found, token, angles, place, best })
    }

    /// The tokens that follow the one numbered `token`, which has `place` others before it, with their logits: as many as
    /// there are rows of `angles`, at most [`Chain::MOST`].
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::Device`].
    pub async fn run(
        &self,
        gpu: &Gpu,
        token: u32,
        place: usize,
        angles: &[f32],
    ) -> Result<Vec<(u32, f32)>> {
        gpu.alive()?;
        let prepared = &self.prepared;
        let row = prepared.row_bytes(self.angles);
        let rows = angles.chunks_exact(prepared.plan().slots[self.angles].cols);
        let (runs, stride) = (rows.len(), row + QUAD);
        assert!((1..=Self::MOST).contains(&runs), "as many rows as there is room for");
        let mut given = vec![0.0f32; runs * stride as usize / 4];
        let parts = given.chunks_exact_mut(stride as usize / 4);
        for ((at, own), angles) in parts.enumerate().zip(rows) {
            own[..angles.len()].copy_from_slice(angles);
            own[row as usize / 4] = (place + at) as f32;
        }
        gpu.queue.write_buffer(&self.given, 0, bytemuck::cast_slice(&given));
        let [to, from] = [self.token, self.best].map(|slot| prepared.buffer(slot));
        let (to, from) = (to?, from?);
        gpu.queue.write_buffer(to, 0, bytemuck::bytes_of(&(token as f32)));
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        // Each run begins with its own angles and place, and ends with its token where the next one finds it.
        for run in 0..runs as u64 {
            let first = run * stride;
            for (slot, at, bytes) in [(self.angles, first, row), (self.place, first + row, QUAD)] {
                let to = prepared.buffer(slot)?;
                encoder.copy_buffer_to_buffer(&self.given, at, to, 0, bytes);
            }
            prepared.record(&mut encoder, 0, f64::INFINITY, prepared.steps.len());
            encoder.copy_buffer_to_buffer(from, 0, &self.found, run * QUAD, QUAD);
            encoder.copy_buffer_to_buffer(from, 4, to, 0, 4);
        }
        let bytes = runs as u64 * QUAD;
        let reading = gpu.begin_read_behind(encoder, &self.found, 0, bytes).await?;
        let values: Vec<f32> = reading.values(gpu).await?;
        Ok(values.as_chunks::<4>().0.iter().map(|&[logit, id, ..]| (id as u32, logit)).collect())
    }
}
