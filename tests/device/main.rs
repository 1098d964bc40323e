//! Kernels and encoders on the devices that are here, beside their twins.

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/gguf.rs"]
mod gguf;

mod ahead;
mod api;
mod decode;
mod determinism;
mod encoder;
mod examples;
mod faults;
mod inside;
mod internvl_c;
mod kernels;
mod language;
mod large;
mod precisions;
mod probe;
mod relative;
mod shaders;
mod soak;
mod team;
mod texts;
