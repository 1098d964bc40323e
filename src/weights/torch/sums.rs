//! Checksums of the storages in torch's archives, compared as they are read.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use flate2::Crc;

use crate::{Error, Result};

/// The CRC-32 of bytes.
pub(super) fn sum(bytes: &[u8]) -> u32 {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum()
}

/// A storage in a file.
pub(super) struct Summed {
    pub(super) name: String,
    pub(super) end: u64,
    pub(super) sum: u32,
}

/// What is known of a file's storages. One that is read from its start to its end, in one piece or in
/// pieces one behind the other, is compared; one of which parts are read is not.
pub(in crate::weights) struct Sums {
    /// By where they start.
    storages: HashMap<u64, Summed>,
    /// The storage that is being read: its start, how far it is, and the sum so far.
    running: Mutex<Option<(u64, u64, Crc)>>,
}

impl Sums {
    pub(super) fn new(storages: HashMap<u64, Summed>) -> Self {
        Self { storages, running: Mutex::new(None) }
    }

    /// Takes what was read at a place of `file`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it ends a storage whose bytes are not those that were written.
    pub(in crate::weights) fn seen(&self, file: &str, at: u64, bytes: &[u8]) -> Result<()> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let (start, before, mut crc) = match running.take() {
            Some((start, before, crc)) if before == at && before > start => (start, before, crc),
            _ if self.storages.contains_key(&at) => (at, at, Crc::new()),
            other => {
                *running = other;
                return Ok(());
            }
        };
        let Some(storage) = self.storages.get(&start) else { return Ok(()) };
        crc.update(bytes);
        let end = before + bytes.len() as u64;
        if end < storage.end {
            *running = Some((start, end, crc));
        } else if end == storage.end && crc.sum() != storage.sum {
            let reason = format!(
                "{}: damaged: its bytes have the checksum {:08x}, expected {:08x}: download the file \
                 again, or save it again",
                storage.name,
                crc.sum(),
                storage.sum
            );
            return Err(Error::checkpoint(file, reason));
        }
        Ok(())
    }
}
