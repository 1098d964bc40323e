//! A plan of a few operations with weights in memory, run by twins, CPU and GPU.

use std::collections::HashMap;
use std::ops::ControlFlow;

use internvit::cpu::{self, CpuWeights, Helper, Share, Supply, Team, Workspace};
use internvit::gpu::{Family, Gpu, GpuWeights, Precision, PreparedPlan};
use internvit::model::WeightKind;
use internvit::plan::{Op, Plan, Role, Slot, SlotId, Value};
use internvit::reference;
use internvit::weights::{QuantFormat, random_tensor};

use crate::common::*;

/// f32 sums of up to some thousand terms, in another order than the twin's.
pub const TOLERANCE: f64 = 2e-6;
/// Inputs, weights and outputs rounded to f16, each by up to 2^-11 and 2e-4 in the mean.
pub const HALF: f64 = 6e-4;

/// Operations under test.
pub struct Case {
    pub plan: Plan,
    weights: HashMap<String, Vec<f32>>,
    /// What is fed in place of noise.
    chosen: HashMap<SlotId, Vec<f32>>,
    /// What the values that are fed are multiplied by.
    gain: f32,
    /// The kernels are tried too that a probe may take for products.
    candidates: bool,
}

impl Case {
    pub fn new(batch: usize) -> Self {
        Self {
            plan: Plan::new(batch),
            weights: HashMap::new(),
            chosen: HashMap::new(),
            gain: 1.0,
            candidates: false,
        }
    }

    /// Tries the kernels too that a probe may take for products. They are large, and the driver takes seconds for
    /// some of them, so that they have cases of their own; what ends a product is the same text in all.
    pub fn with_candidates(mut self) -> Self {
        self.candidates = true;
        self
    }

    /// Feeds values between `-gain` and `gain`.
    pub fn amplified(mut self, gain: f32) -> Self {
        self.gain = gain;
        self
    }

    /// A slot that is fed.
    pub fn input(&mut self, shape: [usize; 3]) -> SlotId {
        self.given(shape, Role::Input)
    }

    pub fn given(&mut self, shape: [usize; 3], role: Role) -> SlotId {
        let name = format!("slot {}", self.plan.slots.len());
        self.plan.add(Slot::new(&name, shape, role))
    }

    /// A slot that is fed with these whole numbers.
    pub fn numbers(&mut self, shape: [usize; 3], role: Role, values: Vec<f32>) -> SlotId {
        let slot = self.given(shape, role);
        self.chosen.insert(slot, values);
        slot
    }

    /// A matrix of a block, `[planes, rows, cols]`.
    pub fn matrix(&mut self, name: &str, shape: [usize; 3]) -> SlotId {
        let [planes, rows, cols] = shape;
        self.weights.insert(
            name.into(),
            random_tensor(1, name, &[planes * rows, cols], WeightKind::Matrix),
        );
        let slot = Slot::new(name, shape, Role::Weight(WeightKind::Matrix));
        self.plan.add(Slot { block: Some(0), ..slot })
    }

    /// A table of which rows are taken.
    pub fn table(&mut self, name: &str, shape: [usize; 3]) -> SlotId {
        let kind = WeightKind::Table;
        self.weights.insert(name.into(), random_tensor(1, name, &shape[1..], kind));
        self.plan.add(Slot::new(name, shape, Role::Weight(kind)))
    }

    /// A norm's weight for `n` channels.
    pub fn gain(&mut self, name: &str, n: usize) -> SlotId {
        self.vector(name, n, WeightKind::Gain)
    }

    /// A bias of `n` channels.
    pub fn bias(&mut self, name: &str, n: usize) -> SlotId {
        self.vector(name, n, WeightKind::Bias)
    }

    /// A LayerScale of `n` channels.
    pub fn layer_scale(&mut self, name: &str, n: usize) -> SlotId {
        self.vector(name, n, WeightKind::LayerScale)
    }

    fn vector(&mut self, name: &str, n: usize, kind: WeightKind) -> SlotId {
        self.weights.insert(name.into(), random_tensor(1, name, &[n], kind));
        self.plan.add(Slot::new(name, [1, 1, n], Role::Weight(kind)))
    }

    /// A step, and the slot that it writes.
    pub fn step(&mut self, shape: [usize; 3], op: Op) -> SlotId {
        let y = self.given(shape, Role::Temporary);
        self.plan.push(y, op);
        y
    }

    /// Changes every matrix, given the values of a row.
    pub fn rounded(mut self, round: impl Fn(&[f32], usize) -> Vec<f32>) -> Self {
        for slot in &self.plan.slots {
            if slot.role == Role::Weight(WeightKind::Matrix)
                && let Some(values) = self.weights.get_mut(&slot.name)
            {
                *values = round(values, slot.cols);
            }
        }
        self
    }

    /// The last step's result is compared on all executors.
    pub fn check(mut self, gpu: &Gpu) {
        let y = self.plan.steps.last().unwrap().y;
        if gpu.precision == Precision::F16 {
            // What lies between kernels is f16; what goes in and comes out is not. Nor is what is added
            // to, whose memory a sum would take over from the first step on.
            let kept: Vec<_> = self.plan.steps.iter().filter_map(|s| s.op.adds_to()).collect();
            for (id, slot) in self.plan.slots.iter_mut().enumerate() {
                let fed = slot.role == Role::Input && !self.chosen.contains_key(&id);
                if fed && !kept.contains(&id) {
                    slot.role = Role::Temporary;
                }
            }
            self.plan.outputs.push(("y".into(), y));
        } else {
            self.plan.output("y", y);
        }
        let fed = self.fed(gpu.precision);
        self.compare(gpu, &fed, if gpu.precision == Precision::F16 { HALF } else { TOLERANCE });
    }

    /// The slots that no step writes, and values for them.
    fn fed(&self, precision: Precision) -> Vec<(SlotId, Vec<f32>)> {
        let written: Vec<SlotId> = self.plan.steps.iter().map(|step| step.y).collect();
        let fed = (0..self.plan.slots.len()).filter(|id| !self.plan.slots[*id].is_weight());
        let fed = fed.filter(|id| !written.contains(id));
        fed.map(|id| (id, self.values(precision, id))).collect()
    }

    fn values(&self, precision: Precision, id: SlotId) -> Vec<f32> {
        if let Some(chosen) = self.chosen.get(&id) {
            return chosen.clone();
        }
        let slot = &self.plan.slots[id];
        let mut values = noise(id as u32 + 1, slot.planes * slot.plane_len(self.plan.batch));
        values.iter_mut().for_each(|value| *value *= self.gain);
        // Rounded as packed products round it, so that they lose nothing.
        match precision == Precision::Int8 && slot.cols.is_multiple_of(32) {
            true => QuantFormat::Int8.quantise(&values, 32).values(),
            false => values,
        }
    }

    /// Runs the plan on all executors and compares the last step's result with the twin's.
    pub fn compare(&self, gpu: &Gpu, fed: &[(SlotId, Vec<f32>)], tolerance: f64) {
        let (plan, batch) = (&self.plan, self.plan.batch);
        let bytes: Vec<Vec<u8>> = fed
            .iter()
            .map(|(_, v)| {
                v.iter().flat_map(|v| ((v * 127.0 + 128.0) as u32).to_le_bytes()).collect()
            })
            .collect();
        let inputs: Vec<_> = fed
            .iter()
            .zip(&bytes)
            .map(|((id, v), b)| match plan.slots[*id].role {
                Role::Rgba => (*id, Value::Rgba(b)),
                _ => (*id, Value::F32(v)),
            })
            .collect();
        let last = plan.steps.last().unwrap();
        let what = format!("{:?} batch {batch} {:?}", last.op, plan.slots);
        let mut expected = Vec::new();
        let watch = &mut async |_: &_, values: &[f32]| {
            expected = values.to_vec();
            ControlFlow::Continue(())
        };
        wait(reference::run(plan, batch, &self.weights, &inputs, watch)).unwrap();
        if gpu.precision != Precision::F16 {
            let found = wait(self.on_cpu(gpu.precision, &inputs));
            assert_close(&format!("CPU {what}"), &found, &expected, tolerance);
        }
        for (family, found) in self.on_gpu(gpu, &inputs) {
            let what = format!("{family:?} {:?} {what}", gpu.precision);
            assert_close(&what, &found, &expected, tolerance);
        }
    }

    /// What the kernels of every family make of it; all families share those of most operations.
    pub fn on_gpu(&self, gpu: &Gpu, inputs: &[(SlotId, Value<'_>)]) -> Vec<(Family, Vec<f32>)> {
        let (plan, y) = (&self.plan, self.plan.steps.last().unwrap().y);
        let go_on = &mut async |_| ControlFlow::Continue(());
        let plans = std::slice::from_ref(plan);
        let weights = wait(GpuWeights::upload(gpu, plans, &self.weights, go_on)).unwrap();
        let own =
            |op: &Op| matches!(op, Op::Linear(_) | Op::Attention(_) | Op::Norm(_) | Op::Causal(_));
        let own = plan.steps.iter().any(|step| own(&step.op));
        // These differ from the portable one in products alone, or in attention.
        let attends = plan.steps.iter().any(|step| matches!(step.op, Op::Attention(_)));
        let differs = |family: &Family| match family {
            Family::Wide | Family::Tall | Family::Split => self.candidates,
            Family::Subgroups => attends || self.candidates,
            _ => true,
        };
        let families = Family::ALL.iter().copied().filter(|family| family.runs_on(&gpu.caps));
        let families = families.filter(differs);
        let run = |family| {
            let prepared = PreparedPlan::with_family(gpu, plan.clone(), &weights, family);
            let mut prepared = wait(prepared).unwrap();
            for step in &plan.steps {
                prepared.poison(gpu, step.y).unwrap();
            }
            wait(prepared.run(gpu, plan.batch, inputs, None, &mut on)).unwrap();
            (family, wait(prepared.read(gpu, y, plan.batch)).unwrap())
        };
        families.take(if own { usize::MAX } else { 1 }).map(run).collect()
    }

    /// The last step's result is compared where several members share the CPU's work.
    pub fn check_team(mut self, members: usize) {
        let y = self.plan.steps.last().unwrap().y;
        self.plan.output("y", y);
        let (plan, batch, fed) = (&self.plan, self.plan.batch, self.fed(Precision::F32));
        let inputs: Vec<_> = fed.iter().map(|(id, v)| (*id, Value::F32(v))).collect();
        let outputs =
            wait(reference::run(plan, batch, &self.weights, &inputs, &mut async |_, _| {
                ControlFlow::Continue(())
            }));
        let expected = outputs.unwrap().pop().unwrap().1;
        let plans = std::slice::from_ref(plan);
        let (team, mut jobs) = Team::new(members);
        let helper =
            |member| wait(Helper::load(plans, &self.weights, Share { member, members })).unwrap();
        let helpers: Vec<_> = (1..members).map(helper).collect();
        let go_on = &mut async |_| ControlFlow::Continue(());
        let weights =
            wait(CpuWeights::load(plans, &self.weights, None, Some(team), go_on)).unwrap();
        let carried = std::thread::spawn(move || {
            let mut count = 0;
            while let Ok(job) = wait(jobs.recv()) {
                job.answer.send(helpers[job.helper - 1].answer(&job.task)).unwrap();
                count += 1;
            }
            count
        });
        let (mut space, go_on) =
            (Workspace::default(), &mut async |_: &[_]| ControlFlow::Continue(()));
        let run = cpu::run(plan, batch, Supply::Held(&weights), &mut space, &inputs, go_on);
        let found = wait(run).unwrap().pop().unwrap().1;
        assert_close(&format!("by {members}: {:?}", plan.slots), &found, &expected, TOLERANCE);
        drop(weights);
        assert_eq!(carried.join().unwrap(), members - 1, "every helper had a task");
    }

    /// What the fast CPU executor makes of it.
    async fn on_cpu(&self, precision: Precision, inputs: &[(SlotId, Value<'_>)]) -> Vec<f32> {
        let (plan, batch) = (&self.plan, self.plan.batch);
        let go_on = &mut async |_| ControlFlow::Continue(());
        let plans = std::slice::from_ref(plan);
        let quant = precision.quant();
        let weights = CpuWeights::load(plans, &self.weights, quant, None, go_on).await.unwrap();
        let go_on = &mut async |_: &[_]| ControlFlow::Continue(());
        let mut space = Workspace::default();
        let held = Supply::Held(&weights);
        // A second run finds the first one's memory.
        cpu::run(plan, batch, held, &mut space, inputs, go_on).await.unwrap();
        let mut outputs = cpu::run(plan, batch, held, &mut space, inputs, go_on).await.unwrap();
        outputs.pop().unwrap().1
    }
}

/// In f16 fewer cases do, since only loads and stores differ, and the products by matrices.
pub fn cases<T>(gpu: &Gpu, list: impl IntoIterator<Item = T>) -> impl Iterator<Item = T> {
    list.into_iter().step_by(if gpu.precision == Precision::F16 { 2 } else { 1 })
}

/// What holds for both.
pub fn in_both_precisions(test: impl Fn(&mut Gpu)) {
    for mut gpu in [gpu(), half_gpu()].into_iter().flatten() {
        test(&mut gpu);
    }
}
