//! The GPU executor, and the only room that says `wgpu`: device and limits, shaders linked from
//! files, tables that choose kernels, weights packed as the kernels read them, and plans prepared into
//! dispatches.
//!
//! Its files import in one order, which `tests/house.rs` holds; each from the file that holds a name,
//! never from here.

mod adapter;
mod attention;
mod buffer;
mod cache;
mod caps;
#[cfg(feature = "language")]
mod causal;
#[cfg(feature = "language")]
mod chain;
mod device;
mod dispatch;
mod extent;
mod families;
mod family;
mod fault_injection;
mod health;
mod kernels;
mod layout;
mod link;
mod memory;
mod pack;
#[cfg(feature = "probe")]
mod parts;
mod pipelines;
mod prepare;
#[cfg(feature = "probe")]
mod probe;
mod products;
mod profile;
mod read;
mod rounded;
mod run;
mod specimen;
mod states;
mod steps;
mod stream;
mod supports;
#[cfg(feature = "probe")]
mod tuning;
mod weights;

pub use crate::precision::Precision;
pub use adapter::{AdapterReport, Choice, adapters, environment_names};
pub use buffer::Buffer;
pub use caps::Caps;
#[cfg(feature = "language")]
pub use chain::Chain;
pub use device::{Gpu, Submitted};
pub use dispatch::Size;
pub use family::Family;
pub use fault_injection::FaultInjector;
pub use kernels::*;
pub use link::{SHADERS, ShaderFile, link};
pub use pack::{Format, PANEL, PanelShape};
pub use prepare::PreparedPlan;
pub use profile::{Ceilings, StepTime, Timer};
pub use read::Reading;
pub use specimen::{RowsOf, Specimen};
pub use states::States;
pub use stream::WeightStreamer;
pub use supports::supports;
#[cfg(feature = "probe")]
pub use tuning::{Found, Trial};
pub use weights::GpuWeights;
pub use wgpu;
