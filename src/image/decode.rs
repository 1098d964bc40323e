//! Files of many formats to one kind of picture: upright, RGB, 8 bits.

use std::io::{Cursor, ErrorKind};
use std::panic::{UnwindSafe, catch_unwind};

use image::error::ImageError;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::jpeg;
use super::orientation::orientation;
use super::palette::palette;
use super::{MAX_PIXELS, Picture};
use crate::{Error, Result};

/// The most bytes a decoder may ask for at once.
const MAX_BYTES: u64 = 1 << 30;

/// Beside its pixels a PNG may hold little: a colour profile inflates to a thousand times its length,
/// and is not even used.
const MAX_PNG_BYTES: u64 = 16 << 20;

/// The longest side: JPEG's own limit. It bounds the row and column buffers of a resize.
const MAX_SIDE: u32 = 65_535;

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
    let refuse = |reason: String| Error::image(name, reason);
    if bytes.is_empty() {
        return Err(refuse("the file is empty".into()));
    }
    let Some((format, label)) = image::guess_format(bytes).ok().and_then(known) else {
        let known = "PNG, JPEG, WebP, GIF, BMP, TIFF";
        return Err(refuse(format!("not a picture this program can read ({known})")));
    };
    if let Some(reason) = fault(format, label, bytes) {
        return Err(refuse(reason));
    }
    guarded(name, label, || read_any(name, bytes, format, label))
}

/// Where a decoder panics the file is the cause, and others are still to be read.
fn guarded(
    name: &str,
    label: &str,
    read: impl FnOnce() -> Result<Picture> + UnwindSafe,
) -> Result<Picture> {
    catch_unwind(read)
        .unwrap_or_else(|_| Err(Error::image(name, format!("the {label} decoder failed"))))
}

fn read_any(name: &str, bytes: &[u8], format: ImageFormat, label: &str) -> Result<Picture> {
    let refuse = |reason: String| Error::image(name, reason);
    if format == ImageFormat::Tiff
        && let Some((grey, colours)) = palette(bytes)
    {
        let mut picture = read(&grey, format).map_err(|e| refuse(e.text(label)))?;
        for pixel in picture.rgb.as_chunks_mut::<3>().0 {
            *pixel = colours[usize::from(pixel[0])];
        }
        return Ok(picture);
    }
    if format == ImageFormat::Jpeg {
        let picture = jpeg::read(bytes, check).map_err(refuse)?;
        return Ok(upright(picture, orientation(bytes, format)));
    }
    read(bytes, format).map_err(|e| refuse(e.text(label)))
}

/// The picture turned as its file says.
fn upright(picture: Picture, orientation: Orientation) -> Picture {
    if orientation == Orientation::NoTransforms {
        return picture;
    }
    let Picture { width, height, rgb } = picture;
    let Some(buffer) = RgbImage::from_raw(width, height, rgb) else {
        return Picture { width: 0, height: 0, rgb: Vec::new() };
    };
    let mut picture = DynamicImage::ImageRgb8(buffer);
    picture.apply_orientation(orientation);
    let (width, height) = (picture.width(), picture.height());
    Picture { width, height, rgb: picture.into_rgb8().into_raw() }
}

/// Why a picture was not read.
enum Refusal {
    Decoder(ImageError),
    Size(String),
}

impl Refusal {
    fn text(self, label: &str) -> String {
        match self {
            Self::Decoder(error) => explain(label, error),
            Self::Size(reason) => reason,
        }
    }
}

/// Header, size check, pixels, orientation.
fn read(bytes: &[u8], format: ImageFormat) -> std::result::Result<Picture, Refusal> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(if format == ImageFormat::Png { MAX_PNG_BYTES } else { MAX_BYTES });
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(Refusal::Decoder)?;
    let (width, height) = decoder.dimensions();
    check(width, height, decoder.total_bytes()).map_err(Refusal::Size)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(Refusal::Decoder)?;
    picture.apply_orientation(orientation(bytes, format));

    let (width, height) = (picture.width(), picture.height());
    Ok(Picture { width, height, rgb: rgb8(picture) })
}

/// The formats that are built in, with the names users know them by.
fn known(format: ImageFormat) -> Option<(ImageFormat, &'static str)> {
    let label = match format {
        ImageFormat::Png => "PNG",
        ImageFormat::Jpeg => "JPEG",
        ImageFormat::WebP => "WebP",
        ImageFormat::Gif => "GIF",
        ImageFormat::Bmp => "BMP",
        ImageFormat::Tiff => "TIFF",
        _ => return None,
    };
    Some((format, label))
}

/// Refuses a picture by its header, before memory is taken for its pixels.
fn check(width: u32, height: u32, bytes: u64) -> std::result::Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        Err(format!("a picture of {width} × {height} has no pixels"))
    } else if width.max(height) > MAX_SIDE {
        Err(format!("{width} × {height} is too large: a side may have {MAX_SIDE} pixels"))
    } else if pixels > MAX_PIXELS || bytes > MAX_BYTES {
        Err(format!(
            "{width} × {height} is too large: a picture may have {MAX_PIXELS} pixels \
             and take {MAX_BYTES} bytes"
        ))
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
            ((rest.len() as u64) < length).then(|| cut_off(label))
        }
        _ => None,
    }
}

fn cut_off(label: &str) -> String {
    format!("the {label} data is cut off")
}

/// The decoder's reason, for a user.
fn explain(label: &str, error: ImageError) -> String {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => cut_off(label),
        ImageError::Limits(_) => format!("the {label} data would take too much memory to decode"),
        ImageError::Unsupported(error) => format!("a kind of {label} not supported here: {error}"),
        error => format!("the {label} data is broken or cut off: {error}"),
    }
}

/// Eight bits a channel, without alpha.
fn rgb8(picture: DynamicImage) -> Vec<u8> {
    match picture.color() {
        ColorType::L16 | ColorType::La16 | ColorType::Rgb16 | ColorType::Rgba16 => {
            picture.into_rgb16().iter().map(|value| (value >> 8) as u8).collect()
        }
        _ => picture.into_rgb8().into_raw(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoders_panic_is_an_error_of_the_file() {
        let read = guarded("bad.jpg", "JPEG", || panic!("a decoder's own fault"));
        assert_eq!(read.map_err(|e| e.to_string()), Err("bad.jpg: the JPEG decoder failed".into()));
    }
}
