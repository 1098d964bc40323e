//! A benchmark: one encoding measured again and again, and where its time goes.

use std::cell::Cell;
use std::ops::ControlFlow;

use serde_json::{Value, json};

use crate::gpu::Ceilings;
use crate::images::Images;
use crate::order::sort_by;
use crate::session::{Profile, Row};
use crate::{Encoder, Result};

/// Seconds for the encodings, and for the profiled ones, where their number is not given.
const ENCODING: f64 = 12.0;
const PROFILING: f64 = 8.0;
/// Seconds of warming up, unless one encoding takes longer.
const WARMING: f64 = 0.5;
/// Encodings where their number is not given and time allows.
const RUNS: usize = 10;

/// What [`measure`] measured; times in seconds, memory in bytes.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Pictures of one encoding.
    pub batch: usize,
    /// Tokens of a picture.
    pub tokens: usize,
    /// Buffers and pipelines; nothing on the CPU.
    pub prepared: f64,
    /// The first encoding after that.
    pub first: f64,
    /// Whether the first encoding is left out of `times`.
    pub warm: bool,
    /// The encodings, shortest first.
    pub times: Vec<f64>,
    /// The profile of middle length, its rows the longest first.
    pub profile: Profile,
    /// Weights on the device.
    pub weights: u64,
    /// Activations on the device.
    pub slots: u64,
}

/// Encodes `images` again and again: `runs` times after a warm-up, then profiled as often; if
/// left out ten times, or as often as some 20 s allow, at least once (where the first encoding
/// alone takes longer, that one). `clock` tells seconds from any start; `progress` is told the
/// part done, 0 to 1, and may stop.
///
/// # Errors
/// As [`Encoder::encode`].
pub async fn measure(
    encoder: &mut Encoder,
    images: Images<'_>,
    runs: Option<usize>,
    clock: &dyn Fn() -> f64,
    progress: &mut impl AsyncFnMut(f64) -> ControlFlow<()>,
) -> Result<Measured> {
    let parts = (1 + 2 * runs.unwrap_or(RUNS)) as f64;
    let done = Cell::new(0.0);
    // One closure for all, since each makes its own copy of the encoder's code.
    let mut on_progress = async |block: usize, blocks: usize| {
        progress((done.get() + block as f64 / blocks.max(1) as f64) / parts).await
    };
    let start = clock();
    encoder.session_mut().prepare(images).await?;
    let prepared = clock() - start;
    let start = clock();
    let features = encoder.encode(images, &[], &mut on_progress).await?;
    let first = clock() - start;
    while clock() - start < WARMING {
        encoder.encode(images, &[], &mut on_progress).await?;
    }
    done.set(1.0);
    // Where one encoding fills the budget, another would only double the wait.
    let warm = runs.is_some() || first <= ENCODING;
    let mut times = if warm { Vec::new() } else { vec![first] };
    let since = clock();
    while warm && more(runs, times.len(), clock() - since, ENCODING) {
        let start = clock();
        encoder.encode(images, &[], &mut on_progress).await?;
        times.push(clock() - start);
        done.set(done.get() + 1.0);
    }
    let mut profiles: Vec<Profile> = Vec::new();
    let since = clock();
    while more(runs, profiles.len(), clock() - since, PROFILING) {
        profiles.push(encoder.session_mut().profile(images, clock, &mut on_progress).await?);
        done.set(done.get() + 1.0);
    }
    sort_by(&mut times, f64::total_cmp);
    sort_by(&mut profiles, |a, b| a.summed().total_cmp(&b.summed()));
    let mut profile = profiles.swap_remove(profiles.len() / 2);
    sort_by(&mut profile.rows, |a, b| b.seconds.total_cmp(&a.seconds));
    Ok(Measured {
        batch: features.batch,
        tokens: features.tensors["last_hidden_state"].shape[1],
        prepared,
        first,
        warm,
        times,
        profile,
        weights: encoder.weight_bytes(),
        slots: encoder.session().slot_bytes(),
    })
}

/// Whether another run is wanted after `done` in `seconds`.
fn more(runs: Option<usize>, done: usize, seconds: f64, budget: f64) -> bool {
    match runs {
        Some(runs) => done < runs,
        None => done == 0 || done < RUNS && seconds + seconds / done as f64 <= budget,
    }
}

impl Measured {
    /// The middle one of the encodings' times.
    pub fn median(&self) -> f64 {
        let n = self.times.len();
        (self.times[(n - 1) / 2] + self.times[n / 2]) / 2.0
    }

    /// The longest of them.
    pub fn longest(&self) -> f64 {
        self.times.iter().copied().fold(0.0, f64::max)
    }

    /// Pictures a second.
    pub fn images_per_second(&self) -> f64 {
        self.batch as f64 / self.median()
    }

    /// As JSON: `encode`, `ceilings`, `memory` and `profile`, units in the names. `first_result`
    /// holds what happened before, in seconds, by name.
    pub fn json(&self, ceilings: &Ceilings, first_result: &[(&str, f64)]) -> Value {
        let (profile, median) = (&self.profile, self.median());
        let row = |row: &Row| {
            let (share, bound) = row.share(ceilings);
            json!({
                "kernel": row.kernel, "operation": row.operation, "dispatches": row.dispatches,
                "ms": 1e3 * row.seconds, "share": row.seconds / profile.summed(),
                "gflop_per_s": row.flop / row.seconds / 1e9,
                "gb_per_s": row.bytes / row.seconds / 1e9,
                "bound": bound, "of_ceiling": share,
            })
        };
        let before = first_result.iter().map(|(name, s)| (format!("{name}_ms"), json!(1e3 * s)));
        let here = [("pipelines_ms", self.prepared), ("first_run_ms", self.first)];
        let here = here.map(|(name, s)| (name.to_string(), json!(1e3 * s)));
        json!({
            "batch": self.batch, "tokens": self.tokens,
            "encode": {
                "runs": self.times.len(), "warm": self.warm, "median_ms": 1e3 * median,
                "min_ms": 1e3 * self.times[0], "max_ms": 1e3 * self.longest(),
                "images_per_s": self.images_per_second(),
                "gflop": profile.flop() / 1e9, "gflop_per_s": profile.flop() / median / 1e9,
            },
            "first_result": before.chain(here).collect::<serde_json::Map<_, _>>(),
            "ceilings": {
                "copy_gb_per_s": ceilings.copy / 1e9,
                "product_gflop_per_s": ceilings.product / 1e9,
                "product_side": ceilings.side,
            },
            "memory": { "weight_bytes": self.weights, "slot_bytes": self.slots },
            "profile": {
                "timer": profile.timer, "run_ms": 1e3 * profile.seconds,
                "kernels_ms": 1e3 * profile.summed(),
                "kernels": profile.rows.iter().map(row).collect::<Vec<_>>(),
            },
        })
    }
}
