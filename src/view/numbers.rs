//! A map's data at the pixels of a photograph.

use super::fine::NONE;
use super::overlay::{part, pixels};
use super::{Edges, Map};
use crate::cpu::{Guide, Upsampled};
use crate::image::Picture;
use crate::{Error, Result, Tensor};

/// Values at most: 512 MiB, which are in memory twice.
const MOST: usize = 1 << 27;

/// How data lie over a grid.
struct Order {
    /// Values of each patch.
    channels: usize,
    /// Whether a patch's values lie together; else those of a channel do.
    together: bool,
}

impl Map {
    /// The data at the pixels of `photo`, whose part `region` (`[left, top, width, height]` in pixels) the
    /// encoder saw; beyond it they are NaN. The shape is the data's, with the photograph's height and
    /// width in place of the grid's. Numbers of groups are not interpolated: each pixel has its group's,
    /// -1 where the photograph is transparent.
    ///
    /// # Errors
    /// [`Error::Input`] where the photograph is empty or has not the bytes that its sides say, the map
    /// has not the values that its shape says, or there were more than 2²⁷ values.
    pub fn data_over(&self, photo: &Picture, region: [f64; 4], edges: Edges) -> Result<Tensor> {
        let (seen, grid) = (part(photo, region)?, self.grid());
        let order = self.order(grid)?;
        let values = order.channels * photo.width as usize * photo.height as usize;
        if values > MOST {
            return Err(Error::input(
                "more than 2^27 values at the pixels of the photograph: take one map, or a smaller photograph",
            ));
        }
        Ok(self.placed(&self.rows(seen, grid, &order, edges)?, &order, photo, region))
    }

    /// The data at the pixels of what was seen, `[height, channels, width]`.
    fn rows(
        &self,
        seen: Picture,
        grid: [usize; 2],
        order: &Order,
        edges: Edges,
    ) -> Result<Vec<f32>> {
        let size @ [high, wide] = [seen.height as usize, seen.width as usize];
        let guide = match edges {
            Edges::Photograph => Some(Guide::new(seen, grid)?),
            _ => None,
        };
        let grouped = !self.labels.is_empty() && self.logits().is_none();
        if grouped && edges != Edges::Patches {
            let fine = match &guide {
                Some(guide) => self.along(guide)?,
                None => self.smooth(size)?,
            };
            let number = |label: &u8| if *label == NONE { -1.0 } else { f32::from(*label) };
            return Ok(fine.labels.iter().map(number).collect());
        }
        let planes = self.channels(order);
        let mut rows = vec![0.0; order.channels * high * wide];
        let mut paint = |values: Upsampled<'_>| {
            values.paint(order.channels, &mut rows, |_, row, out| out.copy_from_slice(row));
        };
        match (&guide, edges) {
            (Some(guide), _) => paint(Upsampled::guided(&planes, guide)),
            (None, Edges::Smooth) => paint(Upsampled::cubic(&planes, grid, size)),
            // Every pixel has the value of its patch.
            _ => rows.chunks_exact_mut(wide).enumerate().for_each(|(line, row)| {
                let (y, plane) = (line / order.channels, &planes[line % order.channels]);
                let patches = &plane[y * grid[0] / high * grid[1]..][..grid[1]];
                let of = |x: usize| patches[x * grid[1] / wide];
                row.iter_mut().enumerate().for_each(|(x, value)| *value = of(x));
            }),
        }
        Ok(rows)
    }

    fn order(&self, [rows, cols]: [usize; 2]) -> Result<Order> {
        let found = self.values.len();
        let area = rows * cols;
        let channels = found.checked_div(area).unwrap_or(0);
        let sides = self.shape.iter().product::<usize>();
        if channels == 0 || channels * area != found || sides != found || self.shape.len() < 2 {
            return Err(Error::input("a map that has not the values of its shape"));
        }
        let together = self.plane.is_none() && self.shape[..2] == [rows, cols];
        Ok(Order { channels, together })
    }

    /// Values of each channel, `[rows, cols]`.
    fn channels(&self, order: &Order) -> Vec<Vec<f32>> {
        let (count, area) = (order.channels, self.values.len() / order.channels);
        let plane = |channel: usize| match order.together {
            true => self.values.iter().skip(channel).step_by(count).copied().collect(),
            false => self.values[channel * area..][..area].to_vec(),
        };
        (0..count).map(plane).collect()
    }

    /// What [`Map::rows`] gave, at its place of the photograph.
    fn placed(&self, rows: &[f32], order: &Order, photo: &Picture, region: [f64; 4]) -> Tensor {
        let [left, top, seen, _] = pixels(photo, region);
        let sides @ [high, wide] = [photo.height as usize, photo.width as usize];
        let count = order.channels;
        let mut values = vec![f32::NAN; count * high * wide];
        for (line, row) in rows.chunks_exact(seen).enumerate() {
            let (first, channel) = ((top + line / count) * wide + left, line % count);
            let (start, step) = match order.together {
                true => (first * count + channel, count),
                false => (channel * high * wide + first, 1),
            };
            let places = values[start..].iter_mut().step_by(step);
            places.zip(row).for_each(|(place, value)| *place = *value);
        }
        let mut shape = self.shape.clone();
        let rows_at = if order.together { 0 } else { shape.len() - 2 };
        shape[rows_at..rows_at + 2].copy_from_slice(&sides);
        Tensor { shape, values }
    }
}
