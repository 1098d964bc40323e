//! Where the time goes: a run's operations by kernel, beside what the device can do at most.

use std::hint::black_box;
use std::ops::ControlFlow;

use super::run::cache_plan;
use super::{CachedPlan, Executor, Session, Task};
use crate::cpu::{CpuWeights, Supply};
use crate::gpu::{Ceilings, StepTime, Timer};
use crate::images::{Images, PlanInputs, check};
use crate::model::WeightKind;
use crate::plan::{Plan, SlotId, Step};
use crate::progress::{LocalBoxFuture, Progress};
use crate::reference::Epilogue;
use crate::weights::random_tensor;
use crate::{Error, IN_BROWSER, Result, cpu};

/// The times of one encoding, operation by operation.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Profile {
    /// What the rows were timed with.
    pub timer: Timer,
    /// The whole run by the clock, uploads included, in seconds.
    pub seconds: f64,
    /// Kernels in the order of their first step. What blocks repeat is one row.
    pub rows: Vec<Row>,
}

/// Equal operations of one kernel.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// The kernel's main file; on the CPU the operation's name.
    pub kernel: String,
    /// What is written of what, as plans print it, and its shape `[planes, rows, columns]`.
    pub operation: String,
    /// Dispatches, or calls.
    pub dispatches: usize,
    /// Time in all, seconds.
    pub seconds: f64,
    /// Operations in all, a multiply-add counted as two.
    pub flop: f64,
    /// Bytes read and written at least.
    pub bytes: f64,
}

impl Profile {
    /// Time of all rows, seconds.
    pub fn summed(&self) -> f64 {
        self.rows.iter().map(|row| row.seconds).sum()
    }

    /// Operations of all rows.
    pub fn flop(&self) -> f64 {
        self.rows.iter().map(|row| row.flop).sum()
    }

    fn add(&mut self, plan: &Plan, batch: usize, times: &[StepTime]) {
        // The work of steps that have no time of their own is in the next one's.
        let mut flop = 0.0;
        for (step, time) in plan.steps.iter().zip(times) {
            flop += plan.flop(step, batch);
            if time.dispatches == 0 {
                continue;
            }
            let flop = std::mem::take(&mut flop);
            let operation = plan.describe(step);
            let same = |row: &&mut Row| row.kernel == time.kernel && row.operation == operation;
            match self.rows.iter_mut().find(same) {
                Some(row) => {
                    row.dispatches += time.dispatches;
                    row.seconds += time.seconds;
                    row.flop += flop;
                    row.bytes += time.bytes;
                }
                None => self.rows.push(Row {
                    kernel: time.kernel.into(),
                    operation,
                    dispatches: time.dispatches,
                    seconds: time.seconds,
                    flop,
                    bytes: time.bytes,
                }),
            }
        }
    }
}

impl Row {
    /// The larger of the two shares of a ceiling that the row reaches, and which one. Beyond 1
    /// operands come from caches that are faster than the memory of the plain copy.
    pub fn share(&self, ceilings: &Ceilings) -> (f64, &'static str) {
        let product = self.flop / self.seconds / ceilings.product;
        let copy = self.bytes / self.seconds / ceilings.copy;
        if product > copy { (product, "product") } else { (copy, "copy") }
    }
}

/// Side of the product and values of the copy that a CPU is measured with.
const CPU_SIDE: usize = 1024;
const CPU_COPIED: usize = 16 << 20;

impl Session {
    /// Encodes `images` once and times every operation: with the device's timestamps where it has
    /// them, else, and on the CPU, with `clock`, which tells seconds from any start. `progress` is
    /// told as by [`Encoder::encode`].
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub async fn profile(
        &mut self,
        images: Images<'_>,
        clock: &dyn Fn() -> f64,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Profile> {
        self.time_steps(images, clock, progress).await
    }

    fn time_steps<'a>(
        &'a mut self,
        images: Images<'a>,
        clock: &'a dyn Fn() -> f64,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<Profile>> {
        Box::pin(async move {
            self.resident()?;
            let (input, count) = check(images, &[], &self.checkpoint.spec)?;
            let host = self.host_inputs(input).await?;
            let task = Task::Features(Vec::new());
            let capacity = self.capacity(&task, input, count);
            let timer = self.gpu().map_or(Timer::Clock, |gpu| gpu.timer());
            let mut profile = Profile { timer, seconds: 0.0, rows: Vec::new() };
            for first in (0..count).step_by(capacity) {
                let batch = capacity.min(count - first);
                let fed = PlanInputs::new(images, &self.checkpoint.spec, first, batch)?;
                let plan = self.plan(&task, input, capacity);
                let inputs = fed.inputs(&plan, &host);
                let start;
                let times = match &mut self.executor {
                    Executor::Cpu(weights, workspace) => {
                        start = clock();
                        let mut before = start;
                        let mut times = Vec::new();
                        let held: &CpuWeights = weights;
                        let size = |slot: SlotId| match IN_BROWSER {
                            true => 4.0,
                            false => held.value_bytes(&plan.slots[slot]),
                        };
                        let mut watch = async |steps: &[Step]| {
                            let now = clock();
                            let traffic = |step: &Step| plan.bytes(step, batch, &size);
                            let bytes = steps.iter().map(traffic).sum();
                            let Some((last, before_it)) = steps.split_last() else {
                                unreachable!("a step is done")
                            };
                            // What a team shares is timed as one, in the row of its last step.
                            let untimed =
                                StepTime { kernel: "", dispatches: 0, seconds: 0.0, bytes: 0.0 };
                            times.extend(before_it.iter().map(|_| untimed));
                            let kernel = if before_it.is_empty() { last.op.name() } else { "team" };
                            times.push(StepTime {
                                kernel,
                                dispatches: 1,
                                seconds: now - before,
                                bytes,
                            });
                            let answer = progress.report(last.layer, plan.blocks()).await;
                            before = clock();
                            answer
                        };
                        let supply = Supply::Held(weights);
                        cpu::run(&plan, batch, supply, workspace, &inputs, &mut watch).await?;
                        times
                    }
                    Executor::Gpu(gpu, weights) => {
                        let key = (input, task.clone(), capacity);
                        cache_plan(&mut self.ready, key, || plan.clone(), gpu, weights).await?;
                        let Some(CachedPlan { prepared, .. }) = &mut self.ready else {
                            return Err(Error::device("no plan is ready"));
                        };
                        start = clock();
                        prepared.profile(gpu, batch, &inputs, clock, progress).await?
                    }
                };
                profile.seconds += clock() - start;
                profile.add(&plan, batch, &times);
            }
            Ok(profile)
        })
    }

    /// Builds what encoding `images` needs on a GPU, buffers and pipelines, so that the first
    /// encoding finds it.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub async fn prepare(&mut self, images: Images<'_>) -> Result<()> {
        let (input, count) = check(images, &[], &self.checkpoint.spec)?;
        let task = Task::Features(Vec::new());
        let capacity = self.capacity(&task, input, count);
        let plan = self.plan(&task, input, capacity);
        let Executor::Gpu(gpu, weights) = &self.executor else { return Ok(()) };
        cache_plan(&mut self.ready, (input, task, capacity), || plan, gpu, weights).await
    }

    /// Measures what the device can do at most: a plain copy and a plain product.
    ///
    /// # Errors
    /// [`Error::Device`].
    pub async fn ceilings(&self, clock: &dyn Fn() -> f64) -> Result<Ceilings> {
        let Some(gpu) = self.gpu() else { return Ok(cpu_ceilings(clock)) };
        gpu.ceilings(clock).await
    }

    /// Bytes on the device that hold the last run's values; 0 on the CPU.
    pub fn slot_bytes(&self) -> u64 {
        self.ready.as_ref().map_or(0, |ready| ready.prepared.bytes())
    }
}

fn cpu_ceilings(clock: &dyn Fn() -> f64) -> Ceilings {
    let fastest = |run: &mut dyn FnMut()| {
        let time = |_| {
            let start = clock();
            run();
            clock() - start
        };
        (0..3).map(time).fold(f64::INFINITY, f64::min)
    };
    let from = vec![1.0f32; CPU_COPIED];
    let mut to = vec![0.0f32; CPU_COPIED];
    let copy = fastest(&mut || black_box(&mut to).copy_from_slice(black_box(&from)));
    let side = CPU_SIDE;
    let x = random_tensor(1, "x", &[side, side], WeightKind::Matrix);
    let w = random_tensor(1, "w", &[side, side], WeightKind::Matrix);
    let w = cpu::Matrix::pack(&w, [1, side]);
    let mut y = vec![0.0; side * side];
    let product = fastest(&mut || {
        let _ = cpu::linear(&x, &w, Epilogue::default(), &mut y);
    });
    Ceilings {
        copy: 8.0 * CPU_COPIED as f64 / copy,
        product: 2.0 * (side as f64).powi(3) / product,
        side,
    }
}
