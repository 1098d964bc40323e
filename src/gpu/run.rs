//! Running a prepared plan: upload, submit in bounded pieces.

use std::ops::ControlFlow;

use super::pack::Format;
use super::prepare::{Dispatch, Work};
use super::{Feed, Gpu, Prepared, Submitted};
use crate::plan::{Role, SlotId, Value};
use crate::{Error, Result};

/// Work of one submission: short enough for any watchdog, long enough to keep a GPU busy.
const PIECE_GPU: f64 = 100e9;
/// The same for a device that computes on the CPU.
const PIECE_SOFTWARE: f64 = 0.3e9;

impl Prepared {
    /// Runs for `batch` pictures; outputs stay on the device until they are read. Input slots that
    /// `inputs` leaves out keep what the run before gave them. Where weights are streamed, `feed`
    /// brings them.
    ///
    /// `progress` is told the block reached and the number of blocks after each submission, and may
    /// stop the run, which then ends with [`Error::Cancelled`]. While the device works on one
    /// submission the next is made, and the last may still be under way on return.
    pub async fn run(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
        feed: Option<Feed<'_>>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Submitted> {
        self.start(gpu, batch, inputs);
        let (budget, total) = (gpu.piece(), self.steps.len());
        let stretches = match feed {
            Some(_) => self.plan.by_block(),
            None => vec![(0..total, None)],
        };
        let bring = async |stretch: usize| match (feed, stretches.get(stretch)) {
            (Some(feed), Some((_, Some(block)))) => feed.bring(gpu, *block).await,
            _ => Ok(()),
        };
        bring(0).await?;
        let (mut done, mut stretch) = (0, 0);
        let mut before: Option<Submitted> = None;
        loop {
            let reached = self.plan.steps[done.max(1) - 1].layer;
            let mut told = async || match progress(reached, self.plan.blocks()).await {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(Error::Cancelled),
            };
            if let Some(last) = before.take_if(|_| done == total) {
                told().await?;
                return Ok(last);
            }
            let steps = &stretches[stretch].0;
            let (next, submitted) = self.submit(gpu, done, budget, steps.end);
            if done == steps.start {
                // The next block is read while this one computes.
                bring(stretch + 1).await?;
            }
            if let Some(last) = before.replace(submitted) {
                gpu.wait(last).await?;
                told().await?;
            }
            stretch += usize::from(next == steps.end);
            done = next;
        }
    }

    /// Runs step by step; after each, `watch` sees the index of the step and what it wrote.
    pub async fn trace(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
        watch: &mut impl AsyncFnMut(usize, Vec<f32>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.start(gpu, batch, inputs);
        for at in 0..self.steps.len() {
            self.submit(gpu, at, 0.0, at + 1);
            let values = self.read(gpu, self.plan.steps[at].op.writes(), batch).await?;
            if watch(at, values).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }

    pub(super) fn start(&mut self, gpu: &Gpu, batch: usize, inputs: &[(SlotId, Value<'_>)]) {
        assert!((1..=self.plan.batch).contains(&batch), "a batch within the plan's capacity");
        self.set_batch(gpu, batch);
        for (slot, value) in inputs {
            let halves;
            let (bytes, role): (&[u8], Role) = match value {
                Value::F32(values) if self.half[*slot] => {
                    halves = Format::F16.encode(values);
                    (&halves, Role::Input)
                }
                Value::F32(values) => (bytemuck::cast_slice(values), Role::Input),
                Value::Rgba(bytes) => (bytes, Role::Rgba),
            };
            let expected = &self.plan.slots[*slot];
            assert!((expected.role == Role::Rgba) == (role == Role::Rgba), "the slot's own type");
            let size = self.value_bytes(*slot);
            assert_eq!(bytes.len(), size * expected.len(batch), "the slot's own size");
            let stride = (size * expected.plane_stride(self.plan.batch)) as u64;
            for (plane, part) in bytes.chunks_exact(bytes.len() / expected.planes).enumerate() {
                gpu.queue.write_buffer(&self.buffers[slot], plane as u64 * stride, part);
            }
        }
    }

    /// Submits steps from `first` until `budget` is reached, at most to `end`; where it stopped.
    pub(super) fn submit(
        &self,
        gpu: &Gpu,
        first: usize,
        budget: f64,
        end: usize,
    ) -> (usize, Submitted) {
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut flop = 0.0;
        let mut at = first;
        while at < end && (at == first || flop < budget) {
            flop += self.steps[at].flop;
            match &self.steps[at].work {
                Work::Copy(from, to, ranges) => {
                    copy(&mut encoder, [from, to], ranges);
                    at += 1;
                }
                Work::Dispatch(_) => {
                    let mut pass = encoder.begin_compute_pass(&Default::default());
                    flop -= self.steps[at].flop;
                    while at < end
                        && let Work::Dispatch(list) = &self.steps[at].work
                    {
                        dispatch_all(&mut pass, list);
                        flop += self.steps[at].flop;
                        at += 1;
                        if flop >= budget {
                            break;
                        }
                    }
                }
            }
        }
        (at, gpu.submit(encoder))
    }

    /// Copies a slot of one plane into a buffer of its own on the device, `[batch·rows, cols]`.
    pub async fn copy(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<wgpu::Buffer> {
        let s = &self.plan.slots[slot];
        let bytes = 4 * s.plane_len(batch) as u64;
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer(&s.name, bytes, usage).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[&slot], 0, &buffer, 0, bytes);
        gpu.submit(encoder);
        Ok(buffer)
    }

    /// Fills a slot's whole buffer with NaN, so that what a kernel leaves out shows.
    pub fn poison(&self, gpu: &Gpu, slot: SlotId) {
        let s = &self.plan.slots[slot];
        let bytes = self.value_bytes(slot) * s.planes * s.plane_stride(self.plan.batch);
        // All ones are no number in f32 nor in f16.
        gpu.queue.write_buffer(&self.buffers[&slot], 0, &vec![0xff; bytes]);
    }

    pub(super) fn value_bytes(&self, slot: SlotId) -> usize {
        if self.half[slot] { 2 } else { 4 }
    }
}

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

pub(super) fn copy(
    encoder: &mut wgpu::CommandEncoder,
    [from, to]: [&wgpu::Buffer; 2],
    ranges: &[[u64; 3]],
) {
    for [start, end, bytes] in ranges {
        encoder.copy_buffer_to_buffer(from, *start, to, *end, *bytes);
    }
}

impl Gpu {
    /// Work of one submission.
    pub(super) fn piece(&self) -> f64 {
        if self.caps.software { PIECE_SOFTWARE } else { PIECE_GPU }
    }
}
