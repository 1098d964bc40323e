//! Colours by how different they look: CIE Lab.

use crate::image::Picture;

/// What each cell of a part of a picture looks like: its mean colour in CIE Lab, and its texture, which is how far the
/// brightness of its pixels deviates from their mean, from 0 to 50.
pub(super) fn cell_looks(
    picture: &Picture,
    [left, top, width, height]: [f64; 4],
    [rows, cols]: [usize; 2],
) -> Vec<[f32; 4]> {
    let span = |from: f64, length: f64, i: usize, n: usize, most: u32| {
        let at = |i: usize| from + length * i as f64 / n as f64;
        let most = most as usize;
        let first = (at(i).round().max(0.0) as usize).min(most - 1);
        first..(at(i + 1).round() as usize).clamp(first + 1, most)
    };
    let pixels = picture.rgb.as_chunks::<3>().0;
    let cell = |at: usize| {
        let xs = span(left, width, at % cols, cols, picture.width);
        let ys = span(top, height, at / cols, rows, picture.height);
        let count = (xs.len() * ys.len()) as f32;
        let (mut sum, mut squares) = ([0u64; 3], 0u64);
        for y in ys {
            for rgb in &pixels[y * picture.width as usize..][xs.clone()] {
                let rgb = rgb.map(u64::from);
                (0..3).for_each(|i| sum[i] += rgb[i]);
                squares += rgb.iter().sum::<u64>().pow(2);
            }
        }
        let mean = sum.map(|sum| sum as f32 / count / 255.0);
        let bright = mean.iter().sum::<f32>();
        let variance = squares as f32 / count / 255f32.powi(2) - bright * bright;
        let [l, a, b] = lab(mean);
        [l, a, b, variance.max(0.0).sqrt() * 100.0 / 3.0]
    };
    (0..rows * cols).map(cell).collect()
}

/// sRGB from 0 to 1 as CIE Lab, white D65.
fn lab(rgb: [f32; 3]) -> [f32; 3] {
    let [r, g, b] = rgb.map(|v| match v <= 0.04045 {
        true => v / 12.92,
        false => ((v + 0.055) / 1.055).powf(2.4),
    });
    let xyz = [
        (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
        0.2126 * r + 0.7152 * g + 0.0722 * b,
        (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
    ];
    let [x, y, z] = xyz.map(|v| if v > 0.008_856 { v.cbrt() } else { 7.787 * v + 16.0 / 116.0 });
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

#[cfg(test)]
mod tests {
    use super::{cell_looks, lab};
    use crate::image::Picture;

    /// Columns of black and white deviate by half the range, and plain ones not at all.
    #[test]
    fn texture_is_how_far_brightness_deviates() {
        let rgb = (0..8 * 4).flat_map(|at| [[0, 255, 90, 90][at % 2 + at % 8 / 4 * 2]; 3]);
        let picture = Picture::of(8, 4, rgb.collect());
        let looks = cell_looks(&picture, [0.0, 0.0, 8.0, 4.0], [1, 2]);
        assert!((looks[0][3] - 50.0).abs() < 1e-3 && looks[1][3] < 0.1, "{looks:?}");
    }

    /// Values of the standard's calculators.
    #[test]
    fn colours_have_the_coordinates_of_the_standard() {
        let cases = [
            ([1.0, 1.0, 1.0], [100.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [53.24, 80.09, 67.2]),
            ([0.0, 0.0, 1.0], [32.3, 79.19, -107.86]),
        ];
        for (rgb, expected) in cases {
            let found = lab(rgb);
            let near = found.iter().zip(expected).all(|(f, e)| (f - e).abs() < 0.1);
            assert!(near, "{rgb:?}: {found:?}, expected {expected:?}");
        }
    }
}
