//! From features to pictures.

mod attention;
mod canvas;
mod clusters;
mod colours;
mod foreground;
mod marks;
mod math;
mod norms;
mod overlay;
mod pca;
mod principal;
mod segments;
mod similarity;
mod teach;

pub use attention::Attention;
pub use canvas::{Canvas, labels, window_starts};
pub use clusters::{Clusters, clusters};
pub use colours::{heat, heat_grid};
pub use foreground::{foreground, foreground_among, otsu};
pub use marks::{beside, mark};
pub use math::{extent, middle};
pub use norms::norms;
pub use overlay::{
    blend, outline, paint, paint_patches, patch_centre, patch_under, pca_grid, pca_picture,
};
pub use pca::{PcaBasis, pca_foreground, pca_rgb, rows_of, stitch};
pub use segments::{default_palette, paint_labels, shares};
pub use similarity::similarity;
pub use teach::{Example, Taught, fit};
