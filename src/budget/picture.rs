//! What decoding a picture takes of memory, by its header.

use std::io::{BufRead, Seek, SeekFrom};

use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{ImageDecoder, ImageFormat, ImageReader, Limits, guess_format};

use crate::image::MAX_PIXELS;

/// What a decoder may take to read a header: a colour profile inflates to a thousand times its length.
const HEADER: u64 = 16 << 20;

/// Bytes that decoding the picture in `from` takes at most, its file apart, by what its header says;
/// 0 where it says nothing that can be read. Whatever follows the header is not read.
pub fn picture_memory(from: impl BufRead + Seek) -> u64 {
    // A decoder that panics at a header does so again, and is caught, where the picture is read.
    catch_unwind(AssertUnwindSafe(|| by_header(from))).unwrap_or(0)
}

fn by_header(mut from: impl BufRead + Seek) -> u64 {
    let mut head = [0; 64];
    let mut length = 0;
    while let Ok(read @ 1..) = from.read(&mut head[length..]) {
        length += read;
    }
    let format = guess_format(&head[..length]).ok();
    if from.seek(SeekFrom::Start(0)).is_err() {
        return 0;
    }
    let area = |[width, height]: [u32; 2], bytes: u64| {
        let pixels = u64::from(width) * u64::from(height);
        // More is refused by the header, before anything is taken.
        if pixels > MAX_PIXELS { 0 } else { pixels * bytes }
    };
    match format {
        // Beside the colours a progressive one has coefficients of 16 bits and planes.
        Some(ImageFormat::Jpeg) => jpeg_size(from).map_or(0, |size| area(size, 12)),
        // Kinds that the decoder does not know as pictures have a size all the same.
        Some(ImageFormat::Tiff) => {
            let decoder = tiff::decoder::Decoder::new(from).ok();
            let size = decoder.and_then(|mut decoder| {
                let bits = decoder.colortype().map_or(32, |colour| {
                    u64::from(colour.bit_depth()) * u64::from(colour.num_samples())
                });
                Some((decoder.dimensions().ok()?, bits))
            });
            size.map_or(0, |((width, height), bits)| area([width, height], unpacked(bits)))
        }
        Some(format) => {
            let mut reader = ImageReader::with_format(from, format);
            let mut limits = Limits::no_limits();
            limits.max_alloc = Some(HEADER);
            reader.limits(limits);
            let Ok(decoder) = reader.into_decoder() else { return 0 };
            let (width, height) = decoder.dimensions();
            let bits = u64::from(decoder.color_type().bits_per_pixel());
            // WebP's planes stand beside its pixels.
            let planes = if format == ImageFormat::WebP { 2 } else { 0 };
            area([width, height], unpacked(bits) + planes)
        }
        None => 0,
    }
}

/// Bytes of a pixel as it is unpacked, and as RGB beside that; 16 bits a channel are first cut.
fn unpacked(bits: u64) -> u64 {
    bits.div_ceil(8) + 3 + if bits >= 48 { 6 } else { 0 }
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
        let length = u16::from_be_bytes(length).checked_sub(2)?;
        if matches!(byte[0], 0xC0..=0xCF) && !matches!(byte[0], 0xC4 | 0xC8 | 0xCC) {
            let mut frame = [0; 5];
            from.read_exact(&mut frame).ok()?;
            let side = |at: usize| u32::from(u16::from_be_bytes([frame[at], frame[at + 1]]));
            return Some([side(3), side(1)]);
        }
        from.seek_relative(i64::from(length)).ok()?;
    }
}
