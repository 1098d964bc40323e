//! The state of a device: lost, or with errors that no call returned.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// What is known of a device, shared with those who tell it and with its buffers.
#[derive(Default)]
pub(super) struct Health {
    /// Why it was lost.
    pub(super) lost: OnceLock<String>,
    /// The first error that no call returned.
    pub(super) fault: Mutex<Option<String>>,
    /// Bytes of its buffers.
    pub(super) held: AtomicU64,
    /// Buffers, sets of queries and groups of bindings made so far.
    pub(super) made: AtomicU64,
    /// Submissions so far.
    #[cfg(feature = "language")]
    pub(super) submitted: AtomicU64,
}

/// What a mutex guards, also where a thread that held it has panicked.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Health {
    /// Of a device that has just been opened.
    pub(super) fn watch(device: &wgpu::Device) -> Arc<Self> {
        let health = Arc::new(Self::default());
        let (on_error, on_lost) = (health.clone(), health.clone());
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            lock(&on_error.fault).get_or_insert(e.to_string());
        }));
        device.set_device_lost_callback(move |_, message| on_lost.lose(&message));
        health
    }

    /// It was lost, and why.
    pub(super) fn lose(&self, why: &str) {
        let why = why.trim().trim_end_matches('.');
        let why = if why.is_empty() { "the driver gives no reason" } else { why };
        let _ = self.lost.set(why.into());
    }
}
