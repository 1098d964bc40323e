//! BMP, with and without the header of a file, by the `image` crate. Headers that it does not know are
//! said in the words of those that it knows.

use std::io::{self, BufRead, Read, Seek, SeekFrom};

use image::ColorType;
use image::codecs::bmp::BmpDecoder;

use super::Options;
use super::canvas::Canvas;
use super::raster::{explain, pixels};

/// Length of the header that a file begins with, which a picture from the clipboard (DIB) lacks.
const FILE: usize = 14;

/// Decodes a BMP; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let file = Spliced::new(bytes);
    let masks = masks(&file);
    let decoder = BmpDecoder::new(file).map_err(|e| explain("BMP", e))?;
    let (colour, [width, height], mut pixels) = pixels(decoder, "BMP", check)?;
    round_down(masks, &mut pixels, colour);
    match colour {
        ColorType::Rgb8 => Ok(Canvas::of_rgb(width, height, pixels, options)),
        ColorType::Rgba8 => Ok(Canvas::of_rgba(width, height, pixels, options)),
        _ => Err("a BMP of a kind that is not supported here: save it as PNG".into()),
    }
}

/// Whether a file begins as a BMP does, or as one without the header of a file. Two letters may begin
/// any text, so the header behind them counts as well.
pub(super) fn is_bmp(bytes: &[u8]) -> bool {
    let size = |at: usize| number(bytes, at, 4);
    if bytes.starts_with(b"BM") {
        return size(FILE).is_some_and(|size| (12..256).contains(&size));
    }
    let (width, planes) = match size(0) {
        Some(12) => (number(bytes, 4, 2), 8),
        Some(40 | 52 | 56 | 64 | 108 | 124) => (size(4), 12),
        _ => return false,
    };
    let bits = matches!(number(bytes, planes + 2, 2), Some(1 | 4 | 8 | 16 | 24 | 32));
    width.is_some_and(|width| width > 0) && number(bytes, planes, 2) == Some(1) && bits
}

fn number(bytes: &[u8], at: usize, width: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + width)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte)))
}

/// A file whose headers are replaced: they, and what follows, in one row.
struct Spliced<'a> {
    head: Vec<u8>,
    rest: &'a [u8],
    at: u64,
}

impl<'a> Spliced<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let (file, info) = match bytes.starts_with(b"BM") {
            true => bytes.split_at(FILE.min(bytes.len())),
            false => bytes.split_at(0),
        };
        let size = number(info, 0, 4).unwrap_or(0).min(256) as usize;
        let (header, rest) = info.split_at(size.min(info.len()));
        let bits = number(header, if size == 12 { 10 } else { 14 }, 2).unwrap_or(0);
        let mut known = header.to_vec();
        match size {
            // The sides have two bytes each, and colours that are no palette's the same form as later.
            12 if bits > 8 => {
                known.splice(6..6, [0; 2]);
                known.splice(10..10, [0; 2]);
                known.resize(40, 0);
                known[0] = 40;
            }
            // OS/2's second header, its beginning alone.
            16 => {
                known.resize(40, 0);
                known[0] = 40;
            }
            // The whole of it: it goes on otherwise than Windows' do.
            64 => {
                known.truncate(56);
                known[0] = 56;
            }
            _ => {}
        }
        let colours = number(header, 32, 4).filter(|colours| *colours > 0);
        let palette = match bits {
            1..=8 if size == 12 => 3 << bits,
            1..=8 => 4 * u64::from(colours.unwrap_or(1 << bits)),
            _ => 0,
        };
        let masks = if size == 40 && number(header, 16, 4) == Some(3) { 12 } else { 0 };
        // Where the pixels begin: behind all else, unless the file says so in another place.
        let headers = (FILE + header.len()) as u32;
        let said = number(file, 10, 4).filter(|at| *at != 0 && (*at != headers || palette == 0));
        let start = said.map_or(u64::from(headers) + palette + masks, u64::from);
        let start = (start + known.len() as u64).saturating_sub(header.len() as u64);
        let start = u32::try_from(start).unwrap_or(u32::MAX).to_le_bytes();
        let head = [&b"BM"[..], &[0; 8], &start, &known].concat();
        Self { head, rest, at: 0 }
    }

    /// What follows a place.
    fn from(&self, at: u64) -> &[u8] {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        match at.checked_sub(self.head.len()) {
            None => &self.head[at..],
            Some(at) => self.rest.get(at..).unwrap_or_default(),
        }
    }
}

impl Read for Spliced<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

impl BufRead for Spliced<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(self.from(self.at))
    }

    fn consume(&mut self, amount: usize) {
        self.at += amount as u64;
    }
}

impl Seek for Spliced<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let end = (self.head.len() + self.rest.len()) as u64;
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => end.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// The masks of a BMP of 16 bits a pixel.
fn masks(file: &Spliced<'_>) -> Option<[u32; 3]> {
    let number = |at: usize| number(file.from(at as u64), 0, 4);
    match (file.head.get(28)?, number(30)?) {
        (16, 0) => Some([0x7C00, 0x03E0, 0x001F]),
        (16, 3) => Some([54, 58, 62].map(|at| number(at).unwrap_or(0))),
        _ => None,
    }
}

/// Of 16 bits a pixel, colours of 5 and 6 bits as Pillow widens them, rounded down and not to the
/// nearest.
fn round_down(masks: Option<[u32; 3]>, pixels: &mut [u8], colour: ColorType) {
    let channels = usize::from(colour.channel_count());
    let masks = masks.unwrap_or_default().into_iter().enumerate();
    for (channel, mask) in masks.filter(|(_, mask)| mask.count_ones() >= 5) {
        let most = (1_u32 << mask.count_ones().min(8)) - 1;
        for value in pixels.iter_mut().skip(channel).step_by(channels) {
            let stored = (u32::from(*value) * most + 127) / 255;
            *value = (stored * 255 / most) as u8;
        }
    }
}
