//! Heads that were taught, applied as they were taught: whole photographs, soft masks.

use std::ops::ControlFlow;
use std::path::Path;

use internvit::app::{Album, Keep, Photo, Shape};
use internvit::image::Resize;
use internvit::model::{HeadKind, HeadSpec};
use internvit::view::Head;
use internvit::weights::{LinearHead, Method, Source, taught_method};
use internvit::{Checkpoint, Encoder, Error, Result, Tensor};

use super::super::masks::Outputs;
use super::super::{input, memory, progress};
use super::files::Files;
use super::{Args, Map};

/// The head of `--head`, where it is more than a linear head or what only soft masks give is wanted.
pub(super) async fn head(args: &Args, checkpoint: &Checkpoint) -> Result<Option<LinearHead>> {
    let soft = args.probabilities.is_some() || args.unsure.is_some() || args.cut_out.is_some();
    let refined = args.masks.any();
    let Some(file) = &args.head else {
        return match soft || args.method.is_some() {
            true => Err(Error::input(
                "--probabilities, --unsure, --cut-out and --method are for --head: expected a head \
                 that was taught",
            )),
            false => Ok(None),
        };
    };
    let source = Source::file(file)?;
    let taught = taught_method(&source).await?.unwrap_or_default();
    let method = match (args.method, taught) {
        (Some(Method::Mlp), Method::Linear | Method::Walk)
        | (Some(Method::Linear), Method::Mlp) => {
            let found = if taught == Method::Mlp { "mlp" } else { "linear or walk" };
            return Err(Error::input(format!(
                "--method: the head was taught as {found}, leave it out"
            )));
        }
        (Some(method), _) => method,
        (None, _) => taught,
    };
    if !soft && !refined && method == Method::Linear {
        return Ok(None);
    }
    if args.pixel_values.is_some() || args.stride.is_some() {
        return Err(Error::input(
            "this head takes whole photographs: leave --pixel-values and --stride out",
        ));
    }
    let mut head = LinearHead::read(&source, &checkpoint.spec).await?;
    head.method = method;
    Ok(Some(head))
}

/// What the rest of the command asks about a head.
pub(super) fn spec(head: &LinearHead) -> HeadSpec {
    HeadSpec {
        kind: HeadKind::Linear,
        out_indices: head.layers.iter().map(|layer| layer - 1).collect(),
        classes: head.names.len(),
        names: head.names.clone(),
        palette: head.palette.clone(),
        whole: true,
    }
}

/// The map of a photograph; writes what is made of its probabilities.
pub(super) async fn map(
    encoder: &mut Encoder,
    path: &Path,
    args: &Args,
    head: &LinearHead,
    files: &Files,
    bar: &progress::Share,
) -> Result<Map> {
    let picture = input::read_picture(path, &args.background)?;
    let of_path = |e: Error| Error::image(path.display(), e);
    // Of each pixel the best two probabilities, its label, and what the filter holds.
    let area = u64::from(picture.width) * u64::from(picture.height);
    let what = format!("masks of {} × {} pixels", picture.width, picture.height);
    memory::budget().check(what, 64 * area).map_err(of_path)?;
    let spec = encoder.spec();
    let fit = spec.preprocessing.fit(&spec.sizes, Some(Resize::Native), args.window);
    let shape = Shape::of(fit, 1)?;
    let keep = Keep { taps: &head.layers, residency: internvit::session::Residency::Host };
    let on_progress = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let photo = Photo::encode(encoder, picture, &shape, keep, on_progress);
    let photo = photo.await.map_err(|e| input::of(&[path], e))?;
    let mut album = Album::default();
    let id = album.add(photo);
    album.learn(head.clone(), &[]);
    let soft = album.soft(encoder, id, args.masks.refine()).await?;
    let named = soft.named()?;
    let outputs = Outputs {
        probabilities: files.probabilities.clone(),
        unsure: files.unsure.clone(),
        cut_out: files.cut_out.clone(),
        cut: args.cut.clone(),
        ..Outputs::default()
    };
    outputs.make_folders()?;
    outputs.write(&soft, &named, outputs.class(&head.names)?)?;
    let logits = match args.out.is_some() {
        true => Some(logits(&mut album, encoder, id, head).await?),
        false => None,
    };
    let photo = album.photo(id)?.picture.clone();
    let name = path.to_string_lossy().into_owned();
    Ok(Map { name, photo: Some(photo), logits, size: soft.size(), labels: named.labels })
}

/// Logits of cells: of a walk the probabilities' logarithms.
async fn logits(
    album: &mut Album,
    encoder: &Encoder,
    id: u32,
    head: &LinearHead,
) -> Result<Tensor> {
    let mut logits = album.logits(encoder, id, Head::Taught).await?;
    if head.method == Method::Walk {
        logits.values.iter_mut().for_each(|p| *p = p.max(1e-9).ln());
    }
    Ok(logits)
}
