//! Answers on a device: how many dispatches a token takes, what is read of it, and what memory holds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use internvit::gpu::{Gpu, GpuWeights, Precision, PreparedPlan, StepTime};
use internvit::language::{Answering, Said, Sampling, Talk};
use internvit::model::WeightKind;
use internvit::plan::{LANGUAGE_TABLE, Op, Plan, Role, Value, Wanted, record_language};
use internvit::{Checkpoint, Compute, Device, Encoder};

use super::common::*;

const MODELS: [&str; 3] =
    ["internvl_qwen2_openvl", "internvl_qwen3_hf", "internvl_internlm2_openvl"];

fn open(name: &str) -> Checkpoint {
    wait(Checkpoint::open_path(&golden("internvl").join(name))).unwrap()
}

fn speaking(name: &str) -> Checkpoint {
    wait(open(name).with_language()).unwrap()
}

/// The plan of one token on a device.
fn prepared(gpu: &Gpu, checkpoint: &Checkpoint, plan: Plan) -> PreparedPlan {
    let plans = std::slice::from_ref(&plan);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let weights = wait(GpuWeights::upload(gpu, plans, checkpoint, go_on)).unwrap();
    wait(PreparedPlan::new(gpu, plan, &weights)).unwrap()
}

/// A step's dispatches, without the copy of what a sum is added to and which is needed later.
fn dispatches(time: &StepTime) -> usize {
    time.dispatches - usize::from(time.kernel.starts_with("linear") && time.dispatches > 1)
}

/// Six a layer: the product of queries, keys and values, which norms what it reads, the state, attention, and three
/// more products, of which one norms what it reads; the head, and two for the largest logit.
#[test]
fn a_token_takes_six_dispatches_a_layer() {
    let Some(gpu) = gpu() else { return };
    for name in MODELS {
        let checkpoint = speaking(name);
        let spec = checkpoint.language().unwrap();
        let plan = record_language(spec, 1, 64, Wanted::Best(1));
        let layers = plan.steps.iter().map(|step| step.layer).collect::<Vec<_>>();
        let mut prepared = prepared(&gpu, &checkpoint, plan);
        let inputs: Vec<(usize, Vec<f32>)> = (0..prepared.plan().slots.len())
            .map(|id| (id, &prepared.plan().slots[id]))
            .filter(|(_, slot)| matches!(slot.role, Role::Input | Role::Shared))
            .map(|(id, slot)| (id, vec![0.5; slot.len(1)]))
            .collect();
        let inputs: Vec<_> = inputs.iter().map(|(id, v)| (*id, Value::F32(v))).collect();
        let clock = || 0.0;
        let times = wait(prepared.profile(&gpu, 1, &inputs, &clock, &mut on)).unwrap();
        let of_block = |block: usize| {
            let own = layers.iter().zip(&times).filter(|(layer, _)| **layer == block);
            own.map(|(_, time)| dispatches(time)).sum::<usize>()
        };
        for block in 1..spec.layers {
            assert_eq!(of_block(block), 6, "{name} block {block}");
        }
        // What follows the last block counts as its.
        assert_eq!(of_block(spec.layers), 6 + 3, "{name}");
        // What is fed stays, so the first sum is added to a copy of it.
        let all: usize = times.iter().map(|time| time.dispatches).sum();
        assert_eq!(all, 6 * spec.layers + 3 + 1, "{name}");
    }
}

/// States have 16 bits wherever anything is rounded.
#[test]
fn states_take_half_the_memory_where_weights_are_rounded() {
    let Some(mut gpu) = gpu() else { return };
    let checkpoint = speaking(MODELS[0]);
    let spec = checkpoint.language().unwrap();
    let mut bytes = |precision, capacity| {
        gpu.precision = precision;
        prepared(&gpu, &checkpoint, record_language(spec, 1, capacity, Wanted::Last)).bytes()
    };
    let row = (spec.layers * 2 * spec.key_heads * spec.head_dim) as u64;
    for (precision, value) in [(Precision::F32, 4), (Precision::Int8, 2), (Precision::Int4, 2)] {
        let more = bytes(precision, 512) - bytes(precision, 256);
        assert_eq!(more, 256 * row * value, "{precision:?}");
    }
}

/// Of a language model the device holds the codes and scales that its shapes say, and the table of tokens in 16 bits where
/// that is at most a third more.
#[test]
fn the_memory_of_weights_is_what_the_shapes_say() {
    for precision in [Precision::Int8, Precision::Int4] {
        for name in MODELS {
            let held = |checkpoint| {
                let gpu = gpu_as(precision)?;
                let encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
                let gpu = encoder.gpu().unwrap();
                assert_eq!(gpu.held(), encoder.weight_bytes());
                Some(gpu.held())
            };
            let (tower, whole) = (wait(open(name).with_visual()).unwrap(), speaking(name));
            let spec = whole.language().unwrap().clone();
            let (Some(tower), Some(whole)) = (held(tower), held(whole)) else { return };
            let plan = record_language(&spec, 1, 1, Wanted::Last);
            let weights: usize = plan.weights().map(|slot| bytes(precision, slot)).sum();
            let table = 2 * spec.vocabulary.next_multiple_of(64) * spec.hidden;
            let kept = 3 * table <= tower as usize + weights;
            let expected = if kept { weights + table } else { weights };
            assert_eq!(whole - tower, expected as u64, "{name} {precision:?}");
        }
    }
}

/// Bytes of a weight: rows of matrices are padded to 64, codes have 8 or 4 bits, scales 4 bytes a row or 2 for 32 inputs.
fn bytes(precision: Precision, slot: &internvit::plan::Slot) -> usize {
    let quads = |n: usize| n.next_multiple_of(4);
    if slot.name == LANGUAGE_TABLE {
        return 0;
    }
    if slot.role != Role::Weight(WeightKind::Matrix) {
        return 4 * quads(slot.cols);
    }
    // Gates and what they multiply are in turn.
    let outputs = if slot.planes == 2 { 2 * quads(slot.rows) } else { slot.rows };
    let (outputs, k) = (outputs.next_multiple_of(64), slot.cols);
    let eight = precision == Precision::Int8 || !slot.name.contains("mlp");
    match eight {
        true => outputs * quads(k) + 4 * outputs,
        false if k.is_multiple_of(32) => outputs * k / 2 + 2 * outputs * k / 32,
        false => 4 * outputs * quads(k),
    }
}

/// The CPU, and the device where there is one.
fn devices() -> Vec<Device> {
    [Some(Device::Cpu), gpu().map(|_| Device::Gpu)].into_iter().flatten().collect()
}

fn answer(encoder: &mut Encoder, how: &Answering) -> Vec<u32> {
    let mut talk = Talk::default();
    talk.say(encoder, &[5, 6, 7], None).unwrap();
    let watch = &mut |said: Said<'_>| {
        assert_eq!(said.logits.is_empty(), !how.logits);
        ControlFlow::Continue(())
    };
    wait(talk.answer(encoder, how, &mut on, watch)).unwrap()
}

/// By the largest logits, which a device finds itself, the same tokens are chosen as by all.
#[test]
fn the_largest_logits_are_enough() {
    for device in devices() {
        let mut encoder = wait(Encoder::load(speaking(MODELS[0]), &device, &mut on_bytes)).unwrap();
        for (temperature, top_k) in [(0.0, 0), (0.8, 1), (1.5, 8), (3.0, 40), (3.0, 64)] {
            let sampling =
                Sampling { temperature, top_k, seed: 3, top_p: 0.95, ..Sampling::default() };
            assert!(sampling.candidates().is_some());
            let by = |logits| Answering { sampling, most: 20, logits, ..Answering::default() };
            let all = answer(&mut encoder, &by(true));
            assert_eq!(answer(&mut encoder, &by(false)), all, "{device:?} {temperature} {top_k}");
        }
    }
}

/// The memory grows in the middle of an answer, which goes on as if it had been as large from the start.
#[test]
fn what_is_remembered_outlives_a_growing_memory() {
    for device in devices() {
        for precision in [Precision::F32, Precision::Int8] {
            let compute = Compute::from(&device).precision(precision);
            let mut encoder =
                wait(Encoder::load(speaking(MODELS[0]), compute, &mut on_bytes)).unwrap();
            let room = encoder.session().language().unwrap().length;
            let how = Answering { most: 290, ..Answering::default() };
            assert!(room > 300, "{room}");
            let long = answer(&mut encoder, &how);
            let mut talk = Talk::default();
            talk.say(&encoder, &[&[5, 6, 7], &long[..280]].concat(), None).unwrap();
            let how = Answering { most: 10, ..Answering::default() };
            let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
            let next = wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap();
            assert_eq!(next, long[280..], "{device:?} {precision:?}");
        }
    }
}

/// What a device's bindings, or its memory, hold is told before it is reached.
#[test]
fn the_longest_conversation_is_told() {
    let Some(mut gpu) = gpu() else { return };
    let checkpoint = speaking(MODELS[0]);
    let spec = checkpoint.language().unwrap();
    let row = 2 * spec.key_heads * spec.head_dim * 4;
    gpu.caps.max_binding = 1 << 16;
    let most = (1 << 16) / row;
    assert!(most < spec.length);
    let encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
    assert_eq!(encoder.session().longest(None).unwrap(), most);
    assert_eq!(Talk::default().room(&encoder).unwrap(), most);
    let said = Talk::default().say(&encoder, &vec![5; most], None);
    refused("too long", said, &format!("the device takes {most}"));
    refused("too long", encoder.session().memory(most + 1).map(drop), "the device has memory for");
    assert!(encoder.session().memory(most).is_ok());
}

/// Plans of one token have the steps of plans of many.
#[test]
fn a_prompt_takes_the_same_steps() {
    let checkpoint = speaking(MODELS[0]);
    let spec = checkpoint.language().unwrap();
    let names = |rows| {
        let plan = record_language(spec, rows, 300, Wanted::Nothing);
        plan.steps.iter().map(|step| step.op.name()).collect::<Vec<_>>()
    };
    assert_eq!(names(1), names(256));
    let plan = record_language(spec, 256, 300, Wanted::Nothing);
    assert!(plan.outputs.is_empty());
    assert!(plan.steps.iter().all(|step| !matches!(step.op, Op::Top(_))));
}
