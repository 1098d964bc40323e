//! A session: the weights of a checkpoint on a device, plans prepared for it, and recovery.
//!
//! `run` runs a task in as many runs as the device needs, `recover` what is done where that fails,
//! `held` its results, `language` and `ahead` what a language model says, `plans` plans of one's own; `profile` and `measure` tell where the time goes.

#[cfg(feature = "language")]
mod ahead;
mod compute;
mod device;
mod held;
#[cfg(feature = "language")]
mod language;
mod plans;
mod profile;
mod recover;
mod run;
mod text;

pub use compute::Compute;
use compute::Place;
pub use device::{Device, OpenDevice};
pub use held::{DeviceFeatures, Residency};
#[cfg(feature = "language")]
pub use language::{Fed, Memory};
pub use profile::{Profile, Row};
use run::CachedPlan;
pub(crate) use run::{Job, Task};
pub use text::Words;

use std::cell::RefCell;
use std::sync::Arc;

use crate::cpu::{CpuWeights, Helper, Share, Team, Workspace};
use crate::gpu::{Family, Gpu, GpuWeights};
use crate::model::Spec;
use crate::plan::{Host, Input, Plan, record, record_segment, record_text};
use crate::progress::{LocalBoxFuture, Progress};
use crate::weights::{Checkpoint, QuantFormat};
use crate::{Error, Result};

/// A checkpoint on a device.
pub struct Session {
    checkpoint: Checkpoint,
    executor: Executor,
    /// Blocks are read from the checkpoint whenever a run comes to them.
    streamed: bool,
    why_cpu: Option<String>,
    notes: Vec<String>,
    ready: Option<CachedPlan>,
    /// What the host made for the last grid.
    host: RefCell<Option<MadeFor>>,
}

/// A grid of patches, and what the host made for it.
type MadeFor = ([usize; 2], Arc<[Host]>);

/// What runs plans, with the weights as it takes them.
enum Executor {
    Gpu(Box<Gpu>, GpuWeights),
    Cpu(CpuWeights, Workspace),
}

impl Session {
    /// Brings `checkpoint` to a device. `progress` is told the bytes read and their total.
    pub(crate) fn open<'a>(
        checkpoint: Checkpoint,
        compute: Compute,
        progress: &'a mut dyn Progress<u64>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            #[cfg(feature = "language")]
            if checkpoint.language().is_none() {
                checkpoint.sees()?;
            }
            let Compute { place, precision, streamed } = compute;
            let opened = match place {
                Place::Named(device) => device.open_as(precision).await?,
                Place::Open(gpu) => OpenDevice::Gpu(gpu),
                Place::Team(team) => {
                    return Self::on_cpu(checkpoint, None, None, Some(team), progress).await;
                }
            };
            match opened {
                OpenDevice::Gpu(gpu) => Self::bring(checkpoint, *gpu, streamed, progress).await,
                OpenDevice::Cpu(why_cpu) if streamed => {
                    let weights = CpuWeights::streamed(precision.quant());
                    let executor = Executor::Cpu(weights, Workspace::default());
                    Ok(Self { streamed, why_cpu, ..Self::new(checkpoint, executor) })
                }
                OpenDevice::Cpu(why) => {
                    Self::on_cpu(checkpoint, precision.quant(), why, None, progress).await
                }
            }
        })
    }

    fn new(checkpoint: Checkpoint, executor: Executor) -> Self {
        Self {
            checkpoint,
            executor,
            streamed: false,
            why_cpu: None,
            notes: Vec::new(),
            ready: None,
            host: RefCell::default(),
        }
    }

    /// Lets go of the model and keeps its device, where another finds its kernels compiled; none on
    /// the CPU, or where the device was lost.
    pub(crate) fn into_gpu(self) -> Option<Gpu> {
        let Executor::Gpu(gpu, weights) = self.executor else { return None };
        drop((weights, self.ready));
        gpu.emptied()
    }

    fn on_cpu<'a>(
        checkpoint: Checkpoint,
        quant: Option<QuantFormat>,
        why_cpu: Option<String>,
        team: Option<Team>,
        progress: &'a mut dyn Progress<u64>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            let total = checkpoint.bytes();
            let plans = all_weights(&checkpoint);
            let mut on_progress = async |done| progress.report(done, total).await;
            let weights =
                CpuWeights::load(&plans, &checkpoint, quant, team, &mut on_progress).await?;
            let _ = progress.report(total, total).await;
            let executor = Executor::Cpu(weights, Workspace::default());
            Ok(Self { why_cpu, ..Self::new(checkpoint, executor) })
        })
    }

    /// What the checkpoint describes.
    pub(crate) fn spec(&self) -> &Spec {
        &self.checkpoint.spec
    }

    /// The checkpoint.
    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The device in use; `None` for the CPU.
    pub(crate) fn gpu(&self) -> Option<&Gpu> {
        match &self.executor {
            Executor::Gpu(gpu, _) => Some(gpu),
            Executor::Cpu(..) => None,
        }
    }

    /// Computes with the kernels of a family from here on; the CPU has one kind.
    ///
    /// # Errors
    /// [`Error::Device`] where the device cannot run them.
    pub fn use_family(&mut self, family: Family) -> Result<()> {
        if let Executor::Gpu(gpu, _) = &mut self.executor
            && gpu.family() != family
        {
            gpu.force(family)?;
            self.ready = None;
        }
        Ok(())
    }

    /// Bytes of weights on the device.
    pub(crate) fn weight_bytes(&self) -> u64 {
        match &self.executor {
            Executor::Gpu(_, weights) => weights.bytes(),
            Executor::Cpu(weights, _) => weights.bytes(),
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
    pub(crate) fn why_cpu(&self) -> Option<&str> {
        self.why_cpu.as_deref()
    }

    /// What the session did by itself and the caller should know, a sentence each: it reopened a lost
    /// device, or left f16.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What member `share` of a team holds of the weights, for the jobs that the other members send.
    ///
    /// # Errors
    /// As [`Helper::load`].
    pub async fn helper(checkpoint: &Checkpoint, share: Share) -> Result<Helper> {
        Helper::load(&all_weights(checkpoint), checkpoint, share).await
    }
}

/// Plans that name all weights of a checkpoint, and their layouts, as any plan of its does.
fn all_weights(checkpoint: &Checkpoint) -> Vec<Plan> {
    #[cfg(feature = "language")]
    if checkpoint.sees().is_err() {
        return language::weights(checkpoint);
    }
    let patch = checkpoint.spec.sizes.patch;
    let input = Input::Rgba { height: 2 * patch, width: 2 * patch };
    let mut plans = vec![record(&checkpoint.spec, input, 1, &[])];
    if let Some(text) = checkpoint.text() {
        plans.push(record_text(text, 1, 1));
    }
    #[cfg(feature = "language")]
    plans.extend(language::weights(checkpoint));
    if let Some(head) = &checkpoint.head {
        plans.push(record_segment(&checkpoint.spec, &head.spec, head.channels, input, 1));
    }
    plans
}
