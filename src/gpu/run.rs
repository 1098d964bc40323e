//! Running a prepared plan: upload, submit in bounded pieces, read back.

use std::ops::ControlFlow;

use half::f16;

use super::pack::Format;
use super::prepare::{Dispatch, Work};
use super::{Gpu, Prepared};
use crate::plan::{Role, SlotId, Value};
use crate::{Error, Result};

/// Work of one submission: short enough for any watchdog, long enough to keep a GPU busy.
const PIECE_GPU: f64 = 100e9;
/// The same for a device that computes on the CPU.
const PIECE_SOFTWARE: f64 = 0.3e9;
/// Bytes read back at a time.
const STAGING: u64 = 64 << 20;

impl Prepared {
    /// Runs for `batch` pictures; outputs stay on the device until [`Prepared::read`].
    ///
    /// `progress` is told the block reached and the number of blocks after each submission, and may
    /// stop the run, which then ends with [`Error::Cancelled`].
    pub async fn run(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<()> {
        self.start(gpu, batch, inputs);
        let budget = gpu.piece();
        let total = self.steps.len();
        let mut done = 0;
        while done < total {
            done = self.submit(gpu, done, budget, total);
            gpu.finished().await?;
            let block = self.plan.steps[done - 1].layer;
            if progress(block, self.plan.blocks()).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(())
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
    pub(super) fn submit(&self, gpu: &Gpu, first: usize, budget: f64, end: usize) -> usize {
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
        gpu.queue.submit([encoder.finish()]);
        at
    }

    /// Reads a slot back: `[planes, batch·rows, cols]`.
    pub async fn read(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<Vec<f32>> {
        let s = &self.plan.slots[slot];
        let mut values = Vec::with_capacity(s.len(batch));
        for plane in 0..s.planes {
            let size = self.value_bytes(slot);
            let start = (size * plane * s.plane_stride(self.plan.batch)) as u64;
            let bytes = (size * s.plane_len(batch)) as u64;
            if self.half[slot] {
                let mut halves: Vec<f16> = Vec::new();
                gpu.read_into(&self.buffers[&slot], start, bytes, &mut halves).await?;
                values.extend(halves.into_iter().map(f16::to_f32));
            } else {
                gpu.read_into(&self.buffers[&slot], start, bytes, &mut values).await?;
            }
        }
        Ok(values)
    }

    /// Copies a slot of one plane into a buffer of its own on the device, `[batch·rows, cols]`.
    pub async fn copy(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<wgpu::Buffer> {
        let s = &self.plan.slots[slot];
        let bytes = 4 * s.plane_len(batch) as u64;
        let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
        let buffer = gpu.buffer(&s.name, bytes, usage).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.buffers[&slot], 0, &buffer, 0, bytes);
        gpu.queue.submit([encoder.finish()]);
        Ok(buffer)
    }

    /// Fills a slot's whole buffer with NaN, so that what a kernel leaves out shows.
    pub fn poison(&self, gpu: &Gpu, slot: SlotId) {
        let s = &self.plan.slots[slot];
        let bytes = self.value_bytes(slot) * s.planes * s.plane_stride(self.plan.batch);
        // All ones are no number in f32 nor in f16.
        gpu.queue.write_buffer(&self.buffers[&slot], 0, &vec![0xff; bytes]);
    }

    fn value_bytes(&self, slot: SlotId) -> usize {
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

    /// Reads a buffer of f32 values back.
    pub async fn read(&self, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(buffer.size() as usize / 4);
        self.read_into(buffer, 0, buffer.size(), &mut values).await?;
        Ok(values)
    }

    pub(super) async fn read_into<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        offset: u64,
        bytes: u64,
        values: &mut Vec<T>,
    ) -> Result<()> {
        for from in (0..bytes).step_by(STAGING as usize) {
            let length = STAGING.min(bytes - from);
            self.read_piece(buffer, offset + from, length, values).await?;
        }
        Ok(())
    }

    async fn read_piece<T: bytemuck::Pod>(
        &self,
        buffer: &wgpu::Buffer,
        offset: u64,
        bytes: u64,
        values: &mut Vec<T>,
    ) -> Result<()> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.buffer("staging", bytes, usage).await?;
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
        self.queue.submit([encoder.finish()]);
        let (send, receive) = futures_channel::oneshot::channel();
        staging.slice(..bytes).map_async(wgpu::MapMode::Read, move |result| {
            let _ = send.send(result);
        });
        self.finished().await?;
        receive.await.map_err(Error::device)?.map_err(Error::device)?;
        let view = staging.slice(..bytes).get_mapped_range().map_err(Error::device)?;
        values.extend_from_slice(bytemuck::cast_slice(&view));
        Ok(())
    }
}
