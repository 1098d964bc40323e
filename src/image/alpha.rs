//! What of a picture is transparent.

use std::io::Cursor;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageReader};

use super::Picture;

/// A picture's alpha channel, upright, 8 bits: 0 is transparent, 255 opaque.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alpha {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width]`.
    pub values: Vec<u8>,
}

impl Alpha {
    /// The alpha channel of a file that [`decode`](super::decode) reads; `None` where the picture
    /// is opaque.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
        let mut decoder = reader.into_decoder().ok()?;
        if !decoder.color_type().has_alpha() {
            return None;
        }
        let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
        let mut picture = DynamicImage::from_decoder(decoder).ok()?;
        picture.apply_orientation(orientation);
        let pixels = picture.into_rgba8();
        let (width, height) = pixels.dimensions();
        let values: Vec<u8> = pixels.as_raw().iter().skip(3).step_by(4).copied().collect();
        values.iter().any(|alpha| *alpha < 255).then_some(Self { width, height, values })
    }

    /// Lays the picture over white, as viewers and browsers do. One of another size stays as it is.
    pub fn over_white(&self, picture: &mut Picture) {
        if (self.width, self.height) != (picture.width, picture.height) {
            return;
        }
        let mix = |value: u8, alpha: u8| {
            let (value, alpha) = (u32::from(value), u32::from(alpha));
            ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
        };
        for (pixel, alpha) in picture.rgb.as_chunks_mut::<3>().0.iter_mut().zip(&self.values) {
            *pixel = pixel.map(|value| mix(value, *alpha));
        }
    }

    /// Which patches of a grid over `region` (left, top, width, height in pixels) are transparent
    /// in every pixel: `[rows, cols]`.
    pub fn clear(&self, region: [f64; 4], [rows, cols]: [usize; 2]) -> Vec<bool> {
        let [left, top, width, height] = region;
        // The pixels that a patch touches along one side.
        let span = |start: f64, length: f64, at: usize, count: usize, end: u32| {
            let edge = |at: usize| start + length * at as f64 / count as f64;
            let first = edge(at).floor().clamp(0.0, f64::from(end)) as usize;
            first..(edge(at + 1).ceil().clamp(0.0, f64::from(end)) as usize)
        };
        let patch = |at: usize| {
            let across = span(left, width, at % cols, cols, self.width);
            let mut down = span(top, height, at / cols, rows, self.height);
            down.all(|y| {
                let row = &self.values[y * self.width as usize..][..self.width as usize];
                row[across.clone()].iter().all(|alpha| *alpha == 0)
            })
        };
        (0..rows * cols).map(patch).collect()
    }
}

#[cfg(test)]
mod tests {
    use image::{ImageFormat, RgbImage, RgbaImage};

    use super::*;
    use crate::image::decode;

    fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        assert!(picture.into().write_to(&mut bytes, ImageFormat::Png).is_ok());
        bytes.into_inner()
    }

    /// The left half opaque, a column half transparent, the rest transparent above hidden red.
    fn half() -> Vec<u8> {
        png(RgbaImage::from_fn(8, 4, |x, _| match x {
            0..4 => [10, 20, 30, 255].into(),
            4 => [0, 100, 200, 128].into(),
            _ => [255, 0, 0, 0].into(),
        }))
    }

    #[test]
    fn a_transparent_picture_is_laid_over_white() {
        let (Ok(mut picture), Some(alpha)) = (decode("half", &half()), Alpha::read(&half())) else {
            panic!("it is a picture with an alpha channel")
        };
        alpha.over_white(&mut picture);
        let row = picture.rgb.as_chunks::<3>().0;
        assert_eq!(row[..4], [[10, 20, 30]; 4]);
        assert_eq!(row[4], [127, 177, 227]);
        assert_eq!(row[5..8], [[255; 3]; 3]);
    }

    #[test]
    fn patches_are_clear_where_every_pixel_is() {
        let clear = Alpha::read(&half()).map(|alpha| alpha.clear([0.0, 0.0, 8.0, 4.0], [2, 4]));
        let row = [false, false, false, true];
        assert_eq!(clear, Some([row, row].concat()));
        // Of a part of the picture.
        let clear = Alpha::read(&half()).map(|alpha| alpha.clear([4.5, 0.0, 3.0, 4.0], [1, 3]));
        assert_eq!(clear, Some(vec![false, true, true]));
    }

    #[test]
    fn opaque_pictures_have_none() {
        assert_eq!(Alpha::read(&png(RgbImage::new(2, 2))), None);
        assert_eq!(Alpha::read(&png(RgbaImage::from_pixel(2, 2, [1, 2, 3, 255].into()))), None);
        assert_eq!(Alpha::read(b"no picture"), None);
    }
}
