//! Plans and their arenas, without a device.
#![allow(clippy::unwrap_used, reason = "tests")]

use internvit::model::CATALOGUE;
use internvit::plan::{Input, Op, Role, plan_arena, record};

/// No operation may read and write the same buffer through two bindings: WebGPU forbids it.
#[test]
fn no_step_reads_and_writes_one_buffer() {
    for entry in &CATALOGUE {
        let spec = entry.spec();
        let side = spec.sizes.image;
        let plan = record(&spec, Input::Rgba { height: side, width: side }, 2, &[0, 3]);
        let arena = plan_arena(&plan);
        for step in &plan.steps {
            let out = step.op.writes();
            for read in step.op.reads() {
                let shared =
                    arena.buffer[read].is_some() && arena.buffer[read] == arena.buffer[out];
                assert!(!shared || read == out, "{}: {:?}", entry.name, step.op);
            }
        }
    }
}

/// A slot keeps its buffer from the step that fills it to the last that reads it.
#[test]
fn no_live_slot_is_overwritten() {
    let spec = CATALOGUE[2].spec();
    let plan = record(&spec, Input::Rgba { height: 224, width: 224 }, 1, &[]);
    let arena = plan_arena(&plan);
    let mut holder = vec![None; arena.sizes.len()];
    for step in &plan.steps {
        for read in step.op.reads() {
            if let Some(buffer) = arena.buffer[read] {
                assert_eq!(holder[buffer], Some(read), "{} reads {}", step.op.name(), read);
            }
        }
        let out = step.op.writes();
        if let Some(buffer) = arena.buffer[out] {
            holder[buffer] = Some(out);
        }
    }
}

#[test]
fn the_arena_is_three_buffers() {
    let spec = CATALOGUE[0].spec();
    let plan = record(&spec, Input::Rgba { height: 448, width: 448 }, 1, &[]);
    let arena = plan_arena(&plan);
    assert_eq!(arena.sizes.len(), 3, "{:?}", arena.sizes);
    // hidden state, normed, and the MLP's hidden layer: 1025 rows of 1024, 1024 and 4096, rows
    // rounded up to 1040.
    let bytes: usize = arena.sizes.iter().map(|v| 4 * v).sum();
    assert_eq!(bytes, 4 * 1040 * (1024 + 1024 + 4096));
}

#[test]
fn every_weight_is_used() {
    for entry in &CATALOGUE {
        let spec = entry.spec();
        let side = spec.sizes.image;
        let plan = record(&spec, Input::Rgba { height: side, width: side }, 1, &[]);
        let mut used: Vec<_> = plan.steps.iter().flat_map(|s| s.op.weights()).collect();
        used.push("embeddings.position_embedding"); // an input of the plan, resized by the host
        used.sort_unstable();
        let mut wanted: Vec<_> =
            internvit::model::wanted(&spec).into_iter().map(|w| w.name).collect();
        wanted.sort_unstable();
        assert_eq!(used, wanted, "{}", entry.name);
    }
}

/// The published tensor and parameter counts (model cards and index files on the hub).
#[test]
fn the_catalogue_has_the_published_counts() {
    let counts = |name: &str| {
        let spec = CATALOGUE.iter().find(|e| e.name == name).unwrap().spec();
        let list = internvit::model::wanted(&spec);
        let parameters: usize = list.iter().map(|w| w.shape.iter().product::<usize>()).sum();
        (list.len(), parameters)
    };
    assert_eq!(counts("InternViT-300M-448px"), (340, 304_012_288));
    assert_eq!(counts("InternViT-6B-224px"), (628, 5_902_793_600));
    assert_eq!(counts("InternViT-6B-448px-V1-0"), (628, 5_905_251_200));
    assert_eq!(counts("InternViT-6B-448px-V2_5"), (589, 5_536_496_000));
}

#[test]
fn the_work_is_counted() {
    let spec = CATALOGUE[0].spec();
    let plan = record(&spec, Input::Rgba { height: 448, width: 448 }, 1, &[]);
    let products =
        plan.steps.iter().filter(|s| matches!(s.op, Op::Linear { .. } | Op::Attention { .. }));
    let flop: f64 = products.map(|s| plan.flop(&s.op, 1)).sum();
    // 361.8 G multiply-adds.
    assert!((flop / 2.0 - 361.8e9).abs() < 0.1e9, "{flop}");
    assert!((spec.flop(1025).total() - flop).abs() / flop < 1e-9);
    assert!(plan.outputs().all(|slot| plan.slots[slot].role == Role::Output));
}
