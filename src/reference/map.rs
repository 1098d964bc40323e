//! Twins of the shaders over maps: `shaders/{interleave,pool,resize}.wgsl` and
//! `shaders/input/window.wgsl`. A map is `[height·width, C]`; maps of a batch follow each other.

/// The 3 × 3 window of each pixel, zero outside, as rows `[height·width, 9·C]` in the order y, x,
/// channel.
pub fn windows(x: &[f32], [height, width]: [usize; 2], c: usize) -> Vec<f32> {
    let mut rows = vec![0.0; x.len() * 9];
    for (index, row) in rows.chunks_exact_mut(9 * c).enumerate() {
        let picture = index / (height * width) * (height * width);
        let (py, px) = (index % (height * width) / width, index % width);
        for (tap, out) in row.chunks_exact_mut(c).enumerate() {
            // One more than the row and column, to stay unsigned.
            let (ty, tx) = (py + tap / 3, px + tap % 3);
            if (1..=height).contains(&ty) && (1..=width).contains(&tx) {
                let source = picture + (ty - 1) * width + tx - 1;
                out.copy_from_slice(&x[source * c..][..c]);
            }
        }
    }
    rows
}

/// Planes `[4, pictures·height·width, C]` to maps of twice the height and width.
pub fn interleave(x: &[f32], [height, width]: [usize; 2], c: usize, y: &mut [f32]) {
    let plane_len = x.len() / 4;
    for (index, out) in y.chunks_exact_mut(c).enumerate() {
        let (picture, inside) = (index / (4 * height * width), index % (4 * height * width));
        let (py, px) = (inside / (2 * width), inside % (2 * width));
        let source = picture * height * width + py / 2 * width + px / 2;
        let plane = py % 2 * 2 + px % 2;
        out.copy_from_slice(&x[plane * plane_len + source * c..][..c]);
    }
}

/// The mean over adaptive bins, or the maximum of 2 × 2 pixels with stride 2.
pub fn pool(x: &[f32], [from, to]: [[usize; 2]; 2], c: usize, max: bool, y: &mut [f32]) {
    let bin = |i: usize, n: usize, m: usize| {
        if max { 2 * i..2 * i + 2 } else { i * n / m..((i + 1) * n).div_ceil(m) }
    };
    for (index, out) in y.chunks_exact_mut(c).enumerate() {
        let (picture, inside) = (index / (to[0] * to[1]), index % (to[0] * to[1]));
        let rows = bin(inside / to[1], from[0], to[0]);
        let cols = bin(inside % to[1], from[1], to[1]);
        let count = (rows.len() * cols.len()) as f32;
        for (channel, value) in out.iter_mut().enumerate() {
            let pixels = rows.clone().flat_map(|py| cols.clone().map(move |px| (py, px)));
            let values =
                pixels.map(|(py, px)| x[((picture * from[0] + py) * from[1] + px) * c + channel]);
            *value = if max {
                values.fold(f32::NEG_INFINITY, f32::max)
            } else {
                values.sum::<f32>() / count
            };
        }
    }
}

/// Bilinear, half-pixel centres, border clamped, into columns of a wider map, or added to it.
/// `columns` are [channels of x, channels of y, first column].
pub fn resize(
    x: &[f32],
    [from, to]: [[usize; 2]; 2],
    [c, wide, column]: [usize; 3],
    add: bool,
    y: &mut [f32],
) {
    for (index, out) in y.chunks_exact_mut(wide).enumerate() {
        let (picture, inside) = (index / (to[0] * to[1]), index % (to[0] * to[1]));
        let (top, bottom, down) = taps(inside / to[1], from[0], to[0]);
        let (left, right, across) = taps(inside % to[1], from[1], to[1]);
        for (channel, value) in out[column..column + c].iter_mut().enumerate() {
            let pixel = |py: usize, px: usize| {
                f64::from(x[((picture * from[0] + py) * from[1] + px) * c + channel])
            };
            let upper = pixel(top, left) * (1.0 - across) + pixel(top, right) * across;
            let lower = pixel(bottom, left) * (1.0 - across) + pixel(bottom, right) * across;
            let sum = (upper * (1.0 - down) + lower * down) as f32;
            *value = if add { *value + sum } else { sum };
        }
    }
}

/// Where output i of m lies among n inputs: the two that it lies between, and how far along.
pub(super) fn taps(i: usize, n: usize, m: usize) -> (usize, usize, f64) {
    let at = ((i as f64 + 0.5) * n as f64 / m as f64 - 0.5).max(0.0);
    let low = at as usize;
    (low, (low + 1).min(n - 1), at - low as f64)
}
