//! What the user names on the command line, brought to the encoder's shape.

mod named;
mod tensor;

pub(super) use named::photographs;
pub(super) use tensor::read_tensor;

use std::io::Read;
use std::path::Path;

use internvit::image::{Grid, MAX_PIXELS, Picture, Resize, decode_with, tiles};
use internvit::model::Sizes;
use internvit::{Error, Result};

use super::background::Background;

/// The most bytes that are read from standard input.
const MAX_BYTES: u64 = 1 << 30;

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
    let (name, bytes) = if path == Path::new(STDIN) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MAX_BYTES).read_to_end(&mut bytes);
        read.map_err(|e| Error::io("standard input", e))?;
        ("standard input".into(), bytes)
    } else {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
        (path.display().to_string(), bytes)
    };
    let decoded = decode_with(&name, &bytes, background.options())?;
    background.notice(Path::new(&name), &decoded);
    Ok(decoded.picture)
}

/// The error, with the photographs that were encoded together where the values of one overflow.
pub(super) fn of(photos: &[impl AsRef<Path>], error: Error) -> Error {
    let named: Vec<_> = photos.iter().map(|path| path.as_ref().display().to_string()).collect();
    match error {
        Error::NotFinite(why) => Error::NotFinite(format!("{}: {why}", named.join(", "))),
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
    background: &Background,
) -> Result<Photo> {
    fit(path, &read_picture(path, background)?, size, patch, resize, max_tiles)
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
