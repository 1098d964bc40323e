//! Buffers, counted.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::health::Health;

/// A buffer on a device, until its last clone is let go.
#[derive(Clone)]
pub struct Buffer(Arc<Owned>);

struct Owned {
    raw: wgpu::Buffer,
    bytes: u64,
    of: Arc<Health>,
}

impl Buffer {
    /// Counts a new buffer among those of a device.
    #[allow(clippy::arc_with_non_send_sync, reason = "a browser's buffers stay on their thread")]
    pub(super) fn new(raw: wgpu::Buffer, of: Arc<Health>) -> Self {
        let bytes = raw.size();
        of.held.fetch_add(bytes, Ordering::Relaxed);
        Self(Arc::new(Owned { raw, bytes, of }))
    }

    /// Whether it lies on the device of this health.
    pub(super) fn lies_on(&self, health: &Arc<Health>) -> bool {
        Arc::ptr_eq(&self.0.of, health)
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // A browser would keep its memory until garbage is collected, and does not know how much it is.
        self.raw.destroy();
        self.of.held.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Deref for Buffer {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        &self.0.raw
    }
}
