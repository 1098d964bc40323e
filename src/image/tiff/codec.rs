//! What packs the strips and tiles of a TIFF.

use std::borrow::Cow;
use std::io::{Cursor, Error, ErrorKind, Read, Result as IoResult};

use flate2::read::ZlibDecoder;
use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{DecodeLimits, PixelFormat};
#[cfg(feature = "xz")]
use lzma_rust2::XzReader;
#[cfg(feature = "zstd")]
use ruzstd::decoding::StreamingDecoder;
use weezl::{BitOrder, LzwStatus};

use super::fax::{self, Code};
use super::layout::{Colour, Layout};
use super::{CUT_OFF, explain, unsupported};
use crate::image::jpeg;

/// A strip's or tile's bytes, unpacked as they are read.
pub(super) type Bytes<'a> = Box<dyn Read + 'a>;

/// What LZMA may take, in KiB: its largest preset has a dictionary of 64 MiB.
#[cfg(feature = "xz")]
const MAX_LZMA: u32 = 80 << 10;

/// Opens strip or tile `at`. Where colours are YCbCr in a JPEG, they come as RGB if `ycbcr_to_rgb`.
pub(super) fn open<'a>(
    bytes: &'a [u8],
    layout: &Layout<'_>,
    at: usize,
    ycbcr_to_rgb: bool,
) -> Result<Bytes<'a>, String> {
    let data = data(bytes, layout, at)?;
    let jpeg = layout.compression == 7;
    let data: Cow<'a, [u8]> = if layout.reversed && !jpeg {
        data.iter().map(|byte| byte.reverse_bits()).collect()
    } else {
        data.into()
    };
    let (width, height) = (layout.chunk.0, rows(layout, at));
    if matches!(layout.compression, 2..=4) && (layout.bits, layout.stored()) != (1, 1) {
        return Err(unsupported(&format!("fax of {} bits", layout.bits)));
    }
    Ok(match layout.compression {
        1 => Box::new(Cursor::new(data)),
        2 => faxed(&data, Code::Runs, width, height)?,
        3 => {
            let flat = layout.tags.number(292).unwrap_or(0) & 1 == 0;
            faxed(&data, Code::Group3 { flat }, width, height)?
        }
        4 => faxed(&data, Code::Group4, width, height)?,
        5 => Box::new(Lzw::new(data)),
        7 => Box::new(Cursor::new(inner_jpeg(&data, layout, height, ycbcr_to_rgb)?)),
        8 | 32_946 => Box::new(ZlibDecoder::new(Cursor::new(data))),
        #[cfg(feature = "xz")]
        34_925 => Box::new(XzReader::new_mem_limit(Cursor::new(data), false, MAX_LZMA)),
        #[cfg(feature = "zstd")]
        50_000 => Box::new(
            StreamingDecoder::new(Cursor::new(data))
                .map_err(|e| format!("the TIFF data is broken or cut off: {e}"))?,
        ),
        32_773 => Box::new(PackBits { data, at: 0, left: 0, repeated: None }),
        code => return Err(unsupported(&format!("compressed by {}", name(code)))),
    })
}

/// Reads the next row.
pub(super) fn fill(bytes: &mut Bytes<'_>, row: &mut [u8]) -> Result<(), String> {
    bytes.read_exact(row).map_err(|e| explain(&e))
}

/// Rows of strip or tile `at`: the last strip is cut, tiles are whole.
fn rows(layout: &Layout<'_>, at: usize) -> usize {
    let (across, down) = layout.chunks();
    let row = at % (across * down) / across;
    let tiled = layout.tags.bytes(324).is_some();
    if tiled { layout.chunk.1 } else { (layout.height - row * layout.chunk.1).min(layout.chunk.1) }
}

/// The bytes of strip or tile `at`. Lengths that are missing or wrong are those up to the file's end.
fn data<'a>(bytes: &'a [u8], layout: &Layout<'_>, at: usize) -> Result<&'a [u8], String> {
    let offset = layout.offsets.get(at).and_then(|offset| usize::try_from(*offset).ok());
    let rest = offset.and_then(|offset| bytes.get(offset..)).ok_or(CUT_OFF)?;
    // Unpacked pixels tell their length themselves.
    let length = layout.lengths.get(at).filter(|length| **length > 0 && layout.compression != 1);
    let length = length.and_then(|length| usize::try_from(*length).ok());
    Ok(&rest[..length.unwrap_or(rest.len()).min(rest.len())])
}

fn name(code: u64) -> String {
    match code {
        32_809 => "ThunderScan".into(),
        34_676 | 34_677 => "LogLuv".into(),
        34_712 | 33_003 | 33_004 | 33_005 => "JPEG 2000".into(),
        34_887 => "LERC".into(),
        34_925 => "LZMA".into(),
        34_892 => "lossy JPEG of a DNG".into(),
        50_000 => "Zstandard".into(),
        50_001 => "WebP".into(),
        50_002 | 52_546 => "JPEG XL".into(),
        code => format!("code {code}"),
    }
}

fn faxed<'a>(data: &[u8], code: Code, width: usize, height: usize) -> Result<Bytes<'a>, String> {
    let bits = fax::unpack(data, code, width, height).map_err(|e| explain(&e))?;
    Ok(Box::new(Cursor::new(bits)))
}

/// LZW, of which the oldest files have the codes' bits in the other order.
struct Lzw<'a> {
    decoder: weezl::decode::Decoder,
    data: Cow<'a, [u8]>,
    at: usize,
}

impl<'a> Lzw<'a> {
    fn new(data: Cow<'a, [u8]>) -> Self {
        let old = matches!(*data, [0, second, ..] if second & 1 == 1);
        let decoder = if old {
            weezl::decode::Decoder::new(BitOrder::Lsb, 8)
        } else {
            weezl::decode::Decoder::with_tiff_size_switch(BitOrder::Msb, 8)
        };
        Self { decoder, data, at: 0 }
    }
}

impl Read for Lzw<'_> {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        // Codes that only fill the table give no bytes.
        loop {
            let result = self.decoder.decode_bytes(&self.data[self.at..], out);
            self.at += result.consumed_in;
            match result.status {
                Err(e) => return Err(Error::new(ErrorKind::InvalidData, e.to_string())),
                Ok(LzwStatus::Ok) if result.consumed_out == 0 && result.consumed_in > 0 => {}
                Ok(_) => return Ok(result.consumed_out),
            }
        }
    }
}

/// PackBits: runs of bytes as they are, and bytes repeated.
struct PackBits<'a> {
    data: Cow<'a, [u8]>,
    at: usize,
    left: usize,
    repeated: Option<u8>,
}

impl PackBits<'_> {
    fn next(&mut self) -> Option<u8> {
        let byte = self.data.get(self.at).copied()?;
        self.at += 1;
        Some(byte)
    }
}

impl Read for PackBits<'_> {
    fn read(&mut self, out: &mut [u8]) -> IoResult<usize> {
        for (i, place) in out.iter_mut().enumerate() {
            // 128 says nothing.
            while self.left == 0 {
                match self.next() {
                    None => return Ok(i),
                    Some(128) => {}
                    Some(count @ ..128) => (self.left, self.repeated) = (count as usize + 1, None),
                    Some(count) => {
                        (self.left, self.repeated) = (257 - count as usize, self.next());
                    }
                }
            }
            let byte = if self.repeated.is_some() { self.repeated } else { self.next() };
            let Some(byte) = byte else { return Ok(i) };
            (*place, self.left) = (byte, self.left - 1);
        }
        Ok(out.len())
    }
}

/// The samples of a JPEG in a strip or tile, as wide as that.
fn inner_jpeg(
    data: &[u8],
    layout: &Layout<'_>,
    height: usize,
    ycbcr_to_rgb: bool,
) -> Result<Vec<u8>, String> {
    if layout.bits != 8 {
        return Err(unsupported(&format!("a JPEG of {} bits", layout.bits)));
    }
    let stream = jpeg::joined(layout.tags.bytes(347).unwrap_or_default(), data, ycbcr_to_rgb);
    let limits = DecodeLimits {
        max_width: usize::from(u16::MAX),
        max_height: usize::from(u16::MAX),
        max_pixels: (layout.chunk.0 + 64) as u64 * (layout.chunk.1 + 64) as u64,
        ..DecodeLimits::default()
    };
    let mut decoder = Decoder::new_with_limits(&stream, limits).map_err(|e| jpeg::explain(&e))?;
    let samples = decoder.header().components.len();
    if samples != layout.stored() {
        return Err(unsupported(&format!("a JPEG of {samples} channels")));
    }
    let (inner, rows) = (usize::from(decoder.header().width), usize::from(decoder.header().height));
    if inner < layout.chunk.0 || rows < height {
        return Err("the TIFF data is broken: a JPEG in it is too small".into());
    }
    let grey = samples == 1;
    decoder.set_output_format(if grey { PixelFormat::Grayscale } else { PixelFormat::Rgb });
    let data = jpeg::channels(decoder)?;
    if inner == layout.chunk.0 {
        return Ok(data);
    }
    let rows = data.chunks_exact(inner * samples);
    Ok(rows.flat_map(|row| &row[..layout.chunk.0 * samples]).copied().collect())
}

/// The RGB of a JPEG of the older kind, which is a file of its own within.
pub(super) fn old_jpeg(bytes: &[u8], layout: &Layout<'_>) -> Result<Vec<u8>, String> {
    let kind = || unsupported("an old JPEG in pieces");
    let place = |tag| layout.tags.number(tag).and_then(|value| usize::try_from(value).ok());
    let start = place(513).or_else(|| layout.offsets.first().map(|at| *at as usize));
    let data = start.and_then(|start| bytes.get(start..)).ok_or_else(kind)?;
    if !data.starts_with(b"\xff\xd8") || layout.colour != Colour::YCbCr {
        return Err(kind());
    }
    let wanted = (layout.width as u32, layout.height as u32);
    let same = |width, height| if (width, height) == wanted { Ok(()) } else { Err(kind()) };
    Ok(jpeg::read(data, same)?.rgb)
}
