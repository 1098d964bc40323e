//! The command line's entry: parse, run, and one clear line on error.

mod cli;

fn main() -> std::process::ExitCode {
    cli::guarded(cli::run)
}
