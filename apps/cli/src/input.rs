//! What the user names on the command line, brought to the encoder's shape.

mod named;
mod tensor;

pub(super) use named::{listed, photographs};
pub(super) use tensor::read_tensor;

use std::path::{Path, PathBuf};

use internvit::app::Shape;
use internvit::budget::Share;
use internvit::error::list;
use internvit::image::{Alpha, Decoded, Picture, Resize, decode_with};
use internvit::many::{ReadAhead, Ready};
use internvit::model::Spec;
use internvit::photos::{piped, read};
use internvit::{Error, Result};

use super::background::Background;
use super::memory::budget;

/// Reads and decodes a photograph.
pub(super) fn read_picture(path: &Path, background: &Background) -> Result<Picture> {
    Ok(open(path, background)?.0.picture)
}

/// Reads and decodes a photograph, with what of it is transparent where that is laid over a colour.
pub(super) fn read_seen(path: &Path, background: &Background) -> Result<(Picture, Option<Alpha>)> {
    let (Decoded { picture, alpha, .. }, _share) = open(path, background)?;
    Ok((picture, alpha))
}

/// A photograph, and the share of memory that is kept while it is worked on.
fn open(path: &Path, background: &Background) -> Result<(Decoded, Share)> {
    let (bytes, share) = match path == Path::new(STDIN) {
        true => piped("standard input", std::io::stdin().lock(), budget())?,
        false => read(path, budget())?,
    };
    let name = path.display().to_string();
    let name = if name == STDIN { "standard input" } else { &name };
    let decoded = decode_with(name, &bytes, background.options())?;
    background.notice(Path::new(name), &decoded);
    Ok((decoded, share))
}

/// The error, with the photographs that were encoded together where the values of one overflow.
pub(super) fn of(photos: &[impl AsRef<Path>], error: Error) -> Error {
    let named = list(photos.iter().map(|path| path.as_ref().display()));
    match error {
        Error::NotFinite(why) => Error::NotFinite(format!("{named}: {why}")),
        other => other,
    }
}

/// How photographs are brought to a model's size, as `--image-size`, `--resize` and `--tiles` say where
/// they are given and else as the model asks for.
pub(super) fn shape(
    spec: &Spec,
    size: Option<u32>,
    resize: Option<Resize>,
    tiles: u32,
) -> Result<Shape> {
    Shape::new(spec, size, resize, tiles).map_err(|error| match error {
        Error::Input(reason) => Error::Input(reason.replace("image size", "--image-size")),
        other => other,
    })
}

/// Photographs in the order of their paths, read ahead of the encoder, each as [`prepare`] gives it.
pub(super) fn ahead(
    paths: &[PathBuf],
    shape: Shape,
    background: &Background,
) -> ReadAhead<PathBuf> {
    let background = background.clone();
    let read = move |path: &PathBuf| prepare(path, &shape, &background);
    ReadAhead::new(paths.into(), |path| path.display().to_string(), &shape, budget(), read)
}

/// Reads a photograph and brings it to the encoder's size.
pub(super) fn prepare(path: &Path, shape: &Shape, background: &Background) -> Result<Ready> {
    let (decoded, _share) = open(path, background)?;
    fit(path, &decoded.picture, shape)
}

/// Brings the photograph of `path` to the encoder's size.
pub(super) fn fit(path: &Path, original: &Picture, shape: &Shape) -> Result<Ready> {
    let name = path.display().to_string();
    Ready::new(name, original, shape).map_err(|error| unfit(path, error))
}

/// The error, with the photograph where it has a shape that does not suit the encoder.
pub(super) fn unfit(path: &Path, error: Error) -> Error {
    match error {
        Error::Input(reason) => Error::image(path.display(), reason),
        other => other,
    }
}

/// Where a photograph is named `-`, it comes from standard input.
pub(super) const STDIN: &str = "-";
