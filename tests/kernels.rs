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
use internvit::plan::{
    Activation, Attention, Concat, Embed, Interleave, Linear, Map, Norm, Op, Patchify, Plan, Plane,
    Pool, PoolKind, Resize, Role, RowSource, Slice, Slot, SlotId, Value, WeightKind,
};
use internvit::weights::{Quant, Values, write_safetensors};
use internvit::{Checkpoint, reference};

/// f32 sums of up to some thousand terms, in another order than the twin's.
const TOLERANCE: f64 = 2e-6;
/// Inputs, weights and outputs rounded to f16, each by up to 2^-11 and 2e-4 in the mean.
const HALF: f64 = 6e-4;

/// An operation under test: the slots of activations by number, then its weights by name.
struct Case {
    plan: Plan,
}

impl Case {
    fn new(batch: usize) -> Self {
        Self { plan: Plan::new(batch) }
    }

    /// A slot that is fed.
    fn input(&mut self, shape: [usize; 3]) -> SlotId {
        self.given(shape, Role::Input)
    }

    fn given(&mut self, shape: [usize; 3], role: Role) -> SlotId {
        let name = format!("slot {}", self.plan.slots.len());
        self.plan.add(Slot::new(&name, shape, role))
    }

    /// A tensor of the checkpoint, `[planes, rows, cols]` as it is used.
    fn weight(&mut self, name: &str, shape: [usize; 3], kind: WeightKind) -> SlotId {
        self.plan.add(Slot::new(name, shape, Role::Weight(kind)))
    }

    fn vector(&mut self, name: &str, n: usize) -> SlotId {
        self.weight(name, [1, 1, n], WeightKind::Vector)
    }

    /// A step, and the slot that it writes.
    fn step(&mut self, shape: [usize; 3], op: Op) -> SlotId {
        let y = self.given(shape, Role::Temporary);
        self.plan.push(y, op);
        y
    }

    /// The last step is run and compared on all executors.
    fn check(mut self, gpu: &Gpu, checkpoint: &Checkpoint) {
        let y = self.plan.steps.last().unwrap().y;
        let half = gpu.precision == Precision::F16;
        if half {
            // What lies between kernels is f16; what goes in and comes out is not.
            let fed = self.plan.slots.iter_mut().filter(|slot| slot.role == Role::Input);
            fed.for_each(|slot| slot.role = Role::Temporary);
            self.plan.outputs.push(("y".into(), y));
        } else {
            self.plan.output("y", y);
        }
        compare(gpu, checkpoint, &self.plan);
    }
}

/// Runs a plan whose first slots are fed and compares the last step's output.
fn compare(gpu: &Gpu, checkpoint: &Checkpoint, plan: &Plan) {
    let (batch, half) = (plan.batch, gpu.precision == Precision::F16);
    let last = plan.steps.last().unwrap();
    let written: Vec<SlotId> = plan.steps.iter().map(|step| step.y).collect();
    let fed = (0..plan.slots.len()).filter(|id| !plan.slots[*id].is_weight());
    let fed = fed.filter(|id| !written.contains(id)).map(|id| (id, feed(gpu, plan, id)));
    let fed: Vec<_> = fed.collect();
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
    let what = format!("{:?} batch {batch} {:?}", last.op, plan.slots);
    let mut expected = Vec::new();
    let watch = &mut async |_: &_, values: &[f32]| {
        expected = values.to_vec();
        ControlFlow::Continue(())
    };
    wait(reference::run(plan, batch, checkpoint, &inputs, watch)).unwrap();
    if !half {
        let found = wait(on_cpu(plan, batch, checkpoint, &inputs));
        assert_close(&format!("CPU {what}"), &found, &expected, TOLERANCE);
    }
    let plans = std::slice::from_ref(plan);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let weights = wait(GpuWeights::upload(gpu, plans, checkpoint, go_on)).unwrap();
    let own = matches!(last.op, Op::Linear(_) | Op::Attention(_) | Op::Norm(_));
    // All families share the kernels of the other operations.
    let families = Family::ALL.into_iter().filter(|family| family.runs_on(&gpu.caps));
    for family in families.take(if own { usize::MAX } else { 1 }) {
        let prepared = Prepared::with_family(gpu, plan.clone(), &weights, family);
        let mut prepared = wait(prepared).unwrap();
        prepared.poison(gpu, last.y);
        wait(prepared.run(gpu, batch, &inputs, None, &mut on)).unwrap();
        let found = wait(prepared.read(gpu, last.y, batch)).unwrap();
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

const LS2: &str = "encoder.layers.0.ls2";

/// What follows a product.
#[derive(Clone, Copy)]
enum Then {
    Nothing,
    Bias,
    Gelu,
    /// Bias, LayerScale and residual; whether the residual is needed later, so that it cannot be
    /// overwritten.
    Residual {
        kept: bool,
    },
}

/// A product of the weights `name` with x `[rows, k]`.
fn product(
    batch: usize,
    rows: usize,
    name: &str,
    [planes, out, k]: [usize; 3],
    then: Then,
) -> Case {
    let mut case = Case::new(batch);
    let x = case.input([1, rows, k]);
    let residual = matches!(then, Then::Residual { .. }).then(|| case.input([1, rows, out]));
    let weight = format!("{name}.weight");
    let weight = case.weight(&weight, [planes, out, k], WeightKind::Matrix);
    let mut op = Linear { residual, ..Linear::new(x, weight) };
    if !matches!(then, Then::Nothing) {
        op.bias = Some(case.vector(&format!("{name}.bias"), planes * out));
    }
    match then {
        Then::Nothing | Then::Bias => {}
        Then::Gelu => op.activation = Some(Activation::Erf),
        Then::Residual { kept } => {
            op.scale = Some(case.vector(LS2, out));
            if !kept {
                // A temporary slot, whose memory the sum takes over.
                let x = residual.unwrap();
                op.residual = Some(case.step([1, rows, out], Op::Slice(Slice { x, first: 0 })));
            }
        }
    }
    case.step([planes, rows, out], Op::Linear(op));
    case
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
        let products = [
            (FC1, [1, m, c], Then::Nothing),
            (FC2, [1, c, m], Then::Residual { kept: i % 2 == 0 }),
            (QKV, [3, c, c], Then::Bias),
            (FC1, [1, m, c], Then::Gelu),
            (FC1, [1, m, c], Then::Bias),
            (QKV, [3, c, c], Then::Nothing),
        ];
        for (at, (name, shape, then)) in products.into_iter().enumerate() {
            if matches!(i, 2 | 4) || at % 3 == i % 3 {
                product(batch, rows, name, shape, then).check(gpu, &checkpoint);
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
            for (name, shape, then) in [
                (FC1, [1, m, c], Then::Gelu),
                (FC2, [1, c, m], Then::Residual { kept: false }),
                (QKV, [3, c, c], Then::Bias),
            ] {
                product(1, rows, name, shape, then).check(&gpu, &checkpoint);
            }
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
        let residual = Then::Residual { kept: true };
        product(1, rows, FC1, [1, m, c], Then::Gelu).check(gpu, &checkpoint);
        product(1, rows, FC2, [1, c, m], residual).check(gpu, &checkpoint);
        product(1, 130, QKV, [3, c, c], Then::Bias).check(gpu, &checkpoint);
    });
}

/// Attention over planes of one slot, or over slots of their own.
fn attention(case: &mut Case, shape: [usize; 2], heads: usize, apart: bool) {
    let [tokens, c] = shape;
    let [q, k, v] = match apart {
        true => [0; 3].map(|_| Plane::from(case.input([1, tokens, c]))),
        false => {
            let slot = case.input([3, tokens, c]);
            [0, 1, 2].map(|plane| Plane { slot, plane })
        }
    };
    case.step([1, tokens, c], Op::Attention(Attention { q, k, v, heads }));
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
            let mut case = Case::new(batch);
            attention(&mut case, [tokens, c], heads, d % 16 == 8);
            case.check(gpu, &checkpoint);
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
        let mut case = Case::new(1);
        attention(&mut case, [tokens, c], 1, false);
        let mut plan = case.plan;
        if half {
            plan.slots[0].role = Role::Temporary;
        }
        plan.outputs.push(("y".into(), 1));
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

/// A norm of the last of `planes` planes.
fn norm(batch: usize, [planes, rows, c]: [usize; 3], kind: NormKind) -> Case {
    let mut case = Case::new(batch);
    let slot = case.input([planes, rows, c]);
    let name = "encoder.layers.0.norm1";
    let weight = case.vector(&format!("{name}.weight"), c);
    let bias = (kind == NormKind::Layer).then(|| case.vector(&format!("{name}.bias"), c));
    let x = Plane { slot, plane: planes - 1 };
    let norm = Norm { x, weight, bias, kind, eps: 1e-6, activation: None };
    case.step([1, rows, c], Op::Norm(norm));
    case
}

#[test]
fn norms_of_both_kinds() {
    in_both_precisions(|gpu| {
        // 1028 channels are no legal width for attention, but a norm does not mind.
        let list = [(8, 1, 1), (24, 5, 3), (192, 33, 1), (1032, 7, 2), (3200, 3, 1)];
        for (c, rows, batch) in cases(gpu, list) {
            let name = format!("norm-{c}");
            let checkpoint = random_checkpoint(&name, &config(c, c / 8, 4, 1, ""));
            for kind in [NormKind::Layer, NormKind::Rms] {
                for planes in [1, 3] {
                    norm(batch, [planes, rows, c], kind).check(gpu, &checkpoint);
                }
            }
        }
    });
}

/// More rows than a dimension has workgroups (65,535), and more values than 64 times that.
#[test]
fn more_than_65535_workgroups() {
    let Some(gpu) = gpu() else { return };
    let checkpoint = random_checkpoint("many", &config(8, 1, 4, 1, ""));
    norm(1, [1, 70_000, 8], NormKind::Layer).check(&gpu, &checkpoint);
    patches(1, [170, 170], 14, Role::Rgba).0.check(&gpu, &checkpoint);
}

/// Patches of a picture of `h` × `w` patches, of bytes or f32 planes, and their slot.
fn patches(batch: usize, [h, w]: [usize; 2], patch: usize, role: Role) -> (Case, SlotId) {
    let mut case = Case::new(batch);
    let channels = if role == Role::Rgba { 1 } else { 3 };
    let pixels = case.given([1, channels * h * patch, w * patch], role);
    let shape = [1, h * w, 3 * patch * patch];
    // As no model normalises, so that nothing else is built in.
    let normal = Normal { divisor: 127.5, mean: [0.5, -0.25, 1.0], std: [0.5, 2.0, 0.125] };
    let rows = case.step(shape, Op::Patchify(Patchify { pixels, patch, normal }));
    (case, rows)
}

#[test]
fn patches_of_bytes_and_planes() {
    in_both_precisions(|gpu| {
        let checkpoint = random_checkpoint("patchify", &config(8, 1, 4, 1, ""));
        for (h, w, patch, batch) in [(1, 1, 14, 1), (2, 3, 14, 2), (3, 1, 16, 1), (5, 4, 2, 3)] {
            for role in [Role::Rgba, Role::Input] {
                patches(batch, [h, w], patch, role).0.check(gpu, &checkpoint);
            }
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
            for role in [Role::Rgba, Role::Input] {
                let (mut case, x) = patches(batch, [h, w], patch, role);
                let name = "embeddings.patch_embedding";
                let shape = [1, 72, 3 * patch * patch];
                let weight = case.weight(&format!("{name}.weight"), shape, WeightKind::Matrix);
                let bias = Some(case.vector(&format!("{name}.bias"), 72));
                case.step([1, h * w, 72], Op::Linear(Linear { bias, ..Linear::new(x, weight) }));
                case.check(gpu, &checkpoint);
            }
        }
    });
}

#[test]
fn embed_for_batches() {
    let Some(gpu) = gpu() else { return };
    for (c, patches, prefix, batch) in [(8, 1, 1, 1), (24, 6, 5, 3), (192, 20, 1, 2), (8, 7, 0, 2)]
    {
        let checkpoint = random_checkpoint(&format!("embed-{c}"), &config(c, c / 8, 4, 1, ""));
        let mut case = Case::new(batch);
        let shape = [1, prefix + patches, c];
        let patches = case.input([1, patches, c]);
        let rows = case.given(shape, Role::Shared);
        case.step(shape, Op::Embed(Embed { patches, rows }));
        case.check(&gpu, &checkpoint);
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
        let shape = |[h, w]: [usize; 2], c| [1, h * w, c];
        let size = [h, w];
        let check = |planes: usize, to, c_out, op: &dyn Fn(Map) -> Op| {
            let mut case = Case::new(batch);
            let slot = case.input([planes, h * w, c]);
            case.step(shape(to, c_out), op(Map { slot, size }));
            case.check(&gpu, &checkpoint);
        };
        let mean = PoolKind::Mean;
        check(1, to, c, &|x| Op::Pool(Pool { x, to, kind: mean }));
        let half = [h / 2, w / 2];
        check(1, half, c, &|x| Op::Pool(Pool { x, to: half, kind: PoolKind::Max }));
        check(1, to, c, &|x| Op::Resize(Resize { x, to, add: None }));
        let twice = [2 * h, 2 * w];
        check(4, twice, c, &|x| Op::Interleave(Interleave { x: x.slot, size }));
        check(1, [1, h * w - 1], c, &|x| Op::Slice(Slice { x: x.slot, first: 1 }));

        let mut case = Case::new(batch);
        let [x, add] = [case.input(shape(size, c)), case.input(shape(to, c))];
        let resize = Resize { x: Map { slot: x, size }, to, add: Some(add) };
        case.step(shape(to, c), Op::Resize(resize));
        case.check(&gpu, &checkpoint);

        let mut case = Case::new(batch);
        let [x, other] = [case.input(shape(size, c)), case.input(shape(to, 12))];
        let maps = vec![Map { slot: x, size }, Map { slot: other, size: to }];
        case.step(shape(to, c + 12), Op::Concat(Concat { maps, to }));
        case.check(&gpu, &checkpoint);
    }
}

/// A 3 × 3 convolution is a product over windows. The MLP's second matrix serves as its weights.
#[test]
fn convolutions_over_windows() {
    in_both_precisions(|gpu| {
        for ([h, w], c, batch) in [([1, 1], 8, 1), ([3, 5], 8, 2), ([9, 10], 16, 1)] {
            let checkpoint = random_checkpoint("windows", &config(24, 3, 9 * c, 1, ""));
            let mut case = Case::new(batch);
            let x = case.input([1, h * w, c]);
            let weight = case.weight(&format!("{FC2}.weight"), [1, 24, 9 * c], WeightKind::Matrix);
            let bias = Some(case.vector(&format!("{FC2}.bias"), 24));
            let (rows, activation) = (RowSource::Windows([h, w]), Some(Activation::Relu));
            let op = Linear { bias, rows, activation, ..Linear::new(x, weight) };
            case.step([1, h * w, 24], Op::Linear(op));
            case.check(gpu, &checkpoint);
        }
    });
}
