//! The façade: a checkpoint on a device, pictures in, features out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::features::{Features, Tensor, relative_l2};
use crate::gpu::{Choice, Gpu, GpuWeights, Prepared};
use crate::images::{Fed, Images, check};
use crate::model::Spec;
use crate::plan::{Arena, Input, Plan, SlotId, plan_arena, record, resize_position};
use crate::weights::Checkpoint;
use crate::{Error, Result, reference};

/// Where to compute.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub enum Device {
    /// A GPU, or the CPU where there is none.
    #[default]
    Auto,
    /// A GPU (a software adapter counts as one), or an error.
    Gpu,
    /// The plain twins.
    Cpu,
    /// The adapter whose name contains these words.
    Named(String),
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
    Cpu,
}

/// The last plan, prepared; pictures of the same size use it again.
struct Ready {
    key: (Input, Vec<usize>, usize),
    prepared: Prepared,
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
        let choice = match device {
            Device::Named(name) => Choice::Named(name.clone()),
            _ => Choice::Auto,
        };
        let gpu = match device {
            Device::Cpu => None,
            Device::Auto => Some(Gpu::open(&choice).await),
            Device::Gpu | Device::Named(_) => Some(Ok(Gpu::open(&choice).await?)),
        };
        match gpu {
            Some(Ok(gpu)) => Self::on_gpu(checkpoint, gpu, progress).await,
            Some(Err(e)) => Ok(Self::on_cpu(checkpoint, Some(e.to_string()))),
            None => Ok(Self::on_cpu(checkpoint, None)),
        }
    }

    /// Brings `checkpoint` to an open device.
    pub async fn on_gpu(
        checkpoint: Checkpoint,
        gpu: Gpu,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let total = checkpoint.manifest.bytes();
        // Any plan names all weights that lie on the device, and their layouts.
        let patch = checkpoint.spec.sizes.patch;
        let plan = record(&checkpoint.spec, Input::Rgba { height: patch, width: patch }, 1, &[]);
        let weights = GpuWeights::upload(&gpu, &plan, &checkpoint, &mut async |done| {
            progress(done, total).await
        })
        .await?;
        let _ = progress(total, total).await;
        let backend = Backend::Gpu(Box::new(gpu), weights);
        Ok(Self { checkpoint, backend, why_cpu: None, ready: None })
    }

    fn on_cpu(checkpoint: Checkpoint, why_cpu: Option<String>) -> Self {
        Self { checkpoint, backend: Backend::Cpu, why_cpu, ready: None }
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
            Backend::Cpu => None,
        }
    }

    /// Bytes of weights on the device; 0 on the CPU, which reads them as it goes.
    pub fn weight_bytes(&self) -> u64 {
        match &self.backend {
            Backend::Gpu(_, weights) => weights.bytes(),
            Backend::Cpu => 0,
        }
    }

    /// Why the CPU computes although a GPU was hoped for.
    pub fn why_cpu(&self) -> Option<&str> {
        self.why_cpu.as_deref()
    }

    /// Encodes `images`; `taps` are the hidden states wanted besides the last, 0 the embedding, i
    /// the output of block i. `progress` is told the steps done and their number, and may stop.
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
        let (input, count) = check(images, taps, &self.checkpoint.spec)?;
        let spec = &self.checkpoint.spec;
        let position = match input.grid(spec.sizes.patch) {
            Some(grid) => Some(self.position(grid).await?),
            None => None,
        };
        let capacity = self.capacity(input, taps, count);
        let runs = count.div_ceil(capacity);
        let mut tensors: BTreeMap<String, Tensor> = BTreeMap::new();
        for run in 0..runs {
            let first = run * capacity;
            let batch = capacity.min(count - first);
            let mut part = async |done, total| progress(run * total + done, runs * total).await;
            let piece = Piece { input, taps, capacity, first, batch };
            let outputs = self.run(piece, images, position.as_deref(), &mut part).await?;
            for (name, tensor) in outputs {
                let all = tensors.entry(name).or_insert_with(|| Tensor {
                    shape: [vec![count], tensor.shape[1..].to_vec()].concat(),
                    values: Vec::new(),
                });
                all.values.extend(tensor.values);
            }
        }
        let spec = &self.checkpoint.spec;
        let last = &tensors["last_hidden_state"];
        let (tokens, c) = (last.shape[1], last.shape[2]);
        let values = last.values.chunks_exact(tokens * c).flat_map(|p| p[..c].to_vec()).collect();
        tensors.insert("pooler_output".into(), Tensor { shape: vec![count, c], values });
        let (grid, prefix) = (input.grid(spec.sizes.patch), spec.prefix_tokens());
        Ok(Features { batch: count, grid, prefix, tensors })
    }

    /// Runs GPU and twins side by side on one batch and reports for each step the slot's name and
    /// the relative L2 difference, until `watch` stops.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; [`Error::Device`] where there is no GPU to compare with.
    pub async fn compare(
        &mut self,
        images: Images<'_>,
        watch: &mut impl AsyncFnMut(&str, f64) -> ControlFlow<()>,
    ) -> Result<()> {
        let (input, count) = check(images, &[], &self.checkpoint.spec)?;
        let position = match input.grid(self.checkpoint.spec.sizes.patch) {
            Some(grid) => Some(self.position(grid).await?),
            None => None,
        };
        let Backend::Gpu(gpu, weights) = &self.backend else {
            return Err(Error::device("bisect compares the GPU with the CPU, and there is no GPU"));
        };
        let plan = record(&self.checkpoint.spec, input, count, &[]);
        let mut prepared = Prepared::new(gpu, plan.clone(), weights).await?;
        let fed = Fed::new(images, 0, count);
        let inputs = fed.inputs(&plan, position.as_deref());
        let mut expected = Vec::new();
        reference::run(&plan, count, &self.checkpoint, &inputs, &mut async |_, values| {
            expected.push(values.to_vec());
            ControlFlow::Continue(())
        })
        .await?;
        let mut expected = expected.into_iter();
        let result = prepared
            .trace(gpu, count, &inputs, &mut async |at, values| {
                let name = &plan.slots[plan.steps[at].op.writes()].name;
                let twin = expected.next().unwrap_or_default();
                watch(name, relative_l2(&values, &twin)).await
            })
            .await;
        match result {
            Err(Error::Cancelled) => Ok(()),
            other => other,
        }
    }

    async fn run(
        &mut self,
        piece: Piece<'_>,
        images: Images<'_>,
        position: Option<&[f32]>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Vec<(String, Tensor)>> {
        let Piece { input, taps, capacity, first, batch } = piece;
        let fed = Fed::new(images, first, batch);
        let outputs = match &self.backend {
            Backend::Cpu => {
                let plan = record(&self.checkpoint.spec, input, batch, taps);
                let inputs = fed.inputs(&plan, position);
                let (mut done, total) = (0, plan.steps.len());
                let mut watch = async |_: &_, _: &_| {
                    done += 1;
                    progress(done, total).await
                };
                let list =
                    reference::run(&plan, batch, &self.checkpoint, &inputs, &mut watch).await?;
                named(&plan, batch, list)
            }
            Backend::Gpu(gpu, weights) => {
                let key = (input, taps.to_vec(), capacity);
                if self.ready.as_ref().is_none_or(|ready| ready.key != key) {
                    self.ready = None;
                    let plan = record(&self.checkpoint.spec, input, capacity, taps);
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
                    list.push((slot, prepared.read(gpu, slot, batch).await?));
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
    fn capacity(&self, input: Input, taps: &[usize], count: usize) -> usize {
        let Backend::Gpu(gpu, _) = &self.backend else { return 1 };
        let mut batch = count;
        while batch > 1 {
            let plan = record(&self.checkpoint.spec, input, batch, taps);
            if fits(&plan, &plan_arena(&plan), gpu.caps.max_binding) {
                break;
            }
            batch = batch.div_ceil(2);
        }
        batch
    }
}

struct Piece<'a> {
    input: Input,
    taps: &'a [usize],
    capacity: usize,
    first: usize,
    batch: usize,
}

fn fits(plan: &Plan, arena: &Arena, max_binding: u64) -> bool {
    let bytes = |values: usize| 4 * values as u64;
    let slot = |slot: &crate::plan::Slot| bytes(slot.plane_stride(plan.batch)) <= max_binding;
    let arena_bytes: u64 = arena.sizes.iter().map(|v| bytes(*v)).sum();
    plan.slots.iter().all(slot)
        && arena.sizes.iter().all(|v| bytes(*v) <= 2 * max_binding)
        && arena_bytes <= ACTIVATIONS
}

fn named(plan: &Plan, batch: usize, list: Vec<(SlotId, Vec<f32>)>) -> Vec<(String, Tensor)> {
    list.into_iter()
        .map(|(slot, values)| {
            let slot = &plan.slots[slot];
            let shape = vec![batch, slot.rows, slot.cols];
            (slot.name.clone(), Tensor { shape, values })
        })
        .collect()
}
