//! Several members computing one encode, in this process, against the fixtures and against one
//! that computes alone.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use crate::common::*;
use internvit::cpu::{Share, Team};
use internvit::{Checkpoint, Device, Encoder, Error, Images};

/// As in tests/device/encoder.rs: f32 against float64.
const TOLERANCE: f64 = 1e-5;

/// What helpers were asked for, in all.
#[derive(Default, Debug, PartialEq)]
struct Asked {
    mlp: usize,
    attention: usize,
}

/// An engine and, on a thread, its helpers. The thread ends with the encoder and says what it did.
fn team(
    open: &dyn Fn() -> Checkpoint,
    members: usize,
) -> (Encoder, std::thread::JoinHandle<Asked>) {
    let (team, mut jobs) = Team::new(members);
    let encoder = wait(Encoder::load(open(), team, &mut on_bytes)).unwrap();
    let helpers: Vec<_> = (1..members)
        .map(|member| {
            wait(internvit::session::Session::helper(&open(), Share { member, members })).unwrap()
        })
        .collect();
    let carried = std::thread::spawn(move || {
        let mut asked = Asked::default();
        while let Ok(job) = wait(jobs.recv()) {
            match job.task.weight.contains(".mlp.") {
                true => asked.mlp += 1,
                false => asked.attention += 1,
            }
            job.answer.send(helpers[job.helper - 1].answer(&job.task)).unwrap();
        }
        asked
    });
    (encoder, carried)
}

fn on_path(folder: &std::path::Path) -> Checkpoint {
    wait(Checkpoint::open_path(folder)).unwrap()
}

#[test]
fn teams_match_float64() {
    // Norms of queries and keys need all heads: only the MLP is shared.
    let fixtures = [
        ("encoder_hf_native", true),
        ("encoder_interpolated_nonsquare", true),
        ("encoder_ln_bias_bf16", true),
        ("encoder_rms_qknorm_f16", false),
    ];
    for (fixture, attention) in fixtures {
        let folder = golden(fixture);
        let input = tensors(&folder.join("input.safetensors")).remove("pixel_values").unwrap();
        let expected = tensors(&folder.join("expected.safetensors"));
        let shape: [usize; 4] = input.shape.as_slice().try_into().unwrap();
        for members in [2, 3] {
            let (mut encoder, carried) = team(&|| on_path(&folder), members);
            let images = Images::PixelValues { shape, values: &input.values };
            let found = wait(encoder.encode(images, &[0, 1], &mut on)).unwrap();
            for (name, tensor) in &found.tensors {
                let Some(expected) = expected.get(name) else { continue };
                let what = format!("{fixture} by {members}: {name}");
                assert_close(&what, &tensor.values, &expected.values, TOLERANCE);
            }
            drop(encoder);
            let asked = carried.join().unwrap();
            assert!(asked.mlp > 0, "{fixture} by {members}: {asked:?}");
            assert_eq!(asked.attention > 0, attention, "{fixture} by {members}: {asked:?}");
        }
    }
}

/// Columns and heads that do not divide, two pictures, norms of queries and keys over all heads.
#[test]
fn odd_sizes_match_one_member() {
    let variants = [
        (120, 3, 260, ""),
        (160, 5, 100, r#", "norm_type": "rms_norm", "qkv_bias": false, "qk_normalization": true"#),
        (72, 3, 36, r#", "norm_type": "rms_norm""#),
    ];
    for (at, (hidden, heads, mlp, extra)) in variants.into_iter().enumerate() {
        let checkpoint =
            random_checkpoint(&format!("team-{at}"), &config(hidden, heads, mlp, 2, extra));
        let folder = std::path::PathBuf::from(checkpoint.name());
        let values = noise(3, 2 * 3 * 70 * 42);
        let images = Images::PixelValues { shape: [2, 3, 70, 42], values: &values };
        let mut alone = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let expected = wait(alone.encode(images, &[1], &mut on)).unwrap();
        for members in [2, 3, 4] {
            let (mut encoder, _) = team(&|| on_path(&folder), members);
            assert!(encoder.weight_bytes() < alone.weight_bytes());
            let found = wait(encoder.encode(images, &[1], &mut on)).unwrap();
            for (name, tensor) in &expected.tensors {
                let what = format!("{hidden} {heads} by {members}: {name}");
                assert_close(&what, &found.tensors[name].values, &tensor.values, 1e-6);
            }
        }
    }
}

#[test]
fn weights_lie_in_memory_once() {
    let folder = golden("encoder_ln_bias_bf16");
    let alone = wait(Encoder::load(on_path(&folder), &Device::Cpu, &mut on_bytes)).unwrap();
    let (team, _jobs) = Team::new(2);
    let engine = wait(Encoder::load(on_path(&folder), team, &mut on_bytes)).unwrap();
    let share = Share { member: 1, members: 2 };
    let helper = wait(internvit::session::Session::helper(&on_path(&folder), share)).unwrap();
    assert_eq!(engine.weight_bytes() + helper.bytes(), alone.weight_bytes());
    assert!(engine.weight_bytes() < alone.weight_bytes() * 6 / 10);
}

#[test]
fn a_team_can_be_cancelled_and_encodes_again() {
    let folder = golden("encoder_ln_bias_bf16");
    let (mut encoder, _) = team(&|| on_path(&folder), 2);
    let values = noise(1, 3 * 84 * 84);
    let images = Images::PixelValues { shape: [1, 3, 84, 84], values: &values };
    let expected = wait(encoder.encode(images, &[], &mut on)).unwrap();
    let stop = wait(encoder.encode(images, &[], &mut async |_, _| ControlFlow::Break(())));
    assert_eq!(stop.unwrap_err().to_string(), "cancelled");
    assert_eq!(wait(encoder.encode(images, &[], &mut on)).unwrap(), expected);
}

#[test]
fn a_helper_that_fails_is_an_error() {
    let folder = golden("encoder_ln_bias_bf16");
    let values = noise(1, 3 * 84 * 84);
    let images = Images::PixelValues { shape: [1, 3, 84, 84], values: &values };
    for (message, failure) in
        [("out of luck", Some("out of luck")), ("a helper gave 3 values, expected", None)]
    {
        let (team, mut jobs) = Team::new(2);
        let mut encoder = wait(Encoder::load(on_path(&folder), team, &mut on_bytes)).unwrap();
        std::thread::spawn(move || {
            while let Ok(job) = wait(jobs.recv()) {
                let answer = failure.map_or(Ok(vec![0.0; 3]), |why| Err(Error::device(why)));
                job.answer.send(answer).unwrap();
            }
        });
        let error = wait(encoder.encode(images, &[], &mut on)).unwrap_err().to_string();
        assert!(error.contains(message), "expected {message:?} in {error:?}");
    }
    let (team, jobs) = Team::new(2);
    drop(jobs);
    let mut encoder = wait(Encoder::load(on_path(&folder), team, &mut on_bytes)).unwrap();
    let error = wait(encoder.encode(images, &[], &mut on)).unwrap_err().to_string();
    assert!(error.contains("a helper has stopped"), "{error:?}");
}

/// Every token by itself: attention within groups of one, shared as any other.
#[test]
fn patches_alone_match_one_member() {
    let folder = golden("clip_quick_gelu");
    let alone = wait(Encoder::load(on_path(&folder), &Device::Cpu, &mut on_bytes)).unwrap();
    let hidden = noise(3, 5 * alone.spec().sizes.hidden);
    let expected = wait(alone.dense(&hidden, [2, 2])).unwrap();
    let (encoder, carried) = team(&|| on_path(&folder), 2);
    let found = wait(encoder.dense(&hidden, [2, 2])).unwrap();
    assert_close("dense", &found.values, &expected.values, 1e-6);
    drop(encoder);
    let asked = carried.join().unwrap();
    assert!(asked.attention > 0 && asked.mlp > 0, "{asked:?}");
}
