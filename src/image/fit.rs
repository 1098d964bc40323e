//! The ways to bring a picture to the encoder's shape.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::resize::resample;
use super::tiles::{overlapping, tiles_by};
use super::{Filter, Grid, MAX_PIXELS, Picture};
use crate::{Error, Result};

/// How a picture of any shape is brought to the encoder's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Resize {
    #[default]
    /// The whole picture in a square, its aspect ratio ignored, as InternVL treats its tiles.
    Squash,
    /// The short side to the square's, the rest of the long side cut away, as the image processor
    /// shipped with InternViT (`CLIPImageProcessor`) does.
    Crop,
    /// The aspect ratio kept: the short side to the given size, both sides rounded to the nearest
    /// multiple of the patch. The position embeddings are interpolated.
    Native,
    /// The whole picture in a larger square, of which the middle is cut out, as DeiT's processor does.
    Middle,
    /// The long side to the square's, grey above and below, or beside, as Janus' processor does.
    Pad,
    /// The aspect ratio kept as far as whole patches allow, with at most as many patches as the square
    /// has, as SigLIP 2's processor does for pictures of any aspect ratio.
    Patches,
}

/// Red, green and blue around a picture that is padded.
const GREY: u8 = 127;

/// The fewest pixels of a side of a picture that is padded.
const LEAST: u32 = 14;

impl Resize {
    const ALL: [(Resize, &str); 6] = [
        (Resize::Squash, "squash"),
        (Resize::Crop, "crop"),
        (Resize::Native, "native"),
        (Resize::Middle, "middle"),
        (Resize::Pad, "pad"),
        (Resize::Patches, "patches"),
    ];

    /// As [`Fit::output`] of this way and these lengths.
    pub fn output(self, width: u32, height: u32, size: u32, patch: u32) -> (u32, u32) {
        Fit::new(self, size, patch).output(width, height)
    }

    /// As [`Fit::region`] of this way and this length.
    pub fn region(self, width: u32, height: u32, size: u32) -> [f64; 4] {
        Fit::new(self, size, 1).region(width, height)
    }

    /// As [`Fit::apply`] of this way and these lengths.
    ///
    /// # Errors
    /// As [`Fit::apply`].
    pub fn fit(self, picture: &Picture, size: u32, patch: u32) -> Result<Picture> {
        Fit::new(self, size, patch).apply(picture)
    }
}

impl fmt::Display for Resize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::ALL.iter().find(|(mode, _)| mode == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Resize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|(_, name)| *name == text).map(|(mode, _)| *mode);
        found.ok_or_else(|| {
            let known = "squash, crop, native, middle, pad or patches";
            Error::input(format!("resize must be {known}, not \"{text}\""))
        })
    }
}

/// How pictures are brought to an encoder's size, complete; lengths in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    /// How the aspect ratio is handled.
    pub resize: Resize,
    /// Side of the square, or the short side for [`Resize::Native`].
    pub size: u32,
    /// The short side before [`Resize::Crop`] cuts, or the square's before [`Resize::Middle`] does, at
    /// least `size`.
    pub short: u32,
    /// Side of a patch, which matters to [`Resize::Native`] and [`Resize::Patches`] only.
    pub patch: u32,
    /// What weighs the pixels.
    pub filter: Filter,
    /// Whether the result has its values before they are rounded too; not of tiles, nor with a border.
    pub exact: bool,
    /// Tiles at least, where a picture is cut and no fewer are asked for.
    pub least: u32,
}

impl Fit {
    /// With Pillow's bicubic filter; a crop takes all of the short side.
    pub fn new(resize: Resize, size: u32, patch: u32) -> Self {
        Self { resize, size, short: size, patch, filter: Filter::Bicubic, exact: false, least: 1 }
    }

    /// Width and height of the result for a picture of `width` × `height` pixels.
    pub fn output(&self, width: u32, height: u32) -> (u32, u32) {
        let patch = f64::from(self.patch.max(1));
        let scale = f64::from(self.size) / f64::from(width.min(height).max(1));
        let patches = |side: u32| (f64::from(side) * scale / patch).round().max(1.0);
        match self.resize {
            Resize::Squash | Resize::Crop | Resize::Middle | Resize::Pad => (self.size, self.size),
            Resize::Native => ((patches(width) * patch) as u32, (patches(height) * patch) as u32),
            Resize::Patches => self.whole_patches(width, height),
        }
    }

    /// The largest sides of whole patches, each rounded up, of which there are not too many: the scale is
    /// found by halving, as the processor finds it.
    fn whole_patches(&self, width: u32, height: u32) -> (u32, u32) {
        let patch = f64::from(self.patch.max(1));
        let most = (f64::from(self.size) / patch).floor().max(1.0).powi(2);
        let sides = |scale: f64| {
            [width, height].map(|side| (f64::from(side) * scale / patch).ceil().max(1.0))
        };
        let (mut low, mut high) = (1e-6, 100.0);
        while high - low >= 1e-5 {
            let middle = (low + high) / 2.0;
            let [columns, rows] = sides(middle);
            if columns * rows <= most { low = middle } else { high = middle }
        }
        let [columns, rows] = sides(low);
        ((columns * patch) as u32, (rows * patch) as u32)
    }

    /// Of a picture that is padded: its sides without the padding, and where it begins.
    fn inner(&self, width: u32, height: u32) -> [u32; 4] {
        let scale = f64::from(self.size) / f64::from(width.max(height).max(1));
        let side = |side: u32| {
            let side = (f64::from(side) * scale).round_ties_even() as u32;
            side.clamp(LEAST.min(self.size), self.size)
        };
        let (width, height) = (side(width), side(height));
        [(self.size - width) / 2, (self.size - height) / 2, width, height]
    }

    /// The rectangle of a picture of `width` × `height` that the result shows, in its pixels:
    /// `[left, top, width, height]`.
    pub fn region(&self, width: u32, height: u32) -> [f64; 4] {
        let size = self.size;
        if self.resize == Resize::Pad && size > 0 {
            let [left, top, inner_width, inner_height] = self.inner(width, height).map(f64::from);
            // Pixels of the picture to one of the result.
            let x = f64::from(width) / inner_width;
            let y = f64::from(height) / inner_height;
            return [-left * x, -top * y, f64::from(size) * x, f64::from(size) * y];
        }
        if !matches!(self.resize, Resize::Crop | Resize::Middle) || size == 0 {
            return [0.0, 0.0, width.into(), height.into()];
        }
        let short = u64::from(width.min(height).max(1));
        let span = |side: u32| {
            // The processor truncates the resized side and halves what is too much downwards.
            let resized = match self.resize {
                Resize::Middle => u64::from(self.short.max(size)),
                _ => u64::from(side) * u64::from(self.short.max(size)) / short,
            };
            let start = resized.saturating_sub(size.into()) / 2;
            let pixel = f64::from(side) / resized.max(1) as f64;
            (start as f64 * pixel, f64::from(size) * pixel)
        };
        let ((left, width), (top, height)) = (span(width), span(height));
        [left, top, width, height]
    }

    /// The picture at [`Fit::output`]'s size.
    ///
    /// # Errors
    /// [`Error::Input`] for a size or patch of 0, an empty picture, one that has not the bytes that
    /// its sides say, or a result of more than [`MAX_PIXELS`] pixels, as keeping an extreme aspect
    /// ratio can ask for.
    pub fn apply(&self, picture: &Picture) -> Result<Picture> {
        picture.check()?;
        let (&Picture { width, height, .. }, &Self { size, patch, .. }) = (picture, self);
        if [size, patch, width, height].contains(&0) {
            return Err(Error::input(format!(
                "cannot resize {width} × {height} pixels to size {size} with patches of {patch}: \
                 none of these may be 0"
            )));
        }
        let (columns, rows) = self.output(width, height);
        // Between the passes a picture has the new width and up to the old height.
        if u64::from(columns) * u64::from(rows.max(height)) > MAX_PIXELS {
            return Err(Error::input(format!(
                "resizing {width} × {height} pixels ({}) to {columns} × {rows} would pass \
                 the limit of {MAX_PIXELS} pixels",
                self.resize
            )));
        }
        if self.resize == Resize::Pad {
            return Ok(self.padded(picture));
        }
        let region = self.region(width, height);
        Ok(resample(picture, region, [columns, rows], self.filter, self.exact))
    }

    fn padded(&self, picture: &Picture) -> Picture {
        let [left, top, width, height] = self.inner(picture.width, picture.height);
        let whole = [0.0, 0.0, picture.width.into(), picture.height.into()];
        let inner = resample(picture, whole, [width, height], self.filter, false);
        let (size, row) = (self.size as usize, 3 * inner.width as usize);
        let mut rgb = vec![GREY; 3 * size * size];
        // Each row of the picture into its row of the square.
        for (number, from) in inner.rgb.chunks_exact(row).enumerate() {
            let start = 3 * ((top as usize + number) * size + left as usize);
            rgb[start..start + row].copy_from_slice(from);
        }
        Picture::of(self.size, self.size, rgb)
    }

    /// The picture in at most `most` tiles of this size, each squashed: see [`super::tiles`].
    ///
    /// # Errors
    /// As [`super::resize`].
    pub fn tiles(&self, picture: &Picture, most: u32) -> Result<(Grid, Vec<Picture>)> {
        tiles_by(picture, [self.least, most], self.size, self.filter)
    }

    /// The same without the thumbnail, neighbours sharing `overlap` pixels.
    ///
    /// # Errors
    /// As [`super::resize`].
    pub fn overlapping(
        &self,
        picture: &Picture,
        most: u32,
        overlap: u32,
    ) -> Result<(Grid, Vec<Picture>)> {
        overlapping(picture, [self.least, most], [self.size, overlap], self.filter)
    }
}
