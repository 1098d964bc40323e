//! Where a model computes, and how its values are kept.

use internvit::gpu::Precision;
use internvit::{Checkpoint, Device, Encoder, Result};

use super::load;

#[derive(Clone, clap::Args)]
pub(super) struct Compute {
    /// auto, gpu, cpu, or part of an adapter's name (see `internvit devices`)
    #[arg(long, default_value = "auto")]
    device: Device,
    /// How values are kept: f32; int8 or int4 for the weights of the blocks; on GPUs also f16 (half the
    /// memory, some 1e-3 off), or w8a8 (int8, and what they multiply too)
    #[arg(long, default_value = "f32")]
    pub(super) dtype: Precision,
    /// Keep the weights of blocks on disk: while one block computes, the next is read. The device holds
    /// two blocks, the CPU one; every run reads the model once
    #[arg(long)]
    stream_layers: bool,
}

impl Compute {
    /// Whether the weights of blocks stay on disk.
    pub(super) fn streams(&self) -> bool {
        self.stream_layers
    }

    /// As the library takes it.
    #[cfg(feature = "serve")]
    pub(super) fn to_compute(&self) -> internvit::Compute {
        let streamed = self.stream_layers;
        internvit::Compute::from(&self.device).precision(self.dtype).streamed(streamed)
    }

    /// Brings a model to the device.
    pub(super) async fn load(&self, checkpoint: Checkpoint) -> Result<Encoder> {
        self.load_as(checkpoint, self.dtype).await
    }

    /// The same, in another precision.
    pub(super) async fn load_as(
        &self,
        checkpoint: Checkpoint,
        dtype: Precision,
    ) -> Result<Encoder> {
        load(checkpoint, &self.device, dtype, self.stream_layers).await
    }
}
