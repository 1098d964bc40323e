//! The program's own faults: one line and no trace, as of any error, with an exit code of their own.

use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use internvit::Result;

/// What the last panic said. A decoder's is caught and told as an error of its file.
static LAST: Mutex<String> = Mutex::new(String::new());

/// The exit code after a panic, as it is of any program in Rust.
const CODE: u8 = 101;

fn remember(panic: &PanicHookInfo<'_>) {
    let what = panic.payload_as_str().unwrap_or("no reason given");
    let place = panic.location().map_or_else(String::new, |at| format!(" at {at}"));
    *LAST.lock().unwrap_or_else(PoisonError::into_inner) = format!("{what}{place}");
}

/// Runs the program and says why it failed.
pub(crate) fn guarded(run: impl FnOnce() -> Result<()>) -> ExitCode {
    set_hook(Box::new(remember));
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            super::complain(&error);
            ExitCode::FAILURE
        }
        Err(_) => {
            let why = LAST.lock().unwrap_or_else(PoisonError::into_inner);
            report!("{}", said(&why));
            ExitCode::from(CODE)
        }
    }
}

fn said(why: &str) -> String {
    let why = internvit::error::short(why, 1000);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "internvit: internal error: {why}; please report this with version {version}, the command \
         and its files"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_one_line() {
        let code = guarded(|| panic!("\x1b[31mnot\n\u{202e}yet {}", "x".repeat(1 << 20)));
        assert_eq!(format!("{code:?}"), format!("{:?}", ExitCode::from(101)));
        // A failing assertion asks for the lock too.
        let said = said(&LAST.lock().unwrap_or_else(PoisonError::into_inner).clone());
        assert!(
            said.starts_with(r"internvit: internal error: \u{1b}[31mnot\n\u{202e}yet x"),
            "{said}"
        );
        assert!(said.contains("src/fault.rs:") && said.len() < 1200, "{said}");
        let _ = std::panic::take_hook();
    }
}
