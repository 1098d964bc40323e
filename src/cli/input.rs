//! What the user names on the command line, brought to the encoder's shape.

mod file;
mod named;
mod tensor;

pub(super) use named::photographs;
pub(super) use tensor::read_tensor;

use std::path::Path;

use internvit::budget::Share;
use internvit::error::list;
use internvit::image::{Fit, Grid, MAX_PIXELS, Picture, Resize, decode_with};
use internvit::model::Spec;
use internvit::{Error, Result};

use super::background::Background;

/// What the encoder sees of a photograph.
pub(super) struct Photo {
    /// Width and height as decoded.
    pub(super) size: [u32; 2],
    /// The tiles, one where it is not cut.
    pub(super) grid: Grid,
    /// Tiles row by row, then the thumbnail where there are several; or the one resized picture.
    pub(super) pictures: Vec<Picture>,
}

/// Reads and decodes a photograph.
pub(super) fn read_picture(path: &Path, background: &Background) -> Result<Picture> {
    Ok(open(path, background)?.0)
}

/// A photograph, and the share of memory that is kept while it is worked on.
fn open(path: &Path, background: &Background) -> Result<(Picture, Share)> {
    let (bytes, share) = file::read(path)?;
    let name = path.display().to_string();
    let name = if name == STDIN { "standard input" } else { &name };
    let decoded = decode_with(name, &bytes, background.options())?;
    background.notice(Path::new(name), &decoded);
    Ok((decoded.picture, share))
}

/// The error, with the photographs that were encoded together where the values of one overflow.
pub(super) fn of(photos: &[impl AsRef<Path>], error: Error) -> Error {
    let named = list(photos.iter().map(|path| path.as_ref().display()));
    match error {
        Error::NotFinite(why) => Error::NotFinite(format!("{named}: {why}")),
        other => other,
    }
}

/// How photographs are brought to a model's size, as the options say and else as the model asks for.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    pub(super) fit: Fit,
    /// Tiles at most.
    pub(super) tiles: u32,
}

impl Shape {
    /// What `--image-size` and `--resize` say, where they are given: a multiple of the patch unless
    /// the way of resizing makes it one.
    pub(super) fn new(size: Option<u32>, resize: Option<Resize>, spec: &Spec) -> Result<Self> {
        let fit = spec.preprocessing.fit(&spec.sizes, resize, size);
        let (side, patch) = (fit.size, fit.patch);
        if !side.is_multiple_of(patch) && fit.resize != Resize::Native {
            return Err(Error::input(format!(
                "--image-size {side}: expected a multiple of {patch}"
            )));
        }
        Ok(Self { fit, tiles: 1 })
    }

    /// In at most so many tiles, which are squashed whatever the model asks for a whole photograph.
    pub(super) fn tiled(self, tiles: u32) -> Self {
        let resize = if tiles > 1 { Resize::Squash } else { self.fit.resize };
        Self { fit: Fit { resize, ..self.fit }, tiles }
    }
}

/// Reads a photograph and brings it to the encoder's size.
pub(super) fn prepare(path: &Path, shape: &Shape, background: &Background) -> Result<Photo> {
    let (picture, _share) = open(path, background)?;
    fit(path, &picture, shape)
}

/// Brings the photograph of `path` to the encoder's size.
pub(super) fn fit(path: &Path, original: &Picture, shape: &Shape) -> Result<Photo> {
    let (fit, most) = (shape.fit, shape.tiles);
    if u64::from(most) * u64::from(fit.size).pow(2) > MAX_PIXELS {
        let size = fit.size;
        return Err(Error::input(format!(
            "{most} tiles of {size} × {size} would pass the limit of {MAX_PIXELS} pixels"
        )));
    }
    let (grid, pictures) = if most > 1 {
        fit.tiles(original, most)?
    } else {
        let picture = fit.apply(original).map_err(|e| match e {
            Error::Input(reason) => Error::image(path.display(), reason),
            other => other,
        })?;
        (Grid { cols: 1, rows: 1 }, vec![picture])
    };
    Ok(Photo { size: [original.width, original.height], grid, pictures })
}

/// Where a photograph is named `-`, it comes from standard input.
pub(super) const STDIN: &str = "-";
