//! TIFF: its directory, strips and tiles here, what packs them by crates of their own.
//!
//! The kinds are those of Pillow and some more. A crate for all of TIFF refuses half of them before a tag
//! can be read.

mod codec;
mod colour;
mod fax;
mod layout;
mod rows;
mod samples;
mod tags;
mod ycbcr;

pub(super) use tags::Tags;

use std::io::{Error, ErrorKind};

use layout::{Colour, Layout};

use super::Options;
use super::canvas::Canvas;

/// Decodes the first picture; `check` sees width and height before memory is taken.
pub(super) fn read(
    bytes: &[u8],
    options: Options,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<Canvas, String> {
    let mut layout = Layout::read(bytes, check)?;
    let (width, height) = (layout.width as u32, layout.height as u32);
    if layout.compression == 6 {
        let rgb = codec::old_jpeg(bytes, &layout)?;
        return Ok(Canvas::of_rgb(width, height, rgb, options));
    }
    let packed_colours = layout.compression == 7;
    if layout.colour == Colour::YCbCr && packed_colours && !layout.planar {
        // Their decoders give RGB.
        layout.colour = Colour::Rgb;
        return colour::paint(bytes, &layout, true, options);
    }
    if layout.colour == Colour::YCbCr && !layout.planar && ycbcr::subsampled(&layout) {
        return ycbcr::paint(bytes, &layout, options);
    }
    colour::paint(bytes, &layout, false, options)
}

/// The refusal of a kind, with what to do.
fn unsupported(kind: &str) -> String {
    format!("a TIFF of a kind that is not supported here ({kind}): save it as 8-bit RGB")
}

const CUT_OFF: &str = "the TIFF data is cut off";

/// A reader's reason, for a user.
fn explain(error: &Error) -> String {
    match error.kind() {
        ErrorKind::UnexpectedEof => CUT_OFF.into(),
        _ => format!("the TIFF data is broken or cut off: {error}"),
    }
}
