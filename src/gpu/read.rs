//! Reading back: from a buffer into staging memory that is kept, from there into vectors.

use futures_channel::oneshot::Receiver;
use half::f16;

use super::buffer::Buffer;
use super::device::{Gpu, Submitted};
use super::memory::SMALLER;
use super::prepare::PreparedPlan;
use crate::order::sort_by_key;
use crate::plan::SlotId;
use crate::{Error, Result};

/// Bytes read back at a time.
const STAGING: u64 = 64 << 20;
/// Staging buffers kept from read to read: one being read while the next is filled.
const KEPT: usize = 2;

/// Values on their way to the host.
pub struct Reading {
    staging: Buffer,
    bytes: u64,
    copied: Submitted,
    mapped: Receiver<std::result::Result<(), wgpu::BufferAsyncError>>,
}

impl Reading {
    /// The values, once the device has got there.
    ///
    /// # Errors
    /// [`Error::Device`], and [`Error::Lost`] where the device was lost.
    pub async fn values<T: bytemuck::Pod>(self, gpu: &Gpu) -> Result<Vec<T>> {
        let mut values = Vec::with_capacity(self.bytes as usize / size_of::<T>());
        self.into(gpu, &mut values).await?;
        Ok(values)
    }

    async fn into<T: bytemuck::Pod>(self, gpu: &Gpu, values: &mut Vec<T>) -> Result<()> {
        gpu.wait(self.copied).await?;
        if let Err(e) = self.mapped.await.map_err(Error::device)?.map_err(Error::device) {
            // A device that is lost may say so after its maps have failed.
            gpu.flush().await?;
            return Err(e);
        }
        let view = self.staging.slice(..self.bytes).get_mapped_range();
        let view = view.map_err(|e| gpu.failed(e))?;
        values.extend_from_slice(bytemuck::cast_slice(&view));
        drop(view);
        self.staging.unmap();
        let mut kept = gpu.staging.borrow_mut();
        kept.push(self.staging);
        sort_by_key(&mut kept, |buffer| std::cmp::Reverse(buffer.size()));
        kept.truncate(KEPT);
        Ok(())
    }
}

impl PreparedPlan {
    /// Reads a slot back: `[planes, batch·rows, cols]`.
    ///
    /// # Errors
    /// [`Error::Device`], and [`Error::Lost`] where the device was lost.
    pub async fn read(&self, gpu: &Gpu, slot: SlotId, batch: usize) -> Result<Vec<f32>> {
        let (s, extent) = (&self.plan.slots[slot], self.extents.of(slot));
        let (buffer, rows) = (self.buffer(slot)?, s.plane_len(batch) / s.cols);
        let bytes = extent.bytes(rows * extent.width);
        let mut values: Vec<f32> = Vec::with_capacity(s.planes * rows * extent.width);
        for plane in 0..s.planes {
            let start = extent.bytes(plane * extent.plane_stride);
            if extent.half {
                let mut halves: Vec<f16> = Vec::new();
                gpu.read_into(buffer, start, bytes, &mut halves).await?;
                values.extend(halves.into_iter().map(f16::to_f32));
            } else {
                gpu.read_into(buffer, start, bytes, &mut values).await?;
            }
        }
        if extent.width > s.cols {
            let own = values.chunks_exact(extent.width).flat_map(|row| &row[..s.cols]);
            values = own.copied().collect();
        }
        Ok(values)
    }

    /// Begins to read an output, `[batch·rows, cols]`, and does not wait; `None` where it is too
    /// large for one piece of staging memory, or its rows are no whole quads.
    ///
    /// # Errors
    /// [`Error::Device`], and [`Error::Lost`] where the device was lost.
    pub async fn begin_read(
        &self,
        gpu: &Gpu,
        slot: SlotId,
        batch: usize,
    ) -> Result<Option<Reading>> {
        let s = &self.plan.slots[slot];
        let bytes = 4 * s.plane_len(batch) as u64;
        if bytes > STAGING || self.extents.of(slot).width != s.cols {
            return Ok(None);
        }
        gpu.begin_read(self.buffer(slot)?, 0, bytes).await.map(Some)
    }
}

impl Gpu {
    /// Reads a buffer of f32 values back.
    ///
    /// # Errors
    /// [`Error::Lost`] where the device, or the one that the buffer was on, was lost.
    pub async fn read(&self, buffer: &Buffer) -> Result<Vec<f32>> {
        self.holds(buffer)?;
        let mut values = Vec::with_capacity(buffer.size() as usize / 4);
        self.read_into(buffer, 0, buffer.size(), &mut values).await?;
        Ok(values)
    }

    pub(super) async fn read_into<T: bytemuck::Pod>(
        &self,
        buffer: &Buffer,
        offset: u64,
        bytes: u64,
        values: &mut Vec<T>,
    ) -> Result<()> {
        for from in (0..bytes).step_by(STAGING as usize) {
            let length = STAGING.min(bytes - from);
            self.begin_read(buffer, offset + from, length).await?.into(self, values).await?;
        }
        Ok(())
    }

    async fn begin_read(&self, buffer: &Buffer, offset: u64, bytes: u64) -> Result<Reading> {
        let encoder = self.device.create_command_encoder(&Default::default());
        self.begin_read_behind(encoder, buffer, offset, bytes).await
    }

    /// Submits what `encoder` recorded, and begins to read what it leaves in a buffer.
    pub(super) async fn begin_read_behind(
        &self,
        mut encoder: wgpu::CommandEncoder,
        buffer: &Buffer,
        offset: u64,
        bytes: u64,
    ) -> Result<Reading> {
        let staging = self.staging(bytes).await?;
        encoder.copy_buffer_to_buffer(buffer, offset, &staging, 0, bytes);
        let copied = self.submit(encoder);
        let (send, mapped) = futures_channel::oneshot::channel();
        staging.slice(..bytes).map_async(wgpu::MapMode::Read, move |result| {
            let _ = send.send(result);
        });
        Ok(Reading { staging, bytes, copied, mapped })
    }

    /// A kept staging buffer of at least `bytes`, or a new one.
    async fn staging(&self, bytes: u64) -> Result<Buffer> {
        let kept = {
            let mut kept = self.staging.borrow_mut();
            let fits = kept.iter().rposition(|buffer| buffer.size() >= bytes);
            fits.map(|at| kept.remove(at))
        };
        match kept {
            Some(buffer) => Ok(buffer),
            None => {
                let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
                self.buffer("staging", bytes, usage, SMALLER).await
            }
        }
    }
}
