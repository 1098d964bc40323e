//! Devices that are lost on purpose, for tests of what happens then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use super::health::lock;

/// Loses a device, also while it is lent to a run.
#[derive(Clone, Default)]
pub struct FaultInjector(Arc<Mutex<VecDeque<u32>>>);

impl FaultInjector {
    /// Loses the device after a number of submissions, and once it was opened again that one after
    /// the next number, and so on.
    pub fn lose_after(&self, submissions: &[u32]) {
        *lock(&self.0) = submissions.iter().copied().collect();
    }

    /// Counts a submission; whether the device is to be lost now.
    pub(super) fn due(&self) -> bool {
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
