//! Plans and their arenas, without a device.
#![allow(clippy::unwrap_used, reason = "tests")]

use internvit::model::{CATALOGUE, HeadKind, HeadSpec};
use internvit::plan::{Input, Op, Role, plan_arena, record, record_segment};

/// No operation may read and write the same buffer through two bindings: WebGPU forbids it.
#[test]
fn no_step_reads_and_writes_one_buffer() {
    for entry in &CATALOGUE {
        let spec = entry.spec();
        let side = spec.sizes.image;
        let plan = record(&spec, Input::Rgba { height: side, width: side }, 2, &[0, 3]);
        let arena = plan_arena(&plan);
        for step in &plan.steps {
            for read in plan.reads(step) {
                let shared =
                    arena.buffer[read].is_some() && arena.buffer[read] == arena.buffer[step.y];
                let sum = step.op.adds_to() == Some(read);
                assert!(!shared || sum, "{}: {:?}", entry.name, step.op);
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
        for read in plan.reads(step) {
            if let Some(buffer) = arena.buffer[read] {
                assert_eq!(holder[buffer], Some(read), "{} reads {}", step.op.name(), read);
            }
        }
        if let Some(buffer) = arena.buffer[step.y] {
            holder[buffer] = Some(step.y);
        }
    }
}

/// Every slot is filled by the caller or written by one step, before anything reads it.
#[test]
fn every_slot_is_written_once() {
    let spec = CATALOGUE[2].spec();
    let input = Input::Rgba { height: 28, width: 42 };
    let head = HeadSpec {
        kind: HeadKind::Uper,
        out_indices: vec![1, 3, 5, 7],
        classes: 9,
        names: Vec::new(),
        palette: Vec::new(),
        whole: false,
    };
    for plan in [record(&spec, input, 2, &[0, 3]), record_segment(&spec, &head, 16, input, 1)] {
        let mut filled: Vec<bool> = plan
            .slots
            .iter()
            .map(|slot| !matches!(slot.role, Role::Temporary | Role::Output))
            .collect();
        for step in &plan.steps {
            for read in step.op.operands() {
                assert!(filled[read], "{} reads {}", step.op.name(), plan.slots[read].name);
            }
            assert!(!filled[step.y], "{} is written again", plan.slots[step.y].name);
            filled[step.y] = true;
        }
        assert!(filled.iter().all(|filled| *filled));
    }
}

/// The residual stream lies in one buffer; where the last hidden state leaves it, that is its own.
#[test]
fn the_arena_is_two_buffers_beside_the_residual_stream() {
    let spec = CATALOGUE[0].spec();
    let plan = record(&spec, Input::Rgba { height: 448, width: 448 }, 1, &[]);
    let arena = plan_arena(&plan);
    let last = plan.slot("last_hidden_state").unwrap();
    for slot in ["hidden_states.0", "0.attended", "hidden_states.7"] {
        assert_eq!(arena.owner[plan.slot(slot).unwrap()], last, "{slot}");
    }
    // What is normed, and the MLP's hidden layer: 1025 rows of 1024 and 4096, rounded up to 1040.
    let values: usize = arena.sizes.iter().sum();
    assert_eq!(values, 1040 * (1024 + 4096), "{:?}", arena.sizes);
}

/// The published tensor and parameter counts (model cards and index files on the hub).
#[test]
fn the_catalogue_has_the_published_counts() {
    let counts = |name: &str| {
        let spec = CATALOGUE.iter().find(|e| e.name == name).unwrap().spec();
        let list = internvit::plan::tensors(&spec);
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
    let products = plan.steps.iter().filter(|s| matches!(s.op, Op::Linear(_) | Op::Attention(_)));
    let flop: f64 = products.map(|s| plan.flop(s, 1)).sum();
    // 361.8 G multiply-adds.
    assert!((flop / 2.0 - 361.8e9).abs() < 0.1e9, "{flop}");
    assert!((spec.flop(1025).total() - flop).abs() / flop < 1e-9);
}
