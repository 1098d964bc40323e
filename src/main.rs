//! The command line's entry: parse, run, and one clear line on error.

mod cli;

fn main() -> std::process::ExitCode {
    match cli::run() {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            let error = error.to_string();
            eprintln!("internvit: {error}{}", flags(&error));
            std::process::ExitCode::FAILURE
        }
    }
}

/// What the library advises, and how it is said to this command.
const FLAGS: [(&str, &str); 3] = [
    ("streamed, blocks stay on disk", "--dtype int8, --dtype int4, --stream-layers, --device cpu"),
    ("only where overwriting is asked for", "--overwrite"),
    ("fetch it once without", "internvit info --model NAME"),
];

/// The flags that an error's advice is about, in parentheses.
fn flags(error: &str) -> String {
    let found = FLAGS.iter().find(|(advice, _)| error.contains(advice));
    found.map_or_else(String::new, |(_, flags)| format!(" ({flags})"))
}
