//! Every family in fewer bits.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::encoder::{FAMILIES, encode, on_gpu};
use internvit::gpu::Precision;

/// Every family in f16 and 8 bits, to the mean cosine of tokens that docs/quantization.md names. The device
/// goes from model to model.
#[test]
fn families_keep_the_bounds_of_f16_and_8_bits() {
    for (precision, least) in [(Precision::F16, 0.99999), (Precision::Int8, 0.999)] {
        let Some(mut gpu) = gpu_as(precision) else { return };
        for fixture in FAMILIES {
            let expected = tensors(&golden(fixture).join("expected.safetensors"));
            let expected = &expected["last_hidden_state"];
            let mut encoder = on_gpu(fixture, gpu);
            let found = encode(&mut encoder, fixture, &[]);
            let found = &found.tensors["last_hidden_state"].values;
            let cosine = cosine(found, &expected.values, expected.shape[2]);
            assert!(cosine >= least, "{fixture} {precision:?}: {cosine}, least {least}");
            gpu = encoder.into_gpu().unwrap();
        }
    }
}

/// Mean cosine of tokens of `c` channels.
fn cosine(a: &[f32], b: &[f32], c: usize) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    let pairs = a.chunks_exact(c).zip(b.chunks_exact(c));
    let all: Vec<f64> = pairs.map(|(a, b)| dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()).collect();
    all.iter().sum::<f64>() / all.len() as f64
}
