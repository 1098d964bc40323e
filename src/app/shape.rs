//! How photographs are brought to a model's size.

use crate::image::{Fit, Grid, MAX_PIXELS, Picture, Resize};
use crate::model::Spec;
use crate::{Error, Result};

/// How photographs are brought to a model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of the photograph, or of each tile.
    pub fit: Fit,
    /// Tiles at most.
    pub tiles: u32,
}

/// What the encoder sees of a photograph.
#[derive(Clone, Debug)]
pub struct Cut {
    /// The tiles, one where it is not cut.
    pub grid: Grid,
    /// Tiles row by row, then the thumbnail where there are several; or the one resized picture.
    pub pictures: Vec<Picture>,
    /// The part of the photograph that they show: left, top, width, height in pixels.
    pub region: [f64; 4],
}

impl Shape {
    /// As the model asks for, but for a size and a way of resizing that are given. Several tiles are
    /// squashed whatever the model asks for a whole photograph.
    ///
    /// # Errors
    /// [`Error::Input`] for a size that is no multiple of the patch, unless resizing makes it one, and
    /// for tiles of too many pixels together.
    pub fn new(spec: &Spec, size: Option<u32>, resize: Option<Resize>, tiles: u32) -> Result<Self> {
        let fit = spec.preprocessing.fit(&spec.sizes, resize, size);
        let (side, patch) = (fit.size, fit.patch);
        if !side.is_multiple_of(patch) && fit.resize != Resize::Native {
            return Err(Error::input(format!("image size {side}: expected a multiple of {patch}")));
        }
        Self::of(fit, tiles)
    }

    /// By `fit`, in at most so many tiles.
    ///
    /// # Errors
    /// [`Error::Input`] for tiles of too many pixels together.
    pub fn of(mut fit: Fit, tiles: u32) -> Result<Self> {
        let side = fit.size;
        if u64::from(tiles) * u64::from(side).pow(2) > MAX_PIXELS {
            return Err(Error::input(format!(
                "{tiles} tiles of {side} × {side} would pass the limit of {MAX_PIXELS} pixels"
            )));
        }
        if tiles > 1 {
            fit.resize = Resize::Squash;
        }
        Ok(Self { fit, tiles })
    }

    /// A photograph at the model's size.
    ///
    /// # Errors
    /// As [`Fit::apply`] and [`Fit::tiles`].
    pub fn cut(&self, photo: &Picture) -> Result<Cut> {
        let (grid, pictures) = match self.tiles {
            0 | 1 => (Grid { cols: 1, rows: 1 }, vec![self.fit.apply(photo)?]),
            most => self.fit.tiles(photo, most)?,
        };
        Ok(Cut { grid, pictures, region: self.fit.region(photo.width, photo.height) })
    }
}
