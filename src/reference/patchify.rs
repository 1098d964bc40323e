//! Twin of `shaders/patchify.wgsl`.

use crate::image::Normal;

/// RGBA bytes `[batch, height, width, 4]` to normalised patch rows `[batch·patches, 3·patch²]`.
pub fn patchify_rgba(
    pixels: &[u8],
    size: [usize; 2],
    patch: usize,
    normal: &Normal,
    rows: &mut [f32],
) {
    let [height, width] = size;
    patchify(size, patch, rows, |picture, channel, y, x| {
        normal.value(channel, pixels[((picture * height + y) * width + x) * 4 + channel])
    });
}

/// f32 planes `[batch, 3, height, width]` to patch rows `[batch·patches, 3·patch²]`.
pub fn patchify_planes(planes: &[f32], size: [usize; 2], patch: usize, rows: &mut [f32]) {
    let [height, width] = size;
    patchify(size, patch, rows, |picture, channel, y, x| {
        planes[((picture * 3 + channel) * height + y) * width + x]
    });
}

fn patchify(
    [height, width]: [usize; 2],
    patch: usize,
    rows: &mut [f32],
    value: impl Fn(usize, usize, usize, usize) -> f32,
) {
    let (grid_rows, grid_cols) = (height / patch, width / patch);
    let row_len = 3 * patch * patch;
    for (index, row) in rows.chunks_exact_mut(row_len).enumerate() {
        let picture = index / (grid_rows * grid_cols);
        let top = index / grid_cols % grid_rows * patch;
        let left = index % grid_cols * patch;
        for (k, line) in row.chunks_exact_mut(patch).enumerate() {
            let (channel, y) = (k / patch, k % patch);
            for (x, out) in line.iter_mut().enumerate() {
                *out = value(picture, channel, top + y, left + x);
            }
        }
    }
}
