//! The kinds of devices that have kernels of their own.

use super::caps::Caps;

/// Kernels of one kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "probe", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "probe", serde(rename_all = "kebab-case"))]
pub enum Family {
    /// For adapters that compute on the CPU: no workgroup memory, no barriers.
    Software,
    /// The same with subgroups of 8 or 4 invocations.
    SoftwareSubgroups,
    /// For any GPU, within WebGPU's default limits.
    Portable,
    /// The same, with 8 × 8 outputs an invocation in products, 64 rows a workgroup.
    #[cfg(feature = "probe")]
    Wide,
    /// As `Wide`, with 128 rows a workgroup, which fetches a tile while it multiplies the last.
    #[cfg(feature = "probe")]
    Tall,
    /// As `Wide`, with the inputs of products shared by several workgroups, so that few rows keep a large GPU busy.
    #[cfg(feature = "probe")]
    Split,
    /// As `Portable`, with products and attention whose lanes tell each other what they read, in subgroups of any sizes.
    Subgroups,
    /// As `Portable`, but products and attention of f16 by matrix units.
    Matrix,
    /// As `Portable`, but products with weights in 8 bits by packed dot products of integers, for
    /// which what they multiply is rounded to 8 bits too: of [`Precision::W8A8`](super::Precision::W8A8).
    Packed,
}

impl Family {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::Software,
        Self::SoftwareSubgroups,
        Self::Portable,
        #[cfg(feature = "probe")]
        Self::Wide,
        #[cfg(feature = "probe")]
        Self::Tall,
        #[cfg(feature = "probe")]
        Self::Split,
        Self::Subgroups,
        Self::Matrix,
        Self::Packed,
    ];

    /// Those of GPUs.
    pub const GPUS: &[Self] = Self::ALL.split_at(Self::SOFTWARE.len()).1;

    /// Those of adapters that compute on the CPU.
    pub const SOFTWARE: [Self; 2] = [Self::Software, Self::SoftwareSubgroups];

    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Software => "software",
            Self::SoftwareSubgroups => "software-subgroups",
            Self::Portable => "portable",
            #[cfg(feature = "probe")]
            Self::Wide => "wide",
            #[cfg(feature = "probe")]
            Self::Tall => "tall",
            #[cfg(feature = "probe")]
            Self::Split => "split",
            Self::Subgroups => "subgroups",
            Self::Matrix => "matrix",
            Self::Packed => "packed",
        }
    }

    /// The family for a device of which no more is known than what it can do: of GPUs the others are taken where a
    /// probe finds them right and faster.
    pub fn of(caps: &Caps) -> Self {
        match (caps.software, caps.subgroup) {
            (true, 4 | 8) => Self::SoftwareSubgroups,
            (true, _) => Self::Software,
            (false, _) => Self::Portable,
        }
    }

    /// Those that compute the same on a device, in its own kernels' order of preference.
    pub fn candidates(caps: &Caps) -> impl Iterator<Item = Self> {
        let same = Self::ALL.iter().copied().filter(|family| *family != Self::Packed);
        same.filter(|family| family.software() == caps.software && family.runs_on(caps))
    }

    /// Whether a device can run it, well or not.
    pub fn runs_on(self, caps: &Caps) -> bool {
        match self {
            Self::Software | Self::Portable | Self::Packed => true,
            Self::SoftwareSubgroups => matches!(caps.subgroup, 4 | 8),
            #[cfg(feature = "probe")]
            Self::Wide | Self::Tall | Self::Split => true,
            Self::Subgroups => caps.least_subgroup >= 4,
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
        let found = Self::ALL.iter().find(|family| family.name() == text);
        let names = || Self::ALL.iter().map(|family| family.name()).collect::<Vec<_>>().join(", ");
        found.copied().ok_or_else(|| format!("expected one of {}", names()))
    }
}
