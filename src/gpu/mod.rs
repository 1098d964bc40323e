//! The GPU executor, and the only room that says `wgpu`: device and limits, shaders linked from
//! files, one table that chooses kernels, weights packed as the kernels read them, and plans
//! prepared into dispatches.

mod adapter;
mod cache;
mod device;
mod family;
mod health;
mod kernels;
mod link;
mod memory;
mod pack;
mod pipelines;
mod precision;
mod prepare;
mod products;
mod profile;
mod read;
mod run;
mod steps;
mod stream;
mod weights;

pub use adapter::{AdapterReport, Choice, adapters, environment_names};
pub use device::{Caps, Gpu, Submitted};
pub use family::Family;
pub use health::Lever;
pub use kernels::{
    ATTENTION, Attention, AttentionRow, Gather, Kernel, LINEAR, LinearRow, Norm, Product,
};
pub use link::{SHADERS, ShaderFile, link};
pub use memory::Buffer;
pub use pack::{Format, PANEL, pack_linear, packed_len};
pub use precision::Precision;
pub use prepare::{Prepared, Size};
pub use profile::{Ceilings, StepTime, Timer};
pub use read::Reading;
pub use stream::Feed;
pub use weights::GpuWeights;
