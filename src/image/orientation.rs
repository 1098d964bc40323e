//! How a picture is to be turned: EXIF wherever a format may hold it, as Pillow and browsers find it.
//!
//! Of JPEG the EXIF of all segments is joined. A PNG may have it in a chunk `eXIf`, before or after its
//! pixels, or as hexadecimal text. Where EXIF says nothing, an XMP packet counts.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;
use image::ImageFormat;
use image::metadata::Orientation;

use super::tiff::Tags;

/// The tag of the orientation in EXIF and TIFF.
const TAG: u16 = 274;

/// The tag of an XMP packet in a TIFF.
const XMP: u16 = 700;

/// What a file says of its orientation. A value out of range counts as none.
pub(super) fn orientation(bytes: &[u8], format: ImageFormat) -> Orientation {
    let mut found = Found::default();
    match format {
        ImageFormat::Jpeg => jpeg(bytes, &mut found),
        ImageFormat::Png => png(bytes, &mut found),
        ImageFormat::WebP => webp(bytes, &mut found),
        _ => {}
    }
    let (exif, packet) = match format {
        ImageFormat::Tiff => {
            let tags = Tags::first(bytes);
            let packet = tags.as_ref().and_then(|tags| tags.bytes(XMP));
            (tags, packet.unwrap_or_default())
        }
        _ => {
            let exif = found.exif.strip_prefix(b"Exif\0\0").unwrap_or(&found.exif);
            (Tags::first(exif), found.xmp.as_slice())
        }
    };
    // EXIF that says anything counts, be it nonsense.
    let said = exif.and_then(|tags| tags.inline(TAG)).map(|value| u8::try_from(value).unwrap_or(0));
    said.or_else(|| xmp(packet))
        .and_then(Orientation::from_exif)
        .unwrap_or(Orientation::NoTransforms)
}

/// What of a file may say how it is turned.
#[derive(Default)]
struct Found {
    exif: Vec<u8>,
    xmp: Vec<u8>,
}

/// Adds the APP1 segments before the pixels.
fn jpeg(bytes: &[u8], found: &mut Found) {
    let mut rest = bytes;
    while let Some(at) = rest.windows(2).position(|m| m[0] == 0xFF && !matches!(m[1], 0 | 0xFF)) {
        let [code, high, low, ..] = rest[at + 1..] else { return };
        if matches!(code, 1 | 0xD0..=0xD8) {
            rest = &rest[at + 2..];
            continue;
        }
        // The start of the pixels, or the end.
        if matches!(code, 0xD9 | 0xDA) {
            return;
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let segment = rest.get(at + 4..at + 2 + length).unwrap_or_default();
        if code == 0xE1 {
            if let Some(part) = segment.strip_prefix(b"Exif\0\0") {
                found.exif.extend(part);
            } else if let Some(part) = segment.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
                found.xmp = part.to_vec();
            }
        }
        rest = rest.get(at + 2 + length..).unwrap_or_default();
    }
}

/// The longest text of a PNG that is unpacked.
const MAX_TEXT: usize = 4 << 20;

/// Adds the chunks of a PNG, those after the pixels too.
fn png(bytes: &[u8], found: &mut Found) {
    let mut rest = bytes.get(8..).unwrap_or_default();
    let mut profile = Vec::new();
    while let Some(([a, b, c, d], after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some((kind, after)) = after.split_first_chunk::<4>() else { break };
        let Some(data) = after.get(..length) else { break };
        match kind {
            b"eXIf" => found.exif = data.to_vec(),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                if let Some((name, text)) = text(kind, data) {
                    match name {
                        b"Raw profile type exif" => profile = hex(&text),
                        b"XML:com.adobe.xmp" => found.xmp = text,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        rest = after.get(length + 4..).unwrap_or_default();
    }
    if found.exif.is_empty() {
        found.exif = profile;
    }
}

/// The keyword of a text chunk and its text.
fn text<'a>(kind: &[u8; 4], data: &'a [u8]) -> Option<(&'a [u8], Vec<u8>)> {
    let end = data.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (&data[..end], &data[end + 1..]);
    let wanted = name == b"Raw profile type exif" || name == b"XML:com.adobe.xmp";
    if !wanted {
        return None;
    }
    let text = match kind {
        b"tEXt" => rest.to_vec(),
        b"zTXt" => unpack(rest.get(1..)?)?,
        _ => {
            // Whether it is packed, the method, the language and the keyword in it, each ended by 0.
            let (packed, rest) = (*rest.first()?, rest.get(2..)?);
            let language = rest.iter().position(|byte| *byte == 0)?;
            let rest = &rest[language + 1..];
            let keyword = rest.iter().position(|byte| *byte == 0)?;
            let rest = &rest[keyword + 1..];
            if packed == 1 { unpack(rest)? } else { rest.to_vec() }
        }
    };
    Some((name, text))
}

fn unpack(data: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    io::Read::take(ZlibDecoder::new(data), MAX_TEXT as u64 + 1).read_to_end(&mut text).ok()?;
    (text.len() <= MAX_TEXT).then_some(text)
}

/// The bytes of a profile in hexadecimal, behind its name and its length, a line each.
fn hex(text: &[u8]) -> Vec<u8> {
    let lines = text.split(|byte| *byte == b'\n').skip(3);
    let digits: Vec<u8> = lines
        .flatten()
        .filter_map(|byte| char::from(*byte).to_digit(16))
        .map(|digit| digit as u8)
        .collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

/// Adds the chunks of a WebP.
fn webp(bytes: &[u8], found: &mut Found) {
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((kind, after)) = rest.split_first_chunk::<4>() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { return };
        let length = u32::from_le_bytes(*length) as usize;
        let Some(data) = after.get(..length) else { return };
        match kind {
            b"EXIF" => found.exif = data.to_vec(),
            b"XMP " => found.xmp = data.to_vec(),
            _ => {}
        }
        rest = after.get(length + length % 2..).unwrap_or_default();
    }
}

/// The orientation in an XMP packet, as an attribute or an element, as Pillow looks for it.
fn xmp(packet: &[u8]) -> Option<u8> {
    let name = b"tiff:Orientation";
    let places = packet.windows(name.len()).enumerate().filter(|(_, part)| part == name);
    let value = |(at, _): (usize, &[u8])| {
        let rest = &packet[at + name.len()..];
        let rest = rest.strip_prefix(b"=\"").or_else(|| rest.strip_prefix(b">"))?;
        rest.first().filter(|digit| digit.is_ascii_digit()).map(|digit| digit - b'0')
    };
    places.filter_map(value).next()
}
