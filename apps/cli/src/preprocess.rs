//! `internvit preprocess`

use std::path::PathBuf;

use clap::Parser;
use internvit::app::Shape;
use internvit::image::{Grid, Resize, pixel_values};
use internvit::model::{CATALOGUE, Preprocessing};
use internvit::{Result, Tensor};
use serde_json::json;

use super::background::Background;
use super::guard::Guard;
use super::model::Model;
use super::{input, output, print_json};

/// The encoder's input for a photograph: pixel_values [tiles, 3, S, S], normalised.
#[derive(Parser)]
#[command(after_help = "Example:\n  internvit preprocess cat.jpg --size 448 --tiles 12 --out \
    cat.safetensors --json")]
pub(super) struct Args {
    /// A photograph: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    image: PathBuf,
    /// Prepare it as this model is fed: a folder, or owner/name[@revision] on the Hugging Face hub; as
    /// InternVL's models of 448 pixels if left out
    #[arg(long)]
    model: Option<PathBuf>,
    /// Side of the square, or short side with --resize native, in pixels; the model's own or 448 if
    /// left out
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(1..=16384))]
    size: Option<u32>,
    #[arg(long, value_name = "HOW", help = super::arguments::RESIZE)]
    resize: Option<Resize>,
    /// Cut the image into at most this many tiles, as InternVL does
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

pub(super) async fn run(args: Args) -> Result<()> {
    let model = args.model.clone().map(|path| Model::at(path, false));
    let guard = Guard::default().reads([&args.image]);
    let guard = guard.reads(model.iter().flat_map(Model::inputs));
    guard.writes(Some(&args.out), &["safetensors", "npz", "npy"])?.check()?;
    let (own, sizes) = match model {
        Some(model) => {
            let spec = model.open().await?.spec;
            (spec.preprocessing, spec.sizes)
        }
        None => (Preprocessing::default(), CATALOGUE[0].spec().sizes),
    };
    // Any size is right: the pixels may be another model's.
    let shape = Shape::of(own.fit(&sizes, args.resize, args.size), args.tiles)?;
    let photo = input::prepare(&args.image, &shape, &args.background)?;
    args.background.tell();
    let first = &photo.pictures[0];
    let shape = vec![photo.pictures.len(), 3, first.height as usize, first.width as usize];
    let Grid { cols, rows } = photo.grid;
    let report = json!({
        "pixel_values": shape, "grid": { "cols": cols, "rows": rows },
        "width": photo.size[0], "height": photo.size[1],
    });
    let tensor =
        Tensor { shape: shape.clone(), values: pixel_values(&photo.pictures, &own.normal)? };
    output::write(&args.out, &[("pixel_values".into(), tensor)], &[])?;
    if args.json {
        print_json(&report);
    } else {
        let tiles = match (cols, rows) {
            (1, 1) => "1 tile".into(),
            _ => format!("{cols} × {rows} tiles"),
        };
        report!("pixel_values {shape:?}, {tiles}");
    }
    Ok(())
}
