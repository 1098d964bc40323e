//! Grids of colours over photographs.

use super::{pca_rgb, stitch};
use crate::features::Features;
use crate::image::{Picture, resize};

/// The PCA colours of a photograph's patches, one pixel a patch. `board` are the rows and columns
/// of tiles that `features` (of one photograph) begins with: `[1, 1]` without tiles.
///
/// # Panics
/// Where the features were made from embeddings and have no grid.
pub fn pca_grid(features: &Features, board: [usize; 2]) -> Picture {
    let tensor = &features.tensors["last_hidden_state"];
    let c = tensor.shape[2];
    let [rows, cols] = features.grid.expect("features of pictures");
    let tokens = stitch(&tensor.values, c, features.prefix, [rows, cols], board);
    Picture {
        width: (board[1] * cols) as u32,
        height: (board[0] * rows) as u32,
        rgb: pca_rgb(&tokens, c).into_flattened(),
    }
}

/// The PCA colours upsampled over `region` (`[left, top, width, height]` in pixels) of the
/// photograph; the rest, which the encoder did not see, is the photograph darkened.
pub fn pca_picture(
    features: &Features,
    board: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Picture {
    paint(&pca_grid(features, board), photo, region)
}

/// `grid` upsampled over `region` of a darkened `photo`.
pub fn paint(grid: &Picture, photo: &Picture, region: [f64; 4]) -> Picture {
    let clip = |v: f64, max: u32| v.round().clamp(0.0, f64::from(max)) as u32;
    let (left, top) = (clip(region[0], photo.width - 1), clip(region[1], photo.height - 1));
    let width = clip(region[2], photo.width - left).max(1);
    let height = clip(region[3], photo.height - top).max(1);
    let over = resize(grid, width, height);
    let mut rgb: Vec<u8> = photo.rgb.iter().map(|v| v / 4).collect();
    let stride = photo.width as usize * 3;
    for (y, row) in over.rgb.chunks_exact(width as usize * 3).enumerate() {
        let start = (top as usize + y) * stride + left as usize * 3;
        rgb[start..start + row.len()].copy_from_slice(row);
    }
    Picture { width: photo.width, height: photo.height, rgb }
}
