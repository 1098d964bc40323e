//! Devices that are lost or full on purpose, and kernels that are wrong, for tests of what happens then.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

#[cfg(feature = "probe")]
use super::family::Family;
use super::health::lock;

/// Loses a device, also while it is lent to a run, takes its memory, or makes kernels wrong.
#[derive(Clone, Default)]
pub struct FaultInjector(Arc<Mutex<Faults>>);

#[derive(Default)]
struct Faults {
    /// Submissions after which the device is lost.
    losses: VecDeque<u32>,
    /// Allocations after which there is no memory for one.
    shortages: VecDeque<u32>,
    #[cfg(feature = "probe")]
    wrong: Option<Family>,
}

impl FaultInjector {
    /// Loses the device after a number of submissions, and once it was opened again that one after
    /// the next number, and so on.
    pub fn lose_after(&self, submissions: &[u32]) {
        lock(&self.0).losses = submissions.iter().copied().collect();
    }

    /// Leaves no memory for one allocation after a number of others, nor for one after the next number, and so on.
    pub fn starve_after(&self, allocations: &[u32]) {
        lock(&self.0).shortages = allocations.iter().copied().collect();
    }

    /// Makes the products of a family leave out their last row.
    #[cfg(feature = "probe")]
    pub fn make_wrong(&self, family: Family) {
        lock(&self.0).wrong = Some(family);
    }

    /// Counts a submission; whether the device is to be lost now.
    pub(super) fn due(&self) -> bool {
        count(&mut lock(&self.0).losses)
    }

    /// Counts an allocation; whether there is to be no memory for it.
    pub(super) fn starved(&self) -> bool {
        count(&mut lock(&self.0).shortages)
    }

    /// The number of rows that a family's product computes correctly.
    #[cfg(feature = "probe")]
    pub(super) fn rows(&self, family: Family, rows: usize) -> usize {
        rows - usize::from(lock(&self.0).wrong == Some(family))
    }
}

/// Counts down to the next fault; whether it is due.
fn count(left: &mut VecDeque<u32>) -> bool {
    match left.front_mut() {
        Some(0) => left.pop_front().is_some(),
        Some(more) => {
            *more -= 1;
            false
        }
        None => false,
    }
}
