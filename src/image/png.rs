//! PNG by rows. Chunks beside the pixels are skipped, however long: the orientation is read elsewhere.

use std::io::{Cursor, ErrorKind};

use png::{BitDepth, ColorType, Decoder, DecodingError, Limits, Transformations};

use super::Options;
use super::canvas::Canvas;

/// What the decoder may take beside the rows and the file's own length: the chunks that it keeps do not
/// inflate.
const MAX_BYTES: usize = 16 << 20;

/// Decodes a picture, of an animation the first; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let limits = Limits { bytes: MAX_BYTES + bytes.len() };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), limits);
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.ignore_checksums(false);
    let header = decoder.read_header_info().map_err(explain)?;
    let (width, height, interlaced) = (header.width, header.height, header.interlaced);
    check(width, height)?;
    // Of 16 bits the high byte is kept; grey and palettes have 8 bits then.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(explain)?;
    let (colour, depth) = reader.output_color_type();
    if depth != BitDepth::Eight {
        return Err("the PNG data is broken".into());
    }
    if interlaced {
        let size = reader.output_buffer_size().ok_or("the PNG data is too large")?;
        let mut pixels = vec![0; size];
        reader.next_frame(&mut pixels).map_err(explain)?;
        return Ok(whole(width, height, pixels, colour, options));
    }
    let mut canvas = Canvas::new(width, height, options);
    let mut y = 0;
    while y < height as usize {
        let Some(row) = reader.next_row().map_err(explain)? else {
            return Err(CUT_OFF.into());
        };
        put(&mut canvas, y, width as usize, row.data(), colour);
        y += 1;
    }
    // What says how the picture is turned may stand behind it.
    match reader.finish() {
        Err(DecodingError::IoError(error)) => Err(explain(DecodingError::IoError(error))),
        _ => Ok(canvas),
    }
}

/// A canvas of all pixels, which an interlaced file gives at once.
fn whole(width: u32, height: u32, pixels: Vec<u8>, colour: ColorType, options: Options) -> Canvas {
    match colour {
        ColorType::Rgb => Canvas::of_rgb(width, height, pixels, options),
        ColorType::Rgba => Canvas::of_rgba(width, height, pixels, options),
        colour => {
            let mut canvas = Canvas::new(width, height, options);
            let width = width as usize;
            let rows = pixels.chunks_exact((width * colour.samples()).max(1));
            for (y, row) in rows.enumerate() {
                put(&mut canvas, y, width, row, colour);
            }
            canvas
        }
    }
}

/// Writes a row of 8 bits a channel.
fn put(canvas: &mut Canvas, y: usize, width: usize, row: &[u8], colour: ColorType) {
    match colour {
        ColorType::Rgb => canvas.row(0, y, width).as_flattened_mut().copy_from_slice(row),
        ColorType::Rgba => canvas.put(0, y, row.as_chunks::<4>().0),
        ColorType::GrayscaleAlpha => {
            let pixels = row.as_chunks::<2>().0.iter().map(|[l, a]| [*l, *l, *l, *a]);
            canvas.put(0, y, &pixels.collect::<Vec<_>>());
        }
        ColorType::Grayscale | ColorType::Indexed => {
            for (pixel, grey) in canvas.row(0, y, width).iter_mut().zip(row) {
                *pixel = [*grey; 3];
            }
        }
    }
}

const CUT_OFF: &str = "the PNG data is cut off";

/// The decoder's reason, for a user.
fn explain(error: DecodingError) -> String {
    match error {
        DecodingError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => CUT_OFF.into(),
        DecodingError::LimitsExceeded => "the PNG data would take too much memory to decode".into(),
        error => format!("the PNG data is broken or cut off: {error}"),
    }
}
