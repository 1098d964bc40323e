//! The one way to standard output and standard error: a line at a time, spelled out and bounded.

use std::fmt::{Arguments, Display};
use std::io::{ErrorKind, Write, stderr, stdout};
use std::sync::{Mutex, PoisonError};

use internvit::error::{is_hidden, one_line};
use internvit::{Error, Result};

/// Why standard output could not be written, the first time.
static FAILED: Mutex<Option<std::io::Error>> = Mutex::new(None);

/// A line of the result, to standard output.
macro_rules! say {
    ($($arg:tt)*) => { $crate::terminal::output(format_args!($($arg)*)) };
}

/// A line about the run, to standard error.
macro_rules! report {
    ($($arg:tt)*) => { $crate::terminal::error(format_args!($($arg)*)) };
}

/// Something that the user should know, to standard error.
macro_rules! note {
    ($($arg:tt)*) => { $crate::terminal::error(format_args!("note: {}", format_args!($($arg)*))) };
}

/// Writes a line to standard output. [`finish`] tells whether that failed.
pub(crate) fn output(text: Arguments<'_>) {
    write(&one_line(text));
}

/// Writes a part of a text to standard output at once; lines may end within it.
pub(crate) fn piece(text: &str) {
    let mut shown = String::new();
    for c in text.chars() {
        if is_hidden(c) && c != '\n' {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        let mut out = stdout();
        *failed = out.write_all(shown.as_bytes()).and_then(|()| out.flush()).err();
    }
}

/// Writes a line to standard error. Nobody may read it, which is no reason to stop.
pub(crate) fn error(text: Arguments<'_>) {
    let _ = writeln!(stderr(), "{}", one_line(text));
}

/// Writes a value as JSON to standard output, invisible characters as escapes.
pub(super) fn json(value: &serde_json::Value) {
    escaped(&format!("{value:#}"));
}

/// The same in one line.
#[cfg(feature = "serve")]
pub(super) fn json_line(value: &serde_json::Value) {
    escaped(&value.to_string());
}

fn escaped(json: &str) {
    let mut text = String::new();
    for c in json.chars() {
        if is_hidden(c) && c != '\n' {
            let mut units = [0; 2];
            text.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            text.push(c);
        }
    }
    write(&text);
}

fn write(text: &str) {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    if failed.is_none() {
        *failed = writeln!(stdout(), "{text}").err();
    }
}

/// Writes what waits to standard output, and says whether all of it arrived. A reader that has gone
/// (`| head`) is no error.
pub(super) fn finish() -> Result<()> {
    let mut failed = FAILED.lock().unwrap_or_else(PoisonError::into_inner);
    match failed.take().or_else(|| stdout().flush().err()) {
        Some(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", error))
        }
        _ => Ok(()),
    }
}

/// Lines of an argument's error at most.
const LINES: usize = 40;

/// An argument's error, or help, as clap words it; help that cannot be written is an error too.
pub(super) fn explain(error: &clap::Error) -> Result<()> {
    let text = error.render();
    let lines = |text: &dyn Display| {
        let text = text.to_string();
        text.lines().take(LINES).map(one_line).collect::<Vec<_>>().join("\n")
    };
    if error.use_stderr() {
        let _ = writeln!(stderr(), "{}", lines(&text));
    } else {
        // Help has the program's own words only, which may have colours.
        let printed = error.print().err();
        *FAILED.lock().unwrap_or_else(PoisonError::into_inner) = printed;
    }
    finish()
}
