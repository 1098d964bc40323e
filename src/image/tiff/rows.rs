//! The rows of a TIFF, strip by strip or tile by tile, unpacked and with the lowest byte first.

use super::layout::{Format, Layout};
use super::{codec, unsupported};

/// Gives `each` row of every strip or tile: its place, how many pixels of it are in the picture, and its
/// bytes, of several planes one after another.
pub(super) fn rows(
    bytes: &[u8],
    layout: &Layout<'_>,
    ycbcr_to_rgb: bool,
    mut each: impl FnMut(usize, usize, usize, &[Vec<u8>]),
) -> Result<(), String> {
    check(layout)?;
    let (across, down) = layout.chunks();
    let planes = if layout.planar { layout.seen() } else { 1 };
    let mut lines = vec![vec![0; layout.row_bytes()]; planes];
    for at in 0..across * down {
        let (x, y) = (at % across * layout.chunk.0, at / across * layout.chunk.1);
        let count = (layout.width - x).min(layout.chunk.0);
        let mut readers = Vec::with_capacity(planes);
        for plane in 0..planes {
            readers.push(codec::open(bytes, layout, plane * across * down + at, ycbcr_to_rgb)?);
        }
        for y in y..(y + layout.chunk.1).min(layout.height) {
            for (reader, line) in readers.iter_mut().zip(&mut lines) {
                codec::fill(reader, line)?;
                straighten(line, layout);
            }
            each(x, y, count, &lines);
        }
    }
    Ok(())
}

/// The most bytes that a picture's rows may unpack to: those of the largest picture and wide tiles.
const MAX_BYTES: u64 = 1 << 33;

fn check(layout: &Layout<'_>) -> Result<(), String> {
    let row = layout.row_bytes() as u64 * layout.chunks().0 as u64;
    if row * layout.height as u64 > MAX_BYTES {
        return Err("the TIFF data would take too much time to decode".into());
    }
    let whole = matches!(layout.bits, 8 | 16 | 32 | 64);
    match (layout.predictor, layout.format) {
        (1, _) => Ok(()),
        (2, _) if whole || layout.bits == 24 => Ok(()),
        (3, Format::Float) if whole || layout.bits == 24 => Ok(()),
        (code, _) => Err(unsupported(&format!("predictor {code} of {}-bit samples", layout.bits))),
    }
}

/// Undoes predictor and order of bytes.
fn straighten(line: &mut [u8], layout: &Layout<'_>) {
    let width = layout.bits / 8;
    if !layout.bits.is_multiple_of(8) {
        return;
    }
    if layout.predictor == 3 {
        return unshuffle(line, width, layout.stored());
    }
    if width > 1 && !layout.tags.little() {
        line.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
    if layout.predictor == 2 {
        sum(line, width, layout.stored());
    }
}

/// Adds to each sample the one of the pixel before.
fn sum(line: &mut [u8], width: usize, samples: usize) {
    for at in (width * samples..line.len()).step_by(width) {
        let mut carry = 0;
        for byte in at..(at + width).min(line.len()) {
            let total = u16::from(line[byte]) + u16::from(line[byte - width * samples]) + carry;
            line[byte] = total as u8;
            carry = total >> 8;
        }
    }
}

/// Floats whose highest bytes come first, then the next, each the difference to the one before.
fn unshuffle(line: &mut [u8], width: usize, samples: usize) {
    for at in samples..line.len() {
        line[at] = line[at].wrapping_add(line[at - samples]);
    }
    let (bytes, count) = (line.to_vec(), line.len() / width);
    for (i, value) in line.chunks_exact_mut(width).enumerate() {
        for (place, byte) in value.iter_mut().rev().enumerate() {
            *byte = bytes[place * count + i];
        }
    }
}
