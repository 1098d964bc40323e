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
