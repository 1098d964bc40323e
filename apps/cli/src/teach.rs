//! `internvit teach`

mod examples;

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Parser;
use internvit::app::{Album, Example, Keep, Lesson, Photo, Shape};
use internvit::error::{list, short};
use internvit::gpu::Precision;
use internvit::image::{Alpha, Picture, Resize};
use internvit::model::layer;
use internvit::view::{Head, labels, shares};
use internvit::weights::{LinearHead, Method};
use internvit::{Checkpoint, Device, Encoder, Error, Result};

use super::background::Background;
use super::guard::Guard;
use super::masks::{Masks, Outputs};
use super::model::Model;
use super::{arguments, input, load, output, progress, tell};

/// Teaches a segmentation from a few points or strokes, on frozen features.
///
/// The head is a safetensors file of mmseg's linear head, which `internvit segment --head` applies
/// to any photograph with the same model.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit teach cat.jpg --point cat:220,160 --point cat:90,200 \
    --point wall:430,20 --out taught.safetensors --picture overlay.png --cut-out cat.png\n  \
    internvit segment other.jpg --head taught.safetensors --picture other-overlay.png\n  \
    internvit teach cat.jpg --examples labels.png --names cat,wall --out taught.safetensors\n  \
    internvit teach one.jpg two.jpg --point cat:220,160 --point wall:430,20@2 --out taught.safetensors"
)]
pub(super) struct Args {
    /// Photographs; - is standard input. What is made of one, such as --picture, is of the first
    #[arg(required = true, value_name = "IMAGES")]
    images: Vec<PathBuf>,
    /// A point and its class, in the photograph's pixels; once for every point. @2 behind it: on the
    /// second photograph, and so on
    #[arg(
        long = "point",
        value_name = "CLASS:X,Y[@N]",
        required_unless_present_any = ["strokes", "examples"],
        value_parser = arguments::example
    )]
    points: Vec<arguments::Example>,
    /// A stroke and its class, its corners in the photograph's pixels, in quotes; once for every stroke
    #[arg(
        long = "scribble",
        value_name = "CLASS:X,Y X,Y ...[@N]",
        value_parser = arguments::stroke
    )]
    strokes: Vec<arguments::Stroke>,
    /// A picture of labels as large as the photograph, grey or with a palette: 0 names nothing, 1 is the
    /// first class; once for every photograph, in their order
    #[arg(long, value_name = "FILE.png")]
    examples: Vec<PathBuf>,
    /// The classes of those pictures' labels, from 1 on; their numbers if left out
    #[arg(long, value_name = "CLASSES", value_delimiter = ',', requires = "examples")]
    names: Vec<String>,
    #[command(flatten)]
    model: Model,
    /// walk: classes spread along what looks alike to the photograph's edges; linear: each patch by
    /// itself, by logistic regression; mlp: the same by a small network with one hidden layer
    #[arg(long, value_name = "HOW", default_value = "walk")]
    method: Method,
    /// The block whose output is classified, or several side by side, as in 4,8,12; -1 is the last,
    /// -2 the one before; if left out the last, for a walk with the one after two thirds
    #[arg(
        long,
        visible_alias = "layers",
        value_name = "LAYERS",
        value_delimiter = ',',
        allow_hyphen_values = true
    )]
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
    #[command(flatten)]
    masks: Masks,
    #[command(flatten)]
    outputs: Outputs,
}

pub(super) async fn run(args: Args) -> Result<()> {
    let guard = Guard::default()
        .reads(&args.images)
        .reads(&args.examples)
        .reads(args.model.inputs())
        .writes(Some(&args.out), &["safetensors"])?;
    let mut lesson = Lesson { method: args.method, ..Lesson::default() };
    let mut points = args.points.clone();
    points.extend(args.strokes.iter().flat_map(examples::stroke));
    of_photos(&args, &points)?;
    if args.examples.is_empty() {
        named(&mut lesson, &points)?;
    }
    let guard = args.outputs.guard(guard)?;
    guard.check()?;
    let checkpoint = args.model.open().await?;
    guard.keeps_model(&checkpoint)?;
    lesson.layers = layers(&args, checkpoint.spec.sizes.layers)?;
    let read = |path: &PathBuf| input::read_seen(path, &args.background);
    let photos: Vec<_> = args.images.iter().map(read).collect::<Result<_>>()?;
    args.background.tell();
    if !args.examples.is_empty() {
        points.extend(examples::labelled(&args.examples, &args.names, &photos)?);
        named(&mut lesson, &points)?;
    }
    let class = args.outputs.class(&lesson.names)?;
    let (mut encoder, mut album, ids) = encode(&args, checkpoint, photos, &lesson.layers).await?;
    tell(&encoder);
    place(&mut lesson, &points, &album, &ids)?;
    if args.method != Method::Walk {
        apart(&lesson, &points, &album)?;
    }
    let gathered = lesson.gather(&mut album, &encoder).await?;
    for (class, name) in lesson.names.iter().enumerate() {
        if !gathered.examples.iter().any(|(_, other)| *other == class) {
            let name = short(name, 80);
            return Err(Error::input(format!("{name}: its points lie where nothing is shown")));
        }
    }
    let head = lesson.fit(&gathered)?;
    output::write_bytes(&args.out, &head.to_bytes()?)?;
    album.learn(head.clone(), &lesson.examples);
    for (at, id) in ids.into_iter().enumerate() {
        show(&args, &mut album, &mut encoder, (at, id), &head, class).await?;
    }
    Ok(())
}

/// Refuses points on photographs that there are not, and pictures of labels without a photograph.
fn of_photos(args: &Args, points: &[arguments::Example]) -> Result<()> {
    let (count, many) = (args.images.len(), args.examples.len());
    if many > count {
        return Err(Error::input(format!(
            "{many} pictures of labels: expected at most {count}, one a photograph"
        )));
    }
    match points.iter().find(|point| point.photo >= count) {
        None => Ok(()),
        Some(arguments::Example { photo, class, x, y }) => Err(Error::input(format!(
            "{}:{x},{y}@{}: expected a number from 1 to {count}, the number of photographs",
            short(class, 80),
            photo + 1
        ))),
    }
}

/// The layers that are classified.
fn layers(args: &Args, last: usize) -> Result<Vec<usize>> {
    let mut layers: Vec<usize> =
        args.layer.iter().map(|given| layer(last, 1, *given)).collect::<Result<_>>()?;
    if layers.is_empty() {
        layers = args.method.layers(last);
    }
    layers.sort_unstable();
    layers.dedup();
    Ok(layers)
}

/// Names the classes of points in the order in which they come.
fn named(lesson: &mut Lesson, points: &[arguments::Example]) -> Result<()> {
    for point in points {
        lesson.class(&point.class);
    }
    if lesson.names.len() < 2 {
        return Err(Error::input("points of at least two classes are needed"));
    }
    lesson.check_classes()
}

async fn encode(
    args: &Args,
    checkpoint: Checkpoint,
    photos: Vec<(Picture, Option<Alpha>)>,
    layers: &[usize],
) -> Result<(Encoder, Album, Vec<u32>)> {
    let (own, sizes) = (&checkpoint.spec.preprocessing, checkpoint.spec.sizes);
    let shape = Shape::of(own.fit(&sizes, Some(Resize::Native), args.image_size), 1)?;
    let mut encoder = load(checkpoint, &args.device, Precision::F32, false).await?;
    let (mut album, mut ids) = (Album::default(), Vec::new());
    let bar = progress::Share::new("encoding", photos.len());
    for (picture, alpha) in photos {
        let on_progress = &mut async |done, total| {
            bar.set(done, total);
            ControlFlow::Continue(())
        };
        let keep = Keep { taps: layers, residency: internvit::session::Residency::Host };
        let mut photo = Photo::encode(&mut encoder, picture, &shape, keep, on_progress).await?;
        if let Some(alpha) = &alpha {
            photo.leave_out(alpha);
        }
        ids.push(album.add(photo));
        bar.next();
    }
    bar.finish();
    Ok((encoder, album, ids))
}

/// Gives each point its patch.
fn place(
    lesson: &mut Lesson,
    points: &[arguments::Example],
    album: &Album,
    ids: &[u32],
) -> Result<()> {
    for arguments::Example { photo, class: name, x, y } in points {
        let (id, photo) = (ids[*photo], album.photo(ids[*photo])?);
        let of_point = |reason| Error::input(format!("{name}:{reason}"));
        let token = photo.patch([*x, *y]).map_err(|error| match error {
            Error::Input(reason) => of_point(reason),
            other => other,
        })?;
        let token =
            token.ok_or_else(|| of_point(format!("{x},{y}: the encoder did not see it")))?;
        let class = lesson.class(name);
        lesson.examples.push(Example { photo: id, token, class, at: Some([*x, *y]) });
    }
    Ok(())
}

/// Writes what was asked for of the first photograph, and says what part of each the classes have.
async fn show(
    args: &Args,
    album: &mut Album,
    encoder: &mut Encoder,
    (at, id): (usize, u32),
    head: &LinearHead,
    class: usize,
) -> Result<()> {
    let first = at == 0;
    let refined = head.method == Method::Walk || args.masks.any();
    let mut map = None;
    if refined || first && args.outputs.of_pixels() {
        let soft = album.soft(encoder, id, args.masks.refine()).await?;
        let named = soft.named()?;
        if first {
            args.outputs.write(&soft, &named, class)?;
        }
        map = Some(named.labels).filter(|_| refined);
    }
    let map = match map {
        Some(map) => map,
        None => {
            let logits = album.logits(encoder, id, Head::Taught).await?;
            let photo = &album.photo(id)?.picture;
            labels(&logits, [photo.height as usize, photo.width as usize])?
        }
    };
    if first {
        args.outputs.write_map(&map, &head.palette, &album.photo(id)?.picture)?;
    }
    let names = head.names.iter();
    let shares = shares(&map, names.len())?;
    let shown = names.zip(shares).map(|(n, s)| format!("{} {s:.1} %", short(n, 80)));
    match args.images.len() {
        1 => report!("{}", list(shown)),
        _ => report!("{}: {}", args.images[at].display(), list(shown)),
    }
    Ok(())
}

/// Refuses points of different classes in one patch, which has one token.
fn apart(lesson: &Lesson, points: &[arguments::Example], album: &Album) -> Result<()> {
    let Some(pair) = lesson.conflict() else { return Ok(()) };
    let [rows, cols] = album.photo(lesson.examples[pair[0]].photo)?.grid();
    let [first, second] = pair.map(|at| {
        let arguments::Example { class, x, y, .. } = &points[at];
        format!("{}:{x},{y}", short(class, 80))
    });
    Err(Error::input(format!(
        "{first} and {second}: both points lie in one patch of {rows} × {cols}, which has one class: \
         choose points farther apart, or a larger --image-size"
    )))
}
