//! Every kernel against its twin on random inputs, one operation at a time, over sizes that are
//! no multiples of the tiles. Outputs are poisoned with NaN first.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
use std::ops::ControlFlow;

use common::*;
use internvit::cpu::{self, CpuWeights, Supply, Workspace};
use internvit::gpu::{Family, Gpu, GpuWeights, Precision, Prepared};
use internvit::image::Normal;
use internvit::model::NormKind;
use internvit::plan::{Finish, Op, Plan, Role, Slot, Step, Value};
use internvit::weights::{Quant, Values, write_safetensors};
use internvit::{Checkpoint, reference};

/// f32 sums of up to some thousand terms, in another order than the twin's.
const TOLERANCE: f64 = 2e-6;
/// Inputs, weights and outputs rounded to f16, each by up to 2^-11 and 2e-4 in the mean.
const HALF: f64 = 6e-4;

fn slot(name: &str, planes: usize, rows: usize, cols: usize, role: Role) -> Slot {
    Slot { name: name.into(), planes, rows, cols, role }
}

/// Runs one operation on both executors and compares its output.
fn check(
    gpu: &Gpu,
    checkpoint: &Checkpoint,
    batch: usize,
    tokens: usize,
    slots: Vec<Slot>,
    op: Op,
) {
    check_all(gpu, checkpoint, batch, tokens, slots, &[op]);
}

/// Runs operations, of which the first is fed, and compares the last one's output.
fn check_all(
    gpu: &Gpu,
    checkpoint: &Checkpoint,
    batch: usize,
    tokens: usize,
    mut slots: Vec<Slot>,
    ops: &[Op],
) {
    let (first, op) = (&ops[0], &ops[ops.len() - 1]);
    let half = gpu.precision == Precision::F16;
    if half {
        // What lies between kernels is f16; what goes in and comes out is not.
        for slot in slots.iter_mut().filter(|slot| slot.role != Role::Rgba) {
            slot.role = Role::Temporary;
        }
    }
    let steps = ops.iter().map(|op| Step { op: op.clone(), layer: 0 }).collect();
    let plan = Plan { batch, tokens, slots, steps };
    let fed: Vec<_> = first.reads().into_iter().map(|id| (id, feed(gpu, &plan, id))).collect();
    let bytes: Vec<Vec<u8>> = fed
        .iter()
        .map(|(_, v)| v.iter().flat_map(|v| ((v * 127.0 + 128.0) as u32).to_le_bytes()).collect())
        .collect();
    let inputs: Vec<_> = fed
        .iter()
        .zip(&bytes)
        .map(|((id, v), b)| match plan.slots[*id].role {
            Role::Rgba => (*id, Value::Rgba(b)),
            _ => (*id, Value::F32(v)),
        })
        .collect();
    let what = format!("{op:?} batch {batch} tokens {tokens} {:?}", plan.slots);
    let mut expected = Vec::new();
    let watch = &mut async |_: &_, values: &[f32]| {
        expected = values.to_vec();
        ControlFlow::Continue(())
    };
    wait(reference::run(&plan, batch, checkpoint, &inputs, watch)).unwrap();
    if !half {
        let found = wait(on_cpu(&plan, batch, checkpoint, &inputs));
        assert_close(&format!("CPU {what}"), &found, &expected, TOLERANCE);
    }
    let plans = std::slice::from_ref(&plan);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let weights = wait(GpuWeights::upload(gpu, plans, checkpoint, go_on)).unwrap();
    let own = matches!(op, Op::Linear { .. } | Op::Attention { .. } | Op::Norm { .. });
    // All families share the kernels of the other operations.
    let families = Family::ALL.into_iter().filter(|family| family.runs_on(&gpu.caps));
    for family in families.take(if own { usize::MAX } else { 1 }) {
        let prepared = Prepared::with_family(gpu, plan.clone(), &weights, family);
        let (mut prepared, out) = (wait(prepared).unwrap(), op.writes());
        prepared.poison(gpu, out);
        wait(prepared.run(gpu, batch, &inputs, None, &mut on)).unwrap();
        let found = wait(prepared.read(gpu, out, batch)).unwrap();
        let what = format!("{family:?} {:?} {what}", gpu.precision);
        assert_close(&what, &found, &expected, if half { HALF } else { TOLERANCE });
    }
}

/// Values for a slot that is fed.
fn feed(gpu: &Gpu, plan: &Plan, id: usize) -> Vec<f32> {
    let slot = &plan.slots[id];
    let values = noise(id as u32 + 1, slot.planes * slot.plane_len(plan.batch));
    // Rounded as packed products round it, so that they lose nothing.
    match gpu.precision == Precision::Int8 && slot.cols.is_multiple_of(32) {
        true => Quant::Int8.quantise(&values, 32).values(),
        false => values,
    }
}

/// What the fast CPU executor makes of a plan of one step.
async fn on_cpu(
    plan: &Plan,
    batch: usize,
    checkpoint: &Checkpoint,
    inputs: &[(usize, Value<'_>)],
) -> Vec<f32> {
    let go_on = &mut async |_| ControlFlow::Continue(());
    let plans = std::slice::from_ref(plan);
    let weights = CpuWeights::load(plans, checkpoint, None, go_on).await.unwrap();
    let go_on = &mut async |_: &[_]| ControlFlow::Continue(());
    let mut space = Workspace::default();
    // A second run finds the first one's memory.
    cpu::run(plan, batch, Supply::Held(&weights), &mut space, inputs, go_on).await.unwrap();
    let mut outputs =
        cpu::run(plan, batch, Supply::Held(&weights), &mut space, inputs, go_on).await.unwrap();
    outputs.pop().unwrap().1
}

/// In f16 fewer cases do, since only loads and stores differ, and the products by matrices.
fn cases<T>(gpu: &Gpu, list: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    list.into_iter().step_by(if gpu.precision == Precision::F16 { 2 } else { 1 })
}

/// What holds for both.
fn in_both_precisions(test: impl Fn(&mut Gpu)) {
    for mut gpu in [gpu(), half_gpu()].into_iter().flatten() {
        test(&mut gpu);
    }
}

const FC1: &str = "encoder.layers.0.mlp.fc1";
const FC2: &str = "encoder.layers.0.mlp.fc2";
const QKV: &str = "encoder.layers.0.attn.qkv";

fn linear(name: &str, bias: bool, finish: Finish) -> Op {
    Op::Linear {
        x: 0,
        y: 1,
        weight: format!("{name}.weight"),
        bias: bias.then(|| format!("{name}.bias")),
        window: None,
        finish,
    }
}

/// (hidden, heads, mlp, rows of one picture, batch)
const SIZES: [(usize, usize, usize, usize, usize); 7] = [
    (8, 1, 4, 1, 1),
    (8, 1, 4, 33, 3),
    (24, 1, 68, 5, 2),
    (64, 1, 132, 65, 1),
    (192, 3, 768, 31, 1),
    (320, 4, 1028, 129, 1),
    (32, 2, 80, 130, 2),
];

/// Most of the time is the driver's, which compiles a kernel for every size and finish: so every finish for
/// two sizes, two finishes in turn for the others; in three tests, side by side.
fn linear_in_every_finish(gpu: Option<Gpu>, sizes: impl IntoIterator<Item = usize>) {
    let Some(gpu) = &gpu else { return };
    for i in cases(gpu, sizes) {
        let (c, heads, m, rows, batch) = SIZES[i];
        let name = format!("linear-{}-{i}", gpu.precision.name());
        let checkpoint = random_checkpoint(&name, &config(c, heads, m, 1, ""));
        let slots = |k, planes, cols| {
            let x = slot("x", 1, rows, k, Role::Input);
            vec![x, slot("y", planes, rows, cols, Role::Output)]
        };
        let residual = Finish::Residual { scale: "encoder.layers.0.ls2".into() };
        let products = [
            (slots(c, 1, m), linear(FC1, false, Finish::Store)),
            (slots(m, 1, c), linear(FC2, true, residual)),
            (slots(c, 3, c), linear(QKV, true, Finish::Store)),
            (slots(c, 1, m), linear(FC1, true, Finish::Gelu)),
            (slots(c, 1, m), linear(FC1, true, Finish::Store)),
            (slots(c, 3, c), linear(QKV, false, Finish::Store)),
        ];
        for (at, (slots, product)) in products.into_iter().enumerate() {
            if matches!(i, 2 | 4) || at % 3 == i % 3 {
                check(gpu, &checkpoint, batch, rows, slots, product);
            }
        }
    }
}

#[test]
fn linear_in_every_variant_and_finish() {
    linear_in_every_finish(gpu(), 0..4);
}

#[test]
fn linear_in_every_variant_and_finish_of_larger_sizes() {
    linear_in_every_finish(gpu(), 4..SIZES.len());
}

#[test]
fn linear_in_every_variant_and_finish_in_f16() {
    linear_in_every_finish(half_gpu(), 0..SIZES.len());
}

/// Weights that are rounded already lose nothing in few bits, so the twin needs none of it.
#[test]
fn linear_with_weights_in_few_bits() {
    let Some(mut gpu) = gpu() else { return };
    for precision in [Precision::Int8, Precision::Int4] {
        gpu.precision = precision;
        let sizes = [(64, 160, 33, 128 << 20), (192, 768, 65, 128 << 20), (64, 2048, 4, 40 << 10)];
        for (i, (c, m, rows, max_binding)) in sizes.into_iter().enumerate() {
            let name = format!("few-{}-{i}", precision.name());
            let text = config(c, 1, m, 1, "");
            let checkpoint = rounded(random_checkpoint(&name, &text), &text, precision);
            gpu.caps.max_binding = max_binding;
            let slots = |k, planes, cols| {
                vec![
                    slot("x", 1, rows, k, Role::Input),
                    slot("y", planes, rows, cols, Role::Output),
                ]
            };
            let residual = Finish::Residual { scale: "encoder.layers.0.ls2".into() };
            check(&gpu, &checkpoint, 1, rows, slots(c, 1, m), linear(FC1, true, Finish::Gelu));
            check(&gpu, &checkpoint, 1, rows, slots(m, 1, c), linear(FC2, true, residual));
            check(&gpu, &checkpoint, 1, rows, slots(c, 3, c), linear(QKV, true, Finish::Store));
        }
    }
}

/// The checkpoint with the values that its matrices have in few bits, as f32.
fn rounded(checkpoint: Checkpoint, config: &str, precision: Precision) -> Checkpoint {
    let quant = precision.quant().unwrap();
    let mut list = Vec::new();
    for (name, tensor) in &checkpoint.manifest.tensors {
        let mut values = wait(checkpoint.tensor(name)).unwrap();
        if quant.takes(name, &tensor.shape) {
            values = quant.quantise(&values, tensor.shape[1]).values();
        }
        list.push((name.clone(), tensor.shape.clone(), values));
    }
    let folder = scratch(&format!("{}-rounded", precision.name()));
    let list: Vec<_> =
        list.iter().map(|(name, shape, v)| (name.clone(), shape.clone(), Values::F32(v))).collect();
    write_safetensors(&folder.join("model.safetensors"), &list).unwrap();
    std::fs::write(folder.join("config.json"), config).unwrap();
    wait(Checkpoint::open_path(&folder)).unwrap()
}

/// Bindings of 40 KiB: rows, panels and planes are all split, and nothing changes.
#[test]
fn linear_split_over_bindings() {
    in_both_precisions(|gpu| {
        let (c, m, rows) = (64, 132, 320);
        let checkpoint = random_checkpoint("split", &config(c, 1, m, 1, ""));
        gpu.caps.max_binding = 40 << 10;
        let wide = vec![slot("x", 1, rows, c, Role::Input), slot("y", 1, rows, m, Role::Output)];
        check(gpu, &checkpoint, 1, rows, wide, linear(FC1, true, Finish::Gelu));
        let narrow = vec![slot("x", 1, rows, m, Role::Input), slot("y", 1, rows, c, Role::Output)];
        let residual = Finish::Residual { scale: "encoder.layers.0.ls2".into() };
        check(gpu, &checkpoint, 1, rows, narrow, linear(FC2, true, residual));
        let qkv = vec![slot("x", 1, 130, c, Role::Input), slot("y", 3, 130, c, Role::Output)];
        check(gpu, &checkpoint, 1, 130, qkv, linear(QKV, true, Finish::Store));
    });
}

#[test]
fn attention_for_every_width_of_head() {
    in_both_precisions(|gpu| {
        let list = [
            (8, 3, 1, 1),
            (8, 1, 17, 3),
            (24, 2, 40, 1),
            (40, 1, 33, 2),
            (64, 2, 65, 2),
            (72, 1, 31, 1),
            (80, 3, 37, 1),
            (128, 2, 50, 2),
            (200, 1, 19, 1),
            (256, 1, 21, 1),
        ];
        for (d, heads, tokens, batch) in cases(gpu, list) {
            let c = d * heads;
            let checkpoint = random_checkpoint("attention", &config(c, heads, 8, 1, ""));
            let slots =
                vec![slot("qkv", 3, tokens, c, Role::Input), slot("y", 1, tokens, c, Role::Output)];
            check(gpu, &checkpoint, batch, tokens, slots, Op::Attention { qkv: 0, y: 1, heads });
        }
    });
}

/// Scores so large that exp overflows unless the maximum is subtracted, and later keys with larger
/// ones, so that sums are rescaled. q, k and v are such that f16 holds them.
#[test]
fn attention_with_large_scores() {
    in_both_precisions(|gpu| {
        let half = gpu.precision == Precision::F16;
        let (c, tokens) = (64, 70);
        let checkpoint = random_checkpoint("large-scores", &config(c, 1, 8, 1, ""));
        let role = |role| if half { Role::Temporary } else { role };
        let slots = vec![
            slot("qkv", 3, tokens, c, role(Role::Input)),
            slot("y", 1, tokens, c, role(Role::Output)),
        ];
        let steps = vec![Step { op: Op::Attention { qkv: 0, y: 1, heads: 1 }, layer: 0 }];
        let plan = Plan { batch: 1, tokens, slots, steps };
        for gain in [4.0, 40.0] {
            let value = |(i, v): (usize, f32)| {
                let grown = gain * (1 + i / c % tokens) as f32 / tokens as f32;
                (v * grown * 32.0).round() / 32.0
            };
            let qkv: Vec<f32> =
                noise(9, 3 * tokens * c).into_iter().enumerate().map(value).collect();
            let inputs = [(0, Value::F32(&qkv))];
            let mut expected = Vec::new();
            let mut watch = async |_: &_, values: &[f32]| {
                expected = values.to_vec();
                ControlFlow::Continue(())
            };
            wait(reference::run(&plan, 1, &checkpoint, &inputs, &mut watch)).unwrap();
            let mut go_on = async |_| ControlFlow::Continue(());
            let plans = std::slice::from_ref(&plan);
            let weights = wait(GpuWeights::upload(gpu, plans, &checkpoint, &mut go_on)).unwrap();
            for family in Family::ALL.into_iter().filter(|family| family.runs_on(&gpu.caps)) {
                let prepared = Prepared::with_family(gpu, plan.clone(), &weights, family);
                let mut prepared = wait(prepared).unwrap();
                prepared.poison(gpu, 1);
                wait(prepared.run(gpu, 1, &inputs, None, &mut on)).unwrap();
                let found = wait(prepared.read(gpu, 1, 1)).unwrap();
                // Scores reach 10^4, so their own rounding (6e-8 relative) is 1e-3 in the exponent.
                let what = format!("large scores, {family:?} {:?} {gain}", gpu.precision);
                assert_close(&what, &found, &expected, 2e-3);
            }
        }
    });
}

fn norm(plane: usize, in_place: bool, kind: NormKind) -> Op {
    let name = "encoder.layers.0.norm1";
    Op::Norm {
        x: 0,
        y: usize::from(!in_place),
        plane,
        weight: format!("{name}.weight"),
        bias: (kind == NormKind::Layer).then(|| format!("{name}.bias")),
        kind,
        eps: 1e-6,
        gelu: false,
    }
}

#[test]
fn norms_of_both_kinds_and_places() {
    in_both_precisions(|gpu| {
        // 1028 channels are no legal width for attention, but a norm does not mind.
        let list = [(8, 1, 1), (24, 5, 3), (192, 33, 1), (1032, 7, 2), (3200, 3, 1)];
        for (c, rows, batch) in cases(gpu, list) {
            let name = format!("norm-{c}");
            let checkpoint = random_checkpoint(&name, &config(c, c / 8, 4, 1, ""));
            for kind in [NormKind::Layer, NormKind::Rms] {
                let slots =
                    vec![slot("x", 1, rows, c, Role::Input), slot("y", 1, rows, c, Role::Output)];
                check(gpu, &checkpoint, batch, rows, slots, norm(0, false, kind));
            }
        }
    });
}

/// More rows than a dimension has workgroups (65,535), and more values than 64 times that.
#[test]
fn more_than_65535_workgroups() {
    let Some(gpu) = gpu() else { return };
    let checkpoint = random_checkpoint("many", &config(8, 1, 4, 1, ""));
    let rows = 70_000;
    let slots = vec![slot("x", 1, rows, 8, Role::Input), slot("y", 1, rows, 8, Role::Output)];
    check(&gpu, &checkpoint, 1, rows, slots, norm(0, false, NormKind::Layer));
    let (side, patches) = (14 * 170, 170 * 170);
    let slots = vec![
        slot("pixels", 1, side, side, Role::Rgba),
        slot("rows", 1, patches, 588, Role::Output),
    ];
    check(&gpu, &checkpoint, 1, patches + 1, slots, unfold(14));
}

/// Patches of slot 0, bytes normalised as no model is, so that nothing else is built in.
fn unfold(patch: usize) -> Op {
    let normal = Normal { divisor: 127.5, mean: [0.5, -0.25, 1.0], std: [0.5, 2.0, 0.125] };
    Op::Unfold { pixels: 0, rows: 1, patch, normal }
}

#[test]
fn unfold_from_bytes_and_planes() {
    in_both_precisions(|gpu| {
        let checkpoint = random_checkpoint("unfold", &config(8, 1, 4, 1, ""));
        for (h, w, patch, batch) in [(1, 1, 14, 1), (2, 3, 14, 2), (3, 1, 16, 1), (5, 4, 2, 3)] {
            let rows = || slot("rows", 1, h * w, 3 * patch * patch, Role::Output);
            let op = unfold(patch);
            let bytes = slot("pixels", 1, h * patch, w * patch, Role::Rgba);
            check(gpu, &checkpoint, batch, h * w + 1, vec![bytes, rows()], op.clone());
            let planes = slot("pixels", 1, 3 * h * patch, w * patch, Role::Input);
            check(gpu, &checkpoint, batch, h * w + 1, vec![planes, rows()], op);
        }
    });
}

/// Where GPUs read the picture itself, and where patches are stored first.
#[test]
fn products_of_patches() {
    in_both_precisions(|gpu| {
        for (h, w, patch, batch) in [(1, 1, 14, 1), (5, 4, 2, 3), (9, 15, 4, 2)] {
            let text = config(72, 1, 4, 1, "")
                .replace("\"patch_size\": 14", &format!("\"patch_size\": {patch}"));
            let checkpoint = random_checkpoint(&format!("patches-{patch}"), &text);
            let slots = |pixels| {
                let rows = slot("rows", 1, h * w, 3 * patch * patch, Role::Temporary);
                vec![pixels, rows, slot("y", 1, h * w, 72, Role::Output)]
            };
            let mut product = linear("embeddings.patch_embedding", true, Finish::Store);
            if let Op::Linear { x, y, .. } = &mut product {
                (*x, *y) = (1, 2);
            }
            let ops = [unfold(patch), product];
            let bytes = slot("pixels", 1, h * patch, w * patch, Role::Rgba);
            check_all(gpu, &checkpoint, batch, h * w + 1, slots(bytes), &ops);
            let planes = slot("pixels", 1, 3 * h * patch, w * patch, Role::Input);
            check_all(gpu, &checkpoint, batch, h * w + 1, slots(planes), &ops);
        }
    });
}

#[test]
fn embed_for_batches() {
    let Some(gpu) = gpu() else { return };
    for (c, patches, batch) in [(8, 1, 1), (24, 6, 3), (192, 20, 2)] {
        let checkpoint = random_checkpoint(&format!("embed-{c}"), &config(c, c / 8, 4, 1, ""));
        let slots = vec![
            slot("patches", 1, patches, c, Role::Input),
            slot("position", 1, patches + 1, c, Role::Shared),
            slot("y", 1, patches + 1, c, Role::Output),
        ];
        let cls = "embeddings.class_embedding".to_string();
        let op = Op::Embed { patches: 0, position: 1, y: 2, cls };
        check(&gpu, &checkpoint, batch, patches + 1, slots, op);
    }
}

#[test]
fn maps_are_pooled_resized_and_interleaved() {
    let Some(gpu) = gpu() else { return };
    let checkpoint = random_checkpoint("maps", &config(8, 1, 4, 1, ""));
    for ([h, w], to, c, batch) in [
        ([2, 2], [1, 1], 4, 1),
        ([5, 7], [3, 2], 12, 2),
        ([9, 6], [6, 6], 64, 1),
        ([4, 4], [8, 5], 8, 3),
    ] {
        let map = |name: &str, size: [usize; 2], planes: usize, c: usize, role: Role| {
            slot(name, planes, size[0] * size[1], c, role)
        };
        let x = || map("x", [h, w], 1, c, Role::Input);
        let y = |size, c| map("y", size, 1, c, Role::Output);
        let from = [h, w];
        let mean = Op::Pool { x: 0, y: 1, from, to, max: false };
        check(&gpu, &checkpoint, batch, 1, vec![x(), y(to, c)], mean);
        let half = [h / 2, w / 2];
        let max = Op::Pool { x: 0, y: 1, from, to: half, max: true };
        check(&gpu, &checkpoint, batch, 1, vec![x(), y(half, c)], max);
        let resize = Op::Resize { x: 0, y: 1, from, to, column: 0, add: false };
        check(&gpu, &checkpoint, batch, 1, vec![x(), y(to, c)], resize);
        let add = Op::Resize { x: 0, y: 1, from, to, column: 8, add: true };
        check(&gpu, &checkpoint, batch, 1, vec![x(), y(to, c + 12)], add);
        let planes = map("x", from, 4, c, Role::Input);
        let interleave = Op::Interleave { x: 0, y: 1, from };
        check(&gpu, &checkpoint, batch, 1, vec![planes, y([2 * h, 2 * w], c)], interleave);
        let skip = Op::Keep { x: 0, y: 1, skip: 1 };
        check(
            &gpu,
            &checkpoint,
            batch,
            1,
            vec![x(), slot("y", 1, h * w - 1, c, Role::Output)],
            skip,
        );
    }
}

/// A 3 × 3 convolution is a product over windows. The MLP's second matrix serves as its weights.
#[test]
fn convolutions_over_windows() {
    in_both_precisions(|gpu| {
        for ([h, w], c, batch) in [([1, 1], 8, 1), ([3, 5], 8, 2), ([9, 10], 16, 1)] {
            let checkpoint = random_checkpoint("windows", &config(24, 3, 9 * c, 1, ""));
            let slots =
                vec![slot("x", 1, h * w, c, Role::Input), slot("y", 1, h * w, 24, Role::Output)];
            let op = Op::Linear {
                x: 0,
                y: 1,
                weight: format!("{FC2}.weight"),
                bias: Some(format!("{FC2}.bias")),
                window: Some([h, w]),
                finish: Finish::Relu,
            };
            check(gpu, &checkpoint, batch, 1, slots, op);
        }
    });
}
