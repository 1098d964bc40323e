//! Photographs of this machine: their files within a budget of memory, those of a folder, and work on
//! them ahead.

mod ahead;
mod file;
mod folder;

pub use ahead::Ahead;
#[cfg(feature = "gpu")]
pub(crate) use file::called;
pub use file::{is_picture, piped, read};
pub use folder::{Found, folder, has_ending};
