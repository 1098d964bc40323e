//! Running a prepared plan: upload, submit in bounded pieces.

use std::mem::replace;
use std::ops::{ControlFlow, Range};

use web_time::Instant;

use super::buffer::Buffer;
use super::device::{Gpu, Submitted};
use super::dispatch::{copy, dispatch_all};
use super::layout::in_quads;
use super::memory::SMALLER;
use super::pack::Format;
use super::prepare::PreparedPlan;
use super::stream::WeightStreamer;
use crate::plan::{Role, SlotId, Value};
use crate::progress::{LocalBoxFuture, Progress};
use crate::{Error, Result};

/// Operations of the first submissions, before any was measured.
const FIRST: f64 = 20e9;
/// The same for a device that computes on the CPU.
const FIRST_SOFTWARE: f64 = 0.3e9;
/// Operations of a submission at least.
const LEAST: f64 = 0.05e9;

/// A run under way.
struct Run<'a> {
    prepared: &'a PreparedPlan,
    gpu: &'a Gpu,
    streamer: Option<WeightStreamer<'a>>,
    /// All steps; where weights are streamed in ranges, with the block whose weights they use.
    block_ranges: Vec<(Range<usize>, Option<usize>)>,
    /// The range to which the next step belongs.
    range: usize,
    /// The next step.
    next: usize,
    /// When the last submission was over.
    since: Instant,
}

/// A submission that may be under way.
struct Pending {
    submitted: Submitted,
    flop: f64,
    /// The block that it reaches.
    block: usize,
}

impl Run<'_> {
    fn is_done(&self) -> bool {
        self.next == self.prepared.steps.len()
    }

    /// Loads the weights of a range, where they are streamed.
    async fn load(&self, range: usize) -> Result<()> {
        match (self.streamer, self.block_ranges.get(range)) {
            (Some(streamer), Some((_, Some(block)))) => streamer.load_block(self.gpu, *block).await,
            _ => Ok(()),
        }
    }

    /// Submits the next steps. After the first of a range the weights of the next range are read, while
    /// the device computes.
    async fn submit(&mut self) -> Result<Pending> {
        let Self { prepared, gpu, next: first, .. } = *self;
        let range = self.block_ranges[self.range].0.clone();
        let (end, submitted) = prepared.submit(gpu, first, gpu.piece(), range.end);
        if first == range.start {
            self.load(self.range + 1).await?;
        }
        self.range += usize::from(end == range.end);
        self.next = end;
        let flop = prepared.steps[first..end].iter().map(|step| step.flop).sum();
        let block = end.checked_sub(1).map_or(0, |last| prepared.plan.steps[last].layer);
        Ok(Pending { submitted, flop, block })
    }

    /// Waits for a submission; later ones follow what it took.
    async fn wait(&mut self, pending: Pending) -> Result<()> {
        self.gpu.wait(pending.submitted).await?;
        let seconds = replace(&mut self.since, Instant::now()).elapsed().as_secs_f64();
        if self.streamer.is_none() {
            let piece = adapted(self.gpu.piece(), pending.flop, seconds, self.gpu.submission);
            self.gpu.pace.set(piece);
        }
        Ok(())
    }
}

impl PreparedPlan {
    /// Runs for `batch` pictures; outputs stay on the device until they are read. Input slots that
    /// `inputs` leaves out keep what the run before gave them. Where weights are streamed, `streamer`
    /// reads them.
    ///
    /// `progress` is told the block reached and the number of blocks after each submission, and may
    /// stop the run, which then ends with [`Error::Cancelled`]. While the device works on one
    /// submission the next is made, and the last may still be under way on return.
    ///
    /// # Errors
    /// [`Error::Input`] for inputs of another length, [`Error::Cancelled`], [`Error::Device`], and
    /// [`Error::Lost`] where the device was lost.
    pub fn run<'a>(
        &'a mut self,
        gpu: &'a Gpu,
        batch: usize,
        inputs: &'a [(SlotId, Value<'a>)],
        streamer: Option<WeightStreamer<'a>>,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<Submitted>> {
        Box::pin(async move {
            gpu.alive()?;
            self.start(gpu, batch, inputs)?;
            let blocks = self.plan.blocks();
            let block_ranges = match streamer {
                Some(_) => self.plan.by_block(),
                None => vec![(0..self.steps.len(), None)],
            };
            let (prepared, since) = (&*self, Instant::now());
            let mut run = Run { prepared, gpu, streamer, block_ranges, range: 0, next: 0, since };
            run.load(0).await?;
            let mut last = run.submit().await?;
            // The next submission is made while the device works on the last.
            while !run.is_done() {
                let next = run.submit().await?;
                let over = replace(&mut last, next);
                let block = over.block;
                run.wait(over).await?;
                tell(progress, block, blocks).await?;
            }
            tell(progress, last.block, blocks).await?;
            Ok(last.submitted)
        })
    }

    /// Runs step by step; after each, `watch` sees the index of the step and what it wrote.
    ///
    /// # Errors
    /// As [`PreparedPlan::run`].
    pub async fn trace(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
        watch: &mut impl AsyncFnMut(usize, Vec<f32>) -> ControlFlow<()>,
    ) -> Result<()> {
        self.start(gpu, batch, inputs)?;
        for at in 0..self.steps.len() {
            self.submit(gpu, at, 0.0, at + 1);
            let values = self.read(gpu, self.plan.steps[at].y, batch).await?;
            if watch(at, values).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
    }

    /// Sets the batch and uploads the inputs.
    pub(super) fn start(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
    ) -> Result<()> {
        assert!((1..=self.plan.batch).contains(&batch), "a batch within the plan's capacity");
        self.set_batch(gpu, batch);
        for (id, value) in inputs {
            let (slot, extent) = (&self.plan.slots[*id], self.extents.of(*id));
            let (rows, halves);
            let (bytes, rgba): (&[u8], bool) = match value {
                Value::F32(values) => {
                    assert_eq!(values.len(), slot.len(batch), "the slot's own size");
                    rows = in_quads(values, slot.cols, extent.width);
                    if extent.half {
                        halves = Format::F16.encode(&rows);
                        (&halves, false)
                    } else {
                        (bytemuck::cast_slice(&rows), false)
                    }
                }
                Value::Rgba(bytes) => {
                    assert_eq!(bytes.len(), 4 * slot.len(batch), "the slot's own size");
                    (bytes, true)
                }
            };
            assert!((slot.role == Role::Rgba) == rgba, "the slot's own type");
            let stride = extent.bytes(extent.plane_stride);
            for (plane, part) in bytes.chunks_exact(bytes.len() / slot.planes).enumerate() {
                gpu.queue.write_buffer(self.buffer(*id)?, plane as u64 * stride, part);
            }
        }
        Ok(())
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
        let at = self.record(&mut encoder, first, budget, end);
        (at, gpu.submit(encoder))
    }

    /// Records these steps; where it stopped.
    pub(super) fn record(
        &self,
        encoder: &mut wgpu::CommandEncoder,
        first: usize,
        budget: f64,
        end: usize,
    ) -> usize {
        let mut flop = 0.0;
        let mut at = first;
        while at < end && (at == first || flop < budget) {
            if let Some(copied) = &self.steps[at].copy {
                copy(encoder, copied);
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
        at
    }

    /// Copies a slot of one plane into a buffer of its own on the device, `[batch·rows, cols]`, which shaders can read.
    ///
    /// # Errors
    /// [`Error::Device`], and [`Error::Lost`] where the device was lost.
    pub async fn copy(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<Buffer> {
        let (s, extent) = (&self.plan.slots[slot], self.extents.of(slot));
        let usage = wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer(&s.name, 4 * s.plane_len(batch) as u64, usage, SMALLER).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        // Rows of whole quads are one piece.
        let piece = if extent.width == s.cols { s.plane_len(batch) } else { s.cols };
        let bytes = 4 * piece as u64;
        for row in 0..s.plane_len(batch) / piece {
            let from = 4 * (row * extent.width) as u64;
            let source = self.buffer(slot)?;
            encoder.copy_buffer_to_buffer(source, from, &buffer, row as u64 * bytes, bytes);
        }
        gpu.submit(encoder);
        Ok(buffer)
    }

    /// Fills a slot's whole buffer with NaN, so that what a kernel leaves out shows.
    ///
    /// # Errors
    /// [`Error::Device`] for a weight.
    pub fn poison(&self, gpu: &Gpu, slot: SlotId) -> Result<()> {
        // All ones are no number in f32 nor in f16.
        let bytes = vec![0xff; self.extents.of(slot).all() as usize];
        gpu.queue.write_buffer(self.buffer(slot)?, 0, &bytes);
        Ok(())
    }
}

/// Tells progress, which may stop a run.
async fn tell(progress: &mut dyn Progress<usize>, block: usize, blocks: usize) -> Result<()> {
    match progress.report(block, blocks).await {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
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
    use crate::gpu::device::SUBMISSION;

    /// After a number of submissions of a device of a speed, in operations a second, each of which takes
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
