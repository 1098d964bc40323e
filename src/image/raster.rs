//! What BMP and WebP share: the `image` crate gives all pixels at once.

use std::io::ErrorKind;

use image::error::ImageError;
use image::{ColorType, ImageDecoder, Limits};

/// The most bytes a decoder may ask for at once.
const MAX_BYTES: u64 = 1 << 30;

/// All pixels, what they are, and the sides.
pub(super) fn pixels(
    mut decoder: impl ImageDecoder,
    label: &str,
    check: impl FnOnce(u32, u32) -> Result<(), String>,
) -> Result<(ColorType, [u32; 2], Vec<u8>), String> {
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_BYTES);
    decoder.set_limits(limits).map_err(|e| explain(label, e))?;
    let (width, height) = decoder.dimensions();
    check(width, height)?;
    let (colour, size) = (decoder.color_type(), decoder.total_bytes());
    let mut pixels = vec![0; usize::try_from(size).map_err(|e| e.to_string())?];
    decoder.read_image(&mut pixels).map_err(|e| explain(label, e))?;
    Ok((colour, [width, height], pixels))
}

/// The decoder's reason, for a user.
pub(super) fn explain(label: &str, error: ImageError) -> String {
    match error {
        ImageError::IoError(error) if error.kind() == ErrorKind::UnexpectedEof => {
            format!("the {label} data is cut off")
        }
        ImageError::Limits(_) => format!("the {label} data would take too much memory to decode"),
        ImageError::Unsupported(error) => {
            format!("a kind of {label} that is not supported here ({error}): save it as PNG")
        }
        error => format!("the {label} data is broken or cut off: {error}"),
    }
}
