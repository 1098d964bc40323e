//! Checkpoints: safetensors headers, ranged reading, and the manifest that matches what a file
//! holds with what a spec wants before anything is allocated.

mod checkpoint;
mod extract;
mod head;
mod header;
mod linear_head;
mod manifest;
mod random;
mod source;
#[cfg(not(target_arch = "wasm32"))]
mod write;

pub use checkpoint::{Checkpoint, shards};
pub use extract::Extract;
pub use head::Head;
pub use header::{Stored, StoredType, read_header, read_metadata};
pub use linear_head::LinearHead;
pub use manifest::{Manifest, Part, Tensor};
pub use random::random_tensor;
pub use source::Source;
#[cfg(not(target_arch = "wasm32"))]
pub use write::{Values, init_checkpoint, write_safetensors};
