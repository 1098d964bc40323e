//! InternViT-300M's shape with random weights: GPU and CPU agree through 24 layers, and what the
//! GPU needs besides the weights is bounded.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
use common::*;
use internvit::features::relative_l2;
use internvit::image::Picture;
use internvit::plan::{Input, plan_arena, record};
use internvit::weights::{StoredType, init_checkpoint};
use internvit::{Checkpoint, Device, Encoder, Images};

#[test]
fn gpu_and_cpu_agree_on_24_layers_and_60_mb_hold_the_activations() {
    let Some(gpu) = gpu() else { return };
    let folder = scratch("large");
    let config =
        config(1024, 16, 4096, 24, "").replace("\"image_size\": 56", "\"image_size\": 448");
    init_checkpoint("c", &config, 1, StoredType::F16, &folder, &|_, _| ()).unwrap();
    let open = || wait(Checkpoint::open_path(&folder)).unwrap();
    let pictures = [Picture::noise(56)];
    let encode = |mut encoder: Encoder| {
        let images = Images::Pictures(&pictures);
        let features = wait(encoder.encode(images, &[], &mut on)).unwrap();
        features.tensors["last_hidden_state"].values.clone()
    };
    let cpu = encode(wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap());
    let gpu = encode(wait(Encoder::on_gpu(open(), gpu, &mut on_bytes)).unwrap());
    let difference = relative_l2(&gpu, &cpu);
    println!("GPU and CPU differ by {difference:.1e}");
    assert!(difference < 1e-4, "{difference:.1e}");

    let plan = record(&open().spec, Input::Rgba { height: 448, width: 448 }, 1, &[]);
    let arena = plan_arena(&plan);
    let alone = plan.slots.iter().zip(&arena.buffer).filter(|(_, buffer)| buffer.is_none());
    let values = alone.map(|(slot, _)| slot.planes * slot.plane_stride(1)).sum::<usize>()
        + arena.sizes.iter().sum::<usize>();
    println!("activations at 448 px: {:.1} MB", 4e-6 * values as f64);
    assert!(4 * values < 60_000_000, "{} bytes", 4 * values);
    std::fs::remove_dir_all(folder).unwrap();
}
