//! The façade: a checkpoint on a device, pictures in, features out.

mod device;
mod inspect;
mod measure;
mod profile;
mod recover;
mod run;
mod team;

pub use device::{Device, Opened};
pub use inspect::Held;
pub use measure::Measured;
pub use profile::{Profile, Row};
use run::{Job, Ready, Task};

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::cpu::{CpuWeights, Team, Workspace};
use crate::features::{Features, Tensor};
use crate::gpu::{Gpu, GpuWeights, Precision};
use crate::images::{Images, check};
use crate::model::{HeadKind, Spec};
use crate::plan::{Input, Plan, record, record_segment};
use crate::progress::{LocalBoxFuture, Progress};
use crate::weights::{Checkpoint, Head};
use crate::{Error, Result};

/// A checkpoint on a device.
pub struct Encoder {
    checkpoint: Checkpoint,
    backend: Backend,
    /// Blocks are read from the checkpoint whenever a run comes to them.
    streamed: bool,
    why_cpu: Option<String>,
    notes: Vec<String>,
    ready: Option<Ready>,
    /// The position table of the last grid.
    position: Option<([usize; 2], Arc<[f32]>)>,
}

enum Backend {
    Gpu(Box<Gpu>, GpuWeights),
    Cpu(CpuWeights, Workspace),
}

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
        Self::load_as(checkpoint, device, Precision::F32, progress).await
    }

    /// As [`Encoder::load`], in a precision.
    ///
    /// # Errors
    /// As [`Encoder::load`]; [`Error::Device`] too where f16 is asked of the CPU or does not hold a
    /// weight.
    pub async fn load_as(
        checkpoint: Checkpoint,
        device: &Device,
        precision: Precision,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::open(checkpoint, device, precision, false, progress).await
    }

    /// As [`Encoder::load_as`], but the weights of blocks stay where they are stored: while one block
    /// computes the next is read. The device holds embeddings, two blocks and activations, the CPU one
    /// block; the features are the same.
    ///
    /// # Errors
    /// As [`Encoder::load_as`].
    pub async fn stream(
        checkpoint: Checkpoint,
        device: &Device,
        precision: Precision,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::open(checkpoint, device, precision, true, progress).await
    }

    fn open<'a>(
        checkpoint: Checkpoint,
        device: &'a Device,
        precision: Precision,
        streamed: bool,
        progress: &'a mut dyn Progress<u64>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            match device.open_as(precision).await? {
                Opened::Gpu(gpu) if streamed => Self::bring(checkpoint, *gpu, true, progress).await,
                Opened::Gpu(gpu) => Self::bring(checkpoint, *gpu, false, progress).await,
                Opened::Cpu(why_cpu) if streamed => {
                    let backend = Backend::Cpu(CpuWeights::default(), Workspace::default());
                    Ok(Self { streamed, why_cpu, ..Self::new(checkpoint, backend) })
                }
                Opened::Cpu(why) => Self::on_cpu(checkpoint, why, None, progress).await,
            }
        })
    }

    fn new(checkpoint: Checkpoint, backend: Backend) -> Self {
        let (why_cpu, ready, position) = (None, None, None);
        Self { checkpoint, backend, streamed: false, why_cpu, notes: Vec::new(), ready, position }
    }

    /// Brings `checkpoint` to an open device.
    pub async fn on_gpu(
        checkpoint: Checkpoint,
        gpu: Gpu,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::bring(checkpoint, gpu, false, progress).await
    }

    /// As [`Encoder::stream`], on an open device.
    pub async fn stream_on(
        checkpoint: Checkpoint,
        gpu: Gpu,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::bring(checkpoint, gpu, true, progress).await
    }

    /// Lets go of the model and keeps its device, where another finds its kernels compiled; none on
    /// the CPU, or where the device was lost.
    pub fn into_gpu(self) -> Option<Gpu> {
        let Backend::Gpu(gpu, weights) = self.backend else { return None };
        drop((weights, self.ready));
        gpu.emptied()
    }

    fn on_cpu<'a>(
        checkpoint: Checkpoint,
        why_cpu: Option<String>,
        team: Option<Team>,
        progress: &'a mut dyn Progress<u64>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            let total = checkpoint.bytes();
            let plans = all_weights(&checkpoint);
            let mut told = async |done| progress.told(done, total).await;
            let weights = CpuWeights::load(&plans, &checkpoint, team, &mut told).await?;
            let _ = progress.told(total, total).await;
            let backend = Backend::Cpu(weights, Workspace::default());
            Ok(Self { why_cpu, ..Self::new(checkpoint, backend) })
        })
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

    /// An error where blocks are streamed: times and comparisons step by step are of resident weights.
    fn resident(&self) -> Result<()> {
        match self.streamed {
            false => Ok(()),
            true => Err(Error::input("this takes weights that are loaded, not streamed")),
        }
    }

    /// Why the CPU computes although a GPU was hoped for.
    pub fn why_cpu(&self) -> Option<&str> {
        self.why_cpu.as_deref()
    }

    /// What it did by itself and the caller should know, a sentence each: it opened a lost device
    /// anew, or left f16.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Encodes `images`; `taps` are the hidden states wanted besides the last, 0 the embedding, i
    /// the output of block i. `progress` is told the block reached and the number of
    /// blocks, and may stop.
    ///
    /// Where the device is lost it is opened anew, the weights are uploaded again, and the pictures
    /// computed once more; progress begins again. Values that are no numbers are never returned: in
    /// f16 the encoder goes on in f32 ([`Encoder::notes`] tells), else they are an error.
    ///
    /// # Errors
    /// [`Error::Input`] for pictures of different or unfit sizes and for unknown hidden states,
    /// [`Error::Device`], [`Error::Lost`] where the device was lost twice, [`Error::NotFinite`],
    /// [`Error::Cancelled`].
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
        let job = Job { task: &Task::Logits, input, count, images, keep: false };
        let parts = self.run_all(job, progress).await?;
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
