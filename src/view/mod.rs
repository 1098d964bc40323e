//! From features to pictures.

mod overlay;
mod pca;
mod segments;
mod teach;

pub use overlay::{paint, pca_grid, pca_picture};
pub use pca::{pca_rgb, stitch};
pub use segments::{Canvas, default_palette, labels, paint_labels, shares, window_starts};
pub use teach::{Example, Taught, fit};
