//! InternVL-C: pictures as InternVL-14B embeds them, against float64.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::common::*;
use internvit::cpu::{self, CpuWeights, Supply, Workspace};
use internvit::features::{likeness, unit};
use internvit::model::Pool;
use internvit::plan::{Input, Value, record};
use internvit::{Checkpoint, Compute, Device, Encoder, Images, Tensor, reference};

/// f32 against float64.
const TOLERANCE: f64 = 1e-5;

/// The fixture's tower with its pooling.
fn open() -> Checkpoint {
    wait(Checkpoint::open_path(&golden("internvl_14b"))).unwrap()
}

fn check(who: &str, compute: Compute) {
    let folder = golden("internvl_14b");
    let expected = tensors(&folder.join("expected.safetensors"));
    let pixels = tensors(&folder.join("input.safetensors")).remove("pixel_values").unwrap();
    let mut encoder = wait(Encoder::load(open(), compute, &mut on_bytes)).unwrap();
    let shape = pixels.shape.as_slice().try_into().unwrap();
    let images = Images::PixelValues { shape, values: &pixels.values };
    let found = wait(encoder.encode(images, &[], &mut on)).unwrap();
    let scale = wait(encoder.scale()).unwrap();
    let images = found.image_features(encoder.spec().image_features()).unwrap();
    let joint = likeness(images, &expected["text_embeds"], &scale).unwrap();
    for (name, found) in [
        ("vision.last_hidden_state", &found.tensors["last_hidden_state"]),
        ("image_embeds.c", images),
        ("logits_per_image.c", &joint["logits_per_image"]),
    ] {
        assert_eq!(found.shape, expected[name].shape, "{who} {name}");
        assert_close(&format!("{who} {name}"), &found.values, &expected[name].values, TOLERANCE);
    }
}

#[test]
fn pictures_are_embedded_on_the_cpu() {
    check("cpu", (&Device::Cpu).into());
}

#[test]
fn pictures_are_embedded_on_the_gpu() {
    let Some(gpu) = gpu() else { return };
    check("gpu", gpu.into());
}

/// The pooling alone: an encoder without blocks, whose last hidden state is what it is fed.
#[test]
fn the_mean_attends_to_all_tokens() {
    let folder = golden("pooling_14b");
    let expected = tensors(&folder.join("expected.safetensors"));
    let given = tensors(&folder.join("input.safetensors")).remove("last_hidden_state").unwrap();
    let [batch, tokens, hidden] = given.shape[..] else { panic!("{:?}", given.shape) };
    let mut spec = open().spec;
    [spec.sizes.hidden, spec.sizes.layers] = [hidden, 0];
    spec.pool = Pool::MeanQuery { heads: 4, width: 24 };
    let plan = record(&spec, Input::PixelEmbeds { tokens }, batch, &[]);
    let stored = tensors(&folder.join("model.safetensors"));
    let named = |name: &str| {
        let name = name.strip_prefix("pool.").unwrap().replace("norm_", "norm1_");
        let inner = match name.split_once('.').unwrap() {
            (norm, _) if norm.starts_with("norm") => name,
            (part @ ("q" | "k" | "v"), "bias") => format!("cross_attn.{part}_bias"),
            _ => format!("cross_attn.{name}"),
        };
        stored[&format!("clip_projector.{inner}")].values.clone()
    };
    let weights: HashMap<String, Vec<f32>> =
        plan.weights().map(|slot| (slot.name.clone(), named(&slot.name))).collect();
    assert_eq!(weights.len(), stored.len());
    let inputs = [(plan.slot("pixel_embeds").unwrap(), Value::F32(&given.values))];
    let output = plan.outputs.iter().find(|(name, _)| name == "image_features").unwrap().1;
    let close = |who: &str, outputs: Vec<(usize, Vec<f32>)>| {
        let values = outputs.into_iter().find(|(slot, _)| *slot == output).unwrap().1;
        assert_close(&format!("{who} pooled"), &values, &expected["pooled"].values, TOLERANCE);
        let directions = unit(&Tensor { shape: vec![batch, 24], values });
        let expected = &expected["image_embeds"].values;
        assert_close(&format!("{who} image_embeds"), &directions.values, expected, TOLERANCE);
    };
    let watch = &mut async |_: &_, _: &[f32]| ControlFlow::Continue(());
    close("twins", wait(reference::run(&plan, batch, &weights, &inputs, watch)).unwrap());
    let plans = [plan.clone()];
    let go_on = &mut async |_| ControlFlow::Continue(());
    let held = wait(CpuWeights::load(&plans, &weights, None, None, go_on)).unwrap();
    let mut space = Workspace::default();
    let watch = &mut async |_: &_| ControlFlow::Continue(());
    let found = cpu::run(&plan, batch, Supply::Held(&held), &mut space, &inputs, watch);
    close("cpu", wait(found).unwrap());
}
