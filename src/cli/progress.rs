//! Progress bars: on a terminal, and nowhere else.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over bytes.
pub(super) fn bytes(message: &'static str, total: u64) -> ProgressBar {
    bar(message, total, "{msg:12} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec} {eta}")
}

/// A bar over pieces of work.
pub(super) fn steps(message: &'static str, total: u64) -> ProgressBar {
    bar(message, total, "{msg:12} {wide_bar} {pos}/{len} {eta}")
}

fn bar(message: &'static str, total: u64, template: &str) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    let bar = ProgressBar::new(total)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
