//! What each step of a plan takes on a device, and what the device can do at most.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use super::device::Gpu;
use super::dispatch::{copy, dispatch_all};
use super::memory::SMALLER;
use super::prepare::PreparedPlan;
use super::weights::GpuWeights;
use crate::model::WeightKind;
use crate::plan::{Linear, Op, Plan, Role, Slice, Slot, SlotId, Value};
use crate::progress::Progress;
use crate::weights::random_tensor;
use crate::{Error, Result};

/// What times are taken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Timer {
    /// The device's own timestamps around each step; a browser may round them to 0.1 ms.
    Timestamps,
    /// The host's clock around each step, submission and wait included.
    Clock,
}

/// What one step of a plan took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepTime {
    /// The kernel's main file; `copy` for a copy.
    pub kernel: &'static str,
    /// Dispatches, or ranges copied.
    pub dispatches: usize,
    /// Time.
    pub seconds: f64,
    /// Bytes moved at least, as values are stored.
    pub bytes: f64,
}

/// What was measured as the most that a device does.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Ceilings {
    /// Bytes a second of a plain copy, read and written ones counted.
    pub copy: f64,
    /// Operations a second of a plain product, a multiply-add counted as two.
    pub product: f64,
    /// Rows and columns of the product's square matrices.
    pub side: usize,
}

/// WebGPU allows sets of 4096 queries; a step takes two.
const MAX_STEPS: usize = 2048;
/// Runs of a ceiling, of which the fastest counts.
const TRIES: usize = 5;
/// A product that is over sooner says more about starting it.
const LONG_ENOUGH: f64 = 0.01;
/// Values of the copied buffer: 64 MiB.
const COPIED: usize = 4096;

impl Gpu {
    /// What this device's steps are timed with.
    pub fn timer(&self) -> Timer {
        let has = self.device.features().contains(wgpu::Features::TIMESTAMP_QUERY);
        if has { Timer::Timestamps } else { Timer::Clock }
    }

    /// Measures a copy of 64 MiB and the product of two square matrices, of side 1024, or up to
    /// 4096 on fast devices. `clock` tells seconds from any start.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no memory or the device fails.
    pub async fn ceilings(&self, clock: &dyn Fn() -> f64) -> Result<Ceilings> {
        let slots = |side| {
            let mut plan = Plan::new(1);
            let shape = [1, side, side];
            let x = plan.add(Slot::new("x", shape, Role::Input));
            let y = plan.add(Slot::new("y", shape, Role::Temporary));
            plan.output("y", y);
            (plan, x, y)
        };
        let (mut plan, x, y) = slots(COPIED);
        plan.push(y, Op::Slice(Slice { x, first: 0 }));
        let bytes = plan.bytes(&plan.steps[0], 1, &|_| 4.0);
        let copied = bytes / self.fastest(plan, &HashMap::new(), &[], clock).await?;

        let mut side = 1024;
        loop {
            let (mut plan, x, y) = slots(side);
            let role = Role::Weight(WeightKind::Matrix);
            let weight = plan.add(Slot::new("product", [1, side, side], role));
            plan.push(y, Op::Linear(Linear::new(x, weight)));
            let flop = plan.flop(&plan.steps[0], 1);
            let values = random_tensor(1, "product", &[side, side], WeightKind::Matrix);
            let weights = HashMap::from([("product".into(), values.clone())]);
            let inputs = [(x, Value::F32(&values))];
            let seconds = self.fastest(plan, &weights, &inputs, clock).await?;
            if seconds >= LONG_ENOUGH || side == 4096 {
                return Ok(Ceilings { copy: copied, product: flop / seconds, side });
            }
            side *= 2;
        }
    }

    /// Seconds of the fastest of some runs of a plan of one step.
    async fn fastest(
        &self,
        plan: Plan,
        weights: &HashMap<String, Vec<f32>>,
        inputs: &[(SlotId, Value<'_>)],
        clock: &dyn Fn() -> f64,
    ) -> Result<f64> {
        let plans = std::slice::from_ref(&plan);
        let mut go_on = async |_| ControlFlow::Continue(());
        let weights = GpuWeights::upload(self, plans, weights, &mut go_on).await?;
        let mut prepared = PreparedPlan::new(self, plan, &weights).await?;
        let mut best = f64::INFINITY;
        let mut go_on = async |_, _| ControlFlow::Continue(());
        for run in 0..=TRIES {
            // The first run takes the inputs and warms up; they stay.
            let inputs = if run == 0 { inputs } else { &[] };
            let times = prepared.profile(self, 1, inputs, clock, &mut go_on).await?;
            let seconds: f64 = times.iter().map(|time| time.seconds).sum();
            if run > 0 && seconds > 0.0 {
                best = best.min(seconds);
            }
        }
        if best.is_finite() {
            return Ok(best);
        }
        Err(Error::device(format!("{}: its timestamps do not advance", self.report.name)))
    }
}

impl PreparedPlan {
    /// Runs as [`PreparedPlan::run`], and times every step of the plan with [`Gpu::timer`]. `clock`
    /// tells seconds from any start.
    ///
    /// # Errors
    /// As [`PreparedPlan::run`].
    pub async fn profile(
        &mut self,
        gpu: &Gpu,
        batch: usize,
        inputs: &[(SlotId, Value<'_>)],
        clock: &dyn Fn() -> f64,
        progress: &mut dyn Progress<usize>,
    ) -> Result<Vec<StepTime>> {
        self.start(gpu, batch, inputs)?;
        // What waits to be uploaded is not the first step's work.
        gpu.flush().await?;
        let mut times = Vec::with_capacity(self.steps.len());
        while times.len() < self.steps.len() {
            let steps = self.piece(gpu, times.len());
            let seconds = match gpu.timer() {
                Timer::Timestamps => self.stamped(gpu, steps.clone()).await?,
                Timer::Clock => self.clocked(gpu, steps.clone(), clock).await?,
            };
            for (at, seconds) in steps.zip(seconds) {
                let step = &self.steps[at];
                let copies = step.copy.iter().flat_map(|copy| &copy.ranges).count();
                let kernel = step.dispatches.first().map_or("copy", |dispatch| dispatch.kernel);
                let kernel = if copies + step.dispatches.len() == 0 { "" } else { kernel };
                let dispatches = copies + step.dispatches.len();
                let size = |slot: SlotId| self.value_bytes[slot];
                let bytes = self.plan.bytes(&self.plan.steps[at], batch, &size);
                times.push(StepTime { kernel, dispatches, seconds, bytes });
            }
            let block = self.plan.steps[times.len() - 1].layer;
            if progress.report(block, self.plan.blocks()).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(times)
    }

    /// Steps from `first` that make one submission.
    fn piece(&self, gpu: &Gpu, first: usize) -> Range<usize> {
        let mut flop = 0.0;
        let mut end = first;
        while end < self.steps.len().min(first + MAX_STEPS) && flop < gpu.piece() {
            flop += self.steps[end].flop;
            end += 1;
        }
        first..end
    }

    async fn clocked(
        &self,
        gpu: &Gpu,
        steps: Range<usize>,
        clock: &dyn Fn() -> f64,
    ) -> Result<Vec<f64>> {
        let mut seconds = Vec::new();
        for at in steps {
            let start = clock();
            let (_, submitted) = self.submit(gpu, at, 0.0, at + 1);
            gpu.wait(submitted).await?;
            seconds.push(clock() - start);
        }
        Ok(seconds)
    }

    async fn stamped(&self, gpu: &Gpu, steps: Range<usize>) -> Result<Vec<f64>> {
        let count = 2 * steps.len() as u32;
        let bytes = 8 * u64::from(count);
        let queries = wgpu::QuerySetDescriptor {
            label: Some("timestamps"),
            ty: wgpu::QueryType::Timestamp,
            count,
        };
        let make = || gpu.device.create_query_set(&queries);
        let queries = gpu.allocate("timestamps", bytes, SMALLER, make).await?;
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let resolved = gpu.buffer("timestamps", bytes, usage, SMALLER).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        for (step, start) in self.steps[steps].iter().zip((0..).step_by(2)) {
            // Only passes carry timestamps: a copy has an empty one before it.
            let mut begin = Some(start);
            if let Some(copied) = &step.copy {
                drop(stamp(&mut encoder, &queries, None, begin.take()));
                copy(&mut encoder, copied);
            }
            let mut pass = stamp(&mut encoder, &queries, begin, Some(start + 1));
            dispatch_all(&mut pass, &step.dispatches);
        }
        encoder.resolve_query_set(&queries, 0..count, &resolved, 0);
        gpu.submit(encoder);
        let mut words: Vec<u32> = Vec::new();
        gpu.read_into(&resolved, 0, bytes, &mut words).await?;
        let ticks = |w: &[u32]| u64::from(w[0]) | u64::from(w[1]) << 32;
        let period = 1e-9 * f64::from(gpu.queue.get_timestamp_period());
        let pairs = words.chunks_exact(4);
        Ok(pairs.map(|w| ticks(&w[2..]).saturating_sub(ticks(w)) as f64 * period).collect())
    }
}

/// A pass that writes timestamps where it begins and ends.
fn stamp<'a>(
    encoder: &'a mut wgpu::CommandEncoder,
    queries: &wgpu::QuerySet,
    begin: Option<u32>,
    end: Option<u32>,
) -> wgpu::ComputePass<'a> {
    encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
        label: None,
        timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
            query_set: queries,
            beginning_of_pass_write_index: begin,
            end_of_pass_write_index: end,
        }),
    })
}
