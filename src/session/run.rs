//! Running a task for any number of pictures, in as many runs as the device needs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::held::{Part, Residency, Values};
use super::{Executor, Session};
use crate::cpu::Supply;
use crate::gpu::{Gpu, GpuWeights, PreparedPlan};
use crate::images::{Images, PlanInputs};
use crate::plan::{
    Arena, Host, Input, Plan, Slot, SlotId, Step, plan_arena, record, record_segment,
};
use crate::progress::Progress;
use crate::{Error, Result, cpu};

/// The last plan, prepared; pictures of the same size use it again.
pub(super) struct CachedPlan {
    pub(super) key: (Input, Task, usize),
    pub(super) prepared: PreparedPlan,
    /// Whether what the host made is in its slots, where it stays.
    filled: bool,
}

/// Makes `ready` the one for `key`, unless it is already.
pub(super) async fn cache_plan(
    ready: &mut Option<CachedPlan>,
    key: (Input, Task, usize),
    plan: impl FnOnce() -> Plan,
    gpu: &Gpu,
    weights: &GpuWeights,
) -> Result<()> {
    if ready.as_ref().is_none_or(|ready| ready.key != key) {
        // The buffers of the one before go first.
        *ready = None;
        let prepared = PreparedPlan::new(gpu, plan(), weights).await?;
        *ready = Some(CachedPlan { key, prepared, filled: false });
    }
    Ok(())
}

/// What a plan computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// The last hidden state, and these.
    Features(Vec<usize>),
    /// The segmentation head's logits.
    Logits,
}

/// A task for some pictures.
#[derive(Clone, Copy)]
pub(crate) struct Job<'a> {
    pub(crate) task: &'a Task,
    pub(crate) input: Input,
    /// Pictures.
    pub(crate) count: usize,
    pub(crate) images: Images<'a>,
    pub(crate) residency: Residency,
}

/// What was computed, by name, run after run.
pub(crate) type Parts = BTreeMap<String, Vec<Part>>;

/// Device memory for the activations of one batch, beyond which it is cut into several runs.
const ACTIVATIONS: u64 = 1 << 30;

impl Session {
    /// Runs a task for all pictures, as many at once as the device can take. While the device
    /// computes one run, the next is uploaded.
    pub(super) async fn run_once(
        &mut self,
        job: Job<'_>,
        progress: &mut dyn Progress<usize>,
    ) -> Result<Parts> {
        #[cfg(feature = "language")]
        self.checkpoint.sees()?;
        let Job { task, input, count, images, residency } = job;
        let host = self.host_inputs(input).await?;
        let capacity = self.capacity(task, input, count);
        let runs = count.div_ceil(capacity);
        let mut parts = Parts::new();
        let mut coming = Vec::new();
        for run in 0..runs {
            let first = run * capacity;
            let batch = capacity.min(count - first);
            let mut part =
                async |done, total| progress.report(run * total + done, runs * total).await;
            let piece = Piece { task, input, capacity, first, batch, residency };
            let next = self.run(piece, images, &host, &mut part).await?;
            self.arrive(std::mem::replace(&mut coming, next), &mut parts).await?;
        }
        self.arrive(coming, &mut parts).await?;
        Ok(parts)
    }

    /// Waits for what is being read back, and files it by name.
    async fn arrive(&self, list: Vec<(String, Part)>, parts: &mut Parts) -> Result<()> {
        for (name, Part { shape, values }) in list {
            let values = match (values, &self.executor) {
                (Values::Coming(reading), Executor::Gpu(gpu, _)) => {
                    Values::Host(reading.values(gpu).await?)
                }
                (values, _) => values,
            };
            parts.entry(name).or_default().push(Part { shape, values });
        }
        Ok(())
    }

    pub(super) fn plan(&self, task: &Task, input: Input, batch: usize) -> Plan {
        let spec = &self.checkpoint.spec;
        match (task, &self.checkpoint.head) {
            (Task::Features(taps), _) => record(spec, input, batch, taps),
            (Task::Logits, Some(head)) => {
                record_segment(spec, &head.spec, head.channels, input, batch)
            }
            (Task::Logits, None) => unreachable!("segment checks that there is a head"),
        }
    }

    async fn run(
        &mut self,
        piece: Piece<'_>,
        images: Images<'_>,
        host: &[Host],
        progress: &mut dyn Progress<usize>,
    ) -> Result<Vec<(String, Part)>> {
        let Piece { task, input, capacity, first, batch, residency } = piece;
        let fed = PlanInputs::new(images, &self.checkpoint.spec, first, batch)?;
        let key = (input, task.clone(), capacity);
        let known = self.ready.as_ref().is_some_and(|ready| ready.key == key);
        let plan = (!known).then(|| self.plan(task, input, capacity));
        let outputs = match &mut self.executor {
            Executor::Cpu(weights, workspace) => {
                let Some(plan) = plan else { unreachable!("the CPU keeps no plan") };
                let inputs = fed.inputs(&plan, host);
                let blocks = plan.blocks();
                let mut watch = async |steps: &[Step]| {
                    progress.report(steps.last().map_or(0, |step| step.layer), blocks).await
                };
                let supply = match self.streamed {
                    true => Supply::Read((&self.checkpoint).into(), weights.quant()),
                    false => Supply::Held(weights),
                };
                let list = cpu::run(&plan, batch, supply, workspace, &inputs, &mut watch).await?;
                named(&plan, batch, |slot| {
                    let found = list.iter().find(|(output, _)| *output == slot);
                    Values::Host(found.map_or(Vec::new(), |(_, values)| values.clone()))
                })
            }
            Executor::Gpu(gpu, weights) => {
                if let Some(plan) = plan {
                    cache_plan(&mut self.ready, key, || plan, gpu, weights).await?;
                }
                let Some(CachedPlan { prepared, filled, .. }) = &mut self.ready else {
                    return Err(Error::device("no plan is ready"));
                };
                let streamer = weights.streamer(&self.checkpoint);
                let inputs = fed.inputs(prepared.plan(), if *filled { &[] } else { host });
                *filled = true;
                let last = prepared.run(gpu, batch, &inputs, streamer, progress).await?;
                let mut list = Vec::new();
                for (_, slot) in prepared.plan().outputs.clone() {
                    let values = match residency {
                        Residency::Device => Values::Device(prepared.copy(gpu, slot, batch).await?),
                        Residency::Host => match prepared.begin_read(gpu, slot, batch).await? {
                            Some(reading) => Values::Coming(reading),
                            None => Values::Host(prepared.read(gpu, slot, batch).await?),
                        },
                    };
                    list.push(values);
                }
                if residency == Residency::Device {
                    gpu.wait(last).await?;
                }
                let mut list = list.into_iter();
                named(prepared.plan(), batch, |_| list.next().unwrap_or(Values::Host(Vec::new())))
            }
        };
        Ok(outputs)
    }

    /// What the host makes for an input's grid.
    pub(super) async fn host_inputs(&self, input: Input) -> Result<Arc<[Host]>> {
        let spec = &self.checkpoint.spec;
        let rows = || input.tokens(spec).saturating_sub(spec.prefix_tokens());
        let grid = input.grid(spec.sizes.patch).unwrap_or_else(|| [rows(), 1]);
        self.made_for(grid).await
    }

    /// What the host makes for a grid of patches; that of the last is kept.
    pub(crate) async fn made_for(&self, grid: [usize; 2]) -> Result<Arc<[Host]>> {
        if let Some((known, host)) = &*self.host.borrow()
            && *known == grid
        {
            return Ok(host.clone());
        }
        let host: Arc<[Host]> = self.checkpoint.host_inputs(grid).await?.into();
        *self.host.borrow_mut() = Some((grid, host.clone()));
        Ok(host)
    }

    /// Pictures a run can take.
    pub(super) fn capacity(&self, task: &Task, input: Input, count: usize) -> usize {
        let max_binding = match &self.executor {
            Executor::Gpu(gpu, _) => gpu.caps.max_binding,
            // The weights are read once a run.
            Executor::Cpu(..) if self.streamed => u64::MAX / 2,
            Executor::Cpu(..) => return 1,
        };
        let mut batch = count;
        while batch > 1 {
            let plan = self.plan(task, input, batch);
            if batch <= MAX_BATCH && fits(&plan, &plan_arena(&plan), max_binding) {
                break;
            }
            batch = batch.div_ceil(2);
        }
        batch
    }
}

/// Pictures that one dispatch can count.
const MAX_BATCH: usize = 65_535;

struct Piece<'a> {
    task: &'a Task,
    input: Input,
    capacity: usize,
    first: usize,
    batch: usize,
    residency: Residency,
}

fn fits(plan: &Plan, arena: &Arena, max_binding: u64) -> bool {
    let bytes = |values: usize| 4 * values as u64;
    let slot = |slot: &Slot| bytes(slot.plane_stride(plan.batch)) <= max_binding;
    let arena_bytes: u64 = arena.sizes.iter().map(|v| bytes(*v)).sum();
    plan.slots.iter().all(slot)
        && arena.sizes.iter().all(|v| bytes(*v) <= 2 * max_binding)
        && arena_bytes <= ACTIVATIONS
}

/// The outputs of `plan` by name; `values` gives those of each in turn.
fn named(
    plan: &Plan,
    batch: usize,
    mut values: impl FnMut(SlotId) -> Values,
) -> Vec<(String, Part)> {
    let part = |(name, slot): &(String, SlotId)| {
        let Slot { rows, cols, .. } = plan.slots[*slot];
        (name.clone(), Part { shape: [batch, rows, cols], values: values(*slot) })
    };
    plan.outputs.iter().map(part).collect()
}
