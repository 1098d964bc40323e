//! The command line: parse, run, and one clear line on error. One file a subcommand, no arithmetic.

#[macro_use]
mod terminal;

mod arguments;
mod background;
mod bench;
mod bisect;
mod chat;
mod classify;
mod compute;
mod convert;
mod devices;
mod encode;
mod fault;
mod guard;
mod info;
mod init;
mod input;
mod look;
mod masks;
mod memory;
mod model;
mod models;
#[cfg_attr(not(feature = "window"), path = "no_window.rs")]
mod open;
mod output;
mod preprocess;
mod preset;
mod progress;
mod search;
mod segment;
#[cfg(feature = "serve")]
mod serve;
mod shader;
mod teach;

use std::ops::ControlFlow;

use clap::{Parser, Subcommand};
use internvit::error::short;
use internvit::gpu::Precision;
use internvit::{Checkpoint, Device, Encoder, Error, Result};

/// InternViT on any GPU: features of photographs from the command line.
#[derive(Parser)]
#[command(name = "internvit", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Memory for photographs and maps together: 512MB, 2GiB; what the machine has free if left out
    /// (or INTERNVIT_MAX_MEMORY)
    #[arg(long, global = true, value_name = "SIZE", value_parser = internvit::budget::parse_size)]
    max_memory: Option<u64>,
    /// How the progress of long work is shown
    #[arg(long, global = true, value_enum, default_value_t, value_name = "HOW")]
    progress: progress::Mode,
}

#[derive(Subcommand)]
enum Command {
    Encode(encode::Args),
    Classify(classify::Args),
    Search(search::Args),
    Chat(chat::Args),
    Look(look::Args),
    Segment(segment::Args),
    #[cfg(feature = "serve")]
    Serve(serve::Args),
    Teach(teach::Args),
    Open(open::Args),
    Preprocess(preprocess::Args),
    Info(info::Args),
    Convert(convert::Args),
    Models(models::Args),
    Devices(devices::Args),
    Init(init::Args),
    Bisect(bisect::Args),
    Bench(bench::Args),
    Shader(shader::Args),
}

fn main() -> std::process::ExitCode {
    fault::guarded(run)
}

/// Parses the arguments and runs the subcommand.
fn run() -> Result<()> {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        // Help and version are no errors; a wrong argument ends with 1 like any other error.
        let mut wrong = error.use_stderr();
        if let Err(error) = terminal::explain(&again(error)) {
            complain(&error);
            wrong = true;
        }
        std::process::exit(i32::from(wrong));
    });
    signals();
    memory::set(cli.max_memory)?;
    progress::set(cli.progress);
    // A window belongs to a program's first thread.
    let first = matches!(cli.command, Command::Open(_));
    let work = || pollster::block_on(command(cli.command));
    let done = if first { work() } else { internvit::threads::within(work) };
    done.and(terminal::finish())
}

async fn command(command: Command) -> Result<()> {
    match command {
        Command::Encode(args) => encode::run(args).await,
        Command::Classify(args) => classify::run(args).await,
        Command::Search(args) => search::run(args).await,
        Command::Chat(args) => chat::run(args).await,
        Command::Look(args) => look::run(args).await,
        Command::Segment(args) => segment::run(args).await,
        #[cfg(feature = "serve")]
        Command::Serve(args) => serve::run(args).await,
        Command::Teach(args) => teach::run(args).await,
        Command::Open(args) => open::run(args),
        Command::Preprocess(args) => preprocess::run(args).await,
        Command::Info(args) => info::run(args).await,
        Command::Convert(args) => convert::run(args).await,
        Command::Models(args) => models::run(args).await,
        Command::Devices(args) => devices::run(args).await,
        Command::Init(args) => init::run(args),
        Command::Bisect(args) => bisect::run(args).await,
        Command::Bench(args) => bench::run(args).await,
        Command::Shader(args) => shader::run(args),
    }
}

/// The error of the same arguments spelled out and cut: it repeats them, and as they are they may hold
/// a terminal's commands.
fn again(error: clap::Error) -> clap::Error {
    let spelled = std::env::args_os().map(|argument| short(argument.to_string_lossy(), 200));
    match Cli::try_parse_from(spelled) {
        Err(again) if error.use_stderr() => again,
        _ => error,
    }
}

/// Says why a command failed.
fn complain(error: &Error) {
    let error = error.to_string();
    report!("internvit: {error}{}", flags(&error));
}

/// What the library advises, and how it is said to this command.
const FLAGS: [(&str, &str); 6] = [
    (internvit::budget::ADVICE, "--max-memory SIZE"),
    ("choose one by the prefix of its tensors", "--prefix NAME"),
    ("streamed, blocks stay on disk", "--dtype int8, --dtype int4, --stream-layers, --device cpu"),
    ("only where overwriting is asked for", "--overwrite"),
    ("fetch it once without", "internvit info --model NAME"),
    (internvit::weights::PROJECTED, "--model MODEL.gguf --projector mmproj-….gguf"),
];

/// The flags that an error's advice is about, in parentheses.
fn flags(error: &str) -> String {
    let found = FLAGS.iter().find(|(advice, _)| error.contains(advice));
    found.map_or_else(String::new, |(_, flags)| format!(" ({flags})"))
}

/// Ends the run as a signal does, without unfinished files.
fn stop() -> ! {
    internvit::files::remove_unfinished();
    std::process::exit(130)
}

/// A run that is ended leaves no unfinished files, and a file that grows too large for the user's
/// limit is an error and not the end.
fn signals() {
    // Without the handler files of a stopped run wait for the next run, which removes them.
    let _ = ctrlc::set_handler(|| {
        if chat::end_answer() {
            return;
        }
        #[cfg(feature = "serve")]
        if serve::stop() {
            return;
        }
        stop();
    });
    #[cfg(unix)]
    {
        let seen = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, seen);
    }
}

/// Brings a model to a device, with a bar, and says where the CPU takes a GPU's place. With `stream`
/// the weights of blocks stay on disk.
async fn load(
    checkpoint: Checkpoint,
    device: &Device,
    dtype: Precision,
    stream: bool,
) -> Result<Encoder> {
    let bar = progress::bytes("loading", checkpoint.bytes());
    let on_progress = &mut async |done, _| {
        bar.set_position(done);
        ControlFlow::Continue(())
    };
    let compute = internvit::Compute::from(device).precision(dtype).streamed(stream);
    let encoder = Encoder::load(checkpoint, compute, on_progress).await?;
    bar.finish_and_clear();
    if let Some(why) = encoder.why_cpu() {
        note!("computing on the CPU: {why}");
    }
    lose_on_purpose(&encoder)?;
    Ok(encoder)
}

/// Where the environment has numbers for it (`20,5`), the device is lost after that number of submissions, and once it
/// was opened again after the next number: for tests of what happens then.
fn lose_on_purpose(encoder: &Encoder) -> Result<()> {
    const VARIABLE: &str = "INTERNVIT_LOSE_AFTER";
    let Some(text) = std::env::var_os(VARIABLE) else { return Ok(()) };
    let text = text.to_string_lossy();
    let numbers: Option<Vec<u32>> = text.split(',').map(|number| number.parse().ok()).collect();
    match (numbers, encoder.gpu()) {
        (Some(numbers), Some(gpu)) => gpu.fault_injector().lose_after(&numbers),
        (Some(_), None) => {}
        (None, _) => return Err(Error::input(format!("{VARIABLE}={text}: expected numbers"))),
    }
    Ok(())
}

/// Says what the encoder did by itself.
fn tell(encoder: &Encoder) {
    for note in encoder.notes() {
        note!("{note}");
    }
}

/// Prints a value as JSON.
fn print_json(value: &serde_json::Value) {
    terminal::json(value);
}
