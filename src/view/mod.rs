//! From features to pictures.
//!
//! A [`Request`] is a view and its settings, [`Request::needs`] what it reads of an encoder, and
//! [`render`] makes its [`Map`]. Each view has a file of its own and a line in `request.rs`; the other
//! files are what views are made of: plain functions over slices.

mod attention;
mod basis;
mod board;
mod canvas;
mod clusters;
mod coco;
mod colours;
mod edges;
mod fine;
mod foreground;
mod kmeans;
mod lab;
mod map;
mod marks;
mod math;
mod needs;
mod network;
mod norms;
mod numbers;
mod overlay;
mod pca;
mod principal;
mod request;
mod rollout;
mod segmentation;
mod segments;
mod settings;
mod similarity;
mod soft;
mod spread;
mod taught;
mod teach;
mod tidy;
mod walk;
mod words;

pub use attention::Attention;
pub use basis::{PcaBasis, pca_foreground, pca_rgb, rows_of};
pub use board::Board;
pub use canvas::{Canvas, labels, window_starts};
pub use clusters::Clusters;
pub use coco::Coco;
pub use colours::{heat, heat_grid};
pub use edges::Edges;
pub use fine::Fine;
pub use foreground::{foreground, foreground_among, otsu};
pub use kmeans::{Kmeans, kmeans};
pub use map::Map;
pub use marks::{beside, mark};
pub use math::{extent, middle};
pub use needs::{Classes, Head, Hidden, Inputs, Looks, Needs, Query};
pub use norms::{Norms, norms};
pub use overlay::{
    blend, outline, paint, paint_patches, part, patch_centre, patch_under, pca_grid, pca_picture,
};
pub use pca::{Basis, Pca};
pub use request::{Request, VIEWS, render};
pub use rollout::Rollout;
pub use segmentation::Segmentation;
pub use segments::{default_palette, labels_png, paint_labels, shares};
pub use settings::{Setting, Settings};
pub use similarity::{Similarity, centred_similarity, nearest, pinned, similarity};
pub use soft::{Named, Refine, Soft, probabilities};
pub use spread::Spread;
pub use taught::Taught;
pub use teach::{Example, fit, fit_in_turn, fit_network};
pub use tidy::tidy;
pub use walk::Cells;
pub use words::Words;
