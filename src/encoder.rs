//! The façade: a checkpoint on a device, pictures in, features out.

mod inspect;
mod profile;
mod team;

pub use inspect::Held;
use inspect::{Part, Values};
pub use profile::{Profile, Row};

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::cpu::{self, CpuWeights, Team, Workspace};
use crate::features::{Features, Tensor};
use crate::gpu::{Choice, Gpu, GpuWeights, Prepared};
use crate::images::{Fed, Images, check};
use crate::model::{HeadKind, Spec};
use crate::plan::{
    Arena, Input, Plan, Slot, SlotId, Step, plan_arena, record, record_segment, resize_position,
};
use crate::weights::{Checkpoint, Head};
use crate::{Error, Result};

/// Where to compute.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU, or the CPU where there is none but in software.
    #[default]
    Auto,
    /// A GPU (a software adapter counts as one), or an error.
    Gpu,
    /// The CPU, all cores.
    Cpu,
    /// The adapter whose name contains these words.
    Named(String),
}

/// What a [`Device`] turned out to be.
pub enum Opened {
    /// An open device.
    Gpu(Box<Gpu>),
    /// The CPU, and why where a GPU was hoped for.
    Cpu(Option<String>),
}

impl Device {
    /// Opens it.
    ///
    /// # Errors
    /// [`Error::Device`] where a GPU is demanded and there is none, or the driver refuses.
    pub async fn open(&self) -> Result<Opened> {
        let gpu = match self {
            Self::Cpu => return Ok(Opened::Cpu(None)),
            Self::Auto => match Gpu::open_hardware().await {
                Ok(gpu) => gpu,
                Err(why) => return Ok(Opened::Cpu(Some(why.to_string()))),
            },
            Self::Gpu => Gpu::open(&Choice::Auto).await?,
            Self::Named(name) => Gpu::open(&Choice::Named(name.clone())).await?,
        };
        Ok(Opened::Gpu(Box::new(gpu)))
    }
}

impl std::str::FromStr for Device {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "gpu" => Self::Gpu,
            "cpu" => Self::Cpu,
            name => Self::Named(name.into()),
        })
    }
}

/// A checkpoint on a device.
pub struct Encoder {
    checkpoint: Checkpoint,
    backend: Backend,
    why_cpu: Option<String>,
    ready: Option<Ready>,
}

enum Backend {
    Gpu(Box<Gpu>, GpuWeights),
    Cpu(CpuWeights, Workspace),
}

/// The last plan, prepared; pictures of the same size use it again.
struct Ready {
    key: (Input, Task, usize),
    prepared: Prepared,
}

/// What a plan computes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Task {
    /// The last hidden state, and these.
    Features(Vec<usize>),
    /// The segmentation head's logits.
    Logits,
}

/// Device memory for the activations of one batch, beyond which it is cut into several runs.
const ACTIVATIONS: u64 = 1 << 30;

impl Encoder {
    /// Brings `checkpoint` to a device. `progress` is told the bytes read and their total, and may
    /// stop the loading.
    ///
    /// # Errors
    /// [`Error::Device`] where the device is missing or too small, [`Error::Io`] and
    /// [`Error::Checkpoint`] where tensors cannot be read, [`Error::Cancelled`].
    pub async fn load(
        checkpoint: Checkpoint,
        device: &Device,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        match device.open().await? {
            Opened::Gpu(gpu) => Self::on_gpu(checkpoint, *gpu, progress).await,
            Opened::Cpu(why) => Self::on_cpu(checkpoint, why, None, progress).await,
        }
    }

    /// Brings `checkpoint` to an open device.
    pub async fn on_gpu(
        checkpoint: Checkpoint,
        gpu: Gpu,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let total = checkpoint.bytes();
        let plans = all_weights(&checkpoint);
        let mut told = async |done| progress(done, total).await;
        let weights = GpuWeights::upload(&gpu, &plans, &checkpoint, &mut told).await?;
        let _ = progress(total, total).await;
        let backend = Backend::Gpu(Box::new(gpu), weights);
        Ok(Self { checkpoint, backend, why_cpu: None, ready: None })
    }

    async fn on_cpu(
        checkpoint: Checkpoint,
        why_cpu: Option<String>,
        team: Option<Team>,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let total = checkpoint.bytes();
        let plans = all_weights(&checkpoint);
        let mut told = async |done| progress(done, total).await;
        let weights = CpuWeights::load(&plans, &checkpoint, team, &mut told).await?;
        let _ = progress(total, total).await;
        let backend = Backend::Cpu(weights, Workspace::default());
        Ok(Self { checkpoint, backend, why_cpu, ready: None })
    }

    /// What the checkpoint describes.
    pub fn spec(&self) -> &Spec {
        &self.checkpoint.spec
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The device in use; `None` for the CPU.
    pub fn gpu(&self) -> Option<&Gpu> {
        match &self.backend {
            Backend::Gpu(gpu, _) => Some(gpu),
            Backend::Cpu(..) => None,
        }
    }

    /// Bytes of weights on the device.
    pub fn weight_bytes(&self) -> u64 {
        match &self.backend {
            Backend::Gpu(_, weights) => weights.bytes(),
            Backend::Cpu(weights, _) => weights.bytes(),
        }
    }

    /// Why the CPU computes although a GPU was hoped for.
    pub fn why_cpu(&self) -> Option<&str> {
        self.why_cpu.as_deref()
    }

    /// Encodes `images`; `taps` are the hidden states wanted besides the last, 0 the embedding, i
    /// the output of block i. `progress` is told the block reached and the number of
    /// blocks, and may stop.
    ///
    /// # Errors
    /// [`Error::Input`] for pictures of different or unfit sizes and for unknown hidden states,
    /// [`Error::Device`], [`Error::Cancelled`].
    pub async fn encode(
        &mut self,
        images: Images<'_>,
        taps: &[usize],
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Features> {
        let held = self.hold(images, taps, false, progress).await?;
        let mut tensors = BTreeMap::new();
        for name in held.names() {
            tensors.insert(name.to_string(), held.tensor(self, name).await?);
        }
        Ok(Features { batch: held.batch, grid: held.grid, prefix: held.prefix, tensors })
    }

    /// The segmentation head's logits `[batch, classes, h', w']` for pictures of one size; h' and
    /// w' are the patch grid's for a linear head, four times as many for UPerNet.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; [`Error::Input`] where the model has no head.
    pub async fn segment(
        &mut self,
        images: Images<'_>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Tensor> {
        let (input, count) = check(images, &[], &self.checkpoint.spec)?;
        let Some(grid) = input.grid(self.checkpoint.spec.sizes.patch) else {
            return Err(Error::input("segmentation takes pictures, not embeddings"));
        };
        self.head_for(grid)?;
        let parts = self.run_all(&Task::Logits, input, count, images, false, progress).await?;
        let held = Held { batch: count, grid: None, prefix: 0, parts };
        let logits = held.tensor(self, "logits").await?.values;
        Ok(planar(&logits, count, self.head_for(grid)?, grid))
    }

    /// The head, where there is one that can take `grid` patches.
    fn head_for(&self, [rows, cols]: [usize; 2]) -> Result<&Head> {
        let none = || Error::input(format!("{}: no segmentation head", self.checkpoint.name()));
        let head = self.checkpoint.head.as_ref().ok_or_else(none)?;
        if head.spec.kind == HeadKind::Uper && rows.min(cols) < 2 {
            return Err(Error::input("UPerNet takes pictures of at least 2 × 2 patches"));
        }
        Ok(head)
    }

    /// Runs a task for all pictures, as many at once as the device can take.
    async fn run_all(
        &mut self,
        task: &Task,
        input: Input,
        count: usize,
        images: Images<'_>,
        keep: bool,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<BTreeMap<String, Vec<Part>>> {
        let position = match input.grid(self.checkpoint.spec.sizes.patch) {
            Some(grid) => Some(self.position(grid).await?),
            None => None,
        };
        let capacity = self.capacity(task, input, count);
        let runs = count.div_ceil(capacity);
        let mut parts: BTreeMap<String, Vec<Part>> = BTreeMap::new();
        for run in 0..runs {
            let first = run * capacity;
            let batch = capacity.min(count - first);
            let mut part = async |done, total| progress(run * total + done, runs * total).await;
            let piece = Piece { task, input, capacity, first, batch, keep };
            for (name, part) in self.run(piece, images, position.as_deref(), &mut part).await? {
                parts.entry(name).or_default().push(part);
            }
        }
        Ok(parts)
    }

    fn plan(&self, task: &Task, input: Input, batch: usize) -> Plan {
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
        position: Option<&[f32]>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Vec<(String, Part)>> {
        let Piece { task, input, capacity, first, batch, keep } = piece;
        let fed = Fed::new(images, first, batch);
        let key = (input, task.clone(), capacity);
        let known = self.ready.as_ref().is_some_and(|ready| ready.key == key);
        let plan = (!known).then(|| self.plan(task, input, capacity));
        let outputs = match &mut self.backend {
            Backend::Cpu(weights, workspace) => {
                let Some(plan) = plan else { unreachable!("the CPU keeps no plan") };
                let inputs = fed.inputs(&plan, position);
                let blocks = plan.blocks();
                let mut watch = async |step: &Step| progress(step.layer, blocks).await;
                let list = cpu::run(&plan, batch, weights, workspace, &inputs, &mut watch).await?;
                let list = list.into_iter().map(|(slot, values)| (slot, Values::Host(values)));
                named(&plan, batch, list.collect())
            }
            Backend::Gpu(gpu, weights) => {
                if let Some(plan) = plan {
                    self.ready = None;
                    let prepared = Prepared::new(gpu, plan, weights).await?;
                    self.ready = Some(Ready { key, prepared });
                }
                let Some(Ready { prepared, .. }) = &mut self.ready else {
                    return Err(Error::device("no plan is ready"));
                };
                let plan = prepared.plan().clone();
                let inputs = fed.inputs(&plan, position);
                prepared.run(gpu, batch, &inputs, progress).await?;
                let mut list = Vec::new();
                for slot in plan.outputs() {
                    let values = match keep {
                        true => Values::Device(prepared.copy(gpu, slot, batch).await?),
                        false => Values::Host(prepared.read(gpu, slot, batch).await?),
                    };
                    list.push((slot, values));
                }
                named(&plan, batch, list)
            }
        };
        Ok(outputs)
    }

    /// The position table for a grid, `[prefix + h·w, C]`.
    async fn position(&self, grid: [usize; 2]) -> Result<Vec<f32>> {
        let spec = &self.checkpoint.spec;
        let table = self.checkpoint.tensor("embeddings.position_embedding").await?;
        let (prefix, from) = (spec.prefix_tokens(), spec.native_grid());
        Ok(resize_position(&table, prefix, from, grid, spec.sizes.hidden))
    }

    /// Pictures a run can take.
    fn capacity(&self, task: &Task, input: Input, count: usize) -> usize {
        let Backend::Gpu(gpu, _) = &self.backend else { return 1 };
        let mut batch = count;
        while batch > 1 {
            let plan = self.plan(task, input, batch);
            if fits(&plan, &plan_arena(&plan), gpu.caps.max_binding) {
                break;
            }
            batch = batch.div_ceil(2);
        }
        batch
    }
}

struct Piece<'a> {
    task: &'a Task,
    input: Input,
    capacity: usize,
    first: usize,
    batch: usize,
    keep: bool,
}

/// Plans that name all weights of a checkpoint, and their layouts, as any plan of its does.
fn all_weights(checkpoint: &Checkpoint) -> Vec<Plan> {
    let patch = checkpoint.spec.sizes.patch;
    let input = Input::Rgba { height: 2 * patch, width: 2 * patch };
    let mut plans = vec![record(&checkpoint.spec, input, 1, &[])];
    if let Some(head) = &checkpoint.head {
        plans.push(record_segment(&checkpoint.spec, &head.spec, head.channels, input, 1));
    }
    plans
}

fn fits(plan: &Plan, arena: &Arena, max_binding: u64) -> bool {
    let bytes = |values: usize| 4 * values as u64;
    let slot = |slot: &Slot| bytes(slot.plane_stride(plan.batch)) <= max_binding;
    let arena_bytes: u64 = arena.sizes.iter().map(|v| bytes(*v)).sum();
    plan.slots.iter().all(slot)
        && arena.sizes.iter().all(|v| bytes(*v) <= 2 * max_binding)
        && arena_bytes <= ACTIVATIONS
}

fn named(plan: &Plan, batch: usize, list: Vec<(SlotId, Values)>) -> Vec<(String, Part)> {
    let part = |(slot, values)| {
        let slot: &Slot = &plan.slots[slot];
        (slot.name.clone(), Part { shape: [batch, slot.rows, slot.cols], values })
    };
    list.into_iter().map(part).collect()
}

/// Logits as the plan leaves them, `[count, h'·w', padded classes]`, to `[count, classes, h', w']`.
fn planar(logits: &[f32], count: usize, head: &Head, grid: [usize; 2]) -> Tensor {
    let [height, width] = grid.map(|n| n * head.spec.scale());
    let (classes, padded) = (head.spec.classes, head.padded_classes());
    let mut values = Vec::with_capacity(count * classes * height * width);
    for picture in logits.chunks_exact(height * width * padded) {
        for class in 0..classes {
            values.extend(picture.iter().skip(class).step_by(padded));
        }
    }
    Tensor { shape: vec![count, classes, height, width], values }
}
