//! InternViT, OpenGVLab's vision transformer, on any GPU: WGSL kernels scheduled through wgpu,
//! natively and in the browser.
//!
//! Reading order: [`model`] says what an encoder is, [`weights`] where its tensors are,
//! [`plan`] records a forward pass as data; [`mod@reference`] runs it as plain loops, [`cpu`] fast, [`gpu`] on
//! a device; [`image`] makes pixels of files and [`view`] pictures of features. [`Encoder`] joins
//! them. ARCHITECTURE.md tells the same story with reasons.
//!
//! ```no_run
//! use internvit::{Checkpoint, Device, Encoder, Images, image};
//! use std::ops::ControlFlow::Continue;
//!
//! # fn main() -> internvit::Result<()> {
//! pollster::block_on(async {
//!     let checkpoint = Checkpoint::open_path("model".as_ref()).await?;
//!     let size = checkpoint.spec.sizes.image as u32;
//!     let mut encoder =
//!         Encoder::load(checkpoint, &Device::Auto, &mut async |_, _| Continue(())).await?;
//!
//!     let bytes = std::fs::read("cat.jpg").expect("a photograph");
//!     let cat = image::decode("cat.jpg", &bytes)?;
//!     let cat = image::Resize::Squash.fit(&cat, size, 14)?;
//!     let features = encoder
//!         .encode(Images::Pictures(&[cat]), &[], &mut async |_, _| Continue(()))
//!         .await?;
//!     let tokens = &features.tensors["last_hidden_state"]; // [1, 1 + h·w, C]
//!     println!("{:?}", tokens.shape);
//!     Ok(())
//! })
//! # }
//! ```

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub mod api;
#[cfg(feature = "gpu")]
pub mod app;
pub mod budget;
pub mod cpu;
#[cfg(feature = "gpu")]
pub mod encoder;
pub mod error;
pub mod features;
#[cfg(not(target_arch = "wasm32"))]
pub mod files;
#[cfg(feature = "gpu")]
pub mod gpu;
#[cfg(feature = "hub")]
pub mod hub;
pub mod image;
#[cfg(feature = "gpu")]
mod images;
mod json;
mod math;
#[cfg(feature = "gpu")]
pub mod measure;
pub mod model;
mod order;
pub mod plan;
mod precision;
mod progress;
pub mod reference;
#[cfg(feature = "gpu")]
pub mod session;
pub mod view;
pub mod weights;

#[cfg(all(feature = "gpu", not(target_arch = "wasm32")))]
pub use api::Model;
#[cfg(feature = "gpu")]
pub use encoder::Encoder;
pub use error::{Error, Result};
pub use features::{Features, Tensor};
#[cfg(feature = "gpu")]
pub use images::Images;
pub use precision::Precision;
pub use progress::{LocalBoxFuture, Progress};
#[cfg(feature = "gpu")]
pub use session::{Compute, Device};
pub use weights::Checkpoint;

/// README.md's code is compiled with the documentation's.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
