//! Colours by how different they look: CIE Lab.

use crate::image::Picture;

/// The mean colour of each cell of a part of a picture, in CIE Lab.
pub(super) fn cell_colours(
    picture: &Picture,
    [left, top, width, height]: [f64; 4],
    [rows, cols]: [usize; 2],
) -> Vec<[f32; 3]> {
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
        let mut sum = [0u64; 3];
        for y in ys {
            for rgb in &pixels[y * picture.width as usize..][xs.clone()] {
                (0..3).for_each(|i| sum[i] += u64::from(rgb[i]));
            }
        }
        lab(sum.map(|sum| sum as f32 / count / 255.0))
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
    use super::lab;

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
