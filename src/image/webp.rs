//! WebP: a still picture, or the first frame of an animation, as Pillow lays it, by the `image` crate.
//!
//! The crate gets the frame as a file of its own. What it makes of animations differs from other
//! decoders by rounding where a frame is blended, though nothing lies under the first; and where headers
//! and pixels disagree about alpha it refuses what others read.

use std::io::Cursor;

use image::ColorType;
use image::codecs::webp::WebPDecoder;

use super::Options;
use super::canvas::Canvas;
use super::raster::{explain, pixels};

/// The frame that is seen.
struct Frame<'a> {
    /// Width and height of the picture; 0 where the frame alone tells.
    canvas: [u32; 2],
    /// Where the frame lies, and its size as its header says.
    at: [u32; 2],
    size: [u32; 2],
    /// Whether its alpha means nothing.
    opaque: bool,
    /// An alpha channel beside lossy pixels.
    alpha: Option<&'a [u8]>,
    lossless: bool,
    pixels: &'a [u8],
}

/// Decodes the picture; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let broken = || "the WebP data is broken: it has no picture".to_string();
    let frame = first(bytes).ok_or_else(broken)?;
    let file = frame.file();
    let decoder = WebPDecoder::new(Cursor::new(file)).map_err(|e| explain("WebP", e))?;
    let fits = |width: u32, height: u32| {
        let [wide, high] = frame.canvas;
        check(width.max(wide), height.max(high))?;
        let known = wide == 0 || [width, height] == frame.size;
        let inside = wide == 0
            || u64::from(frame.at[0]) + u64::from(width) <= u64::from(wide)
                && u64::from(frame.at[1]) + u64::from(height) <= u64::from(high);
        if known && inside { Ok(()) } else { Err("the WebP data is broken: sizes differ".into()) }
    };
    let (colour, [width, height], pixels) = pixels(decoder, "WebP", fits)?;
    let alone = frame.canvas == [0; 2] || frame.canvas == [width, height];
    match colour {
        ColorType::Rgb8 if alone => Ok(Canvas::of_rgb(width, height, pixels, options)),
        ColorType::Rgba8 if alone && frame.opaque => {
            Ok(Canvas::of_rgbx(width, height, pixels, options))
        }
        ColorType::Rgba8 if alone => Ok(Canvas::of_rgba(width, height, pixels, options)),
        ColorType::Rgb8 | ColorType::Rgba8 => {
            Ok(frame.laid(width as usize, &pixels, colour == ColorType::Rgba8, options))
        }
        _ => Err("a WebP of a kind that is not supported here: save it as PNG".into()),
    }
}

impl Frame<'_> {
    /// The frame as a file. One without loss has alpha there: the decoder makes RGBA of either, and without
    /// alpha RGB beside it, which takes nearly twice the memory.
    fn file(&self) -> Vec<u8> {
        let mut chunks = b"WEBP".to_vec();
        if let Some(alpha) = self.alpha {
            let mut header = vec![0x10, 0, 0, 0];
            for side in self.size {
                header.extend(&side.wrapping_sub(1).to_le_bytes()[..3]);
            }
            add(&mut chunks, b"VP8X", &header);
            add(&mut chunks, b"ALPH", alpha);
        }
        add(&mut chunks, if self.lossless { b"VP8L" } else { b"VP8 " }, self.pixels);
        if self.lossless
            && let Some(byte) = chunks.get_mut(16)
        {
            *byte |= 0x10;
        }
        let length = (chunks.len() as u32).to_le_bytes();
        [&b"RIFF"[..], &length, &chunks].concat()
    }

    /// The canvas with the frame on it; the rest is transparent black.
    fn laid(&self, width: usize, pixels: &[u8], rgba: bool, options: Options) -> Canvas {
        let [wide, high] = self.canvas;
        let mut canvas = Canvas::new(wide, high, options);
        canvas.fill([0, 0, 0, if self.opaque { 255 } else { 0 }]);
        if !self.opaque {
            canvas.forget(u64::from(self.size[0]) * u64::from(self.size[1]));
        }
        let count = if rgba { 4 } else { 3 };
        for (y, row) in pixels.chunks_exact(count * width).enumerate() {
            let pixel =
                |p: &[u8]| [p[0], p[1], p[2], if rgba && !self.opaque { p[3] } else { 255 }];
            let row: Vec<_> = row.chunks_exact(count).map(pixel).collect();
            canvas.put(self.at[0] as usize, self.at[1] as usize + y, &row);
        }
        canvas
    }
}

/// Adds a chunk.
fn add(file: &mut Vec<u8>, kind: &[u8; 4], data: &[u8]) {
    file.extend(kind);
    file.extend((data.len() as u32).to_le_bytes());
    file.extend(data);
    file.extend(vec![0; data.len() % 2]);
}

/// The chunks of a file, or of a frame in it, those that are whole.
fn chunks(mut rest: &[u8]) -> impl Iterator<Item = (&[u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_first_chunk::<4>()?;
        let (length, after) = after.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        let data = after.get(..length)?;
        rest = after.get(length + length % 2..).unwrap_or_default();
        Some((kind, data))
    })
}

/// A number of three bytes.
fn number(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at + 3)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]))
}

/// The picture, or the first frame.
fn first(bytes: &[u8]) -> Option<Frame<'_>> {
    let body = bytes.get(12..)?;
    let (kind, header) = chunks(body).next()?;
    // Other chunks come behind a header of their own kind, or the file is none that libwebp reads.
    match kind {
        b"VP8X" => {}
        b"VP8L" | b"VP8 " => return inside(body, true),
        _ => return None,
    }
    let flags = *header.first()?;
    let canvas = [number(header, 4)? + 1, number(header, 7)? + 1];
    let frame = match flags & 2 {
        0 => Frame { size: canvas, ..inside(body, false)? },
        _ => {
            let (_, data) = chunks(body).find(|(kind, _)| *kind == b"ANMF")?;
            let at = [2 * number(data, 0)?, 2 * number(data, 3)?];
            let size = [number(data, 6)? + 1, number(data, 9)? + 1];
            Frame { at, size, ..inside(data.get(16..)?, false)? }
        }
    };
    let opaque = flags & 0x10 == 0;
    Some(Frame { canvas, opaque, alpha: frame.alpha.filter(|_| !opaque), ..frame })
}

/// The frame among chunks; `alone` where nothing but the pixels tells of alpha.
fn inside(body: &[u8], alone: bool) -> Option<Frame<'_>> {
    let mut alpha = None;
    // Alpha comes before the pixels that it belongs to.
    for (kind, data) in chunks(body) {
        let lossless = kind == b"VP8L";
        match kind {
            b"ALPH" if !alone => alpha = alpha.or(Some(data)),
            b"VP8L" | b"VP8 " => {
                let opaque = !lossless || data.get(4)? & 0x10 == 0;
                let alpha = alpha.filter(|_| !lossless);
                let [canvas, at, size] = [[0; 2]; 3];
                return Some(Frame { canvas, at, size, opaque, alpha, lossless, pixels: data });
            }
            _ => {}
        }
    }
    None
}
