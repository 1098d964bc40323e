//! Photographs of this machine: their files within a budget of memory, and work on them ahead.

mod ahead;
mod file;

pub use ahead::Ahead;
pub use file::{is_picture, piped, read};
