//! How far long work is: a bar on a terminal, lines of JSON where these are asked for, else nothing.

use std::cell::Cell;
use std::fmt::Display;
use std::io::IsTerminal;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use internvit::error::short;
use serde_json::json;

/// How the progress of long work is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    /// A bar on a terminal, nothing elsewhere
    #[default]
    Auto,
    /// A line of JSON on standard error: stage, done, total, unit, seconds
    Json,
    /// Nothing
    None,
}

static MODE: OnceLock<Mode> = OnceLock::new();

/// Sets the mode of this run.
pub(super) fn set(mode: Mode) {
    let _ = MODE.set(mode);
}

/// How far one piece of work is.
pub(super) struct Bar {
    bar: ProgressBar,
    lines: Option<Lines>,
}

/// What lines of JSON say beside the bar's own numbers.
struct Lines {
    stage: String,
    unit: &'static str,
    begun: Instant,
    /// When the last was written, and what was done then.
    last: Mutex<Option<(Instant, u64)>>,
}

/// Lines come no more often.
const PAUSE: Duration = Duration::from_millis(250);

impl Bar {
    /// One of which nothing is seen.
    pub(super) fn hidden() -> Self {
        Self { bar: ProgressBar::hidden(), lines: None }
    }

    fn new(stage: impl Display, total: u64, unit: &'static str, template: &str) -> Self {
        let mode = MODE.get().copied().unwrap_or_default();
        let stage = short(stage, WIDTH);
        if mode == Mode::Json {
            let lines = Lines { stage, unit, begun: Instant::now(), last: Mutex::new(None) };
            let bar = Self { bar: ProgressBar::hidden(), lines: Some(lines) };
            bar.bar.set_length(total);
            bar.tell(true);
            return bar;
        }
        if mode == Mode::None || !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let style = ProgressStyle::with_template(template);
        let bar = ProgressBar::new(total)
            .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
            .with_message(stage);
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar, lines: None }
    }

    pub(super) fn set_length(&self, total: u64) {
        self.bar.set_length(total);
    }

    pub(super) fn set_position(&self, done: u64) {
        self.bar.set_position(done);
        self.tell(false);
    }

    pub(super) fn inc(&self, more: u64) {
        self.bar.inc(more);
        self.tell(false);
    }

    /// Does something that writes to the terminal.
    pub(super) fn suspend(&self, work: impl FnOnce()) {
        self.bar.suspend(work);
    }

    pub(super) fn finish_and_clear(&self) {
        self.tell(true);
        self.bar.finish_and_clear();
    }

    /// Writes a line, unless the last one is too fresh and neither this is `due` nor all is done.
    fn tell(&self, due: bool) {
        let Some(Lines { stage, unit, begun, last }) = &self.lines else { return };
        let (done, total) = (self.bar.position(), self.bar.length().unwrap_or(0));
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        let (fresh, same) = last.map_or((false, false), |(when, what)| {
            (when.elapsed() < PAUSE, what == done && done > 0)
        });
        if same || fresh && !due && done < total {
            return;
        }
        *last = Some((Instant::now(), done));
        let seconds = (begun.elapsed().as_secs_f64() * 1e3).round() / 1e3;
        let line = json!({
            "stage": stage, "done": done, "total": total, "unit": unit, "seconds": seconds,
        });
        report!("{line}");
    }
}

/// A bar over bytes.
pub(super) fn bytes(message: impl Display, total: u64) -> Bar {
    let template = "{msg:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}";
    Bar::new(message, total, "bytes", template)
}

/// A bar over photographs, with their number a second.
pub(super) fn images(message: &'static str, total: usize) -> Bar {
    let template = "{msg:12} {wide_bar} {pos}/{len} images {per_sec:1} {eta}";
    Bar::new(message, total as u64, "images", template)
}

/// A bar over tasks of equal weight, each of which reports its progress.
pub(super) struct Share {
    bar: Bar,
    before: Cell<u64>,
}

/// Positions of the bar for one task.
const UNIT: u64 = 1000;

impl Share {
    pub(super) fn new(message: &'static str, tasks: usize) -> Self {
        let template = "{msg:12} {wide_bar} {percent:3} % {eta}";
        let bar = Bar::new(message, tasks as u64 * UNIT, "thousandths", template);
        Self { bar, before: Cell::new(0) }
    }

    /// The present task has done `done` of `total`.
    pub(super) fn set(&self, done: usize, total: usize) {
        self.bar.set_position(self.before.get() + UNIT * done as u64 / total.max(1) as u64);
    }

    /// The present task is done.
    pub(super) fn next(&self) {
        self.before.set(self.before.get() + UNIT);
        self.bar.set_position(self.before.get());
    }

    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Bytes of the text before a bar at most.
const WIDTH: usize = 40;
