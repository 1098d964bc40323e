//! The whole encoder against fixtures computed in float64 from the weights as stored.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use crate::common::*;
use internvit::gpu::{Family, Gpu};
use internvit::plan::{Host, Input, Plan, SlotId, Value, record};
use internvit::weights::Values;
use internvit::{Checkpoint, Device, Encoder, Features, Images, reference};

/// f32 against float64.
const TOLERANCE: f64 = 1e-5;
/// f16 between kernels: roundings of 2e-4 in the mean, over a few blocks.
const HALF: f64 = 3e-3;

const FIXTURES: [&str; 4] = [
    "encoder_hf_native",
    "encoder_interpolated_nonsquare",
    "encoder_ln_bias_bf16",
    "encoder_rms_qknorm_f16",
];

/// Other families, whose tolerance is their own.
pub(crate) const FAMILIES: [&str; 32] = [
    "beit_classification",
    "beit_interpolated",
    "clip_openclip",
    "clip_quick_gelu",
    "deit3_timm",
    "deit_distilled",
    "dinov2_classification",
    "dinov2_registers",
    "dinov2_registers_timm",
    "dinov2_swiglu_interpolated",
    "dinov3",
    "dinov3_timm",
    "eva01_timm",
    "eva02_clip_openclip",
    "eva02_clip_timm",
    "eva02_post_norm_timm",
    "eva02_timm",
    "janus_tower",
    "mae_encoder",
    "openvision",
    "paligemma_tower",
    "siglip",
    "siglip2_fixed",
    "siglip_vision_only",
    "swin_classification",
    "swin_padded",
    "swin_timm",
    "tokenflow_tower",
    "vit22b_block",
    "vit_classification",
    "vit_pooler_interpolated",
    "vit_timm",
];

fn all() -> impl Iterator<Item = &'static str> {
    FIXTURES.into_iter().chain(FAMILIES)
}

pub(crate) fn encode(encoder: &mut Encoder, fixture: &str, taps: &[usize]) -> Features {
    let input = tensors(&golden(fixture).join("input.safetensors")).remove("pixel_values").unwrap();
    let shape: [usize; 4] = input.shape.as_slice().try_into().unwrap();
    wait(encoder.encode(Images::PixelValues { shape, values: &input.values }, taps, &mut on))
        .unwrap()
}

fn check(encoder: &mut Encoder, fixture: &str, who: &str, tolerance: f64) {
    let expected = tensors(&golden(fixture).join("expected.safetensors"));
    let taps: Vec<usize> = expected
        .keys()
        .filter_map(|name| name.strip_prefix("hidden_states.")?.parse().ok())
        .collect();
    let found = encode(encoder, fixture, &taps);
    for (name, tensor) in expected.iter().filter(|(name, _)| of_pictures(name)) {
        assert_eq!(found.tensors[name].shape, tensor.shape, "{fixture} {name}");
        let what = format!("{who} {fixture} {name}");
        assert_close(&what, &found.tensors[name].values, &tensor.values, tolerance);
    }
    if who == "gpu" {
        // Kept for the browser's test, which must agree with it to 1e-4.
        let folder = crate::common::root().join("target/golden-native");
        std::fs::create_dir_all(&folder).unwrap();
        let last = &found.tensors["last_hidden_state"];
        let list =
            [("last_hidden_state".to_string(), last.shape.clone(), Values::F32(&last.values))];
        let file = folder.join(format!("{fixture}.safetensors"));
        internvit::weights::write_safetensors(&file, &list).unwrap();
    }
}

/// Whether an output is of the tower of pictures alone.
fn of_pictures(name: &str) -> bool {
    let joint = ["text_", "logits_per_", "probabilities", "image_embeds"];
    !joint.iter().any(|start| name.starts_with(start))
}

fn open(fixture: &str) -> Checkpoint {
    wait(Checkpoint::open_path(&golden(fixture))).unwrap()
}

pub(crate) fn on_gpu(fixture: &str, gpu: Gpu) -> Encoder {
    wait(Encoder::load(open(fixture), gpu, &mut on_bytes)).unwrap()
}

#[test]
fn cpu_matches_float64() {
    for fixture in all() {
        let mut encoder = wait(Encoder::load(open(fixture), &Device::Cpu, &mut on_bytes)).unwrap();
        check(&mut encoder, fixture, "cpu", TOLERANCE);
    }
}

/// What a plan is fed.
fn fed<'a>(plan: &Plan, pixels: &'a [f32], host: &'a [Host]) -> Vec<(SlotId, Value<'a>)> {
    let host = host.iter().map(|made| (made.slot.as_str(), made.values.as_slice()));
    let all = [("pixels", pixels)].into_iter().chain(host);
    all.filter_map(|(name, values)| Some((plan.slot(name)?, Value::F32(values)))).collect()
}

/// The oracle of the kernels' tests, itself held against float64.
#[test]
fn twins_match_float64() {
    for fixture in all() {
        let checkpoint = open(fixture);
        let spec = checkpoint.spec.clone();
        let given = tensors(&golden(fixture).join("input.safetensors"));
        let expected = tensors(&golden(fixture).join("expected.safetensors"));
        let given = fed_pixels(&given["pixel_values"], &spec);
        let [batch, _, height, width] = given.shape.as_slice().try_into().unwrap();
        let input = Input::PixelValues { height, width };
        let grid = input.grid(spec.sizes.patch).unwrap();
        let host = wait(checkpoint.host_inputs(grid)).unwrap();
        let plan = record(&spec, input, batch, &[]);
        let inputs = fed(&plan, &given.values, &host);
        let go_on = &mut async |_: &_, _: &[f32]| ControlFlow::Continue(());
        let found = wait(reference::run(&plan, batch, &checkpoint, &inputs, go_on)).unwrap();
        // All that is computed of the last hidden state too.
        for (name, slot) in &plan.outputs {
            let Some(expected) = expected.get(name) else { continue };
            let found = &found.iter().find(|(output, _)| output == slot).unwrap().1;
            assert_close(&format!("twins {fixture} {name}"), found, &expected.values, TOLERANCE);
        }
    }
}

#[test]
fn gpu_matches_float64() {
    for fixture in all() {
        let Some(gpu) = gpu() else { return };
        check(&mut on_gpu(fixture, gpu), fixture, "gpu", TOLERANCE);
    }
}

/// The other variant of the linear kernel, with WebGPU's default limits.
#[test]
fn gpu_kernels_match_float64_with_default_limits() {
    for fixture in all() {
        let Some(mut gpu) = small_gpu() else { return };
        gpu.caps.software = !gpu.caps.software;
        check(&mut on_gpu(fixture, gpu), fixture, "other variant", TOLERANCE);
    }
}

/// Weights that 16 bits hold exactly take half the memory and give the same result.
#[test]
fn half_weights_match_float64() {
    for (fixture, halved) in FIXTURES.into_iter().zip([false, false, true, true]) {
        for software in [true, false] {
            let Some(mut gpu) = gpu() else { return };
            gpu.caps.software = software;
            gpu.caps.half_weights = false;
            let whole = on_gpu(fixture, gpu).weight_bytes() as f64;
            let Some(mut gpu) = crate::common::gpu() else { return };
            gpu.caps.software = software;
            gpu.caps.half_weights = true;
            let mut encoder = on_gpu(fixture, gpu);
            let share = encoder.weight_bytes() as f64 / whole;
            assert_eq!(share < 0.6, halved, "{fixture}: {share}");
            check(&mut encoder, fixture, "half weights", TOLERANCE);
        }
    }
}

/// f16 in memory between kernels, f32 in sums, with the kernels of every kind of device.
#[test]
fn half_precision_stays_near_float64() {
    for family in Family::ALL.iter().copied() {
        for fixture in FIXTURES {
            let Some(mut gpu) = half_gpu() else { return };
            if !family.runs_on(&gpu.caps) {
                eprintln!("SKIPPED {family:?}: {} cannot run it", gpu.report.name);
                break;
            }
            gpu.caps.software = family.software();
            match family {
                Family::Software => gpu.caps.subgroup = 0,
                Family::SoftwareSubgroups | Family::Portable => {}
                _ => gpu.forced = Some(family),
            }
            assert_eq!(gpu.family(), family);
            let mut encoder = on_gpu(fixture, gpu);
            check(&mut encoder, fixture, &format!("f16 {family:?}"), HALF);
        }
    }
}

/// Widths that are no multiples of anything compute wherever there is a kernel for them; where there is
/// none the device says so, and the CPU computes.
#[test]
fn odd_widths() {
    let odd = r#", "patch_size": 7, "image_size": 21"#;
    for (name, shape, limit) in [
        ("odd-mlp", config(24, 3, 30, 2, odd), None),
        ("odd-heads", config(30, 2, 26, 2, odd), Some("heads of a multiple of 4 channels")),
        ("wide-heads", config(264, 1, 18, 1, odd), Some("heads of a multiple of 4 channels")),
    ] {
        let checkpoint = random_checkpoint(name, &shape);
        let values = noise(5, 2 * 3 * 21 * 28);
        let images = Images::PixelValues { shape: [2, 3, 21, 28], values: &values };
        let plan = record(&checkpoint.spec, Input::PixelValues { height: 21, width: 28 }, 2, &[]);
        let host = wait(checkpoint.host_inputs([3, 4])).unwrap();
        let inputs = fed(&plan, &values, &host);
        let go_on = &mut async |_: &_, _: &[f32]| ControlFlow::Continue(());
        let mut twins = wait(reference::run(&plan, 2, &checkpoint, &inputs, go_on)).unwrap();
        let twins = twins.pop().unwrap().1;
        let on_cpu = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let on_gpu = gpu()
            .map(|gpu| wait(Encoder::load(random_checkpoint(name, &shape), gpu, &mut on_bytes)));
        let mut loaded = vec![on_cpu];
        match (on_gpu, limit) {
            (Some(Err(error)), Some(limit)) => {
                assert!(error.to_string().contains(limit), "{error}")
            }
            (Some(found), _) => loaded.push(found.unwrap()),
            (None, _) => {}
        }
        assert!(loaded.len() == 1 || limit.is_none(), "{name}: {limit:?} is no limit");
        for mut encoder in loaded {
            let found = wait(encoder.encode(images, &[], &mut on)).unwrap();
            let what = format!("{name} on {}", encoder.gpu().map_or("CPU", |_| "GPU"));
            assert_close(&what, &found.tensors["last_hidden_state"].values, &twins, TOLERANCE);
        }
    }
}

/// What f16 saves: half of all but the residual stream, and half of the matrices.
#[test]
fn half_precision_takes_less_memory() {
    let [mut whole, mut half] = [gpu(), half_gpu()].map(|gpu| {
        let mut gpu = gpu?;
        gpu.caps.software = false;
        gpu.caps.matrix = 0;
        let checkpoint = random_checkpoint("saving", &config(128, 2, 512, 2, ""));
        let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
        let values = noise(3, 4 * 3 * 56 * 56);
        let images = Images::PixelValues { shape: [4, 3, 56, 56], values: &values };
        wait(encoder.encode(images, &[], &mut on)).unwrap();
        Some([encoder.session().slot_bytes(), encoder.weight_bytes()].map(|bytes| bytes as f64))
    });
    if let (Some(whole), Some(half)) = (whole.take(), half.take()) {
        let [slots, weights] = [half[0] / whole[0], half[1] / whole[1]];
        assert!(slots < 0.75 && weights < 0.55, "slots {slots}, weights {weights}");
    }
}

/// Split over bindings of 384 KiB, several runs a batch.
#[test]
fn split_runs_match_float64() {
    let Some(mut gpu) = gpu() else { return };
    gpu.caps.max_binding = 384 << 10;
    check(&mut on_gpu("encoder_interpolated_nonsquare", gpu), FIXTURES[1], "split", TOLERANCE);
}

/// What the first block takes can be given instead of pixels.
#[test]
fn embeddings_take_the_place_of_pixels() {
    for device in [Device::Cpu, Device::Gpu] {
        if device == Device::Gpu && gpu().is_none() {
            return;
        }
        let fixture = "encoder_rms_qknorm_f16";
        let mut encoder = wait(Encoder::load(open(fixture), &device, &mut on_bytes)).unwrap();
        let whole = encode(&mut encoder, fixture, &[0]);
        let embedded = &whole.tensors["hidden_states.0"];
        let shape: [usize; 3] = embedded.shape.as_slice().try_into().unwrap();
        let images = Images::PixelEmbeds { shape, values: &embedded.values };
        let again = wait(encoder.encode(images, &[], &mut on)).unwrap();
        assert_eq!(again.tensors["last_hidden_state"], whole.tensors["last_hidden_state"]);
        assert_eq!(again.grid, None);
    }
}

/// Every legal width of head, both norms, with and without biases: GPU against twins.
#[test]
fn configurations_agree() {
    let variants = [
        (128, 2, 260, ""),
        (160, 2, 64, r#", "norm_type": "rms_norm", "qkv_bias": false, "qk_normalization": true"#),
        (256, 2, 516, r#", "qk_normalization": true"#),
        (72, 3, 36, r#", "norm_type": "rms_norm""#),
    ];
    for (i, (hidden, heads, mlp, extra)) in variants.into_iter().enumerate() {
        let Some(gpu) = gpu() else { return };
        // A later key wins, as in every JSON reader.
        let checkpoint =
            random_checkpoint(&format!("agree-{i}"), &config(hidden, heads, mlp, 2, extra));
        let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
        let values = noise(3, 2 * 3 * 70 * 42);
        let images = Images::PixelValues { shape: [2, 3, 70, 42], values: &values };
        wait(encoder.session_mut().compare(images, &mut async |name, difference| {
            assert!(difference < 3e-6, "{hidden} {heads} {name}: {difference}");
            std::ops::ControlFlow::Continue(())
        }))
        .unwrap();
    }
}

/// 4,097 tokens within WebGPU's default limits.
#[test]
fn four_thousand_tokens() {
    let Some(gpu) = small_gpu() else { return };
    let checkpoint = random_checkpoint("long", &config(32, 1, 32, 1, ""));
    let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
    let side = 64 * 14;
    let values = noise(5, 3 * side * side);
    let images = Images::PixelValues { shape: [1, 3, side, side], values: &values };
    wait(encoder.session_mut().compare(images, &mut async |name, difference| {
        assert!(difference < 3e-6, "{name}: {difference}");
        std::ops::ControlFlow::Continue(())
    }))
    .unwrap();
}

/// A device that a model has left holds nothing of it, and gives the next the bits that a new one gives.
#[test]
fn a_device_goes_from_model_to_model() {
    let Some(gpu) = gpu() else { return };
    let mut first = on_gpu("encoder_rms_qknorm_f16", gpu);
    encode(&mut first, "encoder_rms_qknorm_f16", &[1]);
    let gpu = first.into_gpu().unwrap();
    assert_eq!(gpu.held(), 0);
    let mut next = on_gpu("encoder_hf_native", gpu);
    let found = encode(&mut next, "encoder_hf_native", &[1]);
    let Some(gpu) = self::gpu() else { return };
    assert!(found == encode(&mut on_gpu("encoder_hf_native", gpu), "encoder_hf_native", &[1]));
    next.gpu().unwrap().lose();
    assert!(next.into_gpu().is_none());
    let cpu = wait(Encoder::load(open("encoder_hf_native"), &Device::Cpu, &mut on_bytes)).unwrap();
    assert!(cpu.into_gpu().is_none());
}

#[test]
fn a_run_can_be_cancelled() {
    for device in [Device::Cpu, Device::Gpu] {
        if device == Device::Gpu && gpu().is_none() {
            return;
        }
        let mut encoder = wait(Encoder::load(open(FIXTURES[0]), &device, &mut on_bytes)).unwrap();
        let values = vec![0.0; 3 * 84 * 84];
        let images = Images::PixelValues { shape: [1, 3, 84, 84], values: &values };
        let stop =
            wait(encoder.encode(images, &[], &mut async |_, _| std::ops::ControlFlow::Break(())));
        assert_eq!(stop.unwrap_err().to_string(), "cancelled");
        wait(encoder.encode(images, &[], &mut on)).unwrap();
    }
}

#[test]
fn unfit_inputs_are_refused() {
    let mut encoder = wait(Encoder::load(open(FIXTURES[0]), &Device::Cpu, &mut on_bytes)).unwrap();
    let values = vec![0.0; 3 * 84 * 84];
    let pixels = |shape| Images::PixelValues { shape, values: &values };
    let embeds = |shape| Images::PixelEmbeds { shape, values: &values };
    let cases = [
        (pixels([1, 3, 84, 83]), vec![], "expected 20916 values"),
        (pixels([1, 3, 84, 13]), vec![], "at least a patch of 14"),
        (pixels([1, 1, 84, 84]), vec![], "expected 3 channels"),
        (pixels([2, 3, 84, 84]), vec![], "expected 42336 values"),
        (pixels([0, 3, 84, 84]), vec![], "at least one"),
        (pixels([1, 3, 84, 84]), vec![3], "hidden state 3: expected 0 to 2"),
        (embeds([1, 5, 63]), vec![], "expected 64 channels"),
        (Images::Pictures(&[]), vec![], "no pictures"),
    ];
    for (images, taps, expected) in cases {
        let error = wait(encoder.encode(images, &taps, &mut on)).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    }
}
