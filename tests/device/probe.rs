//! The choice of kernels by a probe: what is tried, what is taken, and what is kept. lavapipe stands for a GPU.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;
use std::path::Path;

use crate::common::*;
use internvit::gpu::{Family, Found, Gpu, GpuWeights, Precision, PreparedPlan};
use internvit::model::WeightKind;
use internvit::plan::{Attention, Linear, Op, Plan, Plane, Role, Slot, Value};
use internvit::weights::random_tensor;

/// Seconds for a probe: more than it takes beside all other tests.
const PATIENCE: f64 = 600.0;

/// A device whose probes are kept in a file, and none where there is no device.
fn device(precision: Precision, file: &Path) -> Option<Gpu> {
    let mut gpu = gpu_as(precision)?;
    gpu.caps.software = false;
    gpu.keep_probes(file.to_path_buf());
    Some(gpu)
}

/// A product of few rows and many inputs, then attention of two heads.
fn plan(rows: usize) -> Plan {
    let mut plan = Plan::new(1);
    let x = plan.add(Slot::new("x", [1, rows, 260], Role::Input));
    let role = Role::Weight(WeightKind::Matrix);
    let w = plan.add(Slot::new("w", [3, 72, 260], role));
    let qkv = plan.add(Slot::new("qkv", [3, rows, 72], Role::Temporary));
    plan.push(qkv, Op::Linear(Linear::new(x, w)));
    let planes = [0, 1, 2].map(|plane| Plane { slot: qkv, plane });
    let y = plan.add(Slot::new("y", [1, rows, 72], Role::Temporary));
    plan.push(y, Op::Attention(Attention::new(planes, 2)));
    plan.output("y", y);
    plan
}

/// Prepares the plan, which probes, and what it computes.
fn run(gpu: &Gpu, rows: usize) -> Vec<f32> {
    let plan = plan(rows);
    let values = random_tensor(1, "w", &[3 * 72, 260], WeightKind::Matrix);
    let source = std::collections::HashMap::from([("w".to_string(), values)]);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let plans = std::slice::from_ref(&plan);
    let weights = wait(GpuWeights::upload(gpu, plans, &source, go_on)).unwrap();
    let (x, y) = (plan.slot("x").unwrap(), plan.outputs[0].1);
    let mut prepared = wait(PreparedPlan::new(gpu, plan, &weights)).unwrap();
    let values = noise(1, rows * 260);
    wait(prepared.run(gpu, 1, &[(x, Value::F32(&values))], None, &mut on)).unwrap();
    wait(prepared.read(gpu, y, 1)).unwrap()
}

/// What is taken for each shape; times are kept but for their last bits.
fn choices(found: &[Found]) -> Vec<(&str, Family)> {
    found.iter().map(|found| (found.shape.as_str(), found.family)).collect()
}

fn families(found: &Found) -> Vec<Family> {
    found.trials.iter().map(|trial| trial.family).collect()
}

#[test]
fn kernels_are_tried_once_and_kept() {
    let file = scratch("probe").join("tuning.json");
    let Some(gpu) = device(Precision::F32, &file) else { return };
    gpu.probe_anew(PATIENCE);
    let first = run(&gpu, 70);
    let found = gpu.probed();
    let [attention, product] = found.as_slice() else { panic!("{found:#?}") };
    assert_eq!(product.shape, "linear 128 × 260 × 216 of f32, f32 to f32");
    assert_eq!(attention.shape, "attention 1 × 128, 2 heads of 36, f32 to f32");
    let all = [Family::Portable, Family::Wide, Family::Tall, Family::Split, Family::Subgroups];
    let subgroups = usize::from(Family::Subgroups.runs_on(&gpu.caps));
    assert_eq!(families(product), all[..4 + subgroups]);
    assert_eq!(families(attention), [all[0], all[4]][..1 + subgroups]);
    for trial in found.iter().flat_map(|found| &found.trials) {
        assert!(trial.right && trial.seconds.is_some_and(|seconds| seconds > 0.0), "{trial:?}");
    }

    // Another process, and a size that these stand for: nothing is tried again.
    let written = std::fs::read(&file).unwrap();
    let Some(next) = device(Precision::F32, &file) else { return };
    assert_eq!(choices(&next.probed()), choices(&found));
    assert_eq!(run(&next, 70), first);
    run(&next, 100);
    assert_eq!(choices(&next.probed()), choices(&found));
    assert_eq!(std::fs::read(&file).unwrap(), written);

    // A file that is damaged is made anew, and no error.
    std::fs::write(&file, &written[..written.len() / 2]).unwrap();
    let Some(next) = device(Precision::F32, &file) else { return };
    assert!(next.probed().is_empty());
    next.probe_anew(PATIENCE);
    run(&next, 70);
    assert_eq!(next.probed().len(), 2);
    let Some(next) = device(Precision::F32, &file) else { return };
    assert_eq!(next.probed().len(), 2);
}

/// What a probe takes is what computes, and a kernel that is wrong is not taken however fast it is.
#[test]
fn wrong_kernels_are_not_taken() {
    let file = scratch("probe-wrong").join("tuning.json");
    for wrong in [Family::Wide, Family::Tall, Family::Split, Family::Subgroups] {
        let Some(gpu) = device(Precision::F32, &file) else { return };
        if !wrong.runs_on(&gpu.caps) {
            continue;
        }
        gpu.probe_anew(PATIENCE);
        gpu.fault_injector().make_wrong(wrong);
        run(&gpu, 70);
        let found = gpu.probed();
        let product = found.iter().find(|found| found.shape.starts_with("linear")).unwrap();
        for trial in &product.trials {
            assert_eq!(trial.right, trial.family != wrong, "{trial:?}");
            assert_eq!(trial.seconds.is_some(), trial.right, "{trial:?}");
        }
        assert_ne!(product.family, wrong);
    }
}

/// A choice that is kept is used, on a device that can.
#[test]
fn what_is_kept_is_what_computes() {
    let file = scratch("probe-kept").join("tuning.json");
    let Some(gpu) = device(Precision::F32, &file) else { return };
    gpu.probe_anew(PATIENCE);
    let expected = run(&gpu, 70);
    let text = std::fs::read_to_string(&file).unwrap();
    let taken = |family: &str| {
        let mut kept: serde_json::Value = serde_json::from_str(&text).unwrap();
        for found in kept["found"].as_array_mut().unwrap() {
            if found["shape"].as_str().unwrap().starts_with("linear") {
                found["family"] = family.into();
            }
        }
        std::fs::write(&file, kept.to_string()).unwrap();
        let gpu = device(Precision::F32, &file).unwrap();
        // That one is wrong shows whether it was taken.
        gpu.fault_injector().make_wrong(Family::Split);
        run(&gpu, 70)
    };
    assert_close("portable", &taken("portable"), &expected, 1e-6);
    let distance = internvit::features::relative_l2(&taken("split"), &expected);
    assert!(distance.is_nan() || distance > 1e-3, "{distance}");
    // What no device can run is not taken.
    assert_close("software", &taken("software"), &expected, 1e-6);
}

/// Where time is up nothing is tried, and the portable kernels compute.
#[test]
fn probes_take_no_more_time_than_they_have() {
    let file = scratch("probe-time").join("tuning.json");
    let Some(gpu) = device(Precision::F32, &file) else { return };
    gpu.probe_anew(0.0);
    run(&gpu, 70);
    assert!(gpu.probed().is_empty() && !file.exists());
}

/// Kernels of f16 are held against each other too.
#[test]
fn kernels_of_f16_are_tried() {
    let file = scratch("probe-half").join("tuning.json");
    let Some(gpu) = device(Precision::F16, &file) else { return };
    gpu.probe_anew(PATIENCE);
    run(&gpu, 70);
    let found = gpu.probed();
    assert!(found.len() == 2, "{found:#?}");
    assert!(found.iter().flat_map(|found| &found.trials).all(|trial| trial.right), "{found:#?}");
}
