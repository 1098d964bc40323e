//! How photographs are brought to a model's size.

use crate::image::{Fit, Grid, MAX_PIXELS, Picture, Resize};
use crate::model::Spec;
use crate::view::Board;
use crate::{Error, Result};

/// How photographs are brought to a model's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Of the photograph, or of each tile.
    pub fit: Fit,
    /// Tiles at most.
    pub tiles: u32,
    /// How often the picture is encoded along each axis, shifted by a part of a patch each time, for a grid
    /// that is as many times as fine: see [`Shape::shifted`].
    pub shifts: u32,
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

/// What the encoder sees of a photograph for a view.
pub(super) struct Laid {
    pub(super) pictures: Vec<Picture>,
    /// Where the patches of the pictures lie.
    pub(super) board: Board,
    /// As in [`Cut`].
    pub(super) region: [f64; 4],
}

/// Patches of a tile of which its neighbour shares one.
const SHARED: u32 = 4;
/// Shifts along an axis at most.
const SHIFTS: u32 = 4;

impl Shape {
    /// As the model asks for, but for a size and a way of resizing that are given. Several tiles are
    /// squashed whatever the model asks for a whole photograph.
    ///
    /// # Errors
    /// [`Error::Input`] for a size that is no multiple of the patch and not the model's own, unless resizing makes it one, and
    /// for tiles of too many pixels together.
    pub fn new(spec: &Spec, size: Option<u32>, resize: Option<Resize>, tiles: u32) -> Result<Self> {
        let fit = spec.preprocessing.fit(&spec.sizes, resize, size);
        let (side, patch) = (fit.size, fit.patch);
        let whole = side.is_multiple_of(patch) || side as usize == spec.sizes.image;
        if !whole && fit.resize != Resize::Native {
            return Err(Error::input(format!("image size {side}: expected a multiple of {patch}")));
        }
        Self::of(fit, tiles)
    }

    /// By `fit`, in at most this many tiles.
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
        Ok(Self { fit, tiles, shifts: 1 })
    }

    /// The same with the picture encoded `by` × `by` times, each time shifted by a part of a patch more, so
    /// that the grid is `by` times as fine along each axis. Every patch is still as large as before.
    ///
    /// # Errors
    /// [`Error::Input`] for 0, more than 4, more than a patch has pixels, and together with tiles.
    pub fn shifted(self, by: u32) -> Result<Self> {
        let most = SHIFTS.min(self.fit.patch);
        if !(1..=most).contains(&by) {
            return Err(Error::input(format!("{by} shifts of a patch: expected 1 to {most}")));
        }
        if by > 1 && self.tiles > 1 {
            return Err(Error::input("shifts together with tiles: leave one of them out"));
        }
        Ok(Self { shifts: by, ..self })
    }

    /// The same for a photograph of `width` × `height` that keeps its aspect ratio, with as many of its
    /// pixels on the short side as `most` patches allow; squashed where a single row has more. For a size
    /// that the user did not choose: a strip would take hours.
    pub fn within(mut self, most: u32, width: u32, height: u32) -> Self {
        if self.tiles > 1 || self.fit.resize != Resize::Native {
            return self;
        }
        let (size, patch) = (self.fit.size, self.fit.patch);
        let patches = |fit: &Fit| {
            let (width, height) = fit.output(width, height);
            u64::from(width / patch) * u64::from(height / patch) * u64::from(self.shifts).pow(2)
        };
        while patches(&self.fit) > u64::from(most) && self.fit.size > patch {
            self.fit.size = (self.fit.size - 1) / patch * patch;
        }
        if patches(&self.fit) > u64::from(most) {
            (self.fit.size, self.fit.resize) = (size, Resize::Squash);
        }
        self
    }

    /// A photograph at the model's size for a view: tiles overlap, so that they can be blended, and no
    /// thumbnail follows; or shifted pictures.
    ///
    /// # Errors
    /// As [`Fit::apply`] and [`Fit::overlapping`].
    pub(super) fn lay_out(&self, photo: &Picture) -> Result<Laid> {
        let region = self.fit.region(photo.width, photo.height);
        let patch = self.fit.patch.max(1);
        let part =
            |picture: &Picture| [picture.height, picture.width].map(|side| (side / patch) as usize);
        if self.tiles > 1 {
            let shared = self.fit.size / patch / SHARED;
            let (grid, pictures) = self.fit.overlapping(photo, self.tiles, shared * patch)?;
            let count = [grid.rows as usize, grid.cols as usize];
            let board = Board::overlapping(part(&pictures[0]), count, shared as usize);
            return Ok(Laid { pictures, board, region });
        }
        let picture = self.fit.apply(photo)?;
        let board = Board::shifted(part(&picture), self.shifts as usize);
        // The middle of the shifts is no shift.
        let by = |number: u32| {
            let [number, shifts, patch] = [number, self.shifts, patch].map(i64::from);
            ((2 * number + 1 - shifts) * patch).div_euclid(2 * shifts)
        };
        let all =
            (0..self.shifts).flat_map(|down| (0..self.shifts).map(move |across| [across, down]));
        let pictures = match self.shifts {
            1 => vec![picture],
            _ => all.map(|shift| picture.moved(shift.map(by))).collect(),
        };
        Ok(Laid { pictures, board, region })
    }

    /// A photograph at the model's size, as InternVL cuts it.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_are_kept_within_patches() {
        let fit = Fit::new(Resize::Native, 448, 14);
        let shape = Shape { fit, tiles: 1, shifts: 1 };
        let found = |width, height| {
            let fit = shape.within(4096, width, height).fit;
            (fit.resize, fit.size, fit.output(width, height))
        };
        assert_eq!(found(640, 480), (Resize::Native, 448, (602, 448)));
        assert_eq!(found(1, 4), (Resize::Native, 448, (448, 1792)));
        assert_eq!(found(2000, 3), (Resize::Native, 28, (18_662, 28)));
        assert_eq!(found(1, 20_000), (Resize::Squash, 448, (448, 448)));
        let tiles = Shape { tiles: 4, ..shape };
        assert_eq!(tiles.within(1, 640, 480), tiles);
    }
}
