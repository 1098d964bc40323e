//! `internvit open` in a program without a window.

use std::ffi::OsString;

use clap::Parser;
use internvit::{Error, Result};

/// A window over photographs (not in this program: it was built without the feature `window`).
#[derive(Parser)]
pub(super) struct Args {
    /// What the window would be given
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _given: Vec<OsString>,
}

pub(super) fn run(_: Args) -> Result<()> {
    Err(Error::input(
        "this program was built without its window: build it with `cargo install --path apps/cli --features window`, or \
         start the page with `npm start`",
    ))
}
