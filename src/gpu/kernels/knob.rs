//! Values of knobs, as WGSL writes them.

use std::fmt;
use std::hash::{Hash, Hasher};

/// The value of a knob.
#[derive(Clone, Copy, Debug)]
pub enum Knob {
    /// `192u`
    U32(u32),
    /// `true`
    Bool(bool),
    /// `1e-6`
    F32(f32),
    /// `vec3f(0.5, 0.5, 0.5)`
    Vec3([f32; 3]),
}

impl Knob {
    /// What two equal knobs have in common.
    fn bits(self) -> (u8, [u32; 3]) {
        match self {
            Self::U32(value) => (0, [value, 0, 0]),
            Self::Bool(value) => (1, [value.into(), 0, 0]),
            Self::F32(value) => (2, [value.to_bits(), 0, 0]),
            Self::Vec3(values) => (3, values.map(f32::to_bits)),
        }
    }
}

impl PartialEq for Knob {
    fn eq(&self, other: &Self) -> bool {
        self.bits() == other.bits()
    }
}

impl Eq for Knob {}

impl Hash for Knob {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bits().hash(state);
    }
}

impl fmt::Display for Knob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U32(value) => write!(f, "{value}u"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::F32(value) => write!(f, "{value:?}"),
            Self::Vec3([x, y, z]) => write!(f, "vec3f({x:?}, {y:?}, {z:?})"),
        }
    }
}

impl From<u32> for Knob {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}

impl From<usize> for Knob {
    /// Sizes of a model and of tiles fit 32 bits.
    fn from(value: usize) -> Self {
        Self::U32(value as u32)
    }
}

impl From<bool> for Knob {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<f32> for Knob {
    fn from(value: f32) -> Self {
        Self::F32(value)
    }
}

impl From<[f32; 3]> for Knob {
    fn from(value: [f32; 3]) -> Self {
        Self::Vec3(value)
    }
}
