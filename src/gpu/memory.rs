//! Memory of a device: asked for piece by piece, each with an error that names it.

use std::sync::atomic::Ordering;

use super::buffer::Buffer;
use super::device::Gpu;
use crate::{Error, Result};

/// What helps where activations do not fit.
pub(super) const SMALLER: &str = "take a smaller picture, or fewer at once";

/// What helps where keys and values do not fit.
#[cfg(feature = "language")]
pub(super) const SHORTER: &str = "begin a new conversation, or cut pictures into fewer tiles";

impl Gpu {
    /// Bytes of the buffers that are held on it.
    pub fn held(&self) -> u64 {
        self.health.held.load(Ordering::Relaxed)
    }

    /// Buffers, sets of queries and groups of bindings that were made since it was opened: none of them in a run of a
    /// prepared plan.
    pub fn made(&self) -> u64 {
        self.health.made.load(Ordering::Relaxed)
    }

    /// Submissions since it was opened.
    #[cfg(feature = "language")]
    pub fn submissions(&self) -> u64 {
        self.health.submitted.load(Ordering::Relaxed)
    }

    /// A buffer, or an error that names it, where the device has no memory left or allows none so
    /// large; `help` says what would take less.
    pub(super) async fn buffer(
        &self,
        label: &str,
        bytes: u64,
        usage: wgpu::BufferUsages,
        help: &str,
    ) -> Result<Buffer> {
        let size = bytes.max(16);
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let raw =
            self.allocate(label, size, help, || self.device.create_buffer(&descriptor)).await?;
        Ok(Buffer::new(raw, self.health.clone()))
    }

    /// Makes something that takes `bytes` of the device's memory.
    pub(super) async fn allocate<T>(
        &self,
        label: &str,
        bytes: u64,
        help: &str,
        make: impl FnOnce() -> T,
    ) -> Result<T> {
        self.alive()?;
        let (name, held) = (&self.report.name, self.held());
        if bytes > self.caps.max_buffer {
            let most = self.caps.max_buffer;
            return Err(Error::device(format!(
                "{label}: {bytes} bytes, but {name} allows buffers of {most} bytes; {help}"
            )));
        }
        let none = |why: &str| {
            Error::device(format!(
                "{label}: {name} has no memory for {bytes} bytes beside the {held} in use{why}; \
                 {help}"
            ))
        };
        if self.caps.free.is_some_and(|free| held + bytes > free) || self.faults.starved() {
            return Err(none(""));
        }
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let made = make();
        self.health.made.fetch_add(1, Ordering::Relaxed);
        match scope.pop().await {
            None => self.alive().map(|()| made),
            Some(e) => Err(none(&format!(" ({e})"))),
        }
    }

    /// Whether a buffer lies here, and not on a device that was lost or left since.
    pub(super) fn holds(&self, buffer: &Buffer) -> Result<()> {
        self.alive()?;
        match buffer.lies_on(&self.health) {
            true => Ok(()),
            false => Err(Error::Lost(
                "these features went with the device on which they lay; encode the picture again"
                    .into(),
            )),
        }
    }
}
