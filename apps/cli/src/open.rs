//! `internvit open`

use std::path::PathBuf;

use clap::Parser;
use internvit::gpu::Precision;
use internvit::{Device, Result};
use internvit_window::Start;

use super::model::Model;

/// A window over photographs: what a model sees of them, and lessons by a brush.
///
/// Photographs and folders are added by their paths, by dropping them on the window, or there. Digits choose a view,
/// the arrows a photograph and a layer; docs/window.md has all keys. What was opened is kept in
/// internvit/recent.json in the user's configuration folder, and nothing else.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit open\n  internvit open www/samples/coffee.png www/samples/chelsea.png\n  \
    internvit open photos --model openai/clip-vit-base-patch32 --words"
)]
pub(super) struct Args {
    /// Photographs, and folders of some
    photographs: Vec<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// Fetch what reads texts too, of a model on the hub that has it
    #[arg(long)]
    words: bool,
    /// auto, gpu, cpu, or part of an adapter's name (see `internvit devices`)
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How values are kept: f32; on GPUs also f16, int8, int4 or w8a8
    #[arg(long, default_value = "f32")]
    dtype: Precision,
}

pub(super) fn run(args: Args) -> Result<()> {
    let Args { photographs, model, words, device, dtype: precision } = args;
    let (model, offline) = model.named()?;
    internvit_window::open(Start { photographs, model, words, offline, device, precision })
}
