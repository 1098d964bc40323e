//! Pictures as the numbers that the encoder takes.

use serde::{Deserialize, Serialize};

use super::Picture;
use crate::{Error, Result};

/// How a byte becomes the number that an encoder takes: `(value / divisor − mean) / std`, each step
/// in f32 as torchvision's `ToTensor` and `Normalize` take it. By default ImageNet's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    /// What brings bytes to the scale of mean and deviation: 255, or 1 where that is 0 to 255.
    pub divisor: f32,
    /// Of red, green and blue.
    pub mean: [f32; 3],
    /// The standard deviation of red, green and blue.
    pub std: [f32; 3],
}

impl Default for Normal {
    fn default() -> Self {
        Self { divisor: 255.0, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
    }
}

impl Normal {
    /// That of CLIP's photographs.
    pub fn clip() -> Self {
        Self {
            mean: [0.481_454_66, 0.457_827_5, 0.408_210_73],
            std: [0.268_629_54, 0.261_302_6, 0.275_777_1],
            ..Self::default()
        }
    }

    /// The number of a byte of red, green or blue, or of a value between two.
    pub fn value(&self, channel: usize, value: impl Into<f32>) -> f32 {
        (value.into() / self.divisor - self.mean[channel]) / self.std[channel]
    }
}

/// The pictures as `[batch, 3, height, width]`, each byte as [`Normal::value`] makes it, or the value before it
/// was rounded to one.
///
/// # Errors
/// [`Error::Input`] where pictures differ in size, or one has not the bytes that its sides say.
pub fn pixel_values(pictures: &[Picture], normal: &Normal) -> Result<Vec<f32>> {
    let bytes = total_bytes(pictures)?;
    let table =
        |channel| std::array::from_fn::<f32, 256, _>(|byte| normal.value(channel, byte as u8));
    let tables = [0, 1, 2].map(table);
    let mut values = Vec::with_capacity(bytes);
    for picture in pictures {
        for (channel, table) in tables.iter().enumerate() {
            if picture.exact.is_empty() {
                let plane = picture.rgb.iter().skip(channel).step_by(3);
                values.extend(plane.map(|value| table[usize::from(*value)]));
            } else {
                let plane = picture.exact.iter().skip(channel).step_by(3);
                values.extend(plane.map(|value| normal.value(channel, *value)));
            }
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
