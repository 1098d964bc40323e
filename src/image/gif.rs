//! The first frame of a GIF, on its canvas as Pillow lays it.
//!
//! What the frame leaves of the canvas has the colour of the transparent index, or of index 0. A frame
//! beyond the canvas widens it. Without a table of colours an index is a grey value.

use std::borrow::Cow;
use std::io::Cursor;

use gif::{ColorOutput, DecodeOptions, Decoder, DecodingError, Frame};

use super::Options;
use super::canvas::Canvas;

/// The bytes of a header, before the table of colours.
const HEADER: usize = 13;

/// Decodes the first frame; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let mut settings = DecodeOptions::new();
    settings.set_color_output(ColorOutput::Indexed);
    let mut decoder = settings.read_info(Cursor::new(with_table(bytes)?)).map_err(explain)?;
    let frame = decoder.next_frame_info().map_err(explain)?.cloned();
    let Some(frame) = frame else { return Err("the GIF has no picture".into()) };
    if frame.width == 0 || frame.height == 0 {
        let (width, height) = (frame.width, frame.height);
        return Err(format!("a frame of {width} × {height} has no pixels"));
    }
    let width = (u32::from(frame.left) + u32::from(frame.width)).max(decoder.width().into());
    let height = (u32::from(frame.top) + u32::from(frame.height)).max(decoder.height().into());
    check(width, height)?;

    let colours = colours(decoder.palette().map_err(explain)?, frame.transparent);
    let mut canvas = Canvas::new(width, height, options);
    let whole = (u32::from(frame.width), u32::from(frame.height)) == (width, height);
    if !whole {
        canvas.fill(colours[usize::from(frame.transparent.unwrap_or(0))]);
        if frame.transparent.is_some() {
            canvas.forget(u64::from(frame.width) * u64::from(frame.height));
        }
    }
    rows(&mut decoder, &frame, |y, row| {
        let pixels: Vec<_> = row.iter().map(|index| colours[usize::from(*index)]).collect();
        canvas.put(frame.left.into(), usize::from(frame.top) + y, &pixels);
    })?;
    Ok(canvas)
}

/// The file with a table of colours, which the crate wants: one of greys where there is none.
fn with_table(bytes: &[u8]) -> Result<Cow<'_, [u8]>, String> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Err(CUT_OFF.into());
    };
    if header[10] & 0x80 != 0 {
        return Ok(bytes.into());
    }
    let mut header = *header;
    header[10] |= 0x87;
    let greys: Vec<u8> = (0..=255).flat_map(|grey| [grey; 3]).collect();
    Ok([&header[..], &greys, rest].concat().into())
}

/// Gives `each` row of indices with its place.
fn rows(
    decoder: &mut Decoder<Cursor<Cow<'_, [u8]>>>,
    frame: &Frame<'_>,
    mut each: impl FnMut(usize, &[u8]),
) -> Result<(), String> {
    let height = usize::from(frame.height);
    // First row and step of each pass of an interlaced frame.
    let passes: &[(usize, usize)] =
        if frame.interlaced { &[(0, 8), (4, 8), (2, 4), (1, 2)] } else { &[(0, 1)] };
    let mut row = vec![0; frame.width.into()];
    for y in passes.iter().flat_map(|(first, step)| (*first..height).step_by(*step)) {
        if !decoder.fill_buffer(&mut row).map_err(explain)? {
            return Err(CUT_OFF.into());
        }
        each(y, &row);
    }
    Ok(())
}

/// The colour of each index. Those beyond the table are black, and beyond one that begins the greys
/// they go on with them, as Pillow has it.
fn colours(table: &[u8], transparent: Option<u8>) -> [[u8; 4]; 256] {
    let table = table.as_chunks::<3>().0;
    let greys = (0..=255).zip(table).all(|(grey, entry)| *entry == [grey; 3]);
    let mut colours = [[0, 0, 0, 255]; 256];
    for (index, colour) in (0..=255).zip(&mut colours) {
        let beyond = if greys { [index; 3] } else { [0; 3] };
        colour[..3].copy_from_slice(table.get(usize::from(index)).unwrap_or(&beyond));
    }
    if let Some(index) = transparent {
        colours[usize::from(index)][3] = 0;
    }
    colours
}

const CUT_OFF: &str = "the GIF data is cut off";

/// The decoder's reason, for a user.
fn explain(error: DecodingError) -> String {
    match error {
        DecodingError::UnexpectedEof => CUT_OFF.into(),
        DecodingError::OutOfMemory | DecodingError::MemoryLimit => {
            "the GIF data would take too much memory to decode".into()
        }
        error => format!("the GIF data is broken or cut off: {error}"),
    }
}
