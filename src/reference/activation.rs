//! Twin of `shaders/act/*.wgsl`.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

use crate::plan::Activation;

/// The value of an activation, computed in f64.
pub fn activate(activation: Activation, x: f32) -> f32 {
    let x = f64::from(x);
    let value = match activation {
        Activation::Erf => 0.5 * x * (1.0 + libm::erf(x * FRAC_1_SQRT_2)),
        Activation::Tanh => {
            0.5 * x * (1.0 + (FRAC_2_PI.sqrt() * (x + 0.044715 * x.powi(3))).tanh())
        }
        Activation::Quick => x / (1.0 + (-1.702 * x).exp()),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Relu => x.max(0.0),
        Activation::HyperbolicTangent => x.tanh(),
    };
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values at -2, -0.5, 0.25 and 3, computed in float64 with Python's `math`.
    #[test]
    fn values_are_those_of_the_definitions() {
        let expected = [
            (Activation::Erf, [-0.045500264, -0.154268769, 0.149676581, 2.995950306]),
            (Activation::Tanh, [-0.045402306, -0.154285990, 0.149675351, 2.996362608]),
            (Activation::Quick, [-0.064341377, -0.149611563, 0.151199650, 2.981928690]),
            (Activation::Silu, [-0.238405844, -0.188770334, 0.140544125, 2.857722380]),
            (Activation::Relu, [0.0, 0.0, 0.25, 3.0]),
            (Activation::HyperbolicTangent, [-0.964027580, -0.462117157, 0.244918662, 0.995054754]),
        ];
        for (activation, values) in expected {
            for (x, expected) in [-2.0, -0.5, 0.25, 3.0].into_iter().zip(values) {
                let found = f64::from(activate(activation, x));
                assert!((found - expected).abs() < 2e-7, "{activation:?} of {x}: {found}");
            }
        }
    }

    #[test]
    fn large_values_stay_finite() {
        let grow = |activation: &Activation| *activation != Activation::HyperbolicTangent;
        for activation in Activation::ALL.into_iter().filter(grow) {
            for x in [1e4f32, 1e19, f32::MAX] {
                assert_eq!(activate(activation, x), x, "{activation:?}");
                assert_eq!(activate(activation, -x).abs(), 0.0, "{activation:?}");
            }
        }
    }
}
