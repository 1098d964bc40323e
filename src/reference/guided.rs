//! Twins of `shaders/{box_mean,outer,ridge,local_affine}.wgsl`: upsampling along the edges of a guide
//! (He, Sun, Tang 2013, "Guided image filtering"; He, Sun 2015, "Fast guided filter").

use super::map::taps;
use crate::plan::Axis;

/// The mean over a window of `2·radius + 1` pixels along an axis; at the border over those that are
/// there.
pub fn box_mean(
    x: &[f32],
    [height, width]: [usize; 2],
    c: usize,
    radius: usize,
    axis: Axis,
    y: &mut [f32],
) {
    for (at, value) in y.iter_mut().enumerate() {
        let pixel = at / c % (height * width);
        let (place, length, stride) = match axis {
            Axis::Down => (pixel / width, height, width * c),
            Axis::Across => (pixel % width, width, c),
        };
        let (first, last) = (place.saturating_sub(radius), (place + radius).min(length - 1));
        let values = (first..=last).map(|other| f64::from(x[at + other * stride - place * stride]));
        *value = (values.sum::<f64>() / (last - first + 1) as f64) as f32;
    }
}

/// Each of a pixel's `c` values times each of the guide's four.
pub fn outer(x: &[f32], guide: &[f32], c: usize, y: &mut [f32]) {
    for (at, value) in y.iter_mut().enumerate() {
        *value = x[at / 4] * guide[at / (4 * c) * 4 + at % 4];
    }
}

/// Ridge regression of every channel on the guide. `moments` are `[pixels, 4, 4]`, `x` and `y`
/// `[pixels, C, 4]`.
pub fn ridge(moments: &[f32], x: &[f32], eps: f32, y: &mut [f32]) {
    let each = x.len() / (moments.len() / 16);
    let pixels = moments.as_chunks::<16>().0.iter();
    for ((moments, x), y) in pixels.zip(x.chunks_exact(each)).zip(y.chunks_exact_mut(each)) {
        let moment = |i: usize, k: usize| f64::from(moments[4 * i + k]);
        let mean: [f64; 3] = std::array::from_fn(|i| moment(3, i));
        let covariance = |i: usize, k: usize| {
            moment(i, k) - mean[i] * mean[k] + if i == k { f64::from(eps) } else { 0.0 }
        };
        let matrix = std::array::from_fn(|i| std::array::from_fn(|k| covariance(i, k)));
        for (x, y) in x.as_chunks::<4>().0.iter().zip(y.as_chunks_mut::<4>().0) {
            let v = f64::from(x[3]);
            let right = std::array::from_fn(|i| f64::from(x[i]) - mean[i] * v);
            let a = solve(matrix, right);
            let b = v - (0..3).map(|i| a[i] * mean[i]).sum::<f64>();
            *y = [a[0] as f32, a[1] as f32, a[2] as f32, b as f32];
        }
    }
}

/// The solution of three equations by Gauss's elimination; the matrix is positive definite.
fn solve(mut a: [[f64; 3]; 3], mut b: [f64; 3]) -> [f64; 3] {
    for i in 0..3 {
        for below in i + 1..3 {
            let factor = a[below][i] / a[i][i];
            let row = a[i];
            a[below].iter_mut().zip(row).for_each(|(value, above)| *value -= factor * above);
            b[below] -= factor * b[i];
        }
    }
    for i in (0..3).rev() {
        let known: f64 = (i + 1..3).map(|k| a[i][k] * b[k]).sum();
        b[i] = (b[i] - known) / a[i][i];
    }
    b
}

/// The guide's pixels through coefficients, which are resized bilinearly (half-pixel centres, border
/// clamped). `x` is `[pixels, C, 4]`.
pub fn local_affine(
    x: &[f32],
    [from, to]: [[usize; 2]; 2],
    guide: &[f32],
    c: usize,
    y: &mut [f32],
) {
    for (index, (out, colour)) in y.chunks_exact_mut(c).zip(guide.as_chunks::<4>().0).enumerate() {
        let (picture, inside) = (index / (to[0] * to[1]), index % (to[0] * to[1]));
        let (top, bottom, down) = taps(inside / to[1], from[0], to[0]);
        let (left, right, across) = taps(inside % to[1], from[1], to[1]);
        for (channel, value) in out.iter_mut().enumerate() {
            let coefficient = |py: usize, px: usize, i: usize| {
                let pixel = (picture * from[0] + py) * from[1] + px;
                f64::from(x[(pixel * c + channel) * 4 + i])
            };
            let resized = |i: usize| {
                let mix = |py: usize| {
                    let (left, right) = (coefficient(py, left, i), coefficient(py, right, i));
                    left * (1.0 - across) + right * across
                };
                mix(top) * (1.0 - down) + mix(bottom) * down
            };
            *value = (0..4).map(|i| resized(i) * f64::from(colour[i])).sum::<f64>() as f32;
        }
    }
}
