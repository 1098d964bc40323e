//! What may be taken of memory: by texts, one by one, and by a run in all.

mod picture;

pub use picture::{picture_memory, picture_pixels};

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::error::counted;
use crate::{Error, Result};

/// The most bytes of a `config.json` or of any other text that a model is described by. The largest
/// known has some 100 kB, and as JSON in memory a text may take thirty times its length.
pub const MAX_CONFIG: u64 = 4 << 20;

/// The most bytes of what lists tensors: a safetensors header, or an index of shards. They have a
/// line of some 120 bytes for each tensor, and models of the largest kinds have 140,000 of them.
pub const MAX_LIST: u64 = 32 << 20;

/// The most bytes of a photograph's file: as much as a decoder may unpack, so that a picture without
/// compression fits too.
pub const MAX_PHOTO: u64 = 1 << 30;

/// What a run may take where no budget is given: half of what a WebAssembly module can address.
pub const USUAL: u64 = 2 << 30;

/// A number of bytes from its text, in decimal units or binary ones: `512MB`, `1GB`, `200MiB`.
///
/// # Errors
/// What was expected, where the text is no such number or it is 0.
pub fn parse_size(text: &str) -> std::result::Result<u64, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "kb" => Some(1000),
        "mb" => Some(1_000_000),
        "gb" => Some(1_000_000_000),
        "kib" => Some(1 << 10),
        "mib" => Some(1 << 20),
        "gib" => Some(1 << 30),
        _ => None,
    };
    let number = text[..digits].parse::<u64>().ok().filter(|number| *number > 0);
    number
        .zip(unit)
        .and_then(|(number, unit)| number.checked_mul(unit))
        .ok_or_else(|| "expected a size such as 512MB, 1GB or 200MiB".to_string())
}

/// A run's memory, from which large work draws before it begins.
#[derive(Debug)]
pub struct Budget {
    limit: u64,
    taken: Mutex<u64>,
    returned: Condvar,
}

impl Default for Budget {
    fn default() -> Self {
        Self::new(USUAL)
    }
}

impl Budget {
    /// A budget of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { limit, taken: Mutex::new(0), returned: Condvar::new() }
    }

    /// Seven eighths of what the machine has free, its control group's limit counted.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn of_machine() -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        let free = match system.available_memory() {
            0 => system.total_memory() / 2,
            free => free,
        };
        let group = system.cgroup_limits().map_or(u64::MAX, |group| group.free_memory);
        match free.min(group) {
            0 => Self::default(),
            free => Self::new(free / 8 * 7),
        }
    }

    /// Bytes in all.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// That `bytes` for `what` are within the budget, others' shares apart.
    ///
    /// # Errors
    /// [`Error::Input`] with what is needed and what there is.
    pub fn check(&self, what: impl fmt::Display, bytes: u64) -> Result<()> {
        self.fits(bytes).map_err(|shortage| Error::input(format_args!("{what}: {shortage}")))
    }

    fn fits(&self, needed: u64) -> std::result::Result<(), Shortage> {
        let limit = self.limit;
        if needed <= limit { Ok(()) } else { Err(Shortage { needed, limit }) }
    }

    /// Takes `bytes`, when others have returned enough that they fit.
    ///
    /// # Errors
    /// Where they alone are more than the budget.
    pub fn take(self: &Arc<Self>, bytes: u64) -> std::result::Result<Share, Shortage> {
        self.fits(bytes)?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        // `taken` never passes the limit, so the difference is none below zero.
        while bytes > self.limit - *taken {
            taken = self.returned.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Ok(Share { budget: self.clone(), bytes })
    }
}

/// More was asked for than the whole budget.
#[derive(Clone, Copy, Debug)]
pub struct Shortage {
    needed: u64,
    limit: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (needed, limit) = (Amount(self.needed), Amount(self.limit));
        write!(
            f,
            "needs {needed} of memory, and {limit} may be taken: take a smaller one, or {ADVICE}"
        )
    }
}

/// What an error says where more memory would help.
pub const ADVICE: &str = "allow more memory";

/// A part of a budget, returned when it is dropped.
#[derive(Debug)]
pub struct Share {
    budget: Arc<Budget>,
    bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.budget.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken -= self.bytes;
        self.budget.returned.notify_all();
    }
}

/// Bytes as a person says them.
pub struct Amount(pub u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes @ 0..1_000 => f.write_str(&counted(bytes, "byte")),
            bytes @ 1_000..1_000_000 => write!(f, "{:.1} kB", bytes as f64 / 1e3),
            bytes @ 1_000_000..1_000_000_000 => write!(f, "{:.1} MB", bytes as f64 / 1e6),
            bytes => write!(f, "{:.1} GB", bytes as f64 / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn what_alone_passes_the_budget_is_an_error() {
        let budget = Arc::new(Budget::new(1 << 30));
        assert!(budget.take(3 << 30).is_err());
        let error = budget.check("x.gif", 3 << 30).unwrap_err().to_string();
        let expected = "x.gif: needs 3.2 GB of memory, and 1.1 GB may be taken: ";
        assert!(error.starts_with(expected), "{error}");
        assert!(budget.take(1 << 30).is_ok());
    }

    #[test]
    fn shares_never_pass_the_budget_together() {
        let (budget, now) = (Arc::new(Budget::new(10)), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for thread in 0..8 {
                let (budget, now) = (&budget, &now);
                scope.spawn(move || {
                    for round in 0..200 {
                        let bytes = (thread * 7 + round) % 10 + 1;
                        let share = budget.take(bytes).unwrap();
                        assert!(now.fetch_add(bytes, Ordering::SeqCst) + bytes <= 10);
                        now.fetch_sub(bytes, Ordering::SeqCst);
                        drop(share);
                    }
                });
            }
        });
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }
}
