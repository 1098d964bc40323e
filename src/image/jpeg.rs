//! JPEG, to the bits that libjpeg-turbo gives, which Pillow and most programs use: its inverse
//! transform, its triangle filter for colours of half the resolution, its colour conversion.

mod planes;

use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{DecodeLimits, JpegError, PixelFormat};

use super::Picture;

/// Scans of a progressive picture at most: encoders write a dozen, and each costs a pass.
const MAX_SCANS: usize = 500;

/// Decodes a picture, not turned yet; `check` sees width and height before memory is taken. Data that
/// end before the picture does are an error.
pub(super) fn read(
    bytes: &[u8],
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Picture, String> {
    // Sides and pixels are checked below, before memory is taken.
    let limits = DecodeLimits {
        max_width: usize::from(u16::MAX),
        max_height: usize::from(u16::MAX),
        max_pixels: u64::from(u32::MAX),
        max_scans: MAX_SCANS,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(bytes, limits).map_err(|e| explain(&e))?;
    let header = decoder.header();
    let (width, height) = (u32::from(header.width), u32::from(header.height));
    if header.precision != 8 {
        return Err(format!(
            "a JPEG of {} bits a channel, which is not supported here: export it with 8",
            header.precision
        ));
    }
    let count = header.components.len();
    if !matches!(count, 1 | 3 | 4) {
        return Err(format!("a JPEG of {count} channels, expected 1, 3 or 4: save it as RGB"));
    }
    check(width, height)?;
    decoder.set_output_format(PixelFormat::Rgb);
    if !has_end(bytes) {
        return Err(CUT_OFF.into());
    }
    let data = channels(decoder)?;
    Ok(Picture::of(width, height, if count == 4 { light(&data) } else { data }))
}

const CUT_OFF: &str = "the JPEG data is cut off";

/// Whether an end marker follows the last scan. Arithmetic codes do not tell where they end.
fn has_end(bytes: &[u8]) -> bool {
    let marker = |code: u8| bytes.windows(2).rposition(|pair| pair == [0xFF, code]);
    marker(0xD9).is_some_and(|end| marker(0xDA).is_none_or(|scan| scan < end))
}

/// RGB of a decoder that is set to it, or inks.
pub(super) fn channels(decoder: Decoder<'_>) -> Result<Vec<u8>, String> {
    if planes::even(&decoder) {
        return Ok(decoder.decode_image().map_err(|e| explain(&e))?.data);
    }
    planes::read(decoder)
}

/// Inks as light: files hold them inverted, as Adobe's programs write them.
fn light(inks: &[u8]) -> Vec<u8> {
    let pixels = inks.as_chunks::<4>().0.iter();
    let channel = |ink: u8, black: u8| {
        // The product over 255, rounded, as Pillow computes it.
        let product = u32::from(255 - ink) * u32::from(black) + 128;
        black.saturating_sub(((product + (product >> 8)) >> 8) as u8)
    };
    pixels.flat_map(|[c, m, y, k]| [c, m, y].map(|ink| channel(*ink, *k))).collect()
}

/// A stream of `tables` and a picture without them, as TIFFs hold it. What other markers say of its
/// colours is left out: three channels are YCbCr or not as `ycbcr` says.
pub(super) fn joined(tables: &[u8], data: &[u8], ycbcr: bool) -> Vec<u8> {
    let mut stream = b"\xff\xd8\xff\xee\0\x0eAdobe\0\x64\0\0\0\0".to_vec();
    stream.push(u8::from(ycbcr));
    segments(tables, &mut stream);
    segments(data, &mut stream);
    stream
}

/// Adds the segments of a stream to another, and all from the first scan on.
fn segments(mut rest: &[u8], stream: &mut Vec<u8>) {
    while let [0xFF, code, after @ ..] = rest {
        match code {
            0xFF => rest = &rest[1..],
            0xD8 => rest = after,
            0xD9 => return,
            0xDA => return stream.extend(rest),
            _ => {
                let [high, low, ..] = after else { return };
                let length = 2 + usize::from(u16::from_be_bytes([*high, *low]));
                let Some((segment, after)) = rest.split_at_checked(length) else { return };
                if !(0xE0..=0xEF).contains(code) {
                    stream.extend(segment);
                }
                rest = after;
            }
        }
    }
}

/// The decoder's reason, for a user.
pub(super) fn explain(error: &JpegError) -> String {
    match error {
        JpegError::UnexpectedEof => CUT_OFF.into(),
        JpegError::Unsupported(what) => format!("a kind of JPEG not supported here: {what}"),
        JpegError::LimitExceeded { .. } | JpegError::AllocationFailed { .. } => {
            format!("the JPEG data would take too much memory or time to decode: {error}")
        }
        error => format!("the JPEG data is broken or cut off: {error}"),
    }
}
