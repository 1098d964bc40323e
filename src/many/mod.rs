//! Many photographs: read ahead of the encoder, encoded several at once, and what each of them gives.

mod batches;
mod features;
mod ready;
mod together;

pub use batches::Batches;
pub use features::{PhotoFeatures, Tokens};
pub use ready::{READERS, ReadAhead, Ready};
pub use together::Together;

/// Pictures of one size that a GPU encodes at once where no number is given: a single one would leave it
/// idle.
pub const BATCH: usize = 8;
