//! What becomes of a device: lost, or with errors that no call returned.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::Gpu;
use crate::{Error, Result};

/// What is known of a device, shared with those who tell it and with its buffers.
#[derive(Default)]
pub(super) struct Health {
    /// Why it was lost.
    lost: OnceLock<String>,
    /// The first error that no call returned.
    fault: Mutex<Option<String>>,
    /// Bytes of its buffers.
    pub(super) held: AtomicU64,
}

/// Loses devices for tests, also while they are lent to a run.
#[derive(Clone, Default)]
pub struct Lever(Arc<Mutex<VecDeque<u32>>>);

impl Lever {
    /// Loses the device after so many more submissions, and once it was opened anew that one after
    /// the next number, and so on.
    pub fn pull(&self, submissions: &[u32]) {
        *lock(&self.0) = submissions.iter().copied().collect();
    }

    /// Counts a submission; whether the device is to be lost now.
    pub(super) fn falls(&self) -> bool {
        let mut left = lock(&self.0);
        match left.front_mut() {
            Some(0) => left.pop_front().is_some(),
            Some(more) => {
                *more -= 1;
                false
            }
            None => false,
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
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

impl Gpu {
    /// Destroys the device, as a driver that is reset does: for tests.
    pub fn lose(&self) {
        self.device.destroy();
        self.health.lose("it was destroyed");
    }

    /// The device for another model: its kernels stay compiled. None where it was lost.
    pub fn emptied(self) -> Option<Self> {
        self.staging.borrow_mut().clear();
        self.alive().is_ok().then_some(self)
    }

    /// What loses the device while it is lent to a run: for tests.
    pub fn lever(&self) -> Lever {
        self.lever.clone()
    }

    /// [`Error::Lost`] where the device was lost.
    pub(super) fn alive(&self) -> Result<()> {
        match self.health.lost.get() {
            None => Ok(()),
            Some(why) => Err(Error::Lost(format!(
                "{} stopped: {why}; close what else uses it, take a smaller batch or picture, or \
                 compute on the CPU",
                self.report.name
            ))),
        }
    }

    /// The error of a call that failed: all calls do where the device was lost.
    pub(super) fn failed(&self, reason: impl Display) -> Error {
        self.alive().err().unwrap_or_else(|| Error::device(reason))
    }

    /// The first error that no call returned, once; always that the device was lost.
    pub(super) fn check(&self) -> Result<()> {
        self.alive()?;
        lock(&self.health.fault).take().map_or(Ok(()), |reason| Err(Error::Device(reason)))
    }
}
