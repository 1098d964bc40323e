//! What the user names on the command line, brought to the encoder's shape.

mod file;
mod named;
mod tensor;

pub(super) use named::photographs;
pub(super) use tensor::read_tensor;

use std::path::Path;

use internvit::budget::Share;
use internvit::error::list;
use internvit::image::{Grid, MAX_PIXELS, Picture, Resize, decode, tiles};
use internvit::model::Sizes;
use internvit::{Error, Result};

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
pub(super) fn read_picture(path: &Path) -> Result<Picture> {
    Ok(open(path)?.0)
}

/// A photograph, and the share of memory that is kept while it is worked on.
fn open(path: &Path) -> Result<(Picture, Share)> {
    let (bytes, share) = file::read(path)?;
    let name = path.display().to_string();
    let name = if name == STDIN { "standard input" } else { &name };
    Ok((decode(name, &bytes)?, share))
}

/// The error, with the photographs that were encoded together where the values of one overflow.
pub(super) fn of(photos: &[impl AsRef<Path>], error: Error) -> Error {
    let named = list(photos.iter().map(|path| path.as_ref().display()));
    match error {
        Error::NotFinite(why) => Error::NotFinite(format!("{named}: {why}")),
        other => other,
    }
}

/// What `--image-size` says, or the model's own size: a multiple of the patch unless `resize` makes
/// it one.
pub(super) fn side(given: Option<u32>, sizes: &Sizes, resize: Resize) -> Result<u32> {
    let (side, patch) = (given.unwrap_or(sizes.image as u32), sizes.patch as u32);
    if !side.is_multiple_of(patch) && resize != Resize::Native {
        return Err(Error::input(format!("--image-size {side}: expected a multiple of {patch}")));
    }
    Ok(side)
}

/// Reads a photograph and brings it to the encoder's size.
pub(super) fn prepare(
    path: &Path,
    size: u32,
    patch: u32,
    resize: Resize,
    max_tiles: u32,
) -> Result<Photo> {
    let (picture, _share) = open(path)?;
    fit(path, &picture, size, patch, resize, max_tiles)
}

/// Brings the photograph of `path` to the encoder's size.
pub(super) fn fit(
    path: &Path,
    original: &Picture,
    size: u32,
    patch: u32,
    resize: Resize,
    max_tiles: u32,
) -> Result<Photo> {
    if u64::from(max_tiles) * u64::from(size).pow(2) > MAX_PIXELS {
        return Err(Error::input(format!(
            "{max_tiles} tiles of {size} × {size} would pass the limit of {MAX_PIXELS} pixels"
        )));
    }
    let (grid, pictures) = if max_tiles > 1 {
        tiles(original, max_tiles, size)?
    } else {
        let picture = resize.fit(original, size, patch).map_err(|e| match e {
            Error::Input(reason) => Error::image(path.display(), reason),
            other => other,
        })?;
        (Grid { cols: 1, rows: 1 }, vec![picture])
    };
    Ok(Photo { size: [original.width, original.height], grid, pictures })
}

/// Where a photograph is named `-`, it comes from standard input.
pub(super) const STDIN: &str = "-";
