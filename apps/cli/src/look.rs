//! `internvit look`

mod basis;
mod data;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Parser;
use clap::builder::{PossibleValue, PossibleValuesParser};
use internvit::app::{Album, Keep, Photo, Shape};
use internvit::error::list;
use internvit::image::{Picture, Resize};
use internvit::model::{Sizes, layer};
use internvit::view::{
    Edges, Map, Request, Setting, Settings, VIEWS, beside, mark, patch_centre, pinned,
};
use internvit::words::Tokenizer;
use internvit::{Encoder, Error, Result, Tensor};

use super::background::Background;
use super::compute::Compute;
use super::guard::Guard;
use super::model::Model;
use super::{input, output, progress, tell};

/// A photograph as the encoder sees it: a view of its patches, painted over it.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit look cat.jpg\n  internvit look cat.jpg --foreground\n  \
    internvit look cat.jpg --view similarity --at 220,160 --other dog.jpg --out match.png\n  \
    internvit look cat.jpg --view attention --layer 12 --head 0 --data attention.npy\n  \
    internvit look cat.jpg --view words --text \"a cat\" --model openai/clip-vit-base-patch16\n  \
    internvit look cat.jpg --edges patches"
)]
pub(super) struct Args {
    /// A photograph: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    image: PathBuf,
    /// What to show
    #[arg(long, value_parser = views(), default_value = VIEWS[0].0)]
    view: String,
    #[command(flatten)]
    model: Model,
    /// The hidden state: 0 is the embedding, i the output of block i (for attention and rollout the
    /// block, from 1); -1 is the last, -2 the one before; the last if left out
    #[arg(long, allow_negative_numbers = true)]
    layer: Option<i64>,
    /// Side of the square, or short side with --resize native, in pixels; the model's own if left out
    #[arg(long, value_name = "PIXELS")]
    image_size: Option<u32>,
    #[arg(long, value_name = "HOW", help = super::arguments::RESIZE)]
    resize: Option<Resize>,
    /// Cut the photograph into at most this many tiles of the image size, which overlap and are blended
    #[arg(long, value_name = "N", default_value_t = 1,
        value_parser = clap::value_parser!(u32).range(1..=256))]
    tiles: u32,
    /// Encode the photograph N × N times, shifted by a part of a patch each time, for a grid N times as fine
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "tiles",
        value_parser = clap::value_parser!(u32).range(1..=4))]
    shifts: u32,
    #[command(flatten)]
    background: Background,
    /// similarity, attention, rollout: a point in the photograph's pixels, whose patch asks; for
    /// attention and rollout the class token asks if left out
    #[arg(long, value_name = "X,Y", value_parser = super::arguments::point)]
    at: Option<[u32; 2]>,
    /// similarity: another photograph, whose patches are compared with the one at the point
    #[arg(long, value_name = "IMAGE")]
    other: Option<PathBuf>,
    /// similarity: less the mean of the shown picture's features, so that what most patches share does not count
    #[arg(long)]
    centred: bool,
    /// similarity: a further point, whose patch is looked for too; may be given several times
    #[arg(long, value_name = "X,Y", value_parser = super::arguments::point)]
    alike: Vec<[u32; 2]>,
    /// similarity: a point that counts against what resembles its patch; may be given several times
    #[arg(long, value_name = "X,Y", value_parser = super::arguments::point)]
    unlike: Vec<[u32; 2]>,
    /// words: what is looked for, by a model that reads texts (CLIP, SigLIP, OpenVision)
    #[arg(long)]
    text: Option<String>,
    /// attention: one head, from 0; the mean of all if left out
    #[arg(long)]
    head: Option<usize>,
    /// clusters: how many, 2 to 32; 6 if left out
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(2..=32))]
    clusters: Option<u32>,
    /// pca: the foreground alone, in a basis of its own, over the darkened photograph
    #[arg(long)]
    foreground: bool,
    /// pca: what --foreground takes for the background in place of the foreground
    #[arg(long, requires = "foreground")]
    swap: bool,
    /// pca: a saved basis, so that colours are comparable
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "save_basis")]
    basis: Option<PathBuf>,
    /// pca: where to save the basis: mean [C], directions [3, C], ranges [3, 2]
    #[arg(long, value_name = "FILE.safetensors")]
    save_basis: Option<PathBuf>,
    /// Where the edges of the picture come from. patches: a square each; smooth: values are interpolated;
    /// photograph: they are interpolated such that they change where its colours do, so edges come from
    /// the photograph, not from the model. patches for norms, else photograph if left out
    #[arg(long, value_name = "WHERE")]
    edges: Option<Edges>,
    /// Opacity of the view over the photograph, 0 to 1; 1 for pca, else 0.75 if left out
    #[arg(long)]
    opacity: Option<f32>,
    #[command(flatten)]
    compute: Compute,
    /// Where to write the picture; IMAGE's name with the view's in the current folder if left out
    #[arg(long, value_name = "FILE.png")]
    out: Option<PathBuf>,
    #[command(flatten)]
    data: data::Data,
}

/// The views that take no head.
fn views() -> PossibleValuesParser {
    let bare =
        |name: &str| Request::named(name).is_some_and(|request| request.needs().head.is_none());
    let list = VIEWS.iter().filter(|(name, _)| bare(name));
    PossibleValuesParser::new(list.map(|(name, about)| PossibleValue::new(*name).help(*about)))
}

pub(super) async fn run(args: Args) -> Result<()> {
    args.check()?;
    let out = args.out();
    let guard = args.guard(&out)?;
    guard.check()?;
    let checkpoint = match &args.text {
        Some(_) => args.model.open_with_text().await?,
        None => args.model.open().await?,
    };
    guard.keeps_model(&checkpoint)?;
    let sizes = checkpoint.spec.sizes;
    let mut settings = args.settings(&sizes)?;
    let request = Request::try_from(settings.clone())?;
    let mut album = Album::default();
    if let Some(file) = &args.basis {
        album.basis = Some(basis::read(file, sizes.hidden).await?);
    }
    let shape = input::shape(&checkpoint.spec, args.image_size, args.resize, args.tiles)?;
    let shape = shape.shifted(args.shifts)?;
    if checkpoint.random_weights() {
        note!("{} has random weights; its features mean nothing", checkpoint.name());
    }
    let tokenizer = args.text.as_ref().map(|_| Tokenizer::beside(&checkpoint)).transpose()?;
    let mut encoder = args.compute.load(checkpoint).await?;
    if let (Some(text), Some(tokenizer)) = (&args.text, tokenizer) {
        album.texts.read(&encoder, text, tokenizer.read(text)?).await?;
    }
    let bar = progress::Share::new("encoding", 1 + usize::from(args.other.is_some()));
    let taps = request.needs().taps(sizes.layers);
    let mut numbers = Vec::new();
    for path in [Some(&args.image), args.other.as_ref()].into_iter().flatten() {
        let photo = encode(&mut encoder, path, &shape, &taps, &args.background, &bar).await?;
        if let (Some(point), true) = (args.at, numbers.is_empty()) {
            let patch = patch(&photo, "--at", point, shape.fit.resize)?;
            settings.set("token", Setting::Number(patch));
        }
        numbers.push(album.add(photo));
        bar.next();
    }
    bar.finish();
    tell(&encoder);
    let (own, shown) = (numbers[0], numbers[numbers.len() - 1]);
    if args.other.is_some() {
        settings.set("of", Setting::Number(own as usize));
    }
    let request = Request::try_from(settings.clone())?;
    let bar = progress::Share::new("drawing", 1);
    let mut map =
        album.view(&encoder, shown, &request, &mut |done, all| bar.set(done, all)).await?;
    bar.finish();
    if !(args.alike.is_empty() && args.unlike.is_empty()) {
        let mut sides = [Vec::new(), Vec::new()];
        let named = [("--alike", &args.alike), ("--unlike", &args.unlike)];
        for (side, (option, points)) in sides.iter_mut().zip(named) {
            for point in points {
                let patch = patch(album.photo(own)?, option, *point, shape.fit.resize)?;
                settings.set("token", Setting::Number(patch));
                let request = Request::try_from(settings.clone())?;
                side.push(album.view(&encoder, shown, &request, &mut |_, _| ()).await?.values);
            }
        }
        map = pinned(map, &sides[0], &sides[1])?;
    }
    let (own, shown) = (album.photo(own)?, album.photo(shown)?);
    let (picture, said) = args.picture(own, shown, &map, request.sentence(&map))?;
    let data = args.data.data.as_ref().map(|_| {
        let edges = args.edges.unwrap_or(map.edges);
        args.data.tensor(&map, args.head.is_some(), shown, edges)
    });
    args.background.tell();
    args.write(&out, &picture, data.transpose()?, &map, &said)
}

/// Encodes a photograph with the hidden states that the view needs.
async fn encode(
    encoder: &mut Encoder,
    path: &Path,
    shape: &Shape,
    taps: &[usize],
    background: &Background,
    bar: &progress::Share,
) -> Result<Photo> {
    let (picture, alpha) = input::read_seen(path, background)?;
    let on_progress = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let keep = Keep { taps, residency: internvit::session::Residency::Host };
    let photo = Photo::encode(encoder, picture, shape, keep, on_progress).await;
    let mut photo = photo.map_err(|error| input::unfit(path, error))?;
    if let Some(alpha) = &alpha {
        photo.leave_out(alpha);
    }
    Ok(photo)
}

/// The patch that shows the point of an option.
fn patch(photo: &Photo, option: &str, point @ [x, y]: [u32; 2], resize: Resize) -> Result<usize> {
    let named = |reason| Error::input(format!("{option} {reason}"));
    let patch = photo.patch(point).map_err(|error| match error {
        Error::Input(reason) => named(reason),
        other => other,
    })?;
    patch.ok_or_else(|| named(format!("{x},{y}: --resize {resize} leaves this point out")))
}

impl Args {
    /// Refuses what the view does not know, before any work is done.
    fn check(&self) -> Result<()> {
        let options = [
            ("--at", self.at.is_some(), "token"),
            ("--other", self.other.is_some(), "of"),
            ("--centred", self.centred, "centred"),
            ("--alike", !self.alike.is_empty(), "of"),
            ("--unlike", !self.unlike.is_empty(), "of"),
            ("--text", self.text.is_some(), "text"),
            ("--layer", self.layer.is_some(), "layer"),
            ("--head", self.head.is_some(), "head"),
            ("--clusters", self.clusters.is_some(), "k"),
            ("--foreground", self.foreground, "foreground"),
            ("--basis", self.basis.is_some(), "basis"),
            ("--save-basis", self.save_basis.is_some(), "basis"),
        ];
        let knows = |view: &str, setting: &str| {
            Request::named(view).is_some_and(|view| view.settings().contains(&setting))
        };
        let view = &self.view;
        for (option, given, setting) in options {
            if given && !knows(view, setting) {
                let names = VIEWS.iter().map(|(name, _)| *name);
                let names: Vec<_> = names.filter(|name| knows(name, setting)).collect();
                let names = names.join(", ");
                let text =
                    format!("{option} is for --view {names}; --view {view} does not know it");
                return Err(Error::input(text));
            }
        }
        if knows(view, "of") && self.at.is_none() {
            let text = format!("--view {view} needs --at X,Y: the patch to compare with");
            return Err(Error::input(text));
        }
        if knows(view, "text") && self.text.is_none() {
            let text = format!("--view {view} needs --text WORDS: what is looked for");
            return Err(Error::input(text));
        }
        if self.opacity.is_some_and(|opacity| !(0.0..=1.0).contains(&opacity)) {
            return Err(Error::input("--opacity: expected a number from 0 to 1"));
        }
        Ok(())
    }

    /// What the options say, for a model of `sizes`; but for the patch, of which the photograph tells.
    fn settings(&self, sizes: &Sizes) -> Result<Settings> {
        let mut settings = Settings::of(&self.view);
        let of_block = Request::named(&self.view).is_some_and(|r| r.needs().attention.is_some());
        let given = self.layer.map(|given| layer(sizes.layers, usize::from(of_block), given));
        let last = of_block.then_some(sizes.layers);
        if let Some(layer) = given.transpose()?.or(last) {
            settings.set("layer", Setting::Number(layer));
        }
        if let Some(head) = self.head {
            if head >= sizes.heads {
                let most = sizes.heads - 1;
                return Err(Error::input(format!("--head {head}: expected 0 to {most}")));
            }
            settings.set("head", Setting::Number(head));
        }
        if let Some(text) = &self.text {
            settings.set("text", Setting::Text(text.clone()));
        }
        if let Some(k) = self.clusters {
            settings.set("k", Setting::Number(k as usize));
        }
        if self.foreground {
            settings.set("foreground", Setting::Flag(true));
        }
        if self.swap {
            settings.set("swap", Setting::Flag(true));
        }
        if self.centred {
            settings.set("centred", Setting::Flag(true));
        }
        if self.basis.is_some() {
            settings.set("basis", Setting::Text("kept".into()));
        }
        Ok(settings)
    }

    /// The picture, and what is said of it: marked where a patch asks, and beside the photograph that
    /// has this patch where it is another.
    fn picture(
        &self,
        own: &Photo,
        shown: &Photo,
        map: &Map,
        said: String,
    ) -> Result<(Picture, String)> {
        let (opacity, edges) =
            (self.opacity.unwrap_or(map.opacity), self.edges.unwrap_or(map.edges));
        let mut picture = map.over(&shown.picture, shown.region, opacity, edges)?;
        let Some(other) = &self.other else {
            self.at.iter().for_each(|point| mark(&mut picture, *point));
            return Ok((picture, said));
        };
        let best = map.best.unwrap_or(0);
        let place @ [x, y] = patch_centre(best, shown.grid(), &shown.picture, shown.region)?;
        let mut left = own.picture.clone();
        mark(&mut left, self.at.unwrap_or_default());
        mark(&mut picture, place);
        let said = said.trim_end_matches('.');
        let said = format!("{said}, the best at {x},{y} of {}.", other.display());
        Ok((beside(&left, &picture)?, said))
    }

    fn write(
        &self,
        out: &Path,
        picture: &Picture,
        data: Option<Tensor>,
        map: &Map,
        said: &str,
    ) -> Result<()> {
        output::write_png(out, picture)?;
        let mut written = vec![out.display().to_string()];
        if let (Some(path), Some(data)) = (&self.data.data, data) {
            output::write(path, &[(self.view.clone(), data)], &[])?;
            written.push(path.display().to_string());
        }
        if let (Some(path), Some(basis)) = (&self.save_basis, &map.basis) {
            basis::write(path, basis)?;
            written.push(path.display().to_string());
        }
        say!("wrote {}", list(written));
        say!("{said}");
        Ok(())
    }

    /// The files of the run.
    fn guard(&self, out: &Path) -> Result<Guard> {
        let inputs = [Some(&self.image), self.other.as_ref(), self.basis.as_ref()];
        Guard::default()
            .reads(inputs.into_iter().flatten())
            .reads(self.model.inputs())
            .writes(self.data.data.as_deref(), &["safetensors", "npz", "npy"])?
            .writes(Some(out), &["png"])?
            .writes(self.save_basis.as_deref(), &["safetensors"])
    }

    fn out(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| {
            let stem = match self.image.file_stem() {
                Some(stem) if self.image != Path::new(input::STDIN) => stem,
                _ => "stdin".as_ref(),
            };
            let mut name = stem.to_os_string();
            name.push(format!("-{}.png", self.view));
            name.into()
        })
    }
}
