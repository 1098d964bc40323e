//! Whether weights fit, before minutes are spent on reading them.

use crate::{Error, Result};

/// Bytes of the host's memory that can be had, where the system says.
pub(crate) fn free_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// An error where weights of `needed` bytes do not fit into the `free` ones of `place`.
pub(crate) fn fits(needed: u64, free: Option<u64>, place: &str) -> Result<()> {
    match free {
        Some(free) if needed > free => {
            let gb = |bytes: u64| bytes as f64 / 1e9;
            let reason = format!(
                "the weights take {:.3} GB, {place} has {:.3} GB free",
                gb(needed),
                gb(free)
            );
            Err(Error::device(format!("{reason}; {CHOICES}")))
        }
        _ => Ok(()),
    }
}

/// What helps where memory does not suffice.
pub(crate) const CHOICES: &str = "smaller are 8 and 4 bits (int8, int4); streamed, \
    blocks stay on disk; the CPU takes the host's memory";
