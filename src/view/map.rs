//! What a view gives: values, a raster over the photograph, and what a legend says.

use super::fine::NONE;
use super::overlay::{lay, part};
use super::{Edges, Fine, PcaBasis, blend, heat_grid, outline, shares};
use crate::cpu::Guide;
use crate::features::Tensor;
use crate::image::Picture;
use crate::{Error, Result};

/// What a view shows. The page's raster, the picture over a photograph and the data all come from it.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Map {
    /// The view's data, row-major.
    pub values: Vec<f32>,
    /// The data's shape.
    pub shape: Vec<usize>,
    /// RGBA pixels to be stretched over the part that the encoder saw: one a patch, more for classes.
    pub rgba: Vec<u8>,
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Where the edges come from with which it shows best over a photograph.
    pub edges: Edges,
    /// Lines are drawn between labels.
    pub outlined: bool,
    /// The opacity, from 0 to 1, at which it shows best over a photograph.
    pub opacity: f32,
    /// Which map the raster shows, where the data are several, `[maps, height, width]`.
    pub plane: Option<usize>,
    /// Values of the darkest and the brightest colour.
    pub range: Option<[f32; 2]>,
    /// For each pixel the number of its class or cluster; 255 where the photograph is transparent.
    pub labels: Vec<u8>,
    /// Names of the classes or clusters.
    pub names: Vec<String>,
    /// Colours of the classes or clusters.
    pub palette: Vec<[u8; 3]>,
    /// Percent of the pixels that each class or cluster has.
    pub shares: Vec<f64>,
    /// The patch that resembles most.
    pub best: Option<usize>,
    /// The basis of the colours.
    pub basis: Option<PcaBasis>,
    /// Percent of the variance that red, green and blue show.
    pub variance: [f64; 3],
}

/// What of a photograph is to be seen under most maps.
const OPACITY: f32 = 0.75;

impl Map {
    /// One value a patch, as colours from dark to bright.
    pub(super) fn heat(values: Vec<f32>, grid: [usize; 2], range: [f32; 2]) -> Result<Self> {
        let colours = heat_grid(&values, grid, range)?.rgb;
        let rgba = colours.as_chunks::<3>().0.iter().flat_map(|[r, g, b]| [*r, *g, *b, 255]);
        let ([height, width], range) = (grid, Some(range));
        let (rgba, shape) = (rgba.collect(), grid.to_vec());
        let opacity = OPACITY;
        Ok(Self { values, shape, rgba, width, height, opacity, range, ..Self::default() })
    }

    /// Labels `[height, width]` in their colours, without data; those below 0 are transparent and no
    /// part of the whole.
    pub(super) fn labelled(
        labels: &[i32],
        [height, width]: [usize; 2],
        names: Vec<String>,
        palette: Vec<[u8; 3]>,
    ) -> Result<Self> {
        if palette.is_empty() {
            return Err(Error::input("classes without colours"));
        }
        let seen: Vec<i32> = labels.iter().copied().filter(|label| *label >= 0).collect();
        let shares = shares(&seen, names.len())?;
        let colour = |label: &i32| match usize::try_from(*label) {
            Ok(label) => {
                let [r, g, b] = palette[label % palette.len()];
                [r, g, b, 255]
            }
            Err(_) => [0; 4],
        };
        Ok(Self {
            rgba: labels.iter().flat_map(colour).collect(),
            labels: labels.iter().map(|label| u8::try_from(*label).unwrap_or(NONE)).collect(),
            opacity: OPACITY,
            width,
            height,
            shares,
            names,
            palette,
            ..Self::default()
        })
    }

    /// The values that the raster shows, where the data are several maps; else all.
    pub fn shown(&self) -> &[f32] {
        let area = self.width * self.height;
        let first = self.plane.map(|plane| plane * area);
        first.and_then(|first| self.values.get(first..first + area)).unwrap_or(&self.values)
    }

    /// The data as a tensor.
    pub fn data(&self) -> Tensor {
        Tensor { shape: self.shape.clone(), values: self.values.clone() }
    }

    /// The map whose data are those that the raster shows, `[1, height, width]` where they were several maps.
    pub fn alone(&self) -> Self {
        let mut map = self.clone();
        if self.plane.is_some() {
            map.values = self.shown().to_vec();
            map.shape = vec![1, self.height, self.width];
            map.plane = Some(0);
        }
        map
    }

    /// Percent of the raster's pixels that are not transparent.
    pub fn covered(&self) -> f64 {
        let pixels = self.rgba.as_chunks::<4>().0;
        let covered = pixels.iter().filter(|[.., alpha]| *alpha > 0).count();
        100.0 * covered as f64 / pixels.len().max(1) as f64
    }

    /// The map over `region` (`[left, top, width, height]` in pixels) of the photograph, at an opacity
    /// from 0 to 1. Where the raster is transparent, and beyond the region, the darkened photograph
    /// takes its place.
    ///
    /// # Errors
    /// [`Error::Input`] where the photograph is empty or has not the bytes that its sides say, or the
    /// raster has not.
    pub fn over(
        &self,
        photo: &Picture,
        region: [f64; 4],
        opacity: f32,
        edges: Edges,
    ) -> Result<Picture> {
        let seen = part(photo, region)?;
        let fine = match edges {
            Edges::Patches => self.coarse()?,
            Edges::Smooth => self.smooth([seen.height as usize, seen.width as usize])?,
            Edges::Photograph => self.along(&Guide::new(seen, self.grid())?)?,
        };
        self.laid(&fine, photo, region, opacity)
    }

    /// As [`Map::over`], of what is upsampled already.
    fn laid(
        &self,
        fine: &Fine,
        photo: &Picture,
        region: [f64; 4],
        opacity: f32,
    ) -> Result<Picture> {
        let grid = [fine.height, fine.width];
        let mut picture = blend(photo, &lay(&fine.rgba, grid, photo, region)?, opacity)?;
        if self.outlined {
            let labels: Vec<usize> = fine.labels.iter().map(|label| usize::from(*label)).collect();
            outline(&labels, grid, &mut picture, region)?;
        }
        Ok(picture)
    }
}
