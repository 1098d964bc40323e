//! The image room: a file's bytes in, the encoder's pixels out.
//!
//! The order of work is `decode`, then either [`Fit::apply`] (one picture of one shape) or
//! `tiles` (InternVL's tiling with a thumbnail), then [`pixel_values`] or [`rgba`]. Every step
//! computes what the reference pipeline computes with Pillow and torchvision, the resize to the
//! last bit. Nothing here reads files or knows the model.

mod alpha;
mod bmp;
mod canvas;
mod decode;
mod fit;
mod foreign;
mod gif;
mod jpeg;
mod orientation;
mod pixels;
mod png;
mod raster;
mod resize;
mod tiff;
mod tiles;
mod webp;

pub use alpha::Alpha;
pub(crate) use decode::format;
pub use decode::{Decoded, Options, decode, decode_with, is_known};
pub use fit::{Fit, Resize};
pub use pixels::{Normal, pixel_values, rgba};
pub use resize::{Filter, resize};
pub use tiles::{Grid, tile_grid, tiles};

use std::fmt;

use crate::{Error, Result};

/// The most pixels a picture may have, before or after a resize: 2²⁸, 768 MiB of RGB.
pub const MAX_PIXELS: u64 = 1 << 28;

/// An upright RGB picture, 8 bits a channel, rows top to bottom.
#[derive(Clone, PartialEq)]
pub struct Picture {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `[height, width, 3]`, so `width * height * 3` bytes.
    pub rgb: Vec<u8>,
    /// The same before it was rounded to bytes, where a model takes it so; else nothing.
    pub exact: Vec<f32>,
}

impl Picture {
    /// A square of noise, always the same: for benchmarks.
    ///
    /// # Errors
    /// [`Error::Input`] for more than [`MAX_PIXELS`] pixels.
    pub fn noise(side: u32) -> Result<Self> {
        let pixels = u64::from(side) * u64::from(side);
        if pixels > MAX_PIXELS {
            let text =
                format!("{side} × {side} pixels would pass the limit of {MAX_PIXELS} pixels");
            return Err(Error::input(text));
        }
        let value = |i: u64| ((i as u32).wrapping_mul(0x9e37_79b9) >> 24) as u8;
        Ok(Self::of(side, side, (0..3 * pixels).map(value).collect()))
    }

    /// A picture of bytes, which are counted where it is used.
    pub fn of(width: u32, height: u32, rgb: Vec<u8>) -> Self {
        Self { width, height, rgb, exact: Vec::new() }
    }

    /// That the bytes are as many as the sides say, and the values before they were rounded, where there are any.
    ///
    /// # Errors
    /// [`Error::Input`] where they are not.
    pub fn check(&self) -> Result<()> {
        let expected = u128::from(self.width) * u128::from(self.height) * 3;
        let exact = [0, self.rgb.len()].contains(&self.exact.len());
        if expected == self.rgb.len() as u128 && exact {
            return Ok(());
        }
        Err(Error::input(format!(
            "a picture of {} × {} pixels: expected {expected} bytes of RGB, found {}",
            self.width,
            self.height,
            self.rgb.len()
        )))
    }

    /// The rectangle `[left, top, width, height]`, in bytes.
    ///
    /// # Errors
    /// [`Error::Input`] where it does not lie inside, or the bytes are not as many as the sides say.
    pub fn cut(&self, [left, top, width, height]: [u32; 4]) -> Result<Picture> {
        self.check()?;
        let inside = |start: u32, length: u32, side: u32| {
            start.checked_add(length).is_some_and(|end| end <= side)
        };
        if !inside(left, width, self.width) || !inside(top, height, self.height) {
            return Err(Error::input(format!(
                "cutting {width} × {height} pixels at {left},{top}: expected a part of {} × {}",
                self.width, self.height
            )));
        }
        let columns = left as usize * 3..(left + width) as usize * 3;
        let rows = self.rows().skip(top as usize).take(height as usize);
        let rgb = rows.flat_map(|row| &row[columns.clone()]).copied().collect();
        Ok(Picture::of(width, height, rgb))
    }

    /// What lies `x` pixels to the right and `y` below each pixel, in bytes; beyond the border its nearest pixel.
    pub fn moved(&self, [x, y]: [i64; 2]) -> Picture {
        let near = |at: usize, by: i64, side: u32| {
            (at as i64 + by).clamp(0, i64::from(side).max(1) - 1) as usize
        };
        let pixels = self.rgb.as_chunks::<3>().0;
        let (width, height) = (self.width as usize, self.height as usize);
        let columns: Vec<usize> = (0..width).map(|at| near(at, x, self.width)).collect();
        let rows = (0..height).map(|at| &pixels[near(at, y, self.height) * width..]);
        let rgb = rows.flat_map(|row| columns.iter().flat_map(|at| row[*at])).collect();
        Picture::of(self.width, self.height, rgb)
    }

    /// The rows, top to bottom.
    fn rows(&self) -> std::slice::ChunksExact<'_, u8> {
        self.rgb.chunks_exact((self.width as usize * 3).max(1))
    }
}

/// The size only: the pixels would fill the screen.
impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture({} × {})", self.width, self.height)
    }
}
