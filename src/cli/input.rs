//! What the user names on the command line, brought to the encoder's shape.

use std::path::Path;

use internvit::image::{Grid, MAX_PIXELS, Picture, Resize, decode, tiles};
use internvit::model::Sizes;
use internvit::weights::{Source, read_header};
use internvit::{Error, Result};

/// A photograph and what the encoder sees of it.
pub(super) struct Photo {
    pub(super) original: Picture,
    pub(super) grid: Grid,
    /// Tiles row by row, then the thumbnail where there are several; or the one resized picture.
    pub(super) pictures: Vec<Picture>,
}

/// Reads and decodes a photograph.
pub(super) fn read_picture(path: &Path) -> Result<Picture> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
    decode(&path.display().to_string(), &bytes)
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
    let original = read_picture(path)?;
    if u64::from(max_tiles) * u64::from(size).pow(2) > MAX_PIXELS {
        return Err(Error::input(format!(
            "{max_tiles} tiles of {size} × {size} would pass the limit of {MAX_PIXELS} pixels"
        )));
    }
    let (grid, pictures) = if max_tiles > 1 {
        tiles(&original, max_tiles, size)
    } else {
        let picture = resize.fit(&original, size, patch).map_err(|e| match e {
            Error::Input(reason) => Error::image(path.display(), reason),
            other => other,
        })?;
        (Grid { cols: 1, rows: 1 }, vec![picture])
    };
    Ok(Photo { original, grid, pictures })
}

/// The f32 tensor `name` of a safetensors file, which must have `N` dimensions.
pub(super) async fn read_tensor<const N: usize>(
    path: &Path,
    name: &str,
) -> Result<([usize; N], Vec<f32>)> {
    let source = Source::file(path)?;
    let list = read_header(&source).await?;
    let bad = |reason: String| Error::checkpoint(path.display(), reason);
    let stored = list.iter().find(|s| s.key == name).ok_or_else(|| {
        let names: Vec<_> = list.iter().map(|s| s.key.as_str()).collect();
        bad(format!("expected a tensor {name}, found {}", names.join(", ")))
    })?;
    let dtype = stored.dtype.ok_or_else(|| {
        bad(format!("{name}: expected type F32, F16 or BF16, found {}", stored.dtype_name))
    })?;
    let shape = <[usize; N]>::try_from(stored.shape.as_slice()).map_err(|_| {
        bad(format!("{name}: expected {N} dimensions, found shape {:?}", stored.shape))
    })?;
    let bytes = source.read(stored.range.clone()).await?;
    Ok((shape, dtype.decode(&bytes)))
}
