//! Upsampling along the edges of a photograph: what `plan::record_guided` records, fused. The
//! photograph's statistics are computed once; a channel takes its products, two means, and one pass over
//! the pixels. Four values of a pixel lie together, so that every loop runs over vectors.

use crate::parallel::prelude::*;

use super::upsample::{Tap, taps};
use crate::image::{Picture, resize};
use crate::plan::Guided;
use crate::{Error, Result};

/// A photograph whose edges maps follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Guide {
    shape: Guided,
    picture: Picture,
    /// Red, green, blue and 1 at the size of the statistics.
    colours: Vec<f32>,
    /// Their covariance over a window, in factors.
    factors: Vec<Factors>,
    /// Of each column and row of the photograph the statistics that it lies between.
    pub(super) across: Vec<Tap>,
    pub(super) down: Vec<Tap>,
}

/// The factors L·D·Lᵀ of the covariance of three colours, and their means.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Factors {
    l10: f32,
    l20: f32,
    l21: f32,
    /// One over D.
    d: [f32; 3],
    mean: [f32; 3],
}

impl Guide {
    /// A photograph, for maps of `grid` rows and columns.
    ///
    /// # Errors
    /// [`Error::Input`] where either is empty, or the photograph has not the bytes that its sides say.
    pub fn new(picture: Picture, grid: [usize; 2]) -> Result<Self> {
        picture.check()?;
        if picture.rgb.is_empty() || grid.contains(&0) {
            return Err(Error::input("a photograph or a map without pixels"));
        }
        let size = [picture.height as usize, picture.width as usize];
        let shape = Guided::new(grid, size);
        let [height, width] = shape.small;
        let small = resize(&picture, width as u32, height as u32)?;
        let pixels = small.rgb.as_chunks::<3>().0.iter();
        let colour = |rgb: &[u8; 3]| rgb.map(level).into_iter().chain([1.0]);
        let colours: Vec<f32> = pixels.flat_map(colour).collect();
        let quads = colours.as_chunks::<4>().0.iter();
        let mut moments: Vec<f32> =
            quads.flat_map(|a| a.iter().flat_map(move |x| a.map(|y| x * y))).collect();
        box_mean(&mut moments, shape.small, 16, shape.radius);
        let moments = moments.as_chunks::<16>().0.iter();
        let factors = moments.map(|moments| Factors::new(moments, shape.eps)).collect();
        let [down, across] = std::array::from_fn(|axis| taps(shape.small[axis], size[axis]));
        Ok(Self { shape, picture, colours, factors, across, down })
    }

    /// How it is computed.
    pub fn shape(&self) -> &Guided {
        &self.shape
    }

    /// The photograph.
    pub fn picture(&self) -> &Picture {
        &self.picture
    }

    /// The coefficients of a channel `[rows, cols]`: for each pixel of the statistics the weights of the
    /// three colours and the constant.
    pub(super) fn fit(&self, channel: &[f32]) -> Vec<f32> {
        let Guided { grid, small: small @ [height, width], radius, .. } = self.shape;
        let (down, across) = (taps(grid[0], height), taps(grid[1], width));
        // About its middle, where f32 is finest: means of products and products of means cancel.
        let middle = channel.iter().sum::<f32>() / channel.len() as f32;
        let mut values = Vec::with_capacity(4 * height * width);
        let mut colours = self.colours.as_chunks::<4>().0.iter();
        for tap in &down {
            let row = |y: usize| &channel[y * grid[1]..][..grid[1]];
            let (upper, lower) = (row(tap.low), row(tap.high));
            for (x, colour) in across.iter().zip(colours.by_ref()) {
                let value = tap.mix(x.of(upper), x.of(lower)) - middle;
                values.extend(colour.map(|colour| colour * value));
            }
        }
        box_mean(&mut values, small, 4, radius);
        for (value, factors) in values.as_chunks_mut::<4>().0.iter_mut().zip(&self.factors) {
            *value = factors.solve(*value);
            value[3] += middle;
        }
        box_mean(&mut values, small, 4, radius);
        values
    }

    /// The colours of a row of the photograph, from 0 to 1.
    pub(super) fn row(&self, y: usize, into: &mut Vec<[f32; 3]>) {
        let width = self.picture.width as usize;
        let row = &self.picture.rgb[3 * y * width..][..3 * width];
        into.clear();
        into.extend(row.as_chunks::<3>().0.iter().map(|rgb| rgb.map(level)));
    }
}

/// A byte as a number from 0 to 1.
fn level(byte: u8) -> f32 {
    f32::from(byte) / 255.0
}

impl Factors {
    fn new(moments: &[f32; 16], eps: f32) -> Self {
        let mean = [moments[12], moments[13], moments[14]];
        let s = |i: usize, k: usize| moments[4 * i + k] - mean[i] * mean[k];
        let d0 = s(0, 0) + eps;
        let (l10, l20) = (s(1, 0) / d0, s(2, 0) / d0);
        let d1 = s(1, 1) + eps - l10 * s(1, 0);
        let t21 = s(2, 1) - l20 * s(1, 0);
        let l21 = t21 / d1;
        let d2 = s(2, 2) + eps - l20 * s(2, 0) - l21 * t21;
        Self { l10, l20, l21, d: [1.0 / d0, 1.0 / d1, 1.0 / d2], mean }
    }

    /// The coefficients of a channel, of the means of its products with the colours and with 1.
    fn solve(&self, [r, g, b, v]: [f32; 4]) -> [f32; 4] {
        let Self { l10, l20, l21, d, mean } = self;
        let z0 = r - v * mean[0];
        let z1 = g - v * mean[1] - l10 * z0;
        let z2 = b - v * mean[2] - l20 * z0 - l21 * z1;
        let a2 = z2 * d[2];
        let a1 = z1 * d[1] - l21 * a2;
        let a0 = z0 * d[0] - l10 * a1 - l20 * a2;
        [a0, a1, a2, v - a0 * mean[0] - a1 * mean[1] - a2 * mean[2]]
    }
}

/// The mean over a square window of a map of `c` channels, at the border over the pixels that are there.
pub(crate) fn box_mean(
    values: &mut Vec<f32>,
    [height, width]: [usize; 2],
    c: usize,
    radius: usize,
) {
    let line = width * c;
    let mut out = vec![0.0; values.len()];
    let window = |place: usize, length: usize| {
        place.saturating_sub(radius)..(place + radius + 1).min(length)
    };
    let of_columns: Vec<f32> = (0..width).map(|x| 1.0 / window(x, width).len() as f32).collect();
    out.par_chunks_exact_mut(line).enumerate().for_each_init(
        || vec![0.0; line],
        |sums, (y, out)| {
            let rows = window(y, height);
            let count = 1.0 / rows.len() as f32;
            sums.fill(0.0);
            for row in rows {
                add(sums, &values[row * line..][..line]);
            }
            // The row itself, then moved by one pixel to either side, by two, and so on.
            out.copy_from_slice(sums);
            for shift in (1..=radius.min(width - 1)).map(|pixels| pixels * c) {
                add(&mut out[shift..], &sums[..line - shift]);
                add(&mut out[..line - shift], &sums[shift..]);
            }
            for (pixel, columns) in out.chunks_exact_mut(c).zip(&of_columns) {
                pixel.iter_mut().for_each(|value| *value *= count * columns);
            }
        },
    );
    *values = out;
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_those_of_the_squares() {
        let (height, width) = (5usize, 7usize);
        let map: Vec<f32> = (0..35).map(|i| (i * 13 % 17) as f32).collect();
        for radius in [1usize, 2, 9] {
            let mut found = map.clone();
            box_mean(&mut found, [height, width], 1, radius);
            for (at, found) in found.iter().enumerate() {
                let (y, x) = (at / width, at % width);
                let near = |a: usize, b: usize| a.abs_diff(b) <= radius;
                let all = (0..35).filter(|i| near(i / width, y) && near(i % width, x));
                let values: Vec<f32> = all.map(|i| map[i]).collect();
                let mean = values.iter().sum::<f32>() / values.len() as f32;
                assert!((found - mean).abs() < 1e-4, "radius {radius}, {y}, {x}");
            }
        }
    }
}
