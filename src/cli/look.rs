//! `internvit look`

mod basis;
mod shown;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};
use internvit::error::list;
use internvit::gpu::Precision;
use internvit::image::{Picture, Resize};
use internvit::model::layer;
use internvit::view::patch_under;
use internvit::{Device, Encoder, Error, Features, Images, Result, Tensor};

use super::background::Background;
use super::guard::Guard;
use super::input::Shape;
use super::model::Model;
use super::{input, load, output, progress, tell};
use shown::Shown;

/// A photograph as the encoder sees it: a view of its patches, painted over it.
///
/// Views: pca (three principal components as red, green and blue), similarity (cosines with one
/// patch, of the same photograph or of another), attention (one block's), rollout (attention through
/// all blocks up to one), clusters (k-means) and norms (which show outliers).
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit look cat.jpg --view pca --foreground\n  \
    internvit look cat.jpg --view similarity --at 220,160 --other dog.jpg --out match.png\n  \
    internvit look cat.jpg --view attention --layer 12 --head 0 --data attention.npy")]
pub(super) struct Args {
    /// A photograph: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    image: PathBuf,
    /// What to show
    #[arg(long, value_enum)]
    view: View,
    #[command(flatten)]
    model: Model,
    /// The hidden state: 0 is the embedding, i the output of block i (for attention and rollout the
    /// block, from 1); -1 is the last, -2 the one before; the last if left out
    #[arg(long, allow_negative_numbers = true)]
    layer: Option<i64>,
    /// That one, counted from 0
    #[arg(skip)]
    tap: Option<usize>,
    /// Side of the square, or short side with --resize native, in pixels; the model's own if left out
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<u32>,
    /// squash: ignore the aspect ratio; crop: short side, then centre; native: keep the ratio. If left
    /// out as the model's preprocessor_config.json says, else squash
    #[arg(long, value_name = "HOW")]
    resize: Option<Resize>,
    #[command(flatten)]
    background: Background,
    /// similarity, attention, rollout: a point in the photograph's pixels, whose patch asks; for
    /// attention and rollout the class token asks if left out
    #[arg(long, value_name = "X,Y", value_parser = super::arguments::point)]
    at: Option<[u32; 2]>,
    /// similarity: another photograph, whose patches are compared with the one at the point
    #[arg(long, value_name = "IMAGE")]
    other: Option<PathBuf>,
    /// attention: one head, from 0; the mean of all if left out
    #[arg(long)]
    head: Option<usize>,
    /// clusters: how many, 2 to 32; 6 if left out
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=32))]
    clusters: Option<u32>,
    /// pca: the foreground alone, in a basis of its own, over the darkened photograph
    #[arg(long)]
    foreground: bool,
    /// pca: a saved basis, so that colours are comparable
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "save_basis")]
    basis: Option<PathBuf>,
    /// pca: where to save the basis: mean [C], directions [3, C], ranges [3, 2]
    #[arg(long, value_name = "FILE.safetensors")]
    save_basis: Option<PathBuf>,
    /// Opacity of the view over the photograph, 0 to 1; 1 for pca, else 0.75 if left out
    #[arg(long)]
    opacity: Option<f32>,
    /// auto, gpu, cpu, or part of an adapter's name (see `internvit devices`)
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How values are kept: f32; on GPUs also f16 (half the memory, some 1e-3 off), int8 or int4
    /// for the weights of the blocks, or w8a8 (int8, and what they multiply too)
    #[arg(long, default_value = "f32")]
    dtype: Precision,
    /// Keep the weights of blocks on disk: while one block computes, the next is read
    #[arg(long)]
    stream_layers: bool,
    /// Where to write the picture; IMAGE's name with the view's in the current folder if left out
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    /// Where to write the patches' values as f32 [rows, cols]: .safetensors, .npz or .npy; pca adds
    /// an axis of 3 at the end, attention one at the front: heads, then their mean, or one head
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum View {
    /// Three principal components as red, green and blue
    Pca,
    /// Cosines with the patch at a point
    Similarity,
    /// Where a token looks in one block
    Attention,
    /// Where a token looks through all blocks
    Rollout,
    /// Patches in groups
    Clusters,
    /// Lengths of the tokens
    Norms,
}

/// A photograph and what the encoder made of it.
struct Seen {
    photo: Picture,
    /// The part that the encoder saw, `[left, top, width, height]` in pixels.
    region: [f64; 4],
    features: Features,
    grid: [usize; 2],
}

pub(super) async fn run(mut args: Args) -> Result<()> {
    args.check()?;
    let out = args.out();
    let guard = args.guard(&out)?;
    guard.check()?;
    let checkpoint = args.model.open().await?;
    guard.keeps_model(&checkpoint)?;
    let sizes = checkpoint.spec.sizes;
    let first = usize::from(args.view.of_block());
    args.tap = args.layer.map(|given| layer(sizes.layers, first, given)).transpose()?;
    if let Some(head) = args.head.filter(|head| *head >= sizes.heads) {
        let most = sizes.heads - 1;
        return Err(Error::input(format!("--head {head}: expected 0 to {most}")));
    }
    let basis = match &args.basis {
        Some(file) => Some(basis::read(file, sizes.hidden).await?),
        None => None,
    };
    let shape = Shape::new(args.image_size, args.resize, &checkpoint.spec)?;
    if checkpoint.random_weights() {
        note!("{} has random weights; its features mean nothing", checkpoint.name());
    }
    let mut encoder = load(checkpoint, &args.device, args.dtype, args.stream_layers).await?;
    let bar = progress::Share::new("encoding", 1 + usize::from(args.other.is_some()));
    let seen = see(&mut encoder, &args.image, &shape, &args, &bar).await?;
    let at = args.at.map(|point| seen.patch(point, shape.fit.resize)).transpose()?;
    let other = match &args.other {
        Some(path) => Some(see(&mut encoder, path, &shape, &args, &bar).await?),
        None => None,
    };
    bar.finish();
    tell(&encoder);
    let shown = match args.view {
        View::Pca => shown::pca(&seen, &args, basis)?,
        View::Similarity => shown::similarity(&seen, other.as_ref(), at.unwrap_or(0), &args)?,
        View::Attention => shown::attention(&seen, at, &args, &encoder).await?,
        View::Rollout => shown::rollout(&seen, at, &args, &encoder).await?,
        View::Clusters => shown::clusters(&seen, &args)?,
        View::Norms => shown::norms(&seen, &args)?,
    };
    args.background.tell();
    write(&args, &out, shown)
}

/// Encodes a photograph with the hidden states that the view needs.
async fn see(
    encoder: &mut Encoder,
    path: &Path,
    shape: &Shape,
    args: &Args,
    bar: &progress::Share,
) -> Result<Seen> {
    let photo = input::read_picture(path, &args.background)?;
    let seen = input::fit(path, &photo, shape)?;
    let taps: Vec<usize> = match args.view {
        View::Attention => vec![args.block(encoder) - 1],
        View::Rollout => (0..args.block(encoder)).collect(),
        _ => args.tap.into_iter().collect(),
    };
    let features = encoder
        .encode(Images::Pictures(&seen.pictures), &taps, &mut async |done, total| {
            bar.set(done, total);
            ControlFlow::Continue(())
        })
        .await?;
    bar.next();
    let region = shape.fit.region(photo.width, photo.height);
    let grid = features.grid.unwrap_or([1, 1]);
    Ok(Seen { photo, region, features, grid })
}

fn write(args: &Args, out: &Path, shown: Shown) -> Result<()> {
    output::write_png(out, &shown.picture)?;
    let mut written = vec![out.display().to_string()];
    if let Some(path) = &args.data {
        output::write(path, &[(args.view.name(), shown.data)], &[])?;
        written.push(path.display().to_string());
    }
    if let (Some(path), Some(basis)) = (&args.save_basis, &shown.basis) {
        basis::write(path, basis)?;
        written.push(path.display().to_string());
    }
    say!("wrote {}", list(written));
    say!("{}", shown.said);
    Ok(())
}

impl View {
    fn name(self) -> String {
        self.to_possible_value().map_or(String::new(), |value| value.get_name().into())
    }

    /// Whether the view is of a block rather than of a hidden state.
    fn of_block(self) -> bool {
        matches!(self, View::Attention | View::Rollout)
    }
}

impl Args {
    /// Refuses what the view does not know, before any work is done.
    fn check(&self) -> Result<()> {
        use View::*;
        let options: [(&str, bool, &[View]); 7] = [
            ("--at", self.at.is_some(), &[Similarity, Attention, Rollout]),
            ("--other", self.other.is_some(), &[Similarity]),
            ("--head", self.head.is_some(), &[Attention]),
            ("--clusters", self.clusters.is_some(), &[Clusters]),
            ("--foreground", self.foreground, &[Pca]),
            ("--basis", self.basis.is_some(), &[Pca]),
            ("--save-basis", self.save_basis.is_some(), &[Pca]),
        ];
        for (option, given, views) in options {
            if given && !views.contains(&self.view) {
                let names: Vec<_> = views.iter().map(|view| view.name()).collect();
                let (names, view) = (names.join(", "), self.view.name());
                let text =
                    format!("{option} is for --view {names}; --view {view} does not know it");
                return Err(Error::input(text));
            }
        }
        if self.view == Similarity && self.at.is_none() {
            return Err(Error::input(
                "--view similarity needs --at X,Y: the patch to compare with",
            ));
        }
        if !(0.0..=1.0).contains(&self.opacity()) {
            return Err(Error::input("--opacity: expected a number from 0 to 1"));
        }
        Ok(())
    }

    /// The files of the run.
    fn guard(&self, out: &Path) -> Result<Guard> {
        let inputs = [Some(&self.image), self.other.as_ref(), self.basis.as_ref()];
        Guard::default()
            .reads(inputs.into_iter().flatten())
            .reads(self.model.inputs())
            .writes(self.data.as_deref(), &["safetensors", "npz", "npy"])?
            .writes(Some(out), &["png"])?
            .writes(self.save_basis.as_deref(), &["safetensors"])
    }

    fn out(&self) -> PathBuf {
        let stem = self.image.file_stem().unwrap_or_default().to_string_lossy();
        self.out.clone().unwrap_or_else(|| format!("{stem}-{}.png", self.view.name()).into())
    }

    fn opacity(&self) -> f32 {
        self.opacity.unwrap_or(if self.view == View::Pca { 1.0 } else { 0.75 })
    }

    /// The block whose attention is shown.
    fn block(&self, encoder: &Encoder) -> usize {
        self.tap.unwrap_or(encoder.spec().sizes.layers)
    }
}

impl Seen {
    /// The patch that shows the photograph's pixel `point`.
    fn patch(&self, [x, y]: [u32; 2], resize: Resize) -> Result<usize> {
        let Picture { width, height, .. } = self.photo;
        if x >= width || y >= height {
            return Err(Error::input(format!(
                "--at {x},{y}: outside the photograph of {width} × {height} pixels"
            )));
        }
        patch_under([x, y], self.grid, &self.photo, self.region).ok_or_else(|| {
            Error::input(format!("--at {x},{y}: --resize {resize} leaves this point out"))
        })
    }

    /// The patches' tokens `[1, rows·cols, C]` of hidden state `layer`, the last if `None`.
    fn patches(&self, layer: Option<usize>) -> Result<Tensor> {
        let name = layer.map_or("last_hidden_state".into(), |i| format!("hidden_states.{i}"));
        self.features.tokens(&name, self.features.prefix..)
    }
}
