//! The library without a device: models, plans, weights, pictures, views.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/gguf.rs"]
mod gguf;
#[path = "../common/twins.rs"]
mod twins;

mod encoders;
mod gguf_files;
mod guided;
mod image;
mod jpeg;
mod language;
mod mutants;
mod numbers;
mod places;
mod plan;
mod quantise;
mod tiny;
mod views;
mod weights;
