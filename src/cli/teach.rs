//! `internvit teach`

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use internvit::error::{list, short};
use internvit::features::side_by_side;
use internvit::gpu::Precision;
use internvit::image::Resize;
use internvit::model::{MAX_CLASSES, layer};
use internvit::view::{default_palette, fit, labels, paint_labels, shares};
use internvit::weights::LinearHead;
use internvit::{Device, Error, Images, Result, Tensor};

use super::background::Background;
use super::guard::Guard;
use super::model::Model;
use super::{arguments, input, load, output, progress, tell};

/// Teaches a segmentation from a few points: a linear head on frozen features.
///
/// The head is a safetensors file of mmseg's linear head, which `internvit segment --head` applies
/// to any photograph with the same model.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  internvit teach cat.jpg --point cat:220,160 --point cat:90,200 \
    --point wall:430,20 --out taught.safetensors --picture overlay.png\n  \
    internvit segment other.jpg --head taught.safetensors --picture other-overlay.png"
)]
pub(super) struct Args {
    /// A photograph; - is standard input
    image: PathBuf,
    /// A point and its class, in the photograph's pixels; once for every point
    #[arg(long = "point", value_name = "CLASS:X,Y", required = true, value_parser = arguments::example)]
    points: Vec<arguments::Example>,
    #[command(flatten)]
    model: Model,
    /// The block whose output is classified, or several side by side, as in 4,8,12; -1 is the last,
    /// -2 the one before; the last if left out
    #[arg(long, value_delimiter = ',', allow_hyphen_values = true)]
    layer: Vec<i64>,
    /// Short side to which the photograph is resized, in pixels; the model's image size if left out
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<u32>,
    #[command(flatten)]
    background: Background,
    /// auto, gpu, cpu, or part of an adapter's name
    #[arg(long, default_value = "auto")]
    device: Device,
    /// The head
    #[arg(long, value_name = "FILE.safetensors")]
    out: PathBuf,
    /// The map over the photograph
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let mut names: Vec<String> = Vec::new();
    for point in &args.points {
        if !names.contains(&point.class) {
            names.push(point.class.clone());
        }
    }
    if names.len() < 2 {
        return Err(Error::input("points of at least two classes are needed"));
    }
    if names.len() > MAX_CLASSES {
        let found = names.len();
        return Err(Error::input(format!("{found} classes: expected at most {MAX_CLASSES}")));
    }
    let guard = Guard::default()
        .reads([&args.image])
        .reads(args.model.inputs())
        .writes(Some(&args.out), &["safetensors"])?
        .writes(args.picture.as_deref(), &["png"])?;
    guard.check()?;
    let checkpoint = args.model.open().await?;
    guard.keeps_model(&checkpoint)?;
    let sizes = checkpoint.spec.sizes;
    let block = |given: &i64| layer(sizes.layers, 1, *given);
    let mut layers = args.layer.iter().map(block).collect::<Result<Vec<_>>>()?;
    layers.sort_unstable();
    layers.dedup();
    if layers.is_empty() {
        layers.push(sizes.layers);
    }
    let photo = input::read_picture(&args.image, &args.background)?;
    args.background.tell();
    let own = checkpoint.spec.preprocessing;
    let picture = own.fit(&sizes, Some(Resize::Native), args.image_size).apply(&photo)?;
    let mut encoder = load(checkpoint, &args.device, Precision::F32, false).await?;
    let bar = progress::Share::new("encoding", 1);
    let features = encoder
        .encode(Images::Pictures(&[picture]), &layers, &mut async |done, total| {
            bar.set(done, total);
            ControlFlow::Continue(())
        })
        .await?;
    bar.finish();
    tell(&encoder);
    let [rows, cols] = features.grid.unwrap_or([1, 1]);
    let read = |layer: &usize| {
        features.tokens(&format!("hidden_states.{layer}"), features.prefix..).map(|t| t.values)
    };
    let tokens = side_by_side(&layers.iter().map(read).collect::<Result<Vec<_>>>()?, sizes.hidden)?;
    let mut examples = Vec::new();
    for arguments::Example { class, x, y } in &args.points {
        if *x >= photo.width || *y >= photo.height {
            return Err(Error::input(format!(
                "{class}:{x},{y}: outside the photograph of {} × {} pixels",
                photo.width, photo.height
            )));
        }
        let row = *y as usize * rows / photo.height as usize;
        let col = *x as usize * cols / photo.width as usize;
        let class = names.iter().position(|n| n == class).unwrap_or(0);
        examples.push((row * cols + col, class));
    }
    let taught = fit(&tokens, sizes.hidden * layers.len(), names.len(), &examples)?;

    let palette = default_palette(names.len());
    let head = LinearHead {
        layers,
        names: names.clone(),
        palette: palette.clone(),
        mean: taught.mean.clone(),
        variance: taught.variance.clone(),
        weight: taught.weight.clone(),
        bias: taught.bias.clone(),
    };
    output::write_bytes(&args.out, &head.to_bytes()?)?;

    let shape = vec![1, names.len(), rows, cols];
    let logits = Tensor { shape, values: taught.logits(&tokens)? };
    let map = labels(&logits, [photo.height as usize, photo.width as usize])?;
    if let Some(path) = &args.picture {
        output::write_png(path, &paint_labels(&map, &palette, &photo, 0.6)?)?;
    }
    let shares = shares(&map, names.len())?;
    let shown = names.iter().zip(shares).map(|(n, s)| format!("{} {s:.1} %", short(n, 80)));
    report!("{}", list(shown));
    Ok(())
}
