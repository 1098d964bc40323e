//! Files of many formats to one kind of picture: upright, RGB, 8 bits.

use std::panic::{UnwindSafe, catch_unwind};

use image::ImageFormat;

use super::canvas::Canvas;
use super::orientation::orientation;
use super::{Alpha, MAX_PIXELS, Picture, bmp, foreign, gif, jpeg, png, tiff, webp};
use crate::{Error, Result};

/// The longest side: JPEG's own limit. It bounds the row and column buffers of a resize.
const MAX_SIDE: u32 = 65_535;

/// What is wanted of a picture beside its colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The colour under transparent pixels. Without one alpha is dropped, and their hidden colours
    /// are seen, as image processors have it.
    pub background: Option<[u8; 3]>,
    /// That the alpha channel is wanted as well.
    pub alpha: bool,
}

/// What a file holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The picture, upright.
    pub picture: Picture,
    /// Its alpha channel, where it is wanted and a pixel is not opaque.
    pub alpha: Option<Alpha>,
    /// How many pixels are transparent, in whole or by more than half.
    pub transparent: u64,
}

/// The picture in `bytes`; `name` serves the error messages only.
///
/// Reads PNG, JPEG, WebP, GIF, BMP and TIFF, told apart by their content. The result is what
/// Pillow's `convert("RGB")` gives: alpha is dropped (not composited), grey and palettes are
/// expanded, CMYK is multiplied out, colour profiles are ignored. Of 16-bit channels the high byte
/// is kept (Pillow does so for colour; it clips 16-bit grey at 255, which no user wants). The
/// EXIF orientation is applied; of an animation the first frame is taken.
///
/// # Errors
/// [`Error::Image`] for a file that is empty, cut off, broken or of another format, and for a
/// picture of more than [`MAX_PIXELS`] pixels or with a side of 0 or above 65,535.
pub fn decode(name: &str, bytes: &[u8]) -> Result<Picture> {
    Ok(decode_with(name, bytes, Options::default())?.picture)
}

/// The same with [`Options`].
///
/// # Errors
/// As [`decode`].
pub fn decode_with(name: &str, bytes: &[u8], options: Options) -> Result<Decoded> {
    let refuse = |reason: String| Error::image(name, reason);
    if bytes.is_empty() {
        return Err(refuse("the file is empty".into()));
    }
    let Some((format, label)) = known(bytes) else {
        let known = "PNG, JPEG, WebP, GIF, BMP, TIFF";
        let unknown = || format!("not a picture this program can read ({known})");
        return Err(refuse(foreign::name(bytes).unwrap_or_else(unknown)));
    };
    if let Some(reason) = fault(format, label, bytes) {
        return Err(refuse(reason));
    }
    guarded(name, label, || {
        let canvas = canvas(bytes, format, options).map_err(refuse)?;
        Ok(canvas.finish(orientation(bytes, format)))
    })
}

/// Where a decoder panics the file is the cause, and others are still to be read.
fn guarded<T>(name: &str, label: &str, read: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T> {
    catch_unwind(read)
        .unwrap_or_else(|_| Err(Error::image(name, format!("the {label} decoder failed"))))
}

/// The picture as it lies in the file.
fn canvas(
    bytes: &[u8],
    format: ImageFormat,
    options: Options,
) -> std::result::Result<Canvas, String> {
    match format {
        ImageFormat::Jpeg => {
            let Picture { width, height, rgb, .. } = jpeg::read(bytes, check)?;
            Ok(Canvas::of_rgb(width, height, rgb, options))
        }
        ImageFormat::Gif => gif::read(bytes, options, check),
        ImageFormat::Png => png::read(bytes, options, check),
        ImageFormat::Tiff => tiff::read(bytes, options, check),
        ImageFormat::WebP => webp::read(bytes, options, check),
        _ => bmp::read(bytes, options, check),
    }
}

/// Whether a file that begins with `head`, 64 bytes or more, is of a format that is read.
pub fn is_known(head: &[u8]) -> bool {
    known(head).is_some()
}

/// The format of a file that begins with `head`, 64 bytes or more, where it is read.
pub(crate) fn format(head: &[u8]) -> Option<ImageFormat> {
    known(head).map(|(format, _)| format)
}

/// The formats that are read, with the names users know them by.
fn known(bytes: &[u8]) -> Option<(ImageFormat, &'static str)> {
    // A TIFF, a BigTIFF, and those whose version is in the other order of bytes.
    if let Some(b"II*\0" | b"II\0*" | b"II+\0" | b"MM*\0" | b"MM\0*" | b"MM\0+") = bytes.get(..4) {
        return foreign::raw(bytes).is_none().then_some((ImageFormat::Tiff, "TIFF"));
    }
    if bmp::is_bmp(bytes) {
        return Some((ImageFormat::Bmp, "BMP"));
    }
    let format = image::guess_format(bytes).ok()?;
    let label = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        _ => return None,
    };
    Some((format, label))
}

/// Refuses a picture by its header, before memory is taken for its pixels.
fn check(width: u32, height: u32) -> std::result::Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        Err(format!("a picture of {width} × {height} has no pixels"))
    } else if width.max(height) > MAX_SIDE {
        Err(format!("{width} × {height} is too large: a side may have {MAX_SIDE} pixels"))
    } else if pixels > MAX_PIXELS {
        Err(format!("{width} × {height} is too large: a picture may have {MAX_PIXELS} pixels"))
    } else {
        Ok(())
    }
}

/// What is wrong with a file that its decoder would not tell: a WebP's orientation comes after its
/// pixels, so that one cut off before it would lie on its side.
fn fault(format: ImageFormat, label: &str, bytes: &[u8]) -> Option<String> {
    match (format, bytes) {
        // "RIFF", then the length of what follows.
        (ImageFormat::WebP, [_, _, _, _, a, b, c, d, rest @ ..]) => {
            let length = u64::from(u32::from_le_bytes([*a, *b, *c, *d]));
            ((rest.len() as u64) < length).then(|| format!("the {label} data is cut off"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error_of_the_file() {
        let read = guarded::<()>("bad.jpg", "JPEG", || panic!("a decoder's own fault"));
        assert_eq!(read.map_err(|e| e.to_string()), Err("bad.jpg: the JPEG decoder failed".into()));
    }
}
