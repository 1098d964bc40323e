//! The GPU executor, and the only room that says `wgpu`: device and limits, shaders linked from
//! files, one table that chooses kernels, weights packed as the kernels read them, and plans
//! prepared into dispatches.

mod cache;
mod device;
mod kernels;
mod link;
mod pack;
mod prepare;
mod profile;
mod read;
mod run;
mod steps;
mod weights;

pub use device::{AdapterReport, Caps, Choice, Gpu, Precision, Submitted, adapters};
pub use kernels::{ATTENTION, AttentionRow, Family, Kernel, LINEAR, LinearRow, Norm, Product};
pub use link::{SHADERS, link};
pub use pack::{Format, PANEL, pack_linear, packed_len};
pub use prepare::{Prepared, Size};
pub use profile::{Ceilings, StepTime, Timer};
pub use read::Reading;
pub use weights::GpuWeights;
pub use wgpu::Buffer;
