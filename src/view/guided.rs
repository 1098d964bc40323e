//! A map whose edges follow a photograph: He, Sun and Tang's guided filter, its coefficients at a
//! smaller size (He and Sun, "Fast guided filter", 2015).

use super::canvas::taps;
use crate::Result;
use crate::image::{Picture, resize};

/// Pixels of the longer side at which coefficients are computed.
const SIDE: u32 = 640;
/// What a channel from 0 to 1 may vary and still count as even.
const EVEN: f32 = 1e-3;

/// A photograph as a guide.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Guide {
    /// Height and width at which coefficients are computed.
    size: [usize; 2],
    radius: usize,
    /// Red, green, blue from 0 to 1.
    pixels: [Vec<f32>; 3],
    mean: [Vec<f32>; 3],
    /// The inverse of the covariance: rr, rg, rb, gg, gb, bb.
    inverse: [Vec<f32>; 6],
}

impl Guide {
    /// A guide for maps whose cells are `cell` of the photograph's height.
    pub(super) fn new(photo: &Picture, cell: f64) -> Result<Self> {
        let scale = (f64::from(SIDE) / f64::from(photo.width.max(photo.height))).min(1.0);
        let [width, height] = [photo.width, photo.height]
            .map(|side| (f64::from(side) * scale).round().max(1.0) as u32);
        let small = resize(photo, width, height)?;
        let size = [height as usize, width as usize];
        let radius = (1.2 * cell * f64::from(height)).round().max(1.0) as usize;
        let pixels = [0, 1, 2].map(|i| channel(&small, i));
        let mean = [0, 1, 2].map(|i: usize| box_mean(&pixels[i], size, radius));
        let pairs = [[0, 0], [0, 1], [0, 2], [1, 1], [1, 2], [2, 2]];
        let mut inverse =
            pairs.map(|[i, j]: [usize; 2]| covariance(&pixels, &mean, i, j, size, radius));
        for at in 0..size[0] * size[1] {
            let [rr, rg, rb, gg, gb, bb] = [0, 1, 2, 3, 4, 5].map(|k: usize| inverse[k][at]);
            let (rr, gg, bb) = (rr + EVEN, gg + EVEN, bb + EVEN);
            let parts = [
                gg * bb - gb * gb,
                rb * gb - rg * bb,
                rg * gb - rb * gg,
                rr * bb - rb * rb,
                rg * rb - rr * gb,
                rr * gg - rg * rg,
            ];
            let whole = rr * parts[0] + rg * parts[1] + rb * parts[2];
            inverse.iter_mut().zip(parts).for_each(|(plane, part)| plane[at] = part / whole);
        }
        Ok(Self { size, radius, pixels, mean, inverse })
    }

    /// A map `[rows, cols]` at the size of `photo`, the photograph of the guide or one that is smaller.
    pub(super) fn apply(&self, map: &[f32], from: [usize; 2], photo: &Picture) -> Vec<f32> {
        let map = stretch(map, from, self.size);
        let mean = box_mean(&map, self.size, self.radius);
        let with = [0, 1, 2].map(|i: usize| {
            let product: Vec<f32> = self.pixels[i].iter().zip(&map).map(|(a, b)| a * b).collect();
            box_mean(&product, self.size, self.radius)
        });
        let mut slopes = [0; 3].map(|_| vec![0.0f32; map.len()]);
        let mut base = mean;
        for at in 0..map.len() {
            let mean = [0, 1, 2].map(|i: usize| self.mean[i][at]);
            let v = [0, 1, 2].map(|i: usize| with[i][at] - mean[i] * base[at]);
            let [rr, rg, rb, gg, gb, bb] = [0, 1, 2, 3, 4, 5].map(|k: usize| self.inverse[k][at]);
            let slope = [
                rr * v[0] + rg * v[1] + rb * v[2],
                rg * v[0] + gg * v[1] + gb * v[2],
                rb * v[0] + gb * v[1] + bb * v[2],
            ];
            for i in 0..3 {
                base[at] -= slope[i] * mean[i];
                slopes[i][at] = slope[i];
            }
        }
        let to = [photo.height as usize, photo.width as usize];
        let mut out = stretch(&box_mean(&base, self.size, self.radius), self.size, to);
        for (i, slope) in slopes.iter().enumerate() {
            let slope = stretch(&box_mean(slope, self.size, self.radius), self.size, to);
            let values = photo.rgb.iter().skip(i).step_by(3);
            for ((out, slope), value) in out.iter_mut().zip(slope).zip(values) {
                *out += slope * f32::from(*value) / 255.0;
            }
        }
        out
    }
}

fn channel(photo: &Picture, i: usize) -> Vec<f32> {
    photo.rgb.iter().skip(i).step_by(3).map(|v| f32::from(*v) / 255.0).collect()
}

fn covariance(
    pixels: &[Vec<f32>; 3],
    mean: &[Vec<f32>; 3],
    i: usize,
    j: usize,
    size: [usize; 2],
    radius: usize,
) -> Vec<f32> {
    let product: Vec<f32> = pixels[i].iter().zip(&pixels[j]).map(|(a, b)| a * b).collect();
    let both = box_mean(&product, size, radius);
    both.iter().zip(mean[i].iter().zip(&mean[j])).map(|(b, (x, y))| b - x * y).collect()
}

/// The mean of the square around each pixel, of what of it lies on the map.
pub(super) fn box_mean(map: &[f32], [height, width]: [usize; 2], radius: usize) -> Vec<f32> {
    let mut rows = vec![0.0f32; map.len()];
    for (row, out) in map.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        let mut sum: f64 = row.iter().take(radius).map(|v| f64::from(*v)).sum();
        for x in 0..width {
            sum += row.get(x + radius).map_or(0.0, |v| f64::from(*v));
            if x > radius {
                sum -= f64::from(row[x - radius - 1]);
            }
            out[x] = (sum / span(x, radius, width)) as f32;
        }
    }
    let mut out = vec![0.0f32; map.len()];
    let line = |y: usize| &rows[y * width..][..width];
    let mut sums = vec![0.0f64; width];
    let add = |sums: &mut [f64], row: &[f32], sign: f64| {
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += sign * f64::from(*v));
    };
    (0..radius.min(height)).for_each(|y| add(&mut sums, line(y), 1.0));
    for y in 0..height {
        if y + radius < height {
            add(&mut sums, line(y + radius), 1.0);
        }
        if y > radius {
            add(&mut sums, line(y - radius - 1), -1.0);
        }
        let part = 1.0 / span(y, radius, height);
        let row = out[y * width..][..width].iter_mut();
        row.zip(&sums).for_each(|(out, sum)| *out = (sum * part) as f32);
    }
    out
}

/// How many of a side's pixels lie within the radius of one.
fn span(at: usize, radius: usize, side: usize) -> f64 {
    ((at + radius).min(side - 1) - at.saturating_sub(radius) + 1) as f64
}

/// A map at another size, bilinear.
pub(super) fn stretch(map: &[f32], from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return map.to_vec();
    }
    let (down, across) = (taps(from[0], to[0]), taps(from[1], to[1]));
    let mut out = Vec::with_capacity(to[0] * to[1]);
    for tap in &down {
        let line = |y: usize| map[y * from[1]..][..from[1]].iter();
        let between: Vec<f32> =
            line(tap.low).zip(line(tap.high)).map(|(a, b)| a + (b - a) * tap.along).collect();
        out.extend(across.iter().map(|tap| tap.of(&between)));
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn means_are_those_of_the_squares() {
        let (height, width) = (5usize, 7usize);
        let map: Vec<f32> = (0..35).map(|i| (i * 13 % 17) as f32).collect();
        for radius in [1usize, 2, 9] {
            let found = box_mean(&map, [height, width], radius);
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

    #[test]
    fn an_even_map_stays_even_and_an_edge_moves_to_the_photographs() {
        let rgb =
            (0..40 * 80).flat_map(|at| if at % 80 < 36 { [250, 250, 250] } else { [10, 20, 10] });
        let photo = Picture { width: 80, height: 40, rgb: rgb.collect() };
        let guide = Guide::new(&photo, 0.25).unwrap();
        assert!(guide.apply(&[0.7; 32], [4, 8], &photo).iter().all(|v| (v - 0.7).abs() < 1e-3));
        // Of cells ten pixels wide the border is at 40, or a bilinear ramp about it.
        let map: Vec<f32> = (0..32).map(|at| if at % 8 < 4 { 1.0 } else { 0.0 }).collect();
        let found = guide.apply(&map, [4, 8], &photo);
        let row = &found[20 * 80..][..80];
        let edge = row.iter().position(|v| *v < 0.5).unwrap();
        assert_eq!(edge, 36, "{row:?}");
    }
}
