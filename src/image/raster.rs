//! BMP and WebP by the `image` crate, which gives all pixels at once.

use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::codecs::webp::WebPDecoder;
use image::error::ImageError;
use image::{ColorType, ImageDecoder, ImageFormat, Limits};

use super::Options;
use super::canvas::Canvas;

/// The most bytes a decoder may ask for at once.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes a picture, of an animation the first; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    format: ImageFormat,
    label: &str,
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let widened = if format == ImageFormat::WebP { widened(bytes) } else { None };
    let bytes_seen = widened.as_deref().unwrap_or(bytes);
    let from = Cursor::new(bytes_seen);
    let refuse = |e| explain(label, e);
    let (colour, [width, height], mut pixels) = match format {
        ImageFormat::WebP => pixels(WebPDecoder::new(from).map_err(refuse)?, label, check)?,
        _ => pixels(BmpDecoder::new(from).map_err(refuse)?, label, check)?,
    };
    if format == ImageFormat::Bmp {
        round_down(bytes, &mut pixels, colour);
    }
    match colour {
        ColorType::Rgb8 => Ok(Canvas::of_rgb(width, height, pixels, options)),
        ColorType::Rgba8 if widened.is_some() => {
            Ok(Canvas::of_rgbx(width, height, pixels, options))
        }
        ColorType::Rgba8 => Ok(Canvas::of_rgba(width, height, pixels, options)),
        _ => Err(format!("a {label} of a kind that is not supported here: save it as PNG")),
    }
}

/// All pixels, what they are, and the sides.
fn pixels(
    mut decoder: impl ImageDecoder,
    label: &str,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<(ColorType, [u32; 2], Vec<u8>), String> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    decoder.set_limits(limits).map_err(|e| explain(label, e))?;
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    let (colour, size) = (decoder.color_type(), decoder.total_bytes());
    let mut pixels = vec![0; usize::try_from(size).map_err(|e| e.to_string())?];
    decoder.read_image(&mut pixels).map_err(|e| explain(label, e))?;
    Ok((colour, [width, height], pixels))
}

/// Of a BMP of 16 bits a pixel, colours of 5 and 6 bits as Pillow widens them, rounded down and not to
/// the nearest.
fn round_down(bytes: &[u8], pixels: &mut [u8], colour: ColorType) {
    let number = |at: usize| bytes.get(at..at + 4)?.first_chunk().copied().map(u32::from_le_bytes);
    let (bits, packing) = (number(26).map(|planes| planes >> 16), number(30));
    let masks = match (bits, packing) {
        (Some(16), Some(0)) => [0x7C00, 0x03E0, 0x001F],
        (Some(16), Some(3)) => [54, 58, 62].map(|at| number(at).unwrap_or(0)),
        _ => return,
    };
    let channels = usize::from(colour.channel_count());
    for (channel, mask) in masks.into_iter().enumerate().filter(|(_, m)| m.count_ones() >= 5) {
        let most = (1_u32 << mask.count_ones().min(8)) - 1;
        for value in pixels.iter_mut().skip(channel).step_by(channels) {
            let stored = (u32::from(*value) * most + 127) / 255;
            *value = (stored * 255 / most) as u8;
        }
    }
}

/// A lossless WebP without alpha as one that has it: the decoder makes RGBA of either, and without alpha
/// RGB beside it, which takes nearly twice the memory.
fn widened(bytes: &[u8]) -> Option<Vec<u8>> {
    let lossless = |at: usize| bytes.get(at..at + 4) == Some(b"VP8L");
    let mut rest = 12;
    // Where the kind is told: in the header of all chunks, or in that of the pixels.
    let at = match bytes.get(12..16)? {
        b"VP8X" if bytes.get(20)? & 0x12 == 0 => 20,
        b"VP8L" => 24,
        _ => return None,
    };
    // Chunks before the pixels, in some files.
    while !lossless(rest) {
        let length = bytes.get(rest + 4..rest + 8)?.first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        rest = rest.checked_add(8)?.checked_add(length)?.checked_add(length % 2)?;
        bytes.get(rest..rest + 4)?;
    }
    if bytes.get(at)? & 0x10 != 0 {
        return None;
    }
    let mut widened = bytes.to_vec();
    widened[at] |= 0x10;
    Some(widened)
}

/// The decoder's reason, for a user.
fn explain(label: &str, error: ImageError) -> String {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            format!("the {label} data is cut off")
        }
        ImageError::Limits(_) => format!("the {label} data would take too much memory to decode"),
        ImageError::Unsupported(error) => {
            format!("a kind of {label} that is not supported here ({error}): save it as PNG")
        }
        error => format!("the {label} data is broken or cut off: {error}"),
    }
}
