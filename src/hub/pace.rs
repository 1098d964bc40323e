//! How long a hub is borne: attempts, waits, a least speed, an end.

use std::time::{Duration, Instant};

use super::http::{Fault, Tried};

/// What is borne of a hub.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// Attempts in a row that bring next to nothing.
    pub(super) tries: u32,
    /// Before the second attempt; twice as long before each further one.
    pub(super) wait: Duration,
    /// Who is told to wait longer than this is told so.
    pub(super) patience: Duration,
    /// A connection that is silent for so long is taken for broken.
    pub(super) silence: Duration,
    /// The time over which the least speed is measured.
    pub(super) window: Duration,
    /// Bytes in that time at least.
    pub(super) least: u64,
    /// An answer other than weights is whole after this.
    pub(super) answer: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            tries: 5,
            wait: Duration::from_millis(500),
            patience: Duration::from_secs(120),
            silence: Duration::from_secs(60),
            window: Duration::from_secs(60),
            least: 60 << 10,
            answer: Duration::from_secs(300),
        }
    }
}

impl Bounds {
    /// For what there is something in place of: two attempts, and no long waits.
    pub(super) fn briefly(self) -> Self {
        let seconds = Duration::from_secs;
        Self {
            tries: 2,
            patience: self.patience.min(seconds(2)),
            silence: self.silence.min(seconds(10)),
            answer: self.answer.min(seconds(30)),
            ..self
        }
    }
}

/// An attempt that brought less than this brought nothing.
const ENOUGH: u64 = 16 << 10;

/// The speed of one answer.
pub(super) struct Pace {
    bounds: Bounds,
    began: Instant,
    window: Instant,
    inside: u64,
    bytes: u64,
    weights: bool,
}

impl Pace {
    pub(super) fn new(bounds: Bounds, weights: bool) -> Self {
        let now = Instant::now();
        Self { bounds, began: now, window: now, inside: 0, bytes: 0, weights }
    }

    /// Further bytes have come, of which `wanted` were not here yet.
    pub(super) fn more(&mut self, bytes: usize, wanted: usize) -> Tried<()> {
        self.bytes += wanted as u64;
        self.inside += bytes as u64;
        if !self.weights && self.began.elapsed() > self.bounds.answer {
            let seconds = self.bounds.answer.as_secs();
            let reason = format!("an answer that has no end after {seconds} s");
            // Longer than anybody waits: it is not asked for again.
            return Err(Fault::Passing { reason, wait: Some(Duration::MAX) });
        }
        if self.window.elapsed() > self.bounds.window {
            if self.inside < self.bounds.least {
                self.bytes = 0;
                let (bytes, seconds) = (self.inside, self.window.elapsed().as_secs());
                return Err(Fault::passing(format!("too slow: {bytes} bytes in {seconds} s")));
            }
            (self.window, self.inside) = (Instant::now(), 0);
        }
        Ok(())
    }

    /// Whether the answer brought enough for patience to begin again.
    pub(super) fn moved(&self) -> bool {
        self.bytes >= ENOUGH
    }
}
