//! Where to compute, and in which precision.

use crate::gpu::{Choice, Gpu, Precision, environment_names};
use crate::{Error, IN_BROWSER, Result};

/// Where to compute.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Device {
    /// A GPU, or the CPU where there is none but in software; where the environment has
    /// WGPU_ADAPTER_NAME, that adapter or an error.
    #[default]
    Auto,
    /// A GPU (a software adapter counts as one), or an error.
    Gpu,
    /// The CPU, all cores.
    Cpu,
    /// The adapter whose name contains these words.
    Named(String),
}

/// Whether the CPU keeps weights in 8 and 4 bits: not in the page's module, which is to be small.
const FEW_BITS: bool = !IN_BROWSER || cfg!(feature = "language");

/// What it says to other precisions.
const REFUSED: &str = match FEW_BITS {
    true => "the CPU computes in f32 only, with weights in f32, int8 or int4",
    false => "the CPU computes in f32 only",
};

/// What a [`Device`] turned out to be.
pub enum OpenDevice {
    /// An open device.
    Gpu(Box<Gpu>),
    /// The CPU, and why where a GPU was hoped for.
    Cpu(Option<String>),
}

impl Device {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Device`] where a GPU is demanded and there is none, or the driver refuses.
    pub async fn open(&self) -> Result<OpenDevice> {
        self.open_as(Precision::F32).await
    }

    /// As [`Device::open`], for a precision.
    ///
    /// # Errors
    /// As [`Device::open`], and where the CPU, which computes in f32 with weights in f32, int8 or int4,
    /// would be asked for another one.
    pub async fn open_as(&self, precision: Precision) -> Result<OpenDevice> {
        let on_cpu = match precision {
            Precision::F32 => true,
            Precision::Int8 | Precision::Int4 => FEW_BITS,
            Precision::F16 | Precision::W8A8 => false,
        };
        let gpu = match self {
            Self::Cpu if on_cpu => return Ok(OpenDevice::Cpu(None)),
            Self::Cpu => return Err(Error::device(REFUSED)),
            Self::Auto if environment_names()? => Gpu::open_as(&Choice::Auto, precision).await?,
            Self::Auto => match Gpu::open_hardware(precision).await {
                Err(why) if on_cpu => return Ok(OpenDevice::Cpu(Some(why.to_string()))),
                gpu => gpu?,
            },
            Self::Gpu => Gpu::open_as(&Choice::Auto, precision).await?,
            Self::Named(name) => Gpu::open_as(&Choice::Named(name.clone()), precision).await?,
        };
        Ok(OpenDevice::Gpu(Box::new(gpu)))
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
