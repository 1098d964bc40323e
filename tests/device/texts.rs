//! Towers for texts on the GPU and on the CPU against float64.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use crate::common::*;
use internvit::features::likeness;
use internvit::weights::{Source, read_header};
use internvit::{Checkpoint, Compute, Device, Encoder, Images, Tensor, Words};

/// The fixtures that have two towers, and pictures that are given as pixels.
const CASES: [&str; 6] = [
    "clip_quick_gelu",
    "clip_openclip",
    "siglip",
    "siglip2_fixed",
    "eva02_clip_openclip",
    "openvision",
];

/// Whole numbers of a file, a row a text.
fn rows(case: &str, name: &str) -> Option<Vec<Vec<i64>>> {
    let source = Source::file(&golden(case).join("input.safetensors")).unwrap();
    let stored = wait(read_header(&source)).unwrap().into_iter().find(|s| s.key == name)?;
    assert_eq!(stored.dtype_name, "I64");
    let bytes = wait(source.read(stored.range)).unwrap();
    let values: Vec<i64> =
        bytes.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    Some(values.chunks_exact(stored.shape[1]).map(<[i64]>::to_vec).collect())
}

fn words(case: &str) -> Vec<Words> {
    let mask = rows(case, "attention_mask");
    let ids = rows(case, "input_ids").unwrap().into_iter().enumerate();
    ids.map(|(row, ids)| Words {
        ids: ids.into_iter().map(|id| id as u32).collect(),
        attended: mask.as_ref().map(|mask| mask[row].iter().map(|v| *v != 0).collect()),
    })
    .collect()
}

/// All that a case computes of texts and of both towers.
fn found(case: &str, compute: Compute) -> BTreeMap<String, Tensor> {
    let checkpoint = wait(wait(Checkpoint::open_path(&golden(case))).unwrap().with_text()).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, compute, &mut on_bytes)).unwrap();
    let pixels = tensors(&golden(case).join("input.safetensors")).remove("pixel_values").unwrap();
    let shape: [usize; 4] = pixels.shape.as_slice().try_into().unwrap();
    let images = Images::PixelValues { shape, values: &pixels.values };
    let features = wait(encoder.encode(images, &[], &mut on)).unwrap();
    let mut all = wait(encoder.read_texts(&words(case))).unwrap();
    let images = features.image_features(encoder.spec().image_features()).unwrap();
    let joint = likeness(images, &all["text_features"], &wait(encoder.scale()).unwrap()).unwrap();
    all.extend(joint);
    all
}

fn check(case: &str, who: &str, found: &BTreeMap<String, Tensor>) {
    let expected = tensors(&golden(case).join("expected.safetensors"));
    let joint = ["text_", "logits_per_", "probabilities", "image_embeds"];
    let mut compared = 0;
    for (name, expected) in expected {
        if !joint.iter().any(|start| name.starts_with(start)) {
            continue;
        }
        let found = &found[&name];
        assert_eq!(found.shape, expected.shape, "{who} {case} {name}");
        let largest = expected.values.iter().fold(1.0f32, |most, value| most.max(value.abs()));
        for (found, expected) in found.values.iter().zip(&expected.values) {
            let far = (found - expected).abs();
            assert!(far <= 1e-4 * largest, "{who} {case} {name}: {found}, expected {expected}");
        }
        compared += 1;
    }
    assert!(compared >= 4, "{case}: {compared} outputs");
}

#[test]
fn cpu_reads_texts() {
    for case in CASES {
        check(case, "cpu", &found(case, (&Device::Cpu).into()));
    }
}

#[test]
fn gpu_reads_texts() {
    for case in CASES {
        let Some(gpu) = gpu() else { return };
        check(case, "gpu", &found(case, gpu.into()));
    }
}

#[test]
fn unfit_texts_are_refused() {
    let open = || wait(Checkpoint::open_path(&golden("siglip"))).unwrap();
    let load = |checkpoint| wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let text = |ids: &[u32], attended: Option<&[bool]>| {
        [Words { ids: ids.to_vec(), attended: attended.map(<[bool]>::to_vec) }]
    };
    let blind = load(open());
    refused("no texts", wait(blind.read_texts(&text(&[1], None))), "reads no texts");
    refused("no texts", wait(blind.scale()), "reads no texts");
    let reader = load(wait(open().with_text()).unwrap());
    refused("none", wait(reader.read_texts(&text(&[], None))), "expected 1 to 12");
    refused("long", wait(reader.read_texts(&text(&[1; 13], None))), "expected 1 to 12");
    refused(
        "token",
        wait(reader.read_texts(&text(&[1 << 30], None))),
        "token 1073741824: expected 0 to",
    );
    refused("mask", wait(reader.read_texts(&text(&[1, 2], Some(&[true])))), "with a mask of 1");
}

/// `W·x + b`, plainly.
async fn linear(of: &Checkpoint, name: &str, x: &[f64]) -> Vec<f64> {
    let weight = of.tensor(&format!("{name}.weight")).await.unwrap();
    let bias =
        of.tensor(&format!("{name}.bias")).await.unwrap_or(vec![0.0; weight.len() / x.len()]);
    let row = |row: &[f32]| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum::<f64>();
    weight.chunks_exact(x.len()).zip(bias).map(|(w, b)| row(w) + f64::from(b)).collect()
}

async fn layer_norm(of: &Checkpoint, name: &str, x: &[f64]) -> Vec<f64> {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    let scale = (variance + f64::from(of.spec.norm.eps)).sqrt();
    let weight = of.tensor(&format!("{name}.weight")).await.unwrap();
    let bias = of.tensor(&format!("{name}.bias")).await.unwrap();
    let affine = weight.iter().zip(bias).map(|(w, b)| (f64::from(*w), f64::from(b)));
    x.iter().zip(affine).map(|(v, (w, b))| (v - mean) / scale * w + b).collect()
}

async fn mlp(of: &Checkpoint, name: &str, x: &[f64]) -> Vec<f64> {
    let quick = |v: f64| v / (1.0 + (-1.702 * v).exp());
    let tanh = |v: f64| {
        let inner = (2.0 / std::f64::consts::PI).sqrt() * (v + 0.044_715 * v.powi(3));
        0.5 * v * (1.0 + inner.tanh())
    };
    let quickly = of.spec.mlp.activation == internvit::model::Activation::Quick;
    let hidden = linear(of, &format!("{name}.fc1"), x).await;
    let hidden: Vec<f64> =
        hidden.into_iter().map(|v| if quickly { quick(v) } else { tanh(v) }).collect();
    linear(of, &format!("{name}.fc2"), &hidden).await
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

/// CLIP's: the last block with values in place of attention, the norm, the projection.
async fn dense_of_clip(of: &Checkpoint, x: &[f64]) -> Vec<f64> {
    let block = format!("encoder.layers.{}", of.spec.sizes.layers - 1);
    let normed = layer_norm(of, &format!("{block}.norm1"), x).await;
    let qkv = linear(of, &format!("{block}.attn.qkv"), &normed).await;
    let values = &qkv[2 * x.len()..];
    let x = sum(x, &linear(of, &format!("{block}.attn.proj"), values).await);
    let normed = layer_norm(of, &format!("{block}.norm2"), &x).await;
    let x = sum(&x, &mlp(of, &format!("{block}.mlp"), &normed).await);
    linear(of, "projection", &layer_norm(of, "layernorm", &x).await).await
}

/// SigLIP's: the head that pools, of one token alone.
async fn dense_of_siglip(of: &Checkpoint, x: &[f64]) -> Vec<f64> {
    let kv = linear(of, "pool.kv", &layer_norm(of, "layernorm", x).await).await;
    let a = linear(of, "pool.proj", &kv[x.len()..]).await;
    let normed = layer_norm(of, "pool.norm", &a).await;
    sum(&a, &mlp(of, "pool.mlp", &normed).await)
}

/// What a token alone says, against plain loops in float64; it differs from what the whole picture says.
fn dense(case: &str, compute: Compute) {
    let checkpoint = wait(Checkpoint::open_path(&golden(case))).unwrap();
    let plain = wait(Checkpoint::open_path(&golden(case))).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, compute, &mut on_bytes)).unwrap();
    let pixels = tensors(&golden(case).join("input.safetensors")).remove("pixel_values").unwrap();
    let shape: [usize; 4] = pixels.shape.as_slice().try_into().unwrap();
    let images = Images::PixelValues { shape, values: &pixels.values };
    let layer = encoder.dense_layer().unwrap();
    let features = wait(encoder.encode(images, &[layer], &mut on)).unwrap();
    let hidden = &features.tensors[&format!("hidden_states.{layer}")];
    let (tokens, c) = (hidden.shape[1], hidden.shape[2]);
    let first = &hidden.values[..tokens * c];
    let found = wait(encoder.dense(first, features.grid.unwrap())).unwrap();
    assert_eq!(found.shape, [tokens, encoder.spec().image_features().unwrap()]);
    let width = found.shape[1];
    for (x, found) in first.chunks_exact(c).zip(found.values.chunks_exact(width)) {
        let x: Vec<f64> = x.iter().map(|v| f64::from(*v)).collect();
        let expected = match case {
            "siglip" => wait(dense_of_siglip(&plain, &x)),
            _ => wait(dense_of_clip(&plain, &x)),
        };
        let expected: Vec<f32> = expected.into_iter().map(|v| v as f32).collect();
        let far = internvit::features::relative_l2(found, &expected);
        assert!(far < 1e-5, "{case}: {far}");
    }
    let whole = features.image_features(Some(width)).unwrap();
    assert!(
        internvit::features::relative_l2(&found.values[..width], &whole.values[..width]) > 1e-3
    );
}

#[test]
fn every_patch_alone_on_the_cpu() {
    for case in ["clip_quick_gelu", "siglip"] {
        dense(case, (&Device::Cpu).into());
    }
}

#[test]
fn every_patch_alone_on_the_gpu() {
    for case in ["clip_quick_gelu", "siglip"] {
        let Some(gpu) = gpu() else { return };
        dense(case, gpu.into());
    }
}

#[test]
fn models_without_texts_have_no_such_patches() {
    let checkpoint = wait(Checkpoint::open_path(&golden("vit_classification"))).unwrap();
    let encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    refused("no texts", wait(encoder.dense(&[0.0; 32], [1, 1])), "was not taught beside texts");
}
