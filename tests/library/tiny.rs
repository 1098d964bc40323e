//! Read this first: the smallest test of everything. A random encoder of one block takes a
//! picture of four patches; GPU and twins agree; the plan reads like the paper.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use internvit::image::Picture;
use internvit::plan::{Input, record};
use internvit::{Device, Encoder, Images};

#[test]
fn gpu_and_twins_agree_on_one_block() {
    let config = config(16, 2, 32, 1, "");
    let picture = Picture::of(28, 28, (0..28 * 28 * 3).map(|i| i as u8).collect());
    let encode = |device: &Device| {
        let checkpoint = random_checkpoint(&format!("tiny-{device:?}"), &config);
        let mut encoder = wait(Encoder::load(checkpoint, device, &mut on_bytes)).unwrap();
        wait(encoder.encode(Images::Pictures(std::slice::from_ref(&picture)), &[0], &mut on))
            .unwrap()
    };
    let cpu = encode(&Device::Cpu);
    assert_eq!(cpu.tensors["last_hidden_state"].shape, [1, 5, 16]);
    assert_eq!(cpu.tensors["pooler_output"].shape, [1, 16]);
    assert_eq!(cpu.grid, Some([2, 2]));
    if gpu().is_none() {
        return;
    }
    let gpu = encode(&Device::Gpu);
    for (name, tensor) in &cpu.tensors {
        assert_close(name, &gpu.tensors[name].values, &tensor.values, 1e-6);
    }
}

#[test]
fn the_plan_reads_like_the_paper() {
    let spec = internvit::model::parse_config("config.json", &config(16, 2, 32, 1, "")).unwrap();
    let plan = record(&spec, Input::Rgba { height: 28, width: 28 }, 1, &[]).to_string();
    let steps: Vec<_> =
        plan.lines().skip(1).map(|line| line.split("  [").next().unwrap().trim()).collect();
    assert_eq!(
        steps,
        [
            "patchify  patches <- pixels",
            "linear    patch_embedding <- patches",
            "embed     hidden_states.0 <- patch_embedding, position",
            "norm      0.norm1 <- hidden_states.0",
            "linear    0.qkv <- 0.norm1",
            "attention 0.attention <- 0.qkv",
            "linear    0.attended <- 0.attention, hidden_states.0",
            "norm      0.norm2 <- 0.attended",
            "linear    0.mlp <- 0.norm2",
            "linear    hidden_states.1 <- 0.mlp, 0.attended",
            "output    last_hidden_state <- hidden_states.1",
        ]
    );
}
