//! Which of the kernels that compute the same a device is fastest with: tried on the shapes of a plan, and held against
//! the device's own kernel.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use web_time::Instant;

use super::device::Gpu;
use super::extent::Extents;
use super::family::Family;
use super::kernels::{ATTENTION, LINEAR, Target, choose};
use super::prepare::PreparedPlan;
use super::steps::Builder;
use super::tuning::{Found, Trial, Tuning, attention_shape, product_shape};
use super::weights::GpuWeights;
use crate::Result;
use crate::plan::{Attention, Linear, Op, Plan, Plane, Role, Slot, SlotId, Step, Value};
use crate::precision::Precision;

/// Runs of each kernel, of which the fastest counts.
const RUNS: usize = 5;
/// A kernel that takes this factor longer than the fastest is not run again.
const HOPELESS: f64 = 1.5;
/// How far a value may be from the own kernel's, in root mean squares: rounding of sums, and of f16.
const APART: f32 = 1e-4;
const APART_HALF: f32 = 2e-2;

/// A step of a plan alone, to be tried.
struct Case {
    shape: String,
    plan: Plan,
    x: SlotId,
    flop: f64,
    /// The families that have kernels of their own for it, the device's first, with their files.
    kernels: Vec<(Family, &'static str)>,
    /// How far a value may be off.
    apart: f32,
}

impl Gpu {
    /// Tries kernels for those shapes of a plan of which nothing is known, the largest work first, as long as there is
    /// time. What fails is not taken.
    pub(super) async fn probe(&self, plan: &Plan, weights: &GpuWeights) {
        let wanted = self.tuning.borrow().on && self.forced.is_none();
        if !wanted || self.precision == Precision::W8A8 || weights.stream.is_some() {
            return;
        }
        let Ok(mut cases) = self.cases(plan, weights) else { return };
        cases.sort_by(|a, b| b.flop.total_cmp(&a.flop));
        let (mut longest, mut tried) = (0.0f64, false);
        for case in cases {
            let left = self.tuning.borrow().left;
            if left <= longest {
                break;
            }
            let start = Instant::now();
            let found = self.try_all(&case, weights, start, left).await;
            let seconds = start.elapsed().as_secs_f64();
            longest = longest.max(seconds);
            let mut tuning = self.tuning.borrow_mut();
            tuning.left -= seconds;
            if let Some(found) = found {
                tuning.known.insert(case.shape, found);
                tried = true;
            }
        }
        if tried {
            self.tuning.borrow().save();
            self.save_pipelines();
        }
    }

    /// The steps of a plan that several families compute in their own ways, each shape once.
    fn cases(&self, plan: &Plan, weights: &GpuWeights) -> Result<Vec<Case>> {
        let extents = Extents::new(plan, self.family(), self.precision);
        let buffers = vec![None; plan.slots.len()];
        let builder = Builder {
            gpu: self,
            plan,
            weights,
            target: Target::of(&self.caps, self.family()),
            tuned: false,
            space: None,
            extents: &extents,
            buffers: &buffers,
        };
        let mut cases: Vec<Case> = Vec::new();
        for step in &plan.steps {
            let Some(case) = self.case(&builder, step)? else { continue };
            let flop = plan.flop(step, 1);
            match cases.iter_mut().find(|known| known.shape == case.shape) {
                Some(known) => known.flop += flop,
                None => cases.push(Case { flop, ..case }),
            }
        }
        let known = &self.tuning.borrow().known;
        cases.retain(|case| case.kernels.len() > 1 && !known.contains_key(&case.shape));
        Ok(cases)
    }

    /// A step alone, if there is anything to choose for it.
    fn case(&self, builder: &Builder<'_>, step: &Step) -> Result<Option<Case>> {
        let (plan, y) = (builder.plan, &builder.plan.slots[step.y]);
        let mut alone = Plan::new(1);
        let role = |half: bool| if half { Role::Temporary } else { Role::Input };
        let (shape, kernels, half, x, op) = match &step.op {
            Op::Linear(op) => {
                let (product, panels) = builder.product(op, step.y)?;
                let planes = if op.gated { 1 } else { panels.planes };
                let slot = Slot::new("x", [1, y.rows, panels.k], role(product.half[0]));
                let x = alone.add(slot);
                let weight = alone.add(plan.slots[op.weight].clone());
                let (activation, gated) = (op.activation.filter(|_| op.gated), op.gated);
                let op = Linear { activation, gated, ..Linear::new(x, weight) };
                let kernels =
                    self.kernels(|target| Ok(choose(LINEAR, target, &product)?.about()))?;
                (product_shape(&product, planes), kernels, product.half, x, Op::Linear(op))
            }
            Op::Attention(op) => {
                let shape = builder.attention_of(op, step.y);
                let slot = Slot::new("x", [3, y.rows, y.cols], role(shape.half[0]));
                let x = alone.add(slot);
                let planes = [0, 1, 2].map(|plane| Plane { slot: x, plane });
                let alone = Attention { groups: op.groups, ..Attention::new(planes, op.heads) };
                let kernels =
                    self.kernels(|target| Ok(choose(ATTENTION, target, &shape)?.about()))?;
                let name = attention_shape(&shape, op.groups);
                (name, kernels, shape.half, x, Op::Attention(alone))
            }
            _ => return Ok(None),
        };
        let Some(shape) = shape else { return Ok(None) };
        let out = alone.add(Slot::new("y", [y.planes, y.rows, y.cols], Role::Temporary));
        alone.push(out, op);
        match half[1] {
            true => alone.outputs.push(("y".into(), out)),
            false => alone.output("y", out),
        }
        let apart = if half.contains(&true) { APART_HALF } else { APART };
        Ok(Some(Case { shape, plan: alone, x, flop: 0.0, kernels, apart }))
    }

    /// The families whose kernels differ, the device's own first.
    fn kernels(
        &self,
        about: impl Fn(&Target) -> Result<super::kernels::About>,
    ) -> Result<Vec<(Family, &'static str)>> {
        let (mut seen, mut list) = (Vec::new(), Vec::new());
        for family in self.families() {
            let row = about(&Target::of(&self.caps, family))?;
            let what = (row.file, row.with, row.tile);
            if !seen.contains(&what) {
                seen.push(what);
                list.push((family, row.file));
            }
        }
        Ok(list)
    }

    /// Runs a case by every kernel, in turn, so that a clock which rises favours none.
    async fn try_all(
        &self,
        case: &Case,
        weights: &GpuWeights,
        start: Instant,
        left: f64,
    ) -> Option<Found> {
        let (mut trials, mut ready, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (family, file) in &case.kernels {
            let ran = self.try_once(case, weights, *family).await;
            let mut right = false;
            if let Ok((plan, values)) = ran {
                right = trials.is_empty() && values.iter().all(|value| value.is_finite())
                    || agree(&values, &expected, case.apart);
                if trials.is_empty() {
                    expected = values;
                }
                if right {
                    ready.push((trials.len(), plan));
                }
            }
            trials.push(Trial { family: *family, kernel: (*file).into(), right, seconds: None });
        }
        let clock = || start.elapsed().as_secs_f64();
        let mut best = f64::INFINITY;
        for run in 0..RUNS {
            for (at, plan) in &mut ready {
                let known: Option<f64> = trials[*at].seconds;
                let over = clock() > left || known.is_some_and(|known| known > HOPELESS * best);
                if run > 0 && over {
                    continue;
                }
                let mut go_on = async |_, _| ControlFlow::Continue(());
                let times = plan.profile(self, 1, &[], &clock, &mut go_on).await.ok()?;
                let seconds: f64 = times.iter().map(|time| time.seconds).sum();
                best = best.min(seconds);
                trials[*at].seconds = Some(known.map_or(seconds, |known| known.min(seconds)));
            }
        }
        Found::of(&case.shape, trials)
    }

    /// A case by one kernel, and its result.
    async fn try_once(
        &self,
        case: &Case,
        weights: &GpuWeights,
        family: Family,
    ) -> Result<(PreparedPlan, Vec<f32>)> {
        let mut plan = PreparedPlan::with_family(self, case.plan.clone(), weights, family).await?;
        let y = case.plan.outputs[0].1;
        // What a kernel leaves out shows.
        plan.poison(self, y)?;
        let x = &case.plan.slots[case.x];
        let values = noise(x.len(1));
        let inputs = [(case.x, Value::F32(&values))];
        let mut go_on = async |_, _| ControlFlow::Continue(());
        plan.run(self, 1, &inputs, None, &mut go_on).await?;
        let values = plan.read(self, y, 1).await?;
        Ok((plan, values))
    }

    /// Forgets what probes found, and lets them take this number of seconds from now on, also on an adapter that computes on
    /// the CPU.
    pub fn probe_anew(&self, seconds: f64) {
        self.tuning.borrow_mut().renew(seconds);
    }

    /// Keeps what probes find in a file, and makes them from what it holds.
    pub fn keep_probes(&self, file: PathBuf) {
        self.tuning.replace(Tuning::at(Some(file), &self.report.name));
    }

    /// What probes found.
    pub fn probed(&self) -> Vec<Found> {
        self.tuning.borrow().known.values().cloned().collect()
    }

    /// Where it is kept.
    pub fn probes_file(&self) -> Option<PathBuf> {
        self.tuning.borrow().file().map(Path::to_path_buf)
    }
}

/// Whether values are those expected, each but for `apart` root mean squares.
fn agree(found: &[f32], expected: &[f32], apart: f32) -> bool {
    let squares: f64 = expected.iter().map(|value| f64::from(*value).powi(2)).sum();
    let most = apart * (squares / expected.len().max(1) as f64).sqrt() as f32;
    found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= most)
}

/// Values between -1 and 1.
fn noise(len: usize) -> Vec<f32> {
    let value = |i: u32| {
        let mixed = i.wrapping_add(1).wrapping_mul(0x9e37_79b9);
        let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(0x2c1b_3c6d);
        (mixed >> 8) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len as u32).map(value).collect()
}
