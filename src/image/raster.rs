//! BMP, and what BMP and WebP share: the `image` crate gives all pixels at once.

use std::io::{Cursor, ErrorKind};

use image::codecs::bmp::BmpDecoder;
use image::error::ImageError;
use image::{ColorType, ImageDecoder, Limits};

use super::Options;
use super::canvas::Canvas;

/// The most bytes a decoder may ask for at once.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes a BMP; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let decoder = BmpDecoder::new(Cursor::new(bytes)).map_err(|e| explain("BMP", e))?;
    let (colour, [width, height], mut pixels) = pixels(decoder, "BMP", check)?;
    round_down(bytes, &mut pixels, colour);
    match colour {
        ColorType::Rgb8 => Ok(Canvas::of_rgb(width, height, pixels, options)),
        ColorType::Rgba8 => Ok(Canvas::of_rgba(width, height, pixels, options)),
        _ => Err("a BMP of a kind that is not supported here: save it as PNG".into()),
    }
}

/// All pixels, what they are, and the sides.
pub(super) fn pixels(
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

/// The decoder's reason, for a user.
pub(super) fn explain(label: &str, error: ImageError) -> String {
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
