//! Progress bars: on a terminal, and nowhere else.

use std::cell::Cell;
use std::fmt::Display;
use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use internvit::error::short;

/// A bar over bytes.
pub(super) fn bytes(message: impl Display, total: u64) -> ProgressBar {
    bar(message, total, "{msg:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
}

/// A bar over photographs, with their number a second.
pub(super) fn images(message: &'static str, total: usize) -> ProgressBar {
    let template = "{msg:12} {wide_bar} {pos}/{len} images {per_sec:1} {eta}";
    bar(message, total as u64, template)
}

/// A bar over tasks of equal weight, each of which tells how far it is.
pub(super) struct Share {
    bar: ProgressBar,
    before: Cell<u64>,
}

/// Positions of the bar for one task.
const UNIT: u64 = 1000;

impl Share {
    pub(super) fn new(message: &'static str, tasks: usize) -> Self {
        let bar = bar(message, tasks as u64 * UNIT, "{msg:12} {wide_bar} {percent:3} % {eta}");
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

fn bar(message: impl Display, total: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(short(message, WIDTH));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
