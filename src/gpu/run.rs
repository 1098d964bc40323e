//! Running a prepared plan: upload, submit in bounded pieces.

use std::mem::replace;
use std::ops::ControlFlow;

use web_time::Instant;

use super::memory::SMALLER;
use super::pack::Format;
use super::prepare::Dispatch;
use super::steps::Copy;
use super::{Buffer, Feed, Gpu, Prepared, Submitted};
use crate::plan::{Role, SlotId, Value};
use crate::progress::{LocalBoxFuture, Progress};
use crate::{Error, Result};

/// Seconds that a submission should take: far from any watchdog's patience, long enough to keep a GPU
/// busy.
pub(super) const SUBMISSION: f64 = 0.2;
/// Operations of the first submissions, before any was measured.
const FIRST: f64 = 20e9;
/// The same for a device that computes on the CPU.
const FIRST_SOFTWARE: f64 = 0.3e9;
/// Operations of a submission at least.
const LEAST: f64 = 0.05e9;

impl Prepared {
    /// Runs for `batch` pictures; outputs stay on the device until they are read. Input slots that
    /// `inputs` leaves out keep what the run before gave them. Where weights are streamed, `feed`
    /// brings them.
    ///
    /// `progress` is told the block reached and the number of blocks after each submission, and may
    /// stop the run, which then ends with [`Error::Cancelled`]. While the device works on one
    /// submission the next is made, and the last may still be under way on return.
    pub fn run<'a>(
        &'a mut self,
        gpu: &'a Gpu,
        batch: usize,
        inputs: &'a [(SlotId, Value<'a>)],
        feed: Option<Feed<'a>>,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<Submitted>> {
        Box::pin(async move {
            gpu.alive()?;
            self.start(gpu, batch, inputs);
            let total = self.steps.len();
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
            let mut before: Option<(f64, Submitted)> = None;
            let mut since = Instant::now();
            loop {
                let reached = self.plan.steps[done.max(1) - 1].layer;
                let mut told = async || match progress.told(reached, self.plan.blocks()).await {
                    ControlFlow::Continue(()) => Ok(()),
                    ControlFlow::Break(()) => Err(Error::Cancelled),
                };
                if let Some((_, last)) = before.take_if(|_| done == total) {
                    told().await?;
                    return Ok(last);
                }
                let steps = &stretches[stretch].0;
                let (next, submitted) = self.submit(gpu, done, gpu.piece(), steps.end);
                let flop = self.steps[done..next].iter().map(|step| step.flop).sum();
                if done == steps.start {
                    // The next block is read while this one computes.
                    bring(stretch + 1).await?;
                }
                if let Some((flop, last)) = before.replace((flop, submitted)) {
                    gpu.wait(last).await?;
                    let seconds = replace(&mut since, Instant::now()).elapsed().as_secs_f64();
                    if feed.is_none() {
                        gpu.pace.set(adapted(gpu.piece(), flop, seconds, gpu.submission));
                    }
                    told().await?;
                }
                stretch += usize::from(next == steps.end);
                done = next;
            }
        })
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
            let values = self.read(gpu, self.plan.steps[at].y, batch).await?;
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
            let size = self.bytes_of(*slot);
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
            if let Some(copied) = &self.steps[at].copy {
                copy(&mut encoder, copied);
            }
            // One pass takes all dispatches up to the next copy.
            let mut pass = encoder.begin_compute_pass(&Default::default());
            loop {
                dispatch_all(&mut pass, &self.steps[at].dispatches);
                flop += self.steps[at].flop;
                at += 1;
                if at >= end || flop >= budget || self.steps[at].copy.is_some() {
                    break;
                }
            }
        }
        (at, gpu.submit(encoder))
    }

    /// Copies a slot of one plane into a buffer of its own on the device, `[batch·rows, cols]`.
    pub async fn copy(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<Buffer> {
        let s = &self.plan.slots[slot];
        let bytes = 4 * s.plane_len(batch) as u64;
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer(&s.name, bytes, usage, SMALLER).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[&slot], 0, &buffer, 0, bytes);
        gpu.submit(encoder);
        Ok(buffer)
    }

    /// Fills a slot's whole buffer with NaN, so that what a kernel leaves out shows.
    pub fn poison(&self, gpu: &Gpu, slot: SlotId) {
        let s = &self.plan.slots[slot];
        let bytes = self.bytes_of(slot) * s.planes * s.plane_stride(self.plan.batch);
        // All ones are no number in f32 nor in f16.
        gpu.queue.write_buffer(&self.buffers[&slot], 0, &vec![0xff; bytes]);
    }

    /// Bytes of a value of a slot that is no weight.
    pub(super) fn bytes_of(&self, slot: SlotId) -> usize {
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

pub(super) fn copy(encoder: &mut wgpu::CommandEncoder, Copy { from, to, ranges }: &Copy) {
    for [start, end, bytes] in ranges {
        encoder.copy_buffer_to_buffer(from, *start, to, *end, *bytes);
    }
}

impl Gpu {
    /// Operations of one submission.
    pub(super) fn piece(&self) -> f64 {
        match self.pace.get() {
            0.0 if self.caps.software => FIRST_SOFTWARE,
            0.0 => FIRST,
            measured => measured,
        }
    }
}

/// Operations of the submissions to come, `piece` until now, after one of `flop` took `seconds`:
/// towards what takes `wanted` seconds, by steps that a single stall does not lead astray.
fn adapted(piece: f64, flop: f64, seconds: f64, wanted: f64) -> f64 {
    // A small one that was soon over took its time to be started.
    if seconds < wanted && flop < piece / 2.0 {
        return piece;
    }
    (flop * wanted / seconds).clamp(piece / 4.0, piece * 2.0).max(LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After so many submissions of a device of a speed, in operations a second, each of which takes
    /// `start` seconds to begin.
    fn after(submissions: usize, mut piece: f64, speed: f64, start: f64) -> f64 {
        for _ in 0..submissions {
            piece = adapted(piece, piece, start + piece / speed, SUBMISSION);
        }
        piece
    }

    #[test]
    fn submissions_come_to_take_the_time_wanted() {
        for speed in [1e9, 1e11, 1e13, 1e15] {
            for start in [0.0, 0.02] {
                let piece = after(20, FIRST, speed, start);
                let seconds = start + piece / speed;
                assert!((0.15..0.21).contains(&seconds), "{speed}: {seconds} s");
            }
        }
        assert_eq!(after(50, FIRST, 1e6, 0.0), LEAST);
    }

    #[test]
    fn what_says_little_changes_little() {
        // The short rest of a run.
        assert_eq!(adapted(1e12, 1e9, 0.01, SUBMISSION), 1e12);
        // A clock that does not advance, and a machine that slept.
        assert_eq!(adapted(1e12, 1e12, 0.0, SUBMISSION), 2e12);
        assert_eq!(adapted(1e12, 1e12, 1e4, SUBMISSION), 0.25e12);
        // A step that cannot be cut took too long.
        assert_eq!(adapted(1e12, 0.4e12, 0.4, SUBMISSION), 0.25e12);
    }
}
