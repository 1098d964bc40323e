//! InternViT-300M's shape with random weights: GPU and CPU agree through 24 layers, and what the
//! GPU needs besides the weights is bounded.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use internvit::features::relative_l2;
use internvit::gpu::{Choice, Gpu, Precision};
use internvit::image::Picture;
use internvit::plan::{Input, plan_arena, record};
use internvit::weights::{StoredType, init_checkpoint, init_shards};
use internvit::{Checkpoint, Compute, Device, Encoder, Images, Tensor};

#[test]
fn gpu_and_cpu_agree_on_24_layers_and_60_mb_hold_the_activations() {
    let Some(gpu) = gpu() else { return };
    let folder = scratch("large");
    let config =
        config(1024, 16, 4096, 24, "").replace("\"image_size\": 56", "\"image_size\": 448");
    init_checkpoint("c", &config, 1, StoredType::F16, &folder, &|_, _| ()).unwrap();
    let open = || wait(Checkpoint::open_path(&folder)).unwrap();
    let pictures = [Picture::noise(56).unwrap()];
    let encode = |mut encoder: Encoder| {
        let images = Images::Pictures(&pictures);
        let features = wait(encoder.encode(images, &[], &mut on)).unwrap();
        features.tensors["last_hidden_state"].values.clone()
    };
    let cpu = encode(wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap());
    let gpu = encode(wait(Encoder::load(open(), gpu, &mut on_bytes)).unwrap());
    let difference = relative_l2(&gpu, &cpu);
    println!("GPU and CPU differ by {difference:.1e}");
    assert!(difference < 1e-4, "{difference:.1e}");

    let plan = record(&open().spec, Input::Rgba { height: 448, width: 448 }, 1, &[]);
    let arena = plan_arena(&plan);
    let alone = (0..plan.slots.len())
        .filter(|slot| arena.buffer[*slot].is_none() && arena.owner[*slot] == *slot)
        .map(|slot| &plan.slots[slot])
        .filter(|slot| !slot.is_weight());
    let values = alone.map(|slot| slot.planes * slot.plane_stride(1)).sum::<usize>()
        + arena.sizes.iter().sum::<usize>();
    println!("activations at 448 px: {:.1} MB", 4e-6 * values as f64);
    assert!(4 * values < 60_000_000, "{} bytes", 4 * values);
    std::fs::remove_dir_all(folder).unwrap();
}

/// Two blocks of a model of several are on the device at a time, one in memory, and features are the
/// same to the bit.
#[test]
fn streamed_blocks_give_the_features_of_resident_ones() {
    if gpu().is_none() {
        return;
    }
    for (layers, stored, dtype) in
        [(5, StoredType::F16, Precision::F32), (3, StoredType::Bf16, Precision::Int4)]
    {
        let folder = scratch(&format!("streamed-{layers}-{stored:?}-{dtype:?}"));
        let config = config(96, 3, 384, layers, "").replace("\"layer_norm\"", "\"rms_norm\"");
        init_shards("c", &config, 1, stored, 100_000, &folder, &|_, _| ()).unwrap();
        let open = || wait(Checkpoint::open_path(&folder)).unwrap();
        assert!(open().file_names().count() > 1);
        let device = || {
            let mut gpu = wait(Gpu::open_as(&Choice::Auto, dtype)).unwrap();
            // As on GPUs, so that types of weights matter.
            gpu.caps.half_weights = true;
            // Bindings of 48 KB: products are split over their panels.
            gpu.caps.max_binding = 48 << 10;
            gpu
        };
        let pictures = [Picture::noise(56).unwrap(), Picture::noise(56).unwrap()];
        let encode = |encoder: &mut Encoder| {
            let images = Images::Pictures(&pictures);
            wait(encoder.encode(images, &[0, 1], &mut on)).unwrap().tensors
        };
        let mut resident = wait(Encoder::load(open(), device(), &mut on_bytes)).unwrap();
        let mut streamed =
            wait(Encoder::load(open(), Compute::from(device()).streamed(true), &mut on_bytes))
                .unwrap();
        let expected = encode(&mut resident);
        for run in 0..2 {
            assert!(encode(&mut streamed) == expected, "{layers} {stored:?} {dtype:?}, run {run}");
        }
        let hidden = &expected["hidden_states.0"].values[..17 * 96];
        let [a, b] = [&resident, &streamed]
            .map(|encoder| wait(encoder.attention(hidden, [4, 4], layers)).unwrap().queries);
        assert_eq!(a, b, "attention");
        if layers > 3 {
            let [all, two] = [resident.weight_bytes(), streamed.weight_bytes()];
            assert!(two * 10 < all * 8, "{two} of {all} bytes");
        }
        if dtype == Precision::F32 {
            let read = |encoder: internvit::Result<Encoder>| encode(&mut encoder.unwrap());
            let held = read(wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)));
            let on_cpu = wait(Encoder::load(
                open(),
                Compute::from(&Device::Cpu).precision(dtype).streamed(true),
                &mut on_bytes,
            ));
            let difference =
                |name: &str, other: &Tensor| relative_l2(&held[name].values, &other.values);
            for (name, tensor) in read(on_cpu) {
                assert!(difference(&name, &tensor) < 1e-6, "{name}");
            }
        }
        let none =
            wait(streamed.session_mut().compare(Images::Pictures(&pictures), &mut async |_, _| {
                std::ops::ControlFlow::Continue(())
            }));
        assert!(none.unwrap_err().to_string().contains("not streamed"));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

/// What does not fit is told before anything is read, with what helps.
#[test]
fn weights_beyond_the_memory_are_refused_with_the_choices() {
    let Some(mut small) = gpu() else { return };
    let checkpoint = || random_checkpoint("beyond", &config(96, 3, 384, 5, ""));
    small.caps.free = Some(1_000_000);
    let mut read = 0;
    let told = &mut async |_: u64, _: u64| {
        read += 1;
        std::ops::ControlFlow::Continue(())
    };
    let error = wait(Encoder::load(checkpoint(), small, told)).err().unwrap().to_string();
    assert_eq!(read, 0);
    // 5 blocks of 137 thousand values, as they are packed, and the embeddings, 4 bytes each.
    assert!(error.contains("take 0.003") && error.contains("has 0.001 GB free"), "{error}");
    for choice in ["int8", "int4", "streamed", "the CPU"] {
        assert!(error.contains(choice), "{error}");
    }
    let Some(mut small) = gpu() else { return };
    small.caps.free = Some(1_500_000);
    wait(Encoder::load(checkpoint(), Compute::from(small).streamed(true), &mut on_bytes)).unwrap();
    let Some(mut small) = gpu() else { return };
    small.caps.max_buffer = 100_000;
    let error = wait(Encoder::load(checkpoint(), small, &mut on_bytes)).err().unwrap();
    assert!(error.to_string().contains("streamed, blocks stay on disk"), "{error}");
}
