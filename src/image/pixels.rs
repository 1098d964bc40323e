//! Pictures as the numbers that the encoder takes.

use super::Picture;
use crate::{Error, Result};

/// ImageNet's mean of red, green and blue, on a scale of 0 to 1.
pub const MEAN: [f32; 3] = [0.485, 0.456, 0.406];

/// ImageNet's standard deviation of red, green and blue, on a scale of 0 to 1.
pub const STD: [f32; 3] = [0.229, 0.224, 0.225];

/// The pictures as `[batch, 3, height, width]`, normalised: `(value / 255 − mean) / std`, each
/// step in f32 as torchvision's `ToTensor` and `Normalize` take it.
///
/// # Errors
/// [`Error::Input`] where pictures differ in size, or one has not the bytes that its sides say.
pub fn pixel_values(pictures: &[Picture]) -> Result<Vec<f32>> {
    let bytes = total_bytes(pictures)?;
    let tables = [0, 1, 2].map(|channel| {
        let normal = |value: usize| (value as f32 / 255.0 - MEAN[channel]) / STD[channel];
        std::array::from_fn::<f32, 256, _>(normal)
    });
    let mut values = Vec::with_capacity(bytes);
    for picture in pictures {
        for (channel, table) in tables.iter().enumerate() {
            let plane = picture.rgb.iter().skip(channel).step_by(3);
            values.extend(plane.map(|value| table[usize::from(*value)]));
        }
    }
    Ok(values)
}

/// The pictures as `[batch, height, width, 4]` bytes, alpha 255, for upload to a device that
/// normalises by itself.
///
/// # Errors
/// [`Error::Input`] where pictures differ in size, or one has not the bytes that its sides say.
pub fn rgba(pictures: &[Picture]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(total_bytes(pictures)? / 3 * 4);
    for picture in pictures {
        bytes.extend(picture.rgb.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]));
    }
    Ok(bytes)
}

/// RGB bytes of all pictures, which must be of one size.
fn total_bytes(pictures: &[Picture]) -> Result<usize> {
    let Some(first) = pictures.first() else { return Ok(0) };
    let (width, height) = (first.width, first.height);
    for picture in pictures {
        picture.check()?;
        if (picture.width, picture.height) != (width, height) {
            return Err(Error::input(format!(
                "pictures of one batch: expected {width} × {height}, found {} × {}",
                picture.width, picture.height
            )));
        }
    }
    Ok(pictures.iter().map(|picture| picture.rgb.len()).sum())
}
