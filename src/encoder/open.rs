//! Where to compute, and what that turned out to be: the one place that opens a device.

use crate::Result;
use crate::gpu::{Choice, Gpu};

/// Where to compute.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU, or the CPU where there is none but in software.
    #[default]
    Auto,
    /// A GPU (a software adapter counts as one), or an error.
    Gpu,
    /// The CPU, all cores.
    Cpu,
    /// The adapter whose name contains these words.
    Named(String),
}

/// What a [`Device`] turned out to be.
pub enum Opened {
    /// An open device.
    Gpu(Box<Gpu>),
    /// The CPU, and why where a GPU was hoped for.
    Cpu(Option<String>),
}

impl Device {
    /// Opens it.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where a GPU is demanded and there is none, or the driver refuses.
    pub async fn open(&self) -> Result<Opened> {
        let gpu = match self {
            Self::Cpu => return Ok(Opened::Cpu(None)),
            Self::Auto => match Gpu::open_hardware().await {
                Ok(gpu) => gpu,
                Err(why) => return Ok(Opened::Cpu(Some(why.to_string()))),
            },
            Self::Gpu => Gpu::open(&Choice::Auto).await?,
            Self::Named(name) => Gpu::open(&Choice::Named(name.clone())).await?,
        };
        Ok(Opened::Gpu(Box::new(gpu)))
    }
}

impl std::str::FromStr for Device {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "gpu" => Self::Gpu,
            "cpu" => Self::Cpu,
            name => Self::Named(name.into()),
        })
    }
}
