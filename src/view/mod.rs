//! From features to pictures.

mod overlay;
mod pca;

pub use overlay::{paint, pca_grid, pca_picture};
pub use pca::{pca_rgb, stitch};
