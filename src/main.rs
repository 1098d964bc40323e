//! The command line's entry: parse, run, and one clear line on error.

mod cli;

fn main() -> std::process::ExitCode {
    match cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            cli::complain(&error);
            std::process::ExitCode::FAILURE
        }
    }
}
