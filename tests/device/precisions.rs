//! Every family in fewer bits.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::encoder::{FAMILIES, encode, on_gpu};
use internvit::gpu::Precision;
use internvit::weights::{Conversion, QuantFormat, StoredType, convert};
use internvit::{Checkpoint, Device, Encoder};

/// The least mean cosine of tokens in f16, in 8 bits and in 4, as docs/quantization.md names them for random weights.
const LEAST: [f64; 3] = [0.99999, 0.999, 0.983];

/// That a family's tokens are as near to those of f32 as they must be.
fn check(encoder: &mut Encoder, fixture: &str, what: &str, least: f64) {
    let expected = tensors(&golden(fixture).join("expected.safetensors"));
    let expected = &expected["last_hidden_state"];
    let found = encode(encoder, fixture, &[]);
    let found = &found.tensors["last_hidden_state"].values;
    let cosine = cosine(found, &expected.values, expected.shape[2]);
    assert!(cosine >= least, "{fixture} {what}: {cosine}, least {least}");
}

/// Rounded while they are loaded. The device goes from model to model.
#[test]
fn families_keep_the_bounds_of_fewer_bits() {
    for (precision, least) in
        [Precision::F16, Precision::Int8, Precision::Int4].into_iter().zip(LEAST)
    {
        let Some(mut gpu) = gpu_as(precision) else { return };
        for fixture in FAMILIES {
            let mut encoder = on_gpu(fixture, gpu);
            check(&mut encoder, fixture, precision.name(), least);
            gpu = encoder.into_gpu().unwrap();
        }
    }
}

/// Converted files, of which the CPU computes with the same values as f32.
#[test]
fn converted_families_keep_them_on_the_cpu() {
    let plain = Conversion { dtype: None, quant: None, shard_bytes: 1 << 30, overwrite: true };
    let half = Conversion { dtype: Some(StoredType::F16), ..plain };
    let few = |quant| Conversion { quant: Some(quant), ..plain };
    let all = [half, few(QuantFormat::Int8), few(QuantFormat::Int4)];
    for (conversion, least) in all.into_iter().zip(LEAST) {
        for fixture in FAMILIES {
            let folder = scratch(fixture);
            let checkpoint = wait(Checkpoint::open_path(&golden(fixture))).unwrap();
            wait(convert(&checkpoint, &folder, &conversion, &mut |_, _| ())).unwrap();
            let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
            let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
            let what = format!("{:?} {:?}", conversion.dtype, conversion.quant);
            check(&mut encoder, fixture, &what, least);
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
