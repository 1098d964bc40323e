//! What decoding a picture takes of memory, by its header.

use std::io::{BufRead, Read, Seek, SeekFrom};

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::ImageFormat;

use crate::image::{MAX_PIXELS, format};

/// Bytes that decoding the picture in `from` takes at most, its file apart, by what its header says;
/// 0 where it says nothing that can be read. Whatever follows the header is not read.
pub fn picture_memory(from: impl BufRead + Seek) -> u64 {
    match by_header(from) {
        // More is refused by the header, before anything is taken.
        (pixels, _) if pixels > MAX_PIXELS => 0,
        (pixels, bytes) => pixels * bytes,
    }
}

/// Pixels of the picture in `from` at most, by what its header says; 0 where it says nothing that can be read.
/// Whatever follows the header is not read.
pub fn picture_pixels(from: impl BufRead + Seek) -> u64 {
    by_header(from).0
}

/// Pixels, and the bytes that decoding takes for each.
fn by_header(from: impl BufRead + Seek) -> (u64, u64) {
    // A decoder that panics at a header does so again, and is caught, where the picture is read.
    catch_unwind(AssertUnwindSafe(|| counted(from))).unwrap_or_default()
}

fn counted(mut from: impl BufRead + Seek) -> (u64, u64) {
    let mut head = [0; 64];
    let mut length = 0;
    while let Ok(read @ 1..) = from.read(&mut head[length..]) {
        length += read;
    }
    let format = format(&head[..length]);
    if from.seek(SeekFrom::Start(0)).is_err() {
        return (0, 0);
    }
    let area =
        |[width, height]: [u32; 2], bytes: u64| (u64::from(width) * u64::from(height), bytes);
    let size = |at: usize| -> Option<[u8; 4]> { head.get(at..at + 4)?.try_into().ok() };
    let side = |at: usize| size(at).map_or(0, u32::from_be_bytes);
    match format {
        // Beside the colours a progressive one has coefficients of 16 bits and planes.
        Some(ImageFormat::Jpeg) => jpeg_size(from).map_or((0, 0), |size| area(size, 12)),
        // Decoded row by row: colours, and alpha where it is wanted.
        Some(ImageFormat::Png) => area([side(16), side(20)], 4),
        Some(ImageFormat::Gif) => gif_size(from).map_or((0, 0), |size| area(size, 5)),
        Some(ImageFormat::Tiff) => {
            tiff_size(from).map_or((0, 0), |(size, bytes)| area(size, bytes))
        }
        // Its planes stand beside its pixels.
        Some(ImageFormat::WebP) => area(webp_size(&head), 9),
        Some(ImageFormat::Bmp) => area(bmp_size(&head), 7),
        // Also a BigTIFF, which has no format of its own.
        _ => tiff_size(from).map_or((0, 0), |(size, bytes)| area(size, bytes)),
    }
}

/// Entries of a TIFF's directory at most.
const ENTRIES: u64 = 10_000;

/// The sides of a TIFF's first picture, and what a pixel takes: colours, alpha, and its samples, of which a
/// strip may hold all.
fn tiff_size(mut from: impl BufRead + Seek) -> Option<([u32; 2], u64)> {
    let mut head = [0; 16];
    from.read_exact(&mut head).ok()?;
    let little = match &head[..2] {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let number = |bytes: &[u8]| {
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        if little { bytes.iter().rev().fold(0, add) } else { bytes.iter().fold(0, add) }
    };
    let big = number(&head[2..4]) == 43;
    // Bytes of a count and a place, of the number of entries, and of an entry.
    let (place, count, entry) = if big { (8, 8, 20) } else { (4, 2, 12) };
    from.seek(SeekFrom::Start(number(if big { &head[8..16] } else { &head[4..8] }))).ok()?;
    let mut bytes = [0; 8];
    from.read_exact(&mut bytes[..count]).ok()?;
    let entries = number(&bytes[..count]).min(ENTRIES);
    let mut directory = Vec::new();
    from.by_ref().take(entries * entry as u64).read_to_end(&mut directory).ok()?;
    // The first whole number of a tag, wherever in the file it lies. `Err` where it is another kind of
    // number, which is counted as the largest.
    let mut value = |tag: u64| -> Result<Option<u64>, ()> {
        let Some(found) = directory.chunks_exact(entry).find(|entry| number(&entry[..2]) == tag)
        else {
            return Ok(None);
        };
        let width = match number(&found[2..4]) {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 13 => 4,
            16..=18 => 8,
            _ => return Err(()),
        };
        let inside = number(&found[4..4 + place]).checked_mul(width as u64);
        if inside.is_some_and(|bytes| bytes <= place as u64) {
            return Ok(Some(number(&found[4 + place..][..width])));
        }
        let mut bytes = [0; 8];
        let at = SeekFrom::Start(number(&found[4 + place..4 + 2 * place]));
        let read = from.seek(at).and_then(|_| from.read_exact(&mut bytes[..width]));
        Ok(read.is_ok().then(|| number(&bytes[..width])))
    };
    let samples = value(277).map_or(16, |value| value.unwrap_or(1).clamp(1, 16));
    let bits = value(258).map_or(64, |value| value.unwrap_or(1).clamp(1, 64));
    let sides = match (value(256), value(257)) {
        (Ok(width), Ok(height)) => [u32::try_from(width?).ok()?, u32::try_from(height?).ok()?],
        _ => LARGEST,
    };
    // A JPEG inside is as one by itself.
    let jpeg = !matches!(value(259), Ok(None | Some(0..=5 | 8..)));
    Some((sides, 4 + (samples * bits).div_ceil(8) + if jpeg { 12 } else { 0 }))
}

/// The sides of a picture of as many pixels as there may be.
const LARGEST: [u32; 2] = [MAX_PIXELS.isqrt() as u32; 2];

/// The sides of a GIF's canvas, which its first frame may widen.
fn gif_size(mut from: impl BufRead + Seek) -> Option<[u32; 2]> {
    let mut head = [0; 13];
    from.read_exact(&mut head).ok()?;
    let pair = |bytes: &[u8]| u32::from(u16::from_le_bytes([bytes[0], bytes[1]]));
    let canvas = [pair(&head[6..]), pair(&head[8..])];
    if head[10] & 0x80 != 0 {
        from.seek_relative(3 << ((head[10] & 7) + 1)).ok()?;
    }
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte).ok()?;
        match byte[0] {
            // An extension: its kind, then pieces, the last of which is empty.
            0x21 => {
                from.seek_relative(1).ok()?;
                from.read_exact(&mut byte).ok()?;
                while byte[0] != 0 {
                    from.seek_relative(byte[0].into()).ok()?;
                    from.read_exact(&mut byte).ok()?;
                }
            }
            0x2c => {
                let mut frame = [0; 8];
                from.read_exact(&mut frame).ok()?;
                let end = |at: usize| pair(&frame[at..]) + pair(&frame[at + 4..]);
                return Some([canvas[0].max(end(0)), canvas[1].max(end(2))]);
            }
            _ => return None,
        }
    }
}

/// The sides of a WebP's canvas, or of its only picture.
fn webp_size(head: &[u8; 64]) -> [u32; 2] {
    let number = |at: usize, bytes: usize| {
        head[at..at + bytes].iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte))
    };
    match &head[12..16] {
        b"VP8X" => [number(24, 3) + 1, number(27, 3) + 1],
        b"VP8L" => [(number(21, 4) & 0x3fff) + 1, (number(21, 4) >> 14 & 0x3fff) + 1],
        _ => [number(26, 2) & 0x3fff, number(28, 2) & 0x3fff],
    }
}

/// The sides of a BMP, with the header of a file before its own or without; a height below 0 says that
/// its rows begin at the top.
fn bmp_size(head: &[u8; 64]) -> [u32; 2] {
    let start = if head.starts_with(b"BM") { 14 } else { 0 };
    let number = |at: usize| {
        let at = start + at;
        i32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]])
    };
    match number(0) {
        12 => [number(4) & 0xffff, number(4) >> 16 & 0xffff].map(i32::unsigned_abs),
        _ => [number(4), number(8)].map(i32::unsigned_abs),
    }
}

/// The sides in the frame header of a JPEG, whatever segments come before it.
fn jpeg_size(mut from: impl BufRead + Seek) -> Option<[u32; 2]> {
    let mut start = [0; 2];
    from.read_exact(&mut start).ok()?;
    loop {
        let mut byte = [0];
        // A marker is one or more 0xFF and its code.
        while byte[0] != 0xFF {
            from.read_exact(&mut byte).ok()?;
        }
        while byte[0] == 0xFF {
            from.read_exact(&mut byte).ok()?;
        }
        match byte[0] {
            0x01 | 0xD0..=0xD8 | 0x00 => continue,
            0xD9 | 0xDA => return None,
            _ => {}
        }
        let mut length = [0; 2];
        from.read_exact(&mut length).ok()?;
        // Decoders look for the next marker behind a length that is none.
        let length = u16::from_be_bytes(length).saturating_sub(2);
        if matches!(byte[0], 0xC0..=0xCF) && !matches!(byte[0], 0xC4 | 0xC8 | 0xCC) {
            let mut frame = [0; 5];
            from.read_exact(&mut frame).ok()?;
            let side = |at: usize| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
            return Some([side(3), side(1)]);
        }
        from.seek_relative(i64::from(length)).ok()?;
    }
}
