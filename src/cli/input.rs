//! What the user names on the command line, brought to the encoder's shape.

use std::path::{Path, PathBuf};

use internvit::image::{Grid, MAX_PIXELS, Picture, Resize, decode, tiles};
use internvit::model::Sizes;
use internvit::weights::{Source, read_header};
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

/// Endings of the files that stand for a folder.
const ENDINGS: [&str; 9] = ["bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// The photographs that `named` stands for: a file for itself, a folder for those in it and below,
/// in the order of their paths' bytes. Hidden files and folders are left out, and links to folders
/// are not followed.
pub(super) fn photographs(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for path in named {
        let file = std::fs::metadata(path).map_err(|e| Error::io(path.display(), e))?;
        let mut found = Vec::new();
        if file.is_dir() {
            walk(path, &mut found)?;
            if found.is_empty() {
                let reason = format!("no photographs in this folder ({})", ENDINGS.join(", "));
                return Err(Error::image(path.display(), reason));
            }
            found.sort_by(|a, b| bytes(a).cmp(bytes(b)));
        } else {
            found.push(path.clone());
        }
        list.append(&mut found);
    }
    Ok(list)
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let failed = |e| Error::io(folder.display(), e);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        } else if kind.is_dir() {
            walk(&path, found)?;
        } else if ending.is_some_and(|e| ENDINGS.contains(&e.as_str())) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

/// Reads and decodes a photograph.
pub(super) fn read_picture(path: &Path) -> Result<Picture> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
    decode(&path.display().to_string(), &bytes)
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
) -> Result<Photo> {
    fit(path, &read_picture(path)?, size, patch, resize, max_tiles)
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
        tiles(original, max_tiles, size)
    } else {
        let picture = resize.fit(original, size, patch).map_err(|e| match e {
            Error::Input(reason) => Error::image(path.display(), reason),
            other => other,
        })?;
        (Grid { cols: 1, rows: 1 }, vec![picture])
    };
    Ok(Photo { size: [original.width, original.height], grid, pictures })
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
