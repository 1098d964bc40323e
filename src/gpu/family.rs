//! The kinds of devices that have kernels of their own.

use super::caps::Caps;

/// Kernels of one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// For adapters that compute on the CPU: no workgroup memory, no barriers.
    Software,
    /// The same with subgroups of 8 or 4 invocations.
    SoftwareSubgroups,
    /// For any GPU, within WebGPU's default limits.
    Portable,
    /// The same, but products and attention of f16 by matrix units.
    Matrix,
    /// As `Portable`, but products with weights in 8 bits by packed dot products of integers, for
    /// which what they multiply is rounded to 8 bits too: of [`Precision::W8A8`](super::Precision::W8A8).
    Packed,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Software, Self::SoftwareSubgroups, Self::Portable, Self::Matrix, Self::Packed];

    /// Those of GPUs.
    pub const GPUS: [Self; 3] = [Self::Portable, Self::Matrix, Self::Packed];

    /// Those of adapters that compute on the CPU.
    pub const SOFTWARE: [Self; 2] = [Self::Software, Self::SoftwareSubgroups];

    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::SoftwareSubgroups => "software-subgroups",
            Self::Portable => "portable",
            Self::Matrix => "matrix",
            Self::Packed => "packed",
        }
    }

    /// The family for a device.
    pub fn of(caps: &Caps) -> Self {
        match (caps.software, caps.subgroup, caps.matrix) {
            (true, 4 | 8, _) => Self::SoftwareSubgroups,
            (true, ..) => Self::Software,
            (false, _, 0) => Self::Portable,
            (false, ..) => Self::Matrix,
        }
    }

    /// Whether a device can run it, well or not.
    pub fn runs_on(self, caps: &Caps) -> bool {
        match self {
            Self::Software | Self::Portable | Self::Packed => true,
            Self::SoftwareSubgroups => matches!(caps.subgroup, 4 | 8),
            Self::Matrix => caps.matrix > 0,
        }
    }

    /// Whether it is for adapters that compute on the CPU.
    pub fn software(self) -> bool {
        Self::SOFTWARE.contains(&self)
    }
}

impl std::str::FromStr for Family {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let names = Self::ALL.map(Self::name);
        let found = Self::ALL.into_iter().find(|family| family.name() == text);
        found.ok_or_else(|| format!("expected one of {}", names.join(", ")))
    }
}
