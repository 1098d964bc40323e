//! `internvit encode`

mod about;
mod given;
mod hidden;
mod join;
mod known;
mod many;
mod path;
mod store;
mod table;
mod visual;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use internvit::app::Shape;
use internvit::image::{Grid, Picture, Resize};
use internvit::many::{BATCH, Batches};
use internvit::model::Spec;
use internvit::view::{Board, pca_picture};
use internvit::{Encoder, Error, Features, Images, Result, Tensor};
use serde_json::json;

use super::background::Background;
use super::compute::Compute;
use super::guard::Guard;
use super::model::Model;
use super::{input, output, print_json, progress, tell};
pub(crate) use given::Inputs;
use hidden::{Hidden, taps};
use join::{append, same_shape};
pub(super) use known::{Wanted, rows};

/// Features of photographs.
///
/// Writes last_hidden_state [images, tokens, C], pooler_output [images, C] and the hidden states
/// asked for, as f32. With --tiles an image becomes several rows: its tiles row by row, then a
/// thumbnail; image_index says which image a row belongs to.
///
/// A folder stands for the photographs in it and below. For many photographs write .parquet: a row
/// each, a few in memory at a time. Rows that are there are kept, so a run that was stopped goes on
/// where it was when it is started again; a photograph that cannot be read gets the reason in the
/// column error, and only where all fail is the exit code 1. Lists of one length are fixed-size lists.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit encode cat.jpg --out cat.safetensors\n  \
    internvit encode photos/*.jpg --model OpenGVLab/InternViT-300M-448px --hidden-states 12,24 --out f.npz\n  \
    internvit encode photos/ --out features.parquet\n  \
    find /data -name '*.jpg' -print0 | internvit encode --files-from - --out features.parquet --progress json\n  \
    internvit encode cat.jpg --tiles 12 --stitch --picture cat-features.png --out f.npz")]
pub(super) struct Args {
    /// Photographs, or folders of them: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    #[arg(required_unless_present_any = ["files_from", "pixel_values", "pixel_embeds", "inputs"])]
    images: Vec<PathBuf>,
    /// Photographs or folders that this file names, one a line (or ended by zero bytes); - is standard
    /// input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pixel_values", "pixel_embeds", "inputs"])]
    files_from: Option<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// Side of the square, or short side with --resize native, in pixels; the model's own if left out
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<u32>,
    #[arg(long, value_name = "HOW", help = super::arguments::RESIZE)]
    resize: Option<Resize>,
    /// Cut each image into at most this many tiles of the image size, as InternVL does
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=256))]
    tiles: u32,
    #[command(flatten)]
    background: Background,
    /// Write the patches of all tiles as one grid too: stitched.last_hidden_state [H, W, C] (one image)
    #[arg(long)]
    stitch: bool,
    /// Pictures encoded at once, tiles too; 8 on a GPU and 1 elsewhere if left out. With --stream-layers
    /// all of them share one reading of the model
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    batch: Option<u16>,
    /// Hidden states to keep: 0 is the embedding, i the output of block i; -1 is the last, -2 the one
    /// before; all: every one
    #[arg(long, value_delimiter = ',', value_name = "LAYERS", allow_hyphen_values = true)]
    hidden_states: Vec<Hidden>,
    /// Those, counted from 0
    #[arg(skip)]
    taps: Vec<usize>,
    /// Write visual_tokens [images, tokens, C] too: what the language model of an InternVL is given
    #[arg(long, conflicts_with_all = ["inputs", "pixel_embeds"])]
    visual_tokens: bool,
    /// Which tokens to write
    #[arg(long, value_enum, default_value_t = Tokens::All)]
    tokens: Tokens,
    /// A file (.safetensors, .npz, .npy) with the tensor pixel_values [B, 3, H, W] in place of images
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "pixel_embeds"])]
    pixel_values: Option<PathBuf>,
    /// A file (.safetensors, .npz, .npy) with the tensor pixel_embeds [B, N, C] in place of images
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    pixel_embeds: Option<PathBuf>,
    /// A .safetensors file with a model's inputs by their names in transformers in place of images:
    /// pixel_values or pixel_embeds, input_ids, and what belongs to them; every output is written
    #[arg(long, value_name = "FILE", conflicts_with_all = ["images", "pixel_values", "pixel_embeds",
        "tiles", "stitch", "tokens", "picture", "image_size", "resize"])]
    inputs: Option<PathBuf>,
    #[command(flatten)]
    compute: Compute,
    /// Where to write: .safetensors, .npz, .npy (last_hidden_state alone), or .parquet
    #[arg(long, value_name = "FILE", required_unless_present = "picture")]
    out: Option<PathBuf>,
    /// .parquet: the last hidden state of every patch too, as f16
    #[arg(long)]
    patch_tokens: bool,
    /// .parquet: try the photographs again that failed before
    #[arg(long)]
    retry_errors: bool,
    /// Where to write the picture of the first three principal components (one image)
    #[arg(long, value_name = "FILE.png")]
    picture: Option<PathBuf>,
    /// Print what was done as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tokens {
    /// Class token and patches
    All,
    /// Patches, row by row
    Patches,
    /// The class token
    Cls,
}

pub(super) async fn run(mut args: Args) -> Result<()> {
    let parquet = args.out.as_ref().filter(|out| out.extension().is_some_and(|e| e == "parquet"));
    if parquet.is_none() && (args.patch_tokens || args.retry_errors) {
        return Err(Error::input("--patch-tokens and --retry-errors are for --out FILE.parquet"));
    }
    if parquet.is_some() && args.visual_tokens {
        return Err(Error::input(
            "--visual-tokens are for .safetensors and .npz, not for .parquet",
        ));
    }
    args.images = input::photographs(&args.images)?;
    if let Some(list) = &args.files_from {
        args.images.append(&mut input::listed(list)?);
    }
    if args.picture.is_some() && args.images.len() != 1 {
        return Err(Error::input("--picture takes one image"));
    }
    if args.stitch && (args.images.len() != 1 || parquet.is_some()) {
        return Err(Error::input("--stitch takes one image, and no .parquet"));
    }
    if args.tiles > 1 && args.resize.is_some_and(|resize| resize != Resize::Squash) {
        return Err(Error::input("--tiles squashes each tile; leave --resize out"));
    }
    let given = args.pixel_values.iter().chain(&args.pixel_embeds).chain(&args.inputs);
    let guard = Guard::default().reads(&args.images).reads(args.model.inputs()).reads(given);
    let guard = guard.reads(args.files_from.iter().filter(|list| *list != Path::new("-")));
    let guard = guard
        .writes(args.out.as_deref(), &["safetensors", "npz", "npy", "parquet"])?
        .writes(args.picture.as_deref(), &["png"])?;
    guard.check()?;
    if let Some(out) = parquet.cloned() {
        return many::run(&mut args, &out, &guard).await;
    }
    // What cannot be read was told of in a note.
    args.images.retain(|path| !path.is_dir());
    let inputs = match &args.inputs {
        Some(file) => Some(given::Inputs::read(file).await?),
        None => None,
    };
    let checkpoint = match &inputs {
        Some(inputs) if inputs.has_texts() => given::open(&args.model, inputs).await?,
        _ if args.visual_tokens => args.model.open_visual().await?,
        _ => args.model.open().await?,
    };
    guard.keeps_model(&checkpoint)?;
    args.taps = taps(&args.hidden_states, checkpoint.spec.sizes.layers)?;
    if checkpoint.random_weights() && !args.json {
        note!("{} has random weights; its features mean nothing", checkpoint.name());
    }
    let mut encoder = args.compute.load(checkpoint).await?;
    let start = std::time::Instant::now();
    let bar = progress::Share::new("encoding", args.images.len().max(1));
    if let Some(inputs) = &inputs {
        return given::write(&mut encoder, inputs, &args, &bar).await;
    }
    let (features, index) = match (&args.pixel_values, &args.pixel_embeds) {
        (Some(file), _) => {
            let (shape, values) = input::read_tensor(file, "pixel_values").await?;
            let images = Images::PixelValues { shape, values: &values };
            (visual::encode(&mut encoder, images, &args, &bar).await?, None)
        }
        (_, Some(file)) => {
            let (shape, values) = input::read_tensor(file, "pixel_embeds").await?;
            let images = Images::PixelEmbeds { shape, values: &values };
            (encode(&mut encoder, images, &args.taps, &bar).await?, None)
        }
        _ => {
            let (features, index) = encode_photos(&mut encoder, &args, &bar).await?;
            args.background.tell();
            (features, Some(index))
        }
    };
    bar.finish();
    tell(&encoder);
    let seconds = start.elapsed().as_secs_f64();
    let shape = features.tensors["last_hidden_state"].shape.clone();
    let names: Vec<String> = args.images.iter().map(|path| path::text(path)).collect();
    if let Some(out) = &args.out {
        output::write(out, &tensors(&features, index.as_deref(), &args)?, &names)?;
    }
    let device = encoder.gpu().map_or("CPU".into(), |gpu| gpu.report.name.clone());
    if args.json {
        let out = args.out.as_ref().map(|p| p.display().to_string());
        print_json(&json!({
            "images": names, "device": device, "seconds": seconds,
            "last_hidden_state": shape, "grid": features.grid, "out": out,
        }));
    } else {
        report!("{shape:?} on {device} in {seconds:.2} s");
    }
    Ok(())
}

impl Args {
    fn shape(&self, spec: &Spec) -> Result<Shape> {
        input::shape(spec, self.image_size, self.resize, self.tiles)
    }
}

/// Encodes pictures of one size, `batch` of them at once.
async fn encode_all(
    encoder: &mut Encoder,
    pictures: &[Picture],
    batch: usize,
    args: &Args,
    bar: &progress::Share,
) -> Result<Features> {
    let mut all: Option<Features> = None;
    let runs = pictures.len().div_ceil(batch);
    for (run, pictures) in pictures.chunks(batch).enumerate() {
        let images = Images::Pictures(pictures);
        let mut on_progress = async |done, total| {
            bar.set(run * total + done, runs * total);
            ControlFlow::Continue(())
        };
        let features = visual::encode_with(encoder, images, args, &mut on_progress).await?;
        match &mut all {
            None => all = Some(features),
            Some(all) => append(all, features),
        }
    }
    all.ok_or_else(|| Error::input("no pictures"))
}

/// Encodes what is no photograph.
async fn encode(
    encoder: &mut Encoder,
    images: Images<'_>,
    taps: &[usize],
    bar: &progress::Share,
) -> Result<Features> {
    encoder
        .encode(images, taps, &mut async |done, total| {
            bar.set(done, total);
            ControlFlow::Continue(())
        })
        .await
}

/// Pictures of one run.
fn batch(encoder: &Encoder, args: &Args) -> usize {
    args.batch.map_or_else(|| usual_batch(encoder), usize::from)
}

/// Pictures of one run where no number is given.
pub(super) fn usual_batch(encoder: &Encoder) -> usize {
    let hardware = encoder.gpu().is_some_and(|gpu| !gpu.caps.software);
    if hardware { BATCH } else { 1 }
}

/// Encodes the images in their order, several of one size at once; with each row the index of its
/// image.
async fn encode_photos(
    encoder: &mut Encoder,
    args: &Args,
    bar: &progress::Share,
) -> Result<(Features, Vec<f32>)> {
    let (shape, batch) = (args.shape(encoder.spec())?, batch(encoder, args));
    if args.picture.is_some() || args.stitch {
        return encode_one(encoder, &args.images[0], &shape, args, bar).await;
    }
    let (mut all, mut index): (Option<Features>, Vec<f32>) = (None, Vec::new());
    let mut done = 0;
    let photos = input::ahead(&args.images, shape, &args.background);
    for photos in Batches::new(photos, batch) {
        let photos = photos.into_iter().collect::<Result<Vec<_>>>()?;
        let first = done;
        let mut pictures = Vec::new();
        for photo in photos {
            index.extend(std::iter::repeat_n(done as f32, photo.pictures.len()));
            pictures.extend(photo.pictures);
            done += 1;
        }
        let paths = &args.images[first..done];
        let features = encode_all(encoder, &pictures, batch, args, bar).await;
        let features = features.map_err(|e| input::of(paths, e))?;
        match &mut all {
            None => all = Some(features),
            Some(all) => {
                same_shape(all, &features, &paths[0])?;
                append(all, features);
            }
        }
        paths.iter().for_each(|_| bar.next());
    }
    let all = all.ok_or_else(|| Error::input("no images"))?;
    Ok((all, index))
}

/// Encodes the one photograph of which a picture or a grid is wanted. It is read once: it may come
/// from a pipe.
async fn encode_one(
    encoder: &mut Encoder,
    path: &Path,
    shape: &Shape,
    args: &Args,
    bar: &progress::Share,
) -> Result<(Features, Vec<f32>)> {
    let original = input::read_picture(path, &args.background)?;
    let photo = input::fit(path, &original, shape)?;
    let features = encode_all(encoder, &photo.pictures, batch(encoder, args), args, bar).await;
    let mut features = features.map_err(|e| input::of(&[path], e))?;
    let Grid { cols, rows } = photo.grid;
    let board = [rows as usize, cols as usize];
    if let Some(file) = &args.picture {
        let region = shape.fit.region(original.width, original.height);
        output::write_png(file, &pca_picture(&features, board, &original, region)?)?;
    }
    if args.stitch {
        add_stitched(&mut features, board)?;
    }
    bar.next();
    Ok((features, vec![0.0; photo.pictures.len()]))
}

/// Adds of each hidden state the patches of all tiles as one grid `[H, W, C]`.
fn add_stitched(features: &mut Features, board: [usize; 2]) -> Result<()> {
    let Some(grid) = features.grid else { return Ok(()) };
    let board = Board::tiles(grid, board);
    let tokens = features
        .tensors
        .iter()
        .filter(|(name, tensor)| tensor.shape.len() == 3 && *name != visual::TOKENS);
    let stitched: Vec<_> = tokens
        .map(|(name, tensor)| {
            let c = tensor.shape[2];
            let values = board.stitch(&tensor.values, c, features.prefix)?;
            let [rows, cols] = board.grid();
            let shape = vec![rows, cols, c];
            Ok((format!("stitched.{name}"), Tensor { shape, values }))
        })
        .collect::<Result<_>>()?;
    features.tensors.extend(stitched);
    Ok(())
}

/// What is written, last_hidden_state first.
fn tensors(
    features: &Features,
    index: Option<&[f32]>,
    args: &Args,
) -> Result<Vec<(String, Tensor)>> {
    let mut names: Vec<&String> = features.tensors.keys().collect();
    names.sort_by_key(|name| *name != "last_hidden_state");
    let mut list: Vec<(String, Tensor)> = names
        .into_iter()
        .map(|name| {
            let prefix = features.prefix;
            let whole = name.starts_with("stitched.") || *name == visual::TOKENS;
            let tensor = match args.tokens {
                _ if whole => features.tensors[name].clone(),
                Tokens::Patches => features.tokens(name, prefix..)?,
                Tokens::Cls => features.tokens(name, ..1)?,
                Tokens::All => features.tensors[name].clone(),
            };
            Ok((name.clone(), tensor))
        })
        .collect::<Result<_>>()?;
    if let (Some(index), true) = (index, args.tiles > 1) {
        let tensor = Tensor { shape: vec![index.len()], values: index.to_vec() };
        list.push(("image_index".into(), tensor));
    }
    Ok(list)
}
