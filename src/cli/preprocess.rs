//! `internvit preprocess`

use std::path::PathBuf;

use clap::Parser;
use internvit::image::{Grid, Resize, pixel_values};
use internvit::{Result, Tensor};
use serde_json::json;

use super::background::Background;
use super::guard::Guard;
use super::{input, output, print_json};

/// The encoder's input for a photograph: pixel_values [tiles, 3, S, S], normalised.
#[derive(Parser)]
#[command(after_help = "Example:\n  internvit preprocess cat.jpg --size 448 --tiles 12 --out \
    cat.safetensors --json")]
pub(super) struct Args {
    /// A photograph: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    image: PathBuf,
    /// Side of the square, or short side with --resize native
    #[arg(long, default_value_t = 448, value_parser = clap::value_parser!(u32).range(1..=16384))]
    size: u32,
    /// squash: ignore the aspect ratio; crop: short side, then centre; native: keep the ratio
    #[arg(long, default_value = "squash")]
    resize: Resize,
    /// Cut the image into at most so many tiles, as InternVL does
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    tiles: u32,
    #[command(flatten)]
    background: Background,
    /// Where to write: .safetensors, .npz or .npy
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print grid and shape as JSON
    #[arg(long)]
    json: bool,
}

/// InternViT's patch; native sizes are rounded to it.
const PATCH: u32 = 14;

pub(super) fn run(args: Args) -> Result<()> {
    let guard = Guard::default().reads([&args.image]);
    guard.writes(Some(&args.out), &["safetensors", "npz", "npy"])?.check()?;
    let (size, resize) = (args.size, args.resize);
    let photo = input::prepare(&args.image, size, PATCH, resize, args.tiles, &args.background)?;
    args.background.tell();
    let first = &photo.pictures[0];
    let shape = vec![photo.pictures.len(), 3, first.height as usize, first.width as usize];
    let Grid { cols, rows } = photo.grid;
    let report = json!({
        "pixel_values": shape, "grid": { "cols": cols, "rows": rows },
        "width": photo.size[0], "height": photo.size[1],
    });
    let tensor = Tensor { shape: shape.clone(), values: pixel_values(&photo.pictures)? };
    output::write(&args.out, &[("pixel_values".into(), tensor)], &[])?;
    if args.json {
        print_json(&report);
    } else {
        report!("pixel_values {shape:?}, {cols} × {rows} tiles");
    }
    Ok(())
}
