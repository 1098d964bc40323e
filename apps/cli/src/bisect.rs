//! `internvit bisect`

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use internvit::gpu::Precision;
use internvit::{Device, Error, Images, Result};
use serde_json::json;

use super::background::Background;
use super::model::Model;
use super::{input, load, print_json};

/// Runs GPU and CPU step by step and names the first value at which they part.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  internvit bisect cat.jpg --model OpenGVLab/InternViT-300M-448px \
    --tolerance 1e-4"
)]
pub(super) struct Args {
    /// A photograph
    #[arg(required_unless_present = "pixel_values")]
    image: Option<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// A file with the tensor pixel_values [B, 3, H, W] in place of an image
    #[arg(long, value_name = "FILE", conflicts_with = "image")]
    pixel_values: Option<PathBuf>,
    /// Relative L2 difference beyond which a value is wrong
    #[arg(long, default_value_t = 1e-4)]
    tolerance: f64,
    /// gpu, or part of an adapter's name
    #[arg(long, default_value = "gpu")]
    device: Device,
    /// Print every step, not only the first that is wrong
    #[arg(long)]
    all: bool,
    /// Print as JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let checkpoint = args.model.open().await?;
    let shape = input::shape(&checkpoint.spec, None, None, 1)?;
    let mut encoder = load(checkpoint, &args.device, Precision::F32, false).await?;
    let (values, photo);
    let images = match (&args.pixel_values, &args.image) {
        (Some(file), _) => {
            values = input::read_tensor(file, "pixel_values").await?;
            Images::PixelValues { shape: values.0, values: &values.1 }
        }
        (None, Some(image)) => {
            photo = input::prepare(image, &shape, &Background::default())?;
            Images::Pictures(&photo.pictures)
        }
        (None, None) => return Err(Error::input("no image")),
    };
    let (mut steps, mut worst, mut first_wrong) = (0, 0.0f64, None);
    encoder
        .session_mut()
        .compare(images, &mut async |name, difference| {
            steps += 1;
            worst = worst.max(difference);
            let wrong = difference > args.tolerance;
            if args.all && !args.json {
                say!("{difference:9.2e} {name}");
            }
            if wrong && first_wrong.is_none() {
                first_wrong = Some((name.to_string(), difference));
            }
            if wrong && !args.all { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .await?;
    if args.json {
        let first = first_wrong.as_ref().map(|(name, d)| json!({ "slot": name, "difference": d }));
        print_json(&json!({ "steps": steps, "worst": worst, "first_wrong": first }));
    }
    match first_wrong {
        Some((name, difference)) => Err(Error::device(format!(
            "{name}: GPU and CPU differ by {difference:.2e}, tolerance {:.0e}",
            args.tolerance
        ))),
        None => {
            if !args.json {
                say!("{steps} steps agree; the largest difference is {worst:.2e}");
            }
            Ok(())
        }
    }
}
