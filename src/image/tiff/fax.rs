//! Fax codes (T.4 in one and two dimensions, T.6, and CCITT's run lengths in TIFF), by the tables of a crate.

use std::io::{Error, ErrorKind, Result};

use fax::maps::{Mode, black, mode, white};
use fax::{BitReader, ByteReader};

/// How rows are coded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// Run lengths, each row on a byte's edge.
    Runs,
    /// T.4, with what its options say of two dimensions.
    Group3 { flat: bool },
    /// T.6.
    Group4,
}

/// Zeros behind the data, so that a table may look ahead.
const PADDING: usize = 4;

/// Unpacks `height` rows of `width` pixels, a bit each, black being 1.
pub(super) fn unpack(bytes: &[u8], code: Code, width: usize, height: usize) -> Result<Vec<u8>> {
    let cut_off = || Error::from(ErrorKind::UnexpectedEof);
    let width = u16::try_from(width).map_err(|_| ErrorKind::InvalidData)?;
    let bits = bytes.iter().copied().chain([0; PADDING]).map(std::io::Result::Ok);
    let mut reader = ByteReader::new(bits)?;
    let mut reference = Vec::new();
    // A row takes a bit at least, so that few bytes make no large picture.
    if height > bytes.len().saturating_mul(8) {
        return Err(cut_off());
    }
    let stride = usize::from(width).div_ceil(8);
    let mut out = vec![0; stride * height];
    for row in out.chunks_exact_mut(stride.max(1)) {
        let flat = match code {
            Code::Runs => {
                let rest = reader.bits_to_byte_boundary() % 8;
                reader.consume(rest)?;
                true
            }
            Code::Group3 { flat } => {
                skip_end_of_line(&mut reader);
                flat || bit(&mut reader)
            }
            Code::Group4 => false,
        };
        let line =
            if flat { runs(&mut reader, width) } else { changes(&mut reader, &reference, width) };
        reference = line.ok_or_else(cut_off)?;
        paint(row, &reference, width);
    }
    Ok(out)
}

/// Skips zeros and the 1 that ends a line, where they are ahead.
fn skip_end_of_line(reader: &mut impl BitReader) {
    while reader.peek(11) == Some(0) {
        if reader.peek(12) == Some(1) {
            let _ = reader.consume(12);
            return;
        }
        if reader.consume(1).is_err() {
            return;
        }
    }
}

fn bit(reader: &mut impl BitReader) -> bool {
    let bit = reader.peek(1) == Some(1);
    let _ = reader.consume(1);
    bit
}

/// A run of one colour: parts of 64 pixels and more, then the rest.
fn run(reader: &mut impl BitReader, dark: bool) -> Option<u16> {
    let mut sum = 0_u16;
    loop {
        let part = if dark { black::decode(reader) } else { white::decode(reader) }?;
        sum = sum.checked_add(part)?;
        if part < 64 {
            return Some(sum);
        }
    }
}

/// Where colours change in a row; what does not change is not there.
fn push(line: &mut Vec<u16>, at: u16) {
    if line.last() == Some(&at) {
        line.pop();
    } else {
        line.push(at);
    }
}

/// A row by itself: white and black runs in turn.
fn runs(reader: &mut impl BitReader, width: u16) -> Option<Vec<u16>> {
    let (mut line, mut at, mut dark) = (Vec::new(), 0_u16, false);
    while at < width {
        at = at.checked_add(run(reader, dark)?)?.min(width);
        push(&mut line, at);
        dark = !dark;
    }
    Some(line)
}

/// A row by what changed to the one above.
fn changes(reader: &mut impl BitReader, above: &[u16], width: u16) -> Option<Vec<u16>> {
    let (mut line, mut at, mut dark, mut begun) = (Vec::new(), 0_u16, false, false);
    while at < width {
        // The first change above, beyond `at`, to the other colour.
        let first = above.iter().enumerate().position(|(i, place)| {
            (i % 2 == 1) == dark && (*place > at || (!begun && *place >= at))
        });
        let place = |i: Option<usize>| i.and_then(|i| above.get(i)).copied().unwrap_or(width);
        match mode::decode(reader)? {
            Mode::Pass => at = place(first.map(|i| i + 1)),
            Mode::Vertical(apart) => {
                at = place(first).checked_add_signed(apart.into())?.min(width);
                push(&mut line, at);
                dark = !dark;
            }
            Mode::Horizontal => {
                for dark in [dark, !dark] {
                    at = at.checked_add(run(reader, dark)?)?.min(width);
                    push(&mut line, at);
                }
            }
            Mode::Extension | Mode::EOF => return None,
        }
        begun = true;
    }
    Some(line)
}

/// Sets the bits of the black runs.
fn paint(row: &mut [u8], line: &[u16], width: u16) {
    for pair in line.chunks(2) {
        let end = pair.get(1).copied().unwrap_or(width);
        for x in usize::from(pair[0])..usize::from(end) {
            row[x / 8] |= 0x80 >> (x % 8);
        }
    }
}
