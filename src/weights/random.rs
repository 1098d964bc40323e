//! Seeded random weights, for tests and benchmarks of any configuration.

use crate::model::WeightKind;

/// Values of a tensor: the same for the same seed, name, shape and kind, whatever else is made.
///
/// Matrices are scaled by the root of their fan-in, so that activations keep their size through
/// any depth.
pub fn random_tensor(seed: u64, name: &str, shape: &[usize], kind: WeightKind) -> Vec<f32> {
    let fan_in: usize = shape.iter().skip(1).product();
    let (mean, deviation) = match kind {
        WeightKind::Matrix => (0.0, 1.0 / (fan_in as f32).sqrt()),
        WeightKind::Gain => (1.0, 0.1),
        WeightKind::LayerScale => (0.1, 0.02),
        WeightKind::Bias | WeightKind::Table => (0.0, 0.1),
    };
    let mut state = name.bytes().fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let len = shape.iter().product();
    (0..len).map(|_| mean + deviation * near_normal(split_mix(&mut state))).collect()
}

/// Steele, Lea and Flood's SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The sum of four uniform 16-bit numbers, centred, variance 1 (Irwin and Hall).
fn near_normal(bits: u64) -> f32 {
    let sum = (bits & 0xffff) + (bits >> 16 & 0xffff) + (bits >> 32 & 0xffff) + (bits >> 48);
    (sum as f32 / 65536.0 - 2.0) * 3.0f32.sqrt()
}
