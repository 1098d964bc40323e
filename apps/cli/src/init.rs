//! `internvit init`

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use internvit::budget::MAX_CONFIG;
use internvit::files::read_text;
use internvit::weights::{StoredType, init_shards};
use internvit::{Error, Result};

use super::preset::Preset;
use super::progress;
use internvit::budget::parse_size;

/// A random checkpoint of any configuration, for tests and benchmarks at real size.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  internvit init --config config.json --seed 1 --out random-300m \
    --dtype f16\n  internvit init --preset 300m --out random-300m\n  \
    internvit init --preset 6b --shard-size 1GB --out random-6b"
)]
pub(super) struct Args {
    /// A config.json as a checkpoint has it
    #[arg(long, required_unless_present = "preset")]
    config: Option<PathBuf>,
    /// A known shape in place of a configuration
    #[arg(long, value_enum, conflicts_with = "config")]
    preset: Option<Preset>,
    /// The same seed gives the same bytes
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for config.json and model.safetensors, or shards and their index
    #[arg(long)]
    out: PathBuf,
    /// Size of a file at most: 512MB, 1GB, 200MiB; one file if left out
    #[arg(long, value_parser = parse_size, value_name = "SIZE")]
    shard_size: Option<u64>,
    /// Number type of the weights
    #[arg(long, value_enum, default_value_t = Type::F16)]
    dtype: Type,
    /// Replace the model that is in the folder
    #[arg(long)]
    overwrite: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Type {
    F32,
    F16,
    Bf16,
}

impl From<Type> for StoredType {
    fn from(dtype: Type) -> Self {
        match dtype {
            Type::F32 => Self::F32,
            Type::F16 => Self::F16,
            Type::Bf16 => Self::Bf16,
        }
    }
}

pub(super) fn run(args: Args) -> Result<()> {
    let (file, config) = match (&args.config, args.preset) {
        (Some(path), _) => {
            let file = path.display().to_string();
            let config = read_text(path, MAX_CONFIG)?;
            refuse_own(path, &args.out)?;
            (file, config)
        }
        (None, Some(preset)) => (preset.name(), preset.config()),
        (None, None) => return Err(Error::input("no configuration")),
    };
    refuse_used(&args.out, args.overwrite)?;
    let bar = progress::bytes("writing", 0);
    init_shards(
        &file,
        &config,
        args.seed,
        args.dtype.into(),
        args.shard_size.unwrap_or(u64::MAX),
        &args.out,
        &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        },
    )?;
    bar.finish_and_clear();
    report!("{}", args.out.display());
    Ok(())
}

/// Refuses a folder that holds anything, unless it is to be replaced.
fn refuse_used(folder: &Path, overwrite: bool) -> Result<()> {
    let used = match std::fs::read_dir(folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(error) => return Err(Error::io(folder.display(), error)),
    };
    if used && !overwrite {
        let folder = folder.display();
        return Err(Error::input(format!(
            "{folder}: not empty (--overwrite replaces a model in it)"
        )));
    }
    Ok(())
}

/// Refuses to replace the folder of the configuration that is read.
fn refuse_own(config: &Path, out: &Path) -> Result<()> {
    let Ok(folder) = out.canonicalize() else { return Ok(()) };
    match config.canonicalize().is_ok_and(|config| config.starts_with(folder)) {
        true => {
            Err(Error::input(format!("{}: the configuration is in this folder", out.display())))
        }
        false => Ok(()),
    }
}
