//! Elementwise functions.

use serde::{Deserialize, Serialize};

/// An elementwise function of `s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Activation {
    /// GELU with the error function: `½ s (1 + erf(s/√2))`.
    Erf,
    /// GELU with tanh: `½ s (1 + tanh(√(2/π) (s + 0.044715 s³)))`.
    Tanh,
    /// Quick GELU: `s · σ(1.702 s)`.
    Quick,
    /// `s · σ(s)`.
    Silu,
    /// `max(s, 0)`.
    Relu,
    /// `tanh(s)`.
    HyperbolicTangent,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Erf, Self::Tanh, Self::Quick, Self::Silu, Self::Relu, Self::HyperbolicTangent];

    /// The name of its shader.
    pub fn name(self) -> &'static str {
        match self {
            Self::Erf => "erf",
            Self::Tanh => "tanh",
            Self::Quick => "quick",
            Self::Silu => "silu",
            Self::Relu => "relu",
            Self::HyperbolicTangent => "hyperbolic",
        }
    }
}
