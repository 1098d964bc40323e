//! The command line: one file a subcommand, no arithmetic.

/// As `println!`, but a reader that has gone (`| head`) is no reason to panic.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write;
        let _ = writeln!(std::io::stdout(), $($arg)*);
    }};
}

mod arguments;
mod bench;
mod bisect;
mod convert;
mod devices;
mod encode;
mod info;
mod init;
mod input;
mod look;
mod model;
mod models;
mod output;
mod photos;
mod preprocess;
mod preset;
mod progress;
mod segment;
mod teach;

use std::ops::ControlFlow;

use clap::{Parser, Subcommand};
use internvit::gpu::Precision;
use internvit::{Checkpoint, Device, Encoder, Result};

/// InternViT on any GPU: features of photographs from the command line.
#[derive(Parser)]
#[command(name = "internvit", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Encode(encode::Args),
    Look(look::Args),
    Segment(segment::Args),
    Teach(teach::Args),
    Preprocess(preprocess::Args),
    Info(info::Args),
    Convert(convert::Args),
    Models(models::Args),
    Devices(devices::Args),
    Init(init::Args),
    Bisect(bisect::Args),
    Bench(bench::Args),
}

/// Parses the arguments and runs the subcommand.
pub(crate) fn run() -> Result<()> {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        // Help and version are no errors; a wrong argument ends with 1 like any other error.
        let code = i32::from(error.use_stderr());
        let _ = error.print();
        std::process::exit(code);
    });
    pollster::block_on(async {
        match cli.command {
            Command::Encode(args) => encode::run(args).await,
            Command::Look(args) => look::run(args).await,
            Command::Segment(args) => segment::run(args).await,
            Command::Teach(args) => teach::run(args).await,
            Command::Preprocess(args) => preprocess::run(args),
            Command::Info(args) => info::run(args).await,
            Command::Convert(args) => convert::run(args).await,
            Command::Models(args) => models::run(args).await,
            Command::Devices(args) => devices::run(args).await,
            Command::Init(args) => init::run(args),
            Command::Bisect(args) => bisect::run(args).await,
            Command::Bench(args) => bench::run(args).await,
        }
    })
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
    let told = &mut async |done, _| {
        bar.set_position(done);
        ControlFlow::Continue(())
    };
    let encoder = match stream {
        true => Encoder::stream(checkpoint, device, dtype, told).await?,
        false => Encoder::load_as(checkpoint, device, dtype, told).await?,
    };
    bar.finish_and_clear();
    if let Some(why) = encoder.why_cpu() {
        eprintln!("note: computing on the CPU: {why}");
    }
    Ok(encoder)
}

/// Says what the encoder did by itself.
fn tell(encoder: &Encoder) {
    for note in encoder.notes() {
        eprintln!("note: {note}");
    }
}

/// Prints a value as JSON.
fn print_json(value: &serde_json::Value) {
    say!("{value:#}");
}
