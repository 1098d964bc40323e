//! Activations by SIMD; the twin is `reference::activate`.

use rten_simd::SimdUnaryOp;
use rten_vecmath::{ApproxGelu, Gelu, Silu, Swish};

use crate::plan::Activation;
use crate::reference;

/// Applies an activation to every value.
pub(super) fn activate(activation: Activation, values: &mut [f32]) {
    match activation {
        Activation::Erf => Gelu {}.map_mut(values),
        Activation::Tanh => ApproxGelu {}.map_mut(values),
        Activation::Quick => Swish { alpha: 1.702 }.map_mut(values),
        Activation::Silu => Silu {}.map_mut(values),
        // What the library lacks.
        other => values.iter_mut().for_each(|v| *v = reference::activate(other, *v)),
    }
}
