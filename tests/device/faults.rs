//! What goes wrong on a device while it computes: lost, out of memory, too small, values that are no
//! numbers. Nothing panics, nothing hangs, and the encoder is of use afterwards.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use crate::common::*;
use internvit::gpu::Gpu;
use internvit::image::Normal;
use internvit::session::Residency;
use internvit::weights::{StoredType, init_checkpoint};
use internvit::{Checkpoint, Compute, Device, Encoder, Error, Features, Images, Result, Tensor};

const FIXTURE: &str = "encoder_ln_bias_bf16";

fn open() -> Checkpoint {
    wait(Checkpoint::open_path(&golden(FIXTURE))).unwrap()
}

fn on_gpu(gpu: Gpu) -> Encoder {
    wait(Encoder::load(open(), gpu, &mut on_bytes)).unwrap()
}

fn input() -> Tensor {
    tensors(&golden(FIXTURE).join("input.safetensors")).remove("pixel_values").unwrap()
}

fn encode(encoder: &mut Encoder, taps: &[usize]) -> Result<Features> {
    let input = input();
    let shape = input.shape.as_slice().try_into().unwrap();
    wait(encoder.encode(Images::PixelValues { shape, values: &input.values }, taps, &mut on))
}

fn is_lost<T>(result: Result<T>, words: &str) {
    match result {
        Err(Error::Lost(text)) => assert!(text.contains(words), "{text}"),
        Err(other) => panic!("expected a lost device, found: {other}"),
        Ok(_) => panic!("a lost device computed"),
    }
}

/// Every call on a lost device says so at once; the next encoding opens it again, with its kernels and
/// limits, and gives the same bits.
#[test]
fn a_lost_device_is_opened_anew() {
    let small = || {
        let mut gpu = small_gpu()?;
        gpu.caps.max_binding = 384 << 10;
        Some(gpu)
    };
    for make in [&gpu as &dyn Fn() -> Option<Gpu>, &half_gpu, &small] {
        for streamed in [false, true] {
            let Some(gpu) = make() else { return };
            let compute = Compute::from(gpu).streamed(streamed);
            let mut encoder = wait(Encoder::load(open(), compute, &mut on_bytes)).unwrap();
            let caps = encoder.gpu().unwrap().caps.clone();
            let family = encoder.gpu().unwrap().family();
            let expected = encode(&mut encoder, &[0]).unwrap();
            let given = input();
            let shape = given.shape.as_slice().try_into().unwrap();
            let images = Images::PixelValues { shape, values: &given.values };
            let held = wait(encoder.encode_to(images, &[], Residency::Device, &mut on)).unwrap();
            encoder.gpu().unwrap().lose();
            is_lost(wait(held.tensor(encoder.session(), "last_hidden_state")), "it was destroyed");
            let state = &expected.tensors["hidden_states.0"];
            let one = &state.values[..state.shape[1] * state.shape[2]];
            is_lost(wait(encoder.attention(one, expected.grid.unwrap(), 1)), "stopped");
            is_lost(wait(encoder.session().ceilings(&|| 0.0)), "stopped");
            if !streamed {
                is_lost(wait(encoder.session_mut().profile(images, &|| 0.0, &mut on)), "stopped");
            }
            assert!(encoder.notes().is_empty());
            assert!(encode(&mut encoder, &[0]).unwrap() == expected, "other bits");
            assert_eq!(encoder.notes().len(), 1, "{:?}", encoder.notes());
            assert!(encoder.notes()[0].contains("opened again"), "{:?}", encoder.notes());
            assert_eq!(encoder.gpu().unwrap().caps, caps);
            assert_eq!(encoder.gpu().unwrap().family(), family);
            is_lost(
                wait(held.tensor(encoder.session(), "last_hidden_state")),
                "encode the picture again",
            );
        }
    }
}

/// Wherever in a job the device is lost, its second run gives the same; lost again, the job ends with
/// that error, and the next one is computed.
#[test]
fn a_job_is_computed_once_more() {
    let Some(gpu) = gpu() else { return };
    let faults = gpu.fault_injector();
    let mut encoder = on_gpu(gpu);
    let expected = encode(&mut encoder, &[1]).unwrap();
    let mut losses = 0;
    for submissions in [0, 1, 2, 3, 9] {
        let before = encoder.notes().len();
        faults.lose_after(&[submissions]);
        assert!(encode(&mut encoder, &[1]).unwrap() == expected, "lost after {submissions}");
        losses += encoder.notes().len() - before;
    }
    assert!(losses >= 2, "the device was lost {losses} times");
    let mut reported = 0;
    for submissions in [0, 1, 5, 10, 15, 20, 60] {
        faults.lose_after(&[0, submissions]);
        match encode(&mut encoder, &[1]) {
            Ok(features) => assert!(features == expected, "lost after {submissions}"),
            again => {
                is_lost(again, "stopped: it was destroyed");
                reported += 1;
            }
        }
    }
    faults.lose_after(&[]);
    assert!(encode(&mut encoder, &[1]).unwrap() == expected);
    assert!((2..7).contains(&reported), "reported {reported} times");
}

/// A device that is lost while weights are brought to it is opened again too, and bringing them again
/// can be stopped.
#[test]
fn loading_survives_a_loss() {
    let Some(gpu) = gpu() else { return };
    let expected = encode(&mut on_gpu(gpu), &[]).unwrap();
    for submissions in 0..2 {
        let Some(gpu) = crate::common::gpu() else { return };
        gpu.fault_injector().lose_after(&[submissions]);
        let mut encoder = on_gpu(gpu);
        assert!(encode(&mut encoder, &[]).unwrap() == expected);
        encoder.gpu().unwrap().lose();
        let given = input();
        let shape = given.shape.as_slice().try_into().unwrap();
        let images = Images::PixelValues { shape, values: &given.values };
        let stop = &mut async |_, _| ControlFlow::Break(());
        assert_eq!(wait(encoder.encode(images, &[], stop)).unwrap_err().to_string(), "cancelled");
        assert!(encode(&mut encoder, &[]).unwrap() == expected);
    }
}

/// A random model of three blocks with a head of none, after `change` was made to its tensors.
fn changed(name: &str, change: &dyn Fn(&str, &mut Vec<f32>)) -> Checkpoint {
    let folder = scratch(name);
    let text = config(64, 2, 128, 3, "");
    init_checkpoint("config.json", &text, 1, StoredType::F32, &folder, &|_, _| ()).unwrap();
    let file = folder.join("model.safetensors");
    rewrite(&file, change);
    wait(Checkpoint::open_path(&folder)).unwrap()
}

fn scale(values: &mut [f32], by: f32) {
    values.iter_mut().for_each(|v| *v *= by);
}

/// Three pictures, the middle one of other values.
fn three() -> Vec<f32> {
    noise(7, 3 * 3 * 56 * 56)
}

fn encode_three(encoder: &mut Encoder, values: &[f32], keep: bool) -> Result<Tensor> {
    let images = Images::PixelValues { shape: [3, 3, 56, 56], values };
    if keep {
        let held = wait(encoder.encode_to(images, &[1], Residency::Device, &mut on))?;
        return wait(held.tensor(encoder.session(), "last_hidden_state"));
    }
    let features = wait(encoder.encode(images, &[], &mut on))?;
    Ok(features.tensors["last_hidden_state"].clone())
}

/// A checkpoint of the test `name` on the CPU, on the GPU, and there with features kept.
fn everywhere(name: &str, change: &dyn Fn(&str, &mut Vec<f32>)) -> Vec<(Encoder, bool)> {
    let cpu = wait(Encoder::load(changed(name, change), &Device::Cpu, &mut on_bytes)).unwrap();
    let mut list = vec![(cpu, false)];
    for keep in [false, true] {
        if let Some(gpu) = gpu() {
            let checkpoint = changed(name, change);
            list.push((wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap(), keep));
        }
    }
    list
}

#[test]
fn weights_that_are_no_numbers_are_named() {
    for value in [f32::NAN, f32::INFINITY] {
        let change = |name: &str, values: &mut Vec<f32>| {
            if name == "encoder.layers.1.mlp.fc1.bias" {
                values[5] = value;
            }
        };
        for (mut encoder, keep) in everywhere("no-number", &change) {
            let error = encode_three(&mut encoder, &three(), keep).unwrap_err();
            let text = error.to_string();
            assert!(matches!(error, Error::Checkpoint { .. }), "{text}");
            assert!(text.contains("encoder.layers.1.mlp.fc1.bias, in block 2"), "{text}");
        }
    }
}

#[test]
fn values_that_overflow_are_named() {
    let change = |name: &str, values: &mut Vec<f32>| {
        if name == "encoder.layers.2.mlp.fc1.weight" || name == "encoder.layers.2.mlp.fc2.weight" {
            scale(values, 1e22);
        }
    };
    for (mut encoder, keep) in everywhere("overflow", &change) {
        let error = encode_three(&mut encoder, &three(), keep).unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, Error::NotFinite(_)), "{text}");
        let expected = "last_hidden_state of picture 0 holds NaN or infinity, from block 3 on \
                        (hidden_states.3)";
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn given_values_that_are_no_numbers_are_named() {
    for (mut encoder, keep) in everywhere("given", &|_, _| ()) {
        let mut values = three();
        values[2 * 3 * 56 * 56 + 11] = f32::NAN;
        let error = encode_three(&mut encoder, &values, keep).unwrap_err();
        assert_eq!(error.to_string(), "picture 2: NaN or infinity among its values");
        encode_three(&mut encoder, &three(), keep).unwrap();
    }
}

/// What f16 cannot hold is computed in f32, once and for all, and said.
#[test]
fn f16_that_overflows_falls_back_to_f32() {
    let change = |name: &str, values: &mut Vec<f32>| match name {
        "encoder.layers.1.norm2.weight" => scale(values, 1e8),
        "encoder.layers.1.mlp.fc2.weight" => scale(values, 1e-8),
        _ => (),
    };
    for keep in [false, true] {
        let Some(gpu) = gpu() else { return };
        let checkpoint = || changed("beyond-f16", &change);
        let mut whole = wait(Encoder::load(checkpoint(), gpu, &mut on_bytes)).unwrap();
        let expected = encode_three(&mut whole, &three(), keep).unwrap();
        assert!(whole.notes().is_empty());
        let Some(half) = half_gpu() else { return };
        let mut encoder = wait(Encoder::load(checkpoint(), half, &mut on_bytes)).unwrap();
        for _ in 0..2 {
            let found = encode_three(&mut encoder, &three(), keep).unwrap();
            assert!(found == expected, "{:?}", encoder.notes());
            let notes = encoder.notes();
            assert_eq!(notes.len(), 1, "{notes:?}");
            assert!(notes[0].contains("from block 2 on (hidden_states.2); computing in f32"));
        }
    }
}

/// So are weights that f16 cannot hold.
#[test]
fn weights_beyond_f16_are_kept_in_f32() {
    let change = |name: &str, values: &mut Vec<f32>| {
        if name == "encoder.layers.1.attn.proj.weight" {
            values[0] = 7e4;
        }
    };
    let Some(half) = half_gpu() else { return };
    let checkpoint = || changed("weight-beyond-f16", &change);
    let mut encoder = wait(Encoder::load(checkpoint(), half, &mut on_bytes)).unwrap();
    assert_eq!(
        encoder.notes(),
        ["encoder.layers.1.attn.proj.weight: values beyond the range of f16; computing in f32"]
    );
    let Some(gpu) = gpu() else { return };
    let mut whole = wait(Encoder::load(checkpoint(), gpu, &mut on_bytes)).unwrap();
    let expected = encode_three(&mut whole, &three(), false).unwrap();
    assert!(encode_three(&mut encoder, &three(), false).unwrap() == expected);
}

/// Makes a device smaller.
type Limit = dyn Fn(&mut Gpu);

/// What does not fit is refused by name, with what would help; a smaller request is then computed as
/// ever, and nothing of the larger one is kept.
#[test]
fn what_does_not_fit_is_refused() {
    let cases: [(&Limit, &str); 4] = [
        (&|gpu| gpu.caps.max_buffer = 1 << 20, "allows buffers of 1048576 bytes"),
        (&|gpu| gpu.caps.max_binding = 256 << 10, "allows bindings of 262144 bytes"),
        (&|gpu| gpu.caps.free = Some(4 << 20), "has no memory for"),
        (&|_| (), ""),
    ];
    for (limit, words) in cases {
        let Some(mut gpu) = gpu() else { return };
        limit(&mut gpu);
        let mut encoder = on_gpu(gpu);
        let expected = encode(&mut encoder, &[0]).unwrap();
        let held = encoder.gpu().unwrap().held();
        let side = 56 * 14;
        let values = vec![0.5; 3 * side * side];
        let images = Images::PixelValues { shape: [1, 3, side, side], values: &values };
        let large = wait(encoder.encode(images, &[], &mut on));
        if words.is_empty() {
            large.unwrap();
        } else {
            let text = large.unwrap_err().to_string();
            assert!(text.contains(words) && text.contains("take a smaller picture"), "{text}");
            let after = encoder.gpu().unwrap().held();
            assert!(after < held, "{after} bytes held, {held} before");
        }
        assert!(encode(&mut encoder, &[0]).unwrap() == expected, "{words}");
        let weights = encoder.weight_bytes();
        let held = encoder.gpu().unwrap().held();
        assert!(held > weights && held < weights + (4 << 20), "{held} held, weights {weights}");
    }
    for (limit, words) in [
        (&(|gpu: &mut Gpu| gpu.caps.max_buffer = 10_000) as &Limit, "allows buffers"),
        (&|gpu| gpu.caps.free = Some(10_000), "the weights take"),
    ] {
        let Some(mut gpu) = gpu() else { return };
        limit(&mut gpu);
        let error = wait(Encoder::load(open(), gpu, &mut on_bytes)).err().unwrap().to_string();
        assert!(error.contains(words) && error.contains("(int8, int4)"), "{error}");
    }
}

/// Submissions are cut by the time that they take: to the whole run where they may take long, to
/// single steps where they may not.
#[test]
fn submissions_adapt_to_the_device() {
    let Some(mut gpu) = gpu() else { return };
    gpu.submission = 1e9;
    gpu.caps.software = true;
    let checkpoint = random_checkpoint("adapt", &config(128, 2, 512, 6, ""));
    let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
    let values = noise(1, 8 * 3 * 112 * 112);
    let images = Images::PixelValues { shape: [8, 3, 112, 112], values: &values };
    let pieces = |encoder: &mut Encoder| {
        let mut told = 0;
        let mut count = async |_, _| {
            told += 1;
            ControlFlow::Continue(())
        };
        wait(encoder.encode(images, &[], &mut count)).unwrap();
        told
    };
    let first = pieces(&mut encoder);
    let list: Vec<usize> = (0..4).map(|_| pieces(&mut encoder)).collect();
    assert!(first > 2 && list[3] == 1, "{first}, then {list:?}");
}

#[test]
fn pictures_of_the_wrong_length_are_errors() {
    use internvit::image::{Picture, Resize, pixel_values, rgba};
    let mut encoder = wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap();
    let side = u32::try_from(encoder.spec().sizes.image).unwrap();
    let whole = Picture::noise(side).unwrap();
    for bytes in [0, 1, whole.rgb.len() - 1, whole.rgb.len() + 3] {
        let picture = Picture { rgb: vec![0; bytes], ..whole.clone() };
        let list = [whole.clone(), picture.clone()];
        let errors = [
            wait(encoder.encode(Images::Pictures(&list), &[], &mut on)).unwrap_err(),
            Resize::Native.fit(&picture, side, 14).unwrap_err(),
            pixel_values(&list, &Normal::default()).unwrap_err(),
            rgba(&list).unwrap_err(),
        ];
        for error in errors {
            let error = error.to_string();
            assert!(error.contains("bytes of RGB, found"), "{error}");
        }
    }
    let list = [whole.clone(), Picture::noise(side / 2).unwrap()];
    assert!(pixel_values(&list, &Normal::default()).unwrap_err().to_string().contains("one batch"));
}

#[test]
fn tokens_out_of_range_are_errors() {
    let mut encoder = wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap();
    let features = encode(&mut encoder, &[]).unwrap();
    let name = "last_hidden_state";
    let count = features.tensors[name].shape[1];
    assert_eq!(features.tokens(name, ..).unwrap(), features.tensors[name]);
    assert_eq!(features.tokens(name, count..).unwrap().shape[1], 0);
    let (late, most) = (count + 1, usize::MAX);
    for error in [
        features.tokens(name, late..),
        features.tokens(name, ..=count),
        features.tokens(name, ..=most),
        features.tokens(name, (std::ops::Bound::Excluded(most), std::ops::Bound::Unbounded)),
    ] {
        let error = error.unwrap_err().to_string();
        assert!(error.contains("expected a part of 0 to"), "{error}");
    }
    let error = features.tokens("hidden_states.1", ..).unwrap_err().to_string();
    assert!(error.contains("no tensor hidden_states.1; there are"), "{error}");
}

#[test]
fn shapes_that_overflow_are_errors() {
    let mut encoder = wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap();
    let c = encoder.spec().sizes.hidden;
    let images = Images::PixelEmbeds { shape: [usize::MAX, usize::MAX, c], values: &[0.0] };
    let error = wait(encoder.encode(images, &[], &mut on)).unwrap_err().to_string();
    assert!(error.contains("more values than memory holds"), "{error}");
}
