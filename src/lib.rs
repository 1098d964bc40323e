//! Vision transformers on any GPU, InternViT first: WGSL kernels scheduled through wgpu, natively and
//! in the browser; on the CPU where there is no GPU.
//!
//! - **Load** a model by path, name on the hub or bytes: [`Model::open`], [`Model::options`].
//! - **Encode** photographs, files and folders: [`Model::features`], [`Model::spawn_features`].
//! - **Classify** them, by the model's own classes or by texts: [`Model::classify`], [`Model::text`],
//!   [`Model::classify_with`].
//! - **Look** inside: [`Model::look`], with the views of [`VIEWS`].
//! - **Teach** a segmentation by a few points, and apply it: [`Model::teach`], [`Model::segment_with`];
//!   [`Model::segment`] applies the model's own head.
//!
//! ```no_run
//! use internvit::{Model, Picture};
//!
//! # fn main() -> internvit::Result<()> {
//! let model = Model::open("internvit-tiny")?; // or "dinov2-small", a folder, a file, owner/name on the hub
//! let photos = model.features().layers([6, 12]).folder("photos")?;
//! for photo in &photos {
//!     println!("{} {:?}", photo.name(), photo.hidden(6)?.shape()); // [rows, columns, C]
//! }
//!
//! let cat = Picture::open("cat.jpg")?;
//! model.look(&cat).size(448).view("pca")?.save("pca.png")?;
//! let head = model.teach(&cat).point("cat", [220, 160]).point("wall", [430, 20]).fit()?;
//! model.segment_with(&head, &cat)?.save_overlay("overlay.png", 0.5)?;
//! # Ok(())
//! # }
//! ```
//!
//! A thread of its own owns a model's weights and device and answers one request after the other. So a
//! [`Model`] is `Send` and `Sync`, its clones share the weights, and its methods block. A page has no
//! threads that may block: there [`Encoder`] is the same, asynchronous.
//!
//! # Features
//!
//! | feature | what it adds | default |
//! |---|---|---|
//! | `gpu` | [`Model`] and [`Encoder`]; without it there are readers of files, plans and their twins | yes |
//! | `bundled` | the model `"internvit-tiny"`, 11 MB, which is this library's `"bundled"` | yes |
//! | `dinov2-small` | the model `"dinov2-small"`, DINOv2 ViT-S/14 in 8 bits, 25 MB, the default of the command line, Python and JavaScript; of the repository alone | |
//! | `probe` | a device's fastest kernels found by a short probe, kept in the user's cache | yes |
//! | `hub` | models by name, from the Hugging Face hub | |
//! | `language` | the language models of InternVL: `Checkpoint::with_language`, `language` | |
//! | `tokenizers` | texts as they are, by the tokenizer beside the model, where else tokens are given | |
//! | `torch` | weights in PyTorch's own files | |
//! | `image` | [`Picture`] from and into the types of the crate `image` | |
//! | `ndarray` | `Tokens::to_ndarray` | |
//! | `xz`, `zstd` | TIFFs packed so | |
//!
//! A debug build computes very slowly unless `Cargo.toml` has `[profile.dev.package."*"]` with
//! `opt-level = 2`.
//!
//! Modules that are not listed here are for the programs of this project and its tests; they change
//! without notice. ARCHITECTURE.md in the repository tells how they work together.

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
#[doc(hidden)]
pub mod api;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod app;
#[doc(hidden)]
pub mod budget;
#[doc(hidden)]
pub mod cpu;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod encoder;
#[doc(hidden)]
pub mod error;
#[doc(hidden)]
pub mod features;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod files;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod gpu;
#[cfg(feature = "hub")]
#[doc(hidden)]
pub mod hub;
#[doc(hidden)]
pub mod image;
#[cfg(feature = "gpu")]
mod images;
mod json;
#[cfg(all(feature = "gpu", feature = "language"))]
#[doc(hidden)]
pub mod language;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
#[doc(hidden)]
pub mod many;
mod math;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod measure;
#[doc(hidden)]
pub mod model;
mod order;
/// Whether this is the page's module, whose bytes are downloaded.
#[cfg(feature = "gpu")]
pub(crate) const IN_BROWSER: bool = cfg!(target_arch = "wasm32");

#[cfg(target_arch = "wasm32")]
mod parallel;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod photos;
#[doc(hidden)]
pub mod plan;
mod pointer;
mod precision;
mod progress;
#[doc(hidden)]
pub mod reference;
#[cfg(feature = "gpu")]
#[doc(hidden)]
pub mod session;
#[cfg(not(target_arch = "wasm32"))]
#[doc(hidden)]
pub mod threads;
#[doc(hidden)]
pub mod view;
#[doc(hidden)]
pub mod weights;
#[cfg(all(feature = "gpu", feature = "tokenizers"))]
#[doc(hidden)]
pub mod words;

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use api::{
    Cancel, FeatureRequest, FeatureSet, KeptFeatures, Look, Model, ModelSource, Options,
    PhotoSource, Segmentation, Teach, TextInput, Texts, View,
};
#[cfg(not(target_arch = "wasm32"))]
use rayon as parallel;

#[cfg(feature = "gpu")]
pub use encoder::Encoder;
pub use error::{Error, Result};
pub use features::{Features, Guess, Summary, Tensor};
#[cfg(feature = "gpu")]
pub use gpu::{AdapterReport, Buffer, Gpu, wgpu};
pub use image::{Picture, Resize};
#[cfg(feature = "gpu")]
pub use images::Images;
#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use many::{PhotoFeatures, Tokens};
pub use model::{Sizes, Spec};
pub use precision::Precision;
#[doc(hidden)]
pub use progress::{LocalBoxFuture, Progress};
#[cfg(feature = "gpu")]
pub use session::{Compute, Device, Words};
pub use view::{Edges, Map, Request as ViewRequest, VIEWS};
pub use weights::{Checkpoint, LinearHead, Method, Source};

/// README.md's code is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
