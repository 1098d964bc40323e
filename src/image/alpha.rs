//! What of a picture is transparent.

use super::Picture;
use super::canvas::over;

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
    /// Lays the picture over a colour, as viewers and browsers lay it over white. One of another size
    /// stays as it is.
    pub fn over(&self, picture: &mut Picture, colour: [u8; 3]) {
        if (self.width, self.height) != (picture.width, picture.height) {
            return;
        }
        for (pixel, alpha) in picture.rgb.as_chunks_mut::<3>().0.iter_mut().zip(&self.values) {
            *pixel = over(*pixel, *alpha, colour);
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
    use image::{DynamicImage, ImageBuffer, RgbImage, Rgba, RgbaImage};

    use crate::image::{Decoded, Options, decode_with};

    fn file(picture: impl Into<DynamicImage>) -> Vec<u8> {
        let mut bytes = std::io::Cursor::new(Vec::new());
        assert!(picture.into().write_to(&mut bytes, image::ImageFormat::WebP).is_ok());
        bytes.into_inner()
    }

    /// The left half opaque, a column half transparent, the rest transparent above hidden red.
    fn half() -> ImageBuffer<Rgba<u8>, Vec<u8>> {
        RgbaImage::from_fn(8, 4, |x, _| match x {
            0..4 => [10, 20, 30, 255].into(),
            4 => [0, 100, 200, 128].into(),
            _ => [255, 0, 0, 0].into(),
        })
    }

    fn decoded(picture: impl Into<DynamicImage>, background: Option<[u8; 3]>) -> Decoded {
        let options = Options { background, alpha: true };
        decode_with("half", &file(picture), options).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn a_transparent_picture_is_laid_over_a_colour() {
        let bare = decoded(half(), None);
        assert_eq!(bare.transparent, 12);
        for colour in [[255; 3], [0, 128, 10]] {
            let under = decoded(half(), Some(colour));
            let mut laid = bare.clone();
            laid.alpha.iter().for_each(|alpha| alpha.over(&mut laid.picture, colour));
            assert_eq!(under, laid);
            let row = under.picture.rgb.as_chunks::<3>().0;
            assert_eq!(row[..4], [[10, 20, 30]; 4]);
            assert_eq!(row[5..8], [colour; 3]);
        }
        let white = decoded(half(), Some([255; 3]));
        assert_eq!(white.picture.rgb.as_chunks::<3>().0[4], [127, 177, 227]);
    }

    #[test]
    fn patches_are_clear_where_every_pixel_is() {
        let alpha = decoded(half(), None).alpha;
        let clear = alpha.as_ref().map(|alpha| alpha.clear([0.0, 0.0, 8.0, 4.0], [2, 4]));
        let row = [false, false, false, true];
        assert_eq!(clear, Some([row, row].concat()));
        // Of a part of the picture.
        let clear = alpha.map(|alpha| alpha.clear([4.5, 0.0, 3.0, 4.0], [1, 3]));
        assert_eq!(clear, Some(vec![false, true, true]));
    }

    #[test]
    fn opaque_pictures_have_none() {
        assert_eq!(decoded(RgbImage::new(2, 2), None).alpha, None);
        let opaque = RgbaImage::from_pixel(2, 2, [1, 2, 3, 255].into());
        assert_eq!(decoded(opaque, None).alpha, None);
    }
}
