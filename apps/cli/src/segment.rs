//! `internvit segment`

mod archive;
mod files;
mod walk;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use clap::Parser;
use internvit::app::{Cover, Windows, class_names, class_palette};
use internvit::error::short;
use internvit::image::{Picture, resize};
use internvit::model::HeadSpec;
use internvit::view::{Soft, labels, paint_labels, shares};
use internvit::weights::{Method, Source, Values, write_safetensors};
use internvit::{Encoder, Error, Images, Result, Tensor};
use serde_json::json;

use internvit::files::folder_of;

use super::background::Background;
use super::compute::Compute;
use super::guard::Guard;
use super::masks::Masks;
use super::model::Model;
use super::{input, memory, output, print_json, progress, tell};
use archive::Archive;
use files::Files;

/// Segmentation maps of photographs, by a model with a segmentation head.
///
/// Each photograph's short side is resized to the window's; longer photographs are covered by
/// overlapping windows whose logits are averaged. --out, --picture and --labels name a file where the
/// name has the ending of one, for one photograph; otherwise a folder, in which a photograph's map has
/// its name and its place below the folder that all of them share. A photograph that cannot be read is
/// noted, and the others go on; only where all fail is the exit code 1.
#[derive(Parser)]
#[command(after_help = "Examples:\n  internvit segment street.jpg --model upernet-6b --picture \
    overlay.png --labels labels.png\n  internvit segment photos/*.jpg --model DIR --head \
    taught.safetensors --out maps")]
pub(super) struct Args {
    /// Photographs, or folders of them: PNG, JPEG, WebP, GIF, BMP or TIFF; - is standard input
    #[arg(required_unless_present = "pixel_values")]
    images: Vec<PathBuf>,
    #[command(flatten)]
    model: Model,
    /// A head in a safetensors file of its own, in place of the model's
    #[arg(long, value_name = "FILE")]
    head: Option<PathBuf>,
    /// Side of the window in pixels; the model's image size if left out
    #[arg(long, value_name = "PIXELS")]
    window: Option<u32>,
    /// Pixels from one window to the next; 322 of 504 parts of the window if left out
    #[arg(long, value_name = "PIXELS")]
    stride: Option<u32>,
    /// Take each photograph whole, its short side resized to the window's (taught heads always do)
    #[arg(long, conflicts_with = "stride")]
    whole: bool,
    #[command(flatten)]
    background: Background,
    /// A file with the tensor pixel_values [B, 3, H, W] in place of images, taken whole
    #[arg(long, value_name = "FILE", conflicts_with = "images")]
    pixel_values: Option<PathBuf>,
    #[command(flatten)]
    compute: Compute,
    /// Tensors logits [B, classes, h, w] and labels [B, H, W] (i32)
    #[arg(long, value_name = "FILE.safetensors|DIR")]
    out: Option<PathBuf>,
    /// The map over the photograph
    #[arg(long, value_name = "FILE.png|DIR")]
    picture: Option<PathBuf>,
    /// The map alone, as a palette PNG: a pixel's index is its class
    #[arg(long, value_name = "FILE.png|DIR")]
    labels: Option<PathBuf>,
    /// Probabilities of a taught head's classes at each pixel, [classes, H, W]
    #[arg(long, value_name = "FILE.npy|DIR")]
    probabilities: Option<PathBuf>,
    /// Where a taught head is unsure: bright where two classes are as probable
    #[arg(long, value_name = "FILE.png|DIR")]
    unsure: Option<PathBuf>,
    /// A taught head's class cut out of the photograph, the rest transparent
    #[arg(long, value_name = "FILE.png|DIR")]
    cut_out: Option<PathBuf>,
    /// The class that is cut out; the first if left out
    #[arg(long, value_name = "CLASS", requires = "cut_out")]
    cut: Option<String>,
    /// The maps of all photographs: masks/NAME.png, a pixel's index its class, and annotations.json as
    /// COCO's tools read it
    #[arg(long, value_name = "FILE.zip")]
    masks_zip: Option<PathBuf>,
    /// How a taught head is applied: walk, or linear for each patch by itself; as it was taught if left out
    #[arg(long, value_name = "HOW")]
    method: Option<Method>,
    #[command(flatten)]
    masks: Masks,
    /// Opacity of the map over the photograph, 0 to 1
    #[arg(long, default_value_t = 0.6)]
    opacity: f32,
    /// Print classes and their shares as JSON
    #[arg(long)]
    json: bool,
}

/// A map and the photograph it belongs to.
struct Map {
    name: String,
    photo: Option<Picture>,
    /// Where they are written.
    logits: Option<Tensor>,
    size: [usize; 2],
    labels: Vec<i32>,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let outputs = [&args.out, &args.picture, &args.labels, &args.masks_zip];
    let soft = [&args.probabilities, &args.unsure, &args.cut_out];
    if outputs.into_iter().chain(soft).all(Option::is_none) && !args.json {
        return Err(Error::input("nothing to write: give --out, --picture, --labels or --json"));
    }
    if !(0.0..=1.0).contains(&args.opacity) {
        return Err(Error::input("--opacity: expected a number from 0 to 1"));
    }
    let one = args.images.len() <= 1 && !args.images.iter().any(|path| path.is_dir());
    let photos = input::photographs(&args.images)?;
    let files = Files::of(&args, &photos, one)?;
    let given = args.head.iter().chain(&args.pixel_values);
    let guard = Guard::default().reads(&photos).reads(args.model.inputs()).reads(given);
    let sources = args.pixel_values.iter().chain(&photos).map(PathBuf::as_path).enumerate();
    let add = |guard: Guard, (source, files): (_, &Files)| guard.makes(source, &files.all());
    let guard = sources.zip(&files).fold(guard, add);
    let guard = guard.writes(args.masks_zip.as_deref(), &["zip"])?;
    guard.check()?;
    let mut checkpoint = args.model.open().await?;
    let taught = walk::head(&args, &checkpoint).await?;
    if let Some(file) = args.head.as_ref().filter(|_| taught.is_none()) {
        checkpoint.attach_head_file(Source::file(file)?).await?;
    }
    guard.keeps_model(&checkpoint)?;
    let own = checkpoint.head.as_ref().map(|head| head.spec.clone());
    let Some(head) = taught.as_ref().map(walk::spec).or(own) else {
        return Err(Error::input(format!(
            "{}: no segmentation head: config.json has no \"segmentation\"; give --head with one that \
             `internvit teach` wrote, or --model internvit-tiny, which has one of materials",
            checkpoint.name()
        )));
    };
    let windows = Windows::new(&checkpoint.spec, &head, args.window, args.stride, args.whole)?;
    let mut encoder = args.compute.load(checkpoint).await?;
    if let Some(file) = &args.pixel_values {
        let (shape, values) = input::read_tensor(file, "pixel_values").await?;
        let images = Images::PixelValues { shape, values: &values };
        let logits = encoder.segment(images, &mut async |_, _| ControlFlow::Continue(())).await?;
        let maps = whole(file, shape, logits)?;
        write(&files[0], &args, &head, &maps)?;
        return finish(
            &args,
            maps.iter().take(1).map(|map| summary(&args, &head, map)).collect::<Result<_>>()?,
        );
    }
    let bar = progress::Share::new("segmenting", photos.len());
    let mut summaries = Vec::new();
    let mut archive = match &args.masks_zip {
        Some(path) => Some(Archive::new(path, &class_names(&head), &class_palette(&head))?),
        None => None,
    };
    for (path, files) in photos.iter().zip(&files) {
        let map = match &taught {
            Some(head) => walk::map(&mut encoder, path, &args, head, files, &bar).await,
            None => slide(&mut encoder, path, &args, &windows, &head, &bar).await,
        };
        match map {
            Ok(map) => {
                if let Some(archive) = &mut archive {
                    archive.add(&files.name, &file_name(path), &map.labels, map.size)?;
                }
                write(files, &args, &head, std::slice::from_ref(&map))?;
                summaries.push(summary(&args, &head, &map)?);
            }
            // A photograph's own fault costs the others nothing.
            Err(error @ (Error::Image { .. } | Error::Io { .. } | Error::NotFinite(_))) if !one => {
                note!("{error}");
                summaries
                    .push(json!({ "image": path.to_string_lossy(), "error": error.to_string() }));
            }
            Err(error) => return Err(error),
        }
        bar.next();
    }
    if let Some(archive) = archive {
        archive.finish()?;
    }
    bar.finish();
    tell(&encoder);
    args.background.tell();
    finish(&args, summaries)
}

/// The name of a photograph's file.
fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Prints what was found, and fails where every photograph did.
fn finish(args: &Args, images: Vec<serde_json::Value>) -> Result<()> {
    let failed = images.iter().filter(|image| image.get("error").is_some()).count();
    let all = images.len();
    if args.json {
        print_json(&json!({ "images": images, "failed": failed }));
    } else if failed > 0 {
        report!("{} segmented, {failed} failed", all - failed);
    }
    if failed == all {
        return Err(Error::input("no photograph could be segmented"));
    }
    Ok(())
}

/// Maps of pixel values, each taken whole.
fn whole(file: &Path, [batch, _, height, width]: [usize; 4], logits: Tensor) -> Result<Vec<Map>> {
    let one: usize = logits.shape[1..].iter().product();
    let maps = logits.values.chunks_exact(one).take(batch).map(|values| {
        let mut shape = logits.shape.clone();
        shape[0] = 1;
        let logits = Tensor { shape, values: values.to_vec() };
        let labels = labels(&logits, [height, width])?;
        let name = file.to_string_lossy().into_owned();
        Ok(Map { name, photo: None, logits: Some(logits), size: [height, width], labels })
    });
    maps.collect()
}

/// That the run's memory holds what is made of a photograph; with `keep` its logits are written.
fn check(cover: &Cover, head: &HeadSpec, photo: &Picture, keep: bool) -> Result<()> {
    let [height, width] = cover.size();
    let area = |height: usize, width: usize| height as u64 * width as u64;
    // Of each pixel label, colours, and what they are mixed with.
    let pixels = 3 * area(height, width) + 16 * area(photo.height as usize, photo.width as usize);
    // What is written is encoded first.
    let whole = if keep { 8 * head.classes as u64 * area(height, width) } else { 0 };
    let what = format!("{} classes on {width} × {height} pixels", head.classes);
    memory::budget().check(what, cover.bytes(head).saturating_add(pixels).saturating_add(whole))
}

/// The map of a photograph, window by window.
async fn slide(
    encoder: &mut Encoder,
    path: &Path,
    args: &Args,
    windows: &Windows,
    head: &HeadSpec,
    bar: &progress::Share,
) -> Result<Map> {
    let keep = args.out.is_some() || args.masks.any();
    let photo = input::read_picture(path, &args.background)?;
    let of_path = |e: Error| Error::image(path.display(), e);
    let cover = windows.cover(&photo).map_err(of_path)?;
    check(&cover, head, &photo, keep).map_err(of_path)?;
    let on_progress = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let canvas =
        cover.segment(encoder, head, on_progress).await.map_err(|e| input::of(&[path], e))?;
    let size = [photo.height as usize, photo.width as usize];
    let (labels, logits) = match args.masks.any() {
        true => {
            let logits = canvas.finish()?;
            let soft = Soft::of_logits(&logits, cover.patches(), &photo, size, args.masks.refine());
            (soft?.named()?.labels, Some(logits))
        }
        false => {
            let labels = canvas.labels(size)?;
            (labels, if keep { Some(canvas.finish()?) } else { None })
        }
    };
    let name = path.to_string_lossy().into_owned();
    Ok(Map { name, photo: Some(photo), logits, size, labels })
}

/// Writes what was asked for.
fn write(files: &Files, args: &Args, head: &HeadSpec, maps: &[Map]) -> Result<()> {
    let Some(first) = maps.first() else { return Ok(()) };
    for folder in files.all().into_iter().map(folder_of) {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder.display(), e))?;
    }
    if let Some(out) = &files.out {
        let mut logits = maps.iter().filter_map(|map| map.logits.as_ref());
        let Some(Tensor { shape, values }) = logits.next() else { return Ok(()) };
        let (mut shape, mut values) = (shape.clone(), Cow::Borrowed(&values[..]));
        logits.for_each(|more| values.to_mut().extend_from_slice(&more.values));
        let labels: Vec<i32> = maps.iter().flat_map(|m| m.labels.iter().copied()).collect();
        shape[0] = maps.len();
        let [height, width] = first.size;
        let list = [
            ("logits".to_string(), shape, Values::F32(&values)),
            ("labels".to_string(), vec![maps.len(), height, width], Values::I32(&labels)),
        ];
        write_safetensors(out, &list)?;
    }
    let [height, width] = first.size;
    let palette = class_palette(head);
    if let Some(path) = &files.picture {
        let (width, height) = (width as u32, height as u32);
        let grey = Picture::of(1, 1, vec![128; 3]);
        let photo = first.photo.clone().map_or_else(|| resize(&grey, width, height), Ok)?;
        let picture = paint_labels(&first.labels, &palette, &photo, args.opacity)?;
        output::write_png(path, &picture)?;
    }
    if let Some(path) = &files.labels {
        output::write_labels(path, &first.labels, first.size, &palette)?;
    }
    Ok(())
}

/// The classes of a map and their shares, said in a line unless JSON is wanted.
fn summary(args: &Args, head: &HeadSpec, map: &Map) -> Result<serde_json::Value> {
    let shares = shares(&map.labels, head.classes)?;
    let names = class_names(head);
    let mut list: Vec<_> = shares.iter().enumerate().filter(|(_, share)| **share > 0.0).collect();
    list.sort_by(|a, b| b.1.total_cmp(a.1));
    if !args.json {
        let shown: Vec<_> = list
            .iter()
            .take(5)
            .map(|(class, share)| format!("{} {share:.1} %", short(&names[*class], 80)))
            .collect();
        report!("{}: {}", short(&map.name, 1000), shown.join(", "));
    }
    let classes: Vec<_> = list
        .iter()
        .map(|(class, share)| json!({ "class": class, "name": names[*class], "percent": share }))
        .collect();
    Ok(json!({ "image": map.name, "size": map.size, "classes": classes }))
}
