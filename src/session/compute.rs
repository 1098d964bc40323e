//! Where and how a model is computed.

use super::Device;
use crate::cpu::Team;
use crate::gpu::Gpu;
use crate::precision::Precision;

/// Where and how a model is computed. `(&device).into()` and `gpu.into()` are the shortest of them.
#[derive(Default)]
pub struct Compute {
    pub(super) place: Place,
    pub(super) precision: Precision,
    pub(super) streamed: bool,
}

pub(super) enum Place {
    Named(Device),
    Open(Box<Gpu>),
    Team(Team),
}

impl Default for Place {
    fn default() -> Self {
        Self::Named(Device::Auto)
    }
}

impl Compute {
    /// On a device by its name, or whichever is best.
    pub fn on(mut self, device: &Device) -> Self {
        self.place = Place::Named(device.clone());
        self
    }

    /// On an open device, in the precision that it was opened for.
    pub fn on_gpu(mut self, gpu: Gpu) -> Self {
        self.precision = gpu.precision;
        self.place = Place::Open(Box::new(gpu));
        self
    }

    /// In a precision; of an open device it is the one that it was opened for.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.precision = precision;
        self
    }

    /// With `streamed` the weights of blocks stay where they are stored: while one block computes, the
    /// next is read. The device holds embeddings, two blocks and activations, the CPU one block; the
    /// features are the same.
    pub fn streamed(mut self, streamed: bool) -> Self {
        self.streamed = streamed;
        self
    }
}

impl From<&Device> for Compute {
    fn from(device: &Device) -> Self {
        Self::default().on(device)
    }
}

impl From<Gpu> for Compute {
    fn from(gpu: Gpu) -> Self {
        Self::default().on_gpu(gpu)
    }
}

/// On the CPU, with a team that shares the work where threads share no memory.
impl From<Team> for Compute {
    fn from(team: Team) -> Self {
        Self { place: Place::Team(team), ..Self::default() }
    }
}
