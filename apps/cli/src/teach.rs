//! `internvit teach`

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use internvit::app::{Album, Example, Keep, Lesson, Photo, Shape};
use internvit::error::{list, short};
use internvit::gpu::Precision;
use internvit::image::Resize;
use internvit::model::layer;
use internvit::view::{Edges, Request, Taught};
use internvit::{Device, Error, Result};

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
    /// Where the edges of the picture come from. patches: a square each; smooth: the classes'
    /// probabilities are interpolated; photograph: they are interpolated such that they change where its
    /// colours do, so edges come from the photograph, not from the model
    #[arg(long, value_name = "WHERE", default_value_t)]
    edges: Edges,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let mut lesson = Lesson::default();
    let classes: Vec<usize> = args.points.iter().map(|point| lesson.class(&point.class)).collect();
    if lesson.names.len() < 2 {
        return Err(Error::input("points of at least two classes are needed"));
    }
    lesson.check_classes()?;
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
    lesson.layers = args.layer.iter().map(block).collect::<Result<_>>()?;
    lesson.layers.sort_unstable();
    lesson.layers.dedup();
    if lesson.layers.is_empty() {
        lesson.layers.push(sizes.layers);
    }
    let (picture, alpha) = input::read_seen(&args.image, &args.background)?;
    args.background.tell();
    let own = checkpoint.spec.preprocessing;
    let shape = Shape::of(own.fit(&sizes, Some(Resize::Native), args.image_size), 1)?;
    let mut encoder = load(checkpoint, &args.device, Precision::F32, false).await?;
    let bar = progress::Share::new("encoding", 1);
    let on_progress = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let keep = Keep { taps: &lesson.layers, residency: internvit::session::Residency::Host };
    let mut photo = Photo::encode(&mut encoder, picture, &shape, keep, on_progress).await?;
    bar.finish();
    tell(&encoder);
    if let Some(alpha) = &alpha {
        photo.leave_out(alpha);
    }
    let mut album = Album::default();
    let id = album.add(photo);
    for (arguments::Example { class: name, x, y }, class) in args.points.iter().zip(classes) {
        let of_point = |reason| Error::input(format!("{name}:{reason}"));
        let token = album.photo(id)?.patch([*x, *y]).map_err(|error| match error {
            Error::Input(reason) => of_point(reason),
            other => other,
        })?;
        let token =
            token.ok_or_else(|| of_point(format!("{x},{y}: the encoder did not see it")))?;
        lesson.examples.push(Example { photo: id, token, class });
    }
    apart(&lesson, &args.points, album.photo(id)?.grid())?;
    let gathered = lesson.gather(&mut album, &encoder).await?;
    for (class, name) in lesson.names.iter().enumerate() {
        if !gathered.examples.iter().any(|(_, other)| *other == class) {
            let name = short(name, 80);
            return Err(Error::input(format!("{name}: its points lie where nothing is shown")));
        }
    }
    let head = lesson.fit(&gathered)?;
    output::write_bytes(&args.out, &head.to_bytes()?)?;

    album.head = Some(head);
    let taught = Request::Taught(Taught::default());
    let map = album.view(&encoder, id, &taught, &mut |_, _| ()).await?;
    if let Some(path) = &args.picture {
        let photo = album.photo(id)?;
        let picture = map.over(&photo.picture, photo.region, map.opacity, args.edges)?;
        output::write_png(path, &picture)?;
    }
    let names = lesson.names.iter();
    let shown = names.zip(&map.shares).map(|(n, s)| format!("{} {s:.1} %", short(n, 80)));
    report!("{}", list(shown));
    Ok(())
}

/// Refuses points of different classes in one patch, which has one token.
fn apart(lesson: &Lesson, points: &[arguments::Example], [rows, cols]: [usize; 2]) -> Result<()> {
    let Some(pair) = lesson.conflict() else { return Ok(()) };
    let [first, second] = pair.map(|at| {
        let arguments::Example { class, x, y } = &points[at];
        format!("{}:{x},{y}", short(class, 80))
    });
    Err(Error::input(format!(
        "{first} and {second}: both points lie in one patch of {rows} × {cols}, which has one class: \
         choose points farther apart, or a larger --image-size"
    )))
}
