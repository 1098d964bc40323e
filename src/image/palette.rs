//! Palette TIFFs, which the decoder reads as indices at best: the file is declared grey, and the
//! grey values are looked up in its colour map afterwards.

use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::Tag;

/// `PhotometricInterpretation`: palette colour, and its replacement, zero is black (TIFF 6.0).
const PALETTE: u32 = 3;
const GREY: u16 = 1;

/// A TIFF with 8-bit indices: its bytes declared grey, and the colour of each index. `None` for
/// every other TIFF.
pub(super) fn palette(bytes: &[u8]) -> Option<(Vec<u8>, Vec<[u8; 3]>)> {
    let mut decoder = Decoder::new(Cursor::new(bytes)).ok()?;
    let tag = |decoder: &mut Decoder<_>, tag| decoder.find_tag_unsigned::<u32>(tag).ok()?;
    if tag(&mut decoder, Tag::PhotometricInterpretation) != Some(PALETTE)
        || tag(&mut decoder, Tag::BitsPerSample) != Some(8)
    {
        return None;
    }
    // All reds, then all greens, then all blues, 16 bits each.
    let map = decoder.get_tag_u16_vec(Tag::ColorMap).ok().filter(|map| map.len() == 3 * 256)?;
    let colours = (0..256).map(|i| [0, 256, 512].map(|plane| (map[plane + i] >> 8) as u8));

    let little = bytes.starts_with(b"II");
    let short = |at: usize| {
        let pair = [*bytes.get(at)?, *bytes.get(at + 1)?];
        Some(if little { u16::from_le_bytes(pair) } else { u16::from_be_bytes(pair) })
    };
    let first = decoder.ifd_pointer()?.0 as usize;
    let entry = (0..usize::from(short(first)?))
        .map(|i| first + 2 + 12 * i)
        .find(|at| short(*at) == Some(Tag::PhotometricInterpretation.to_u16()))?;
    let mut grey = bytes.to_vec();
    let value = if little { GREY.to_le_bytes() } else { GREY.to_be_bytes() };
    grey.get_mut(entry + 8..entry + 10)?.copy_from_slice(&value);
    Some((grey, colours.collect()))
}
