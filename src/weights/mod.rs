//! Checkpoints: what safetensors and PyTorch's files hold, ranged reading, and the manifest that matches what a file
//! holds with what a spec wants before anything is allocated.

mod attach;
mod built_in;
mod checkpoint;
#[cfg(not(target_arch = "wasm32"))]
mod convert;
mod extract;
#[cfg(not(target_arch = "wasm32"))]
mod find;
mod foreign;
#[cfg(feature = "language")]
mod gguf;
#[cfg(not(target_arch = "wasm32"))]
mod gguf_names;
mod head;
mod header;
mod index;
#[cfg(feature = "language")]
mod language;
mod linear_head;
mod manifest;
mod memory;
#[cfg(not(target_arch = "wasm32"))]
mod open;
mod pieces;
mod quantise;
mod random;
mod rows;
mod source;
#[cfg(not(target_arch = "wasm32"))]
mod staged;
mod tensor;
#[cfg(feature = "torch")]
mod torch;
mod weight_source;
#[cfg(not(target_arch = "wasm32"))]
mod write;

pub use checkpoint::Checkpoint;
#[cfg(feature = "hub")]
pub(crate) use checkpoint::SETTINGS;
#[cfg(not(target_arch = "wasm32"))]
pub use convert::{Conversion, Converted, convert};
pub use extract::Extract;
#[cfg(not(target_arch = "wasm32"))]
pub use find::TOKENIZERS;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use find::find_files;
#[cfg(feature = "hub")]
pub(crate) use find::usual_files;
#[cfg(feature = "language")]
pub use gguf::{Blocks, GgufModel};
#[cfg(feature = "hub")]
pub(crate) use gguf_names::Named;
#[cfg(not(target_arch = "wasm32"))]
pub use gguf_names::gguf_parts;
pub use head::Head;
#[cfg(feature = "hub")]
pub(crate) use header::header_length;
#[doc(hidden)]
pub use header::stored_tensors;
pub use header::{Stored, StoredType, read_header, read_metadata};
pub use index::{all_shards, shards};
#[cfg(feature = "language")]
#[doc(hidden)]
pub use language::PROJECTED;
pub use linear_head::{LinearHead, Method, taught_method};
pub use manifest::Manifest;
#[cfg(feature = "gpu")]
pub(crate) use memory::CHOICES;
pub(crate) use memory::{fits, free_memory};
pub use quantise::{QuantFormat, Quantized};
pub use random::random_tensor;
pub use source::Source;
#[cfg(not(target_arch = "wasm32"))]
pub use staged::WrittenFile;
pub use tensor::{Layout, Part, QuantizedTensor, Tensor};
pub use weight_source::WeightSource;
#[cfg(not(target_arch = "wasm32"))]
pub use write::{Values, init_checkpoint, init_shards, write_safetensors, write_safetensors_with};
