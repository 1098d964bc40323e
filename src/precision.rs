//! How many bits values and weights have.

use crate::weights::QuantFormat;
use crate::{Error, Result};

/// How values lie in the device's memory between kernels, and matrices of weights.
///
/// The residual stream, statistics of norms, softmax and all sums are f32 in either; so are vectors
/// of weights, and what goes in and comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Precision {
    /// IEEE single: results agree with float64 to some 1e-6.
    #[default]
    F32,
    /// IEEE half, 1e-3: half the memory, and the matrix units of GPUs that have them.
    F16,
    /// f32, but matrices of the blocks in 8 bits.
    Int8,
    /// As `Int8`, and what they are multiplied with is rounded to 8 bits too: dot products of
    /// integers, four to an instruction where the hardware has them.
    W8A8,
    /// f32, but matrices of the blocks in 4 bits.
    Int4,
}

impl Precision {
    /// Its name in options and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Int8 => "int8",
            Self::W8A8 => "w8a8",
            Self::Int4 => "int4",
        }
    }

    /// How matrices of the blocks are kept, where it is in few bits.
    pub fn quant(self) -> Option<QuantFormat> {
        match self {
            Self::F32 | Self::F16 => None,
            Self::Int8 | Self::W8A8 => Some(QuantFormat::Int8),
            Self::Int4 => Some(QuantFormat::Int4),
        }
    }
}

impl std::str::FromStr for Precision {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let all = [Self::F32, Self::F16, Self::Int8, Self::W8A8, Self::Int4];
        let wrong = || Error::input(format!("{text:?}: expected f32, f16, int8, w8a8 or int4"));
        all.into_iter().find(|precision| precision.name() == text).ok_or_else(wrong)
    }
}
