//! What an encoder does by itself when something goes wrong on the device: it opens a lost one again,
//! and leaves f16 where that overflows.

#[cfg(feature = "language")]
use super::ahead::with_table;
use super::held::{Part, Residency, Values};
use super::run::{Job, Parts, Task};
use super::{Executor, Session, all_weights};
use crate::features::first_not_finite;
use crate::gpu::{Gpu, GpuWeights, Precision};
use crate::model::WeightKind;
use crate::plan::{Input, Role, record};
use crate::progress::{LocalBoxFuture, Progress};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// A tensor of which a picture's values are not all numbers.
struct Bad {
    tensor: String,
    picture: usize,
}

impl Session {
    /// Runs a task for all pictures: once more where the device was lost, and once more in f32 where
    /// f16 gives NaN or infinity.
    pub(crate) fn run_all<'a>(
        &'a mut self,
        job: Job<'a>,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<Parts>> {
        Box::pin(async move {
            let mut lost_before = false;
            loop {
                let precision = self.gpu().map_or(Precision::F32, |gpu| gpu.precision);
                let (why, lost) = match self.attempt(job, progress).await {
                    Ok(parts) => return Ok(parts),
                    Err(Error::NotFinite(why)) if precision == Precision::F16 => (why, false),
                    Err(Error::NotFinite(why)) => {
                        return Err(Error::NotFinite(format!(
                            "{why}; where another device gives numbers this one is wrong, else the \
                             model overflows f32"
                        )));
                    }
                    Err(Error::Lost(why)) if !lost_before => (why, true),
                    Err(Error::Lost(why)) => {
                        return Err(Error::Lost(format!("{why}; it had just been opened again")));
                    }
                    Err(e) => return Err(e),
                };
                lost_before |= lost;
                let precision = if lost { precision } else { Precision::F32 };
                self.reopen(precision, progress).await.map_err(|e| match e {
                    Error::Cancelled => e,
                    e if lost => Error::Lost(format!("{why}; opening it again failed: {e}")),
                    e => Error::Device(format!("{why}; computing in f32 failed: {e}")),
                })?;
                self.notes.push(match lost {
                    true => format!("{why}; it was opened again and the pictures computed again"),
                    false => format!("{why}; computing in f32 from here on"),
                });
            }
        })
    }

    /// Opens a lost device again, and leaves f16 where that overflows; what was kept on the device is gone.
    ///
    /// # Errors
    /// The error itself, where it is another one.
    pub async fn mend(&mut self, error: Error) -> Result<()> {
        let precision = self.gpu().map_or(Precision::F32, |gpu| gpu.precision);
        let (note, precision) = match error {
            Error::Lost(why) => {
                (format!("{why}; it was opened again and the answer goes on"), precision)
            }
            Error::NotFinite(why) if precision == Precision::F16 => {
                (format!("{why}; computing in f32 from here on"), Precision::F32)
            }
            other => return Err(other),
        };
        let go_on = &mut async |_: usize, _: usize| std::ops::ControlFlow::Continue(());
        self.reopen(precision, go_on).await?;
        self.notes.push(note);
        Ok(())
    }

    /// As [`Session::run_once`]; NaN and infinity are an error.
    async fn attempt(&mut self, job: Job<'_>, progress: &mut dyn Progress<usize>) -> Result<Parts> {
        let parts = self.run_once(job, progress).await?;
        match self.first_bad(&parts).await? {
            None => Ok(parts),
            Some(bad) => {
                // What is kept on the device makes room for the search.
                drop(parts);
                Err(self.explain(&bad, job, progress).await)
            }
        }
    }

    /// Puts the device opened again, with the weights in a precision, in the place of the one in use.
    async fn reopen(
        &mut self,
        precision: Precision,
        progress: &mut dyn Progress<usize>,
    ) -> Result<()> {
        let Executor::Gpu(gpu, weights) = &mut self.executor else {
            unreachable!("the CPU is not lost and has no f16")
        };
        // Both may not fit the device together.
        self.ready = None;
        *weights = GpuWeights::default();
        let layers = self.checkpoint.spec.sizes.layers;
        let mut on_progress = async |_, _| progress.report(0, layers).await;
        let gpu = gpu.reopen(precision).await?;
        let weights = upload(&gpu, &self.checkpoint, self.streamed, &mut on_progress).await?;
        self.executor = Executor::Gpu(Box::new(gpu), weights);
        Ok(())
    }

    /// The first picture and tensor that holds NaN or infinity: of what was read back all, of what
    /// stays on the device the last hidden state, which none before it leaves finite.
    async fn first_bad(&self, parts: &Parts) -> Result<Option<Bad>> {
        for (name, list) in parts {
            let mut first = 0;
            for Part { shape: [pictures, rows, cols], values } in list {
                let read;
                let values = match (values, &self.executor) {
                    (Values::Host(values), _) => values,
                    (Values::Device(buffer), Executor::Gpu(gpu, _))
                        if name == "last_hidden_state" =>
                    {
                        read = gpu.read(buffer).await?;
                        &read
                    }
                    _ => continue,
                };
                if let Some(at) = first_not_finite(values) {
                    let picture = first + at / (rows * cols);
                    return Ok(Some(Bad { tensor: name.clone(), picture }));
                }
                first += pictures;
            }
        }
        Ok(None)
    }

    /// The error that says from where on a picture's values are no numbers.
    async fn explain(
        &mut self,
        bad: &Bad,
        job: Job<'_>,
        progress: &mut dyn Progress<usize>,
    ) -> Error {
        let Bad { tensor, picture } = bad;
        let images = job.images.only(*picture);
        if !images.finite() {
            return Error::input(format!("picture {picture}: NaN or infinity among its values"));
        }
        let layers = self.spec().sizes.layers;
        let task = Task::Features((0..=layers).collect());
        let again = Job { task: &task, images, count: 1, residency: Residency::Host, ..job };
        let states = match self.run_once(again, progress).await {
            Err(e @ (Error::Cancelled | Error::Lost(_))) => return e,
            states => states.unwrap_or_default(),
        };
        let name = |i: usize| format!("hidden_states.{i}");
        let finite = |part: &Part| match &part.values {
            Values::Host(values) => first_not_finite(values).is_none(),
            _ => true,
        };
        let is_bad = |i: &usize| states.get(&name(*i)).is_some_and(|l| !l.iter().all(finite));
        let mut text = format!("{tensor} of picture {picture} holds NaN or infinity");
        match (0..=layers).find(is_bad) {
            None if *job.task == Task::Logits && !states.is_empty() => {
                text += ", the features do not: it comes from the head";
            }
            None => {}
            Some(layer) => {
                let place = place(layer);
                match self.bad_weight(job.input, layer).await {
                    Ok(None) => text += &format!(", from {place} on ({})", name(layer)),
                    Ok(Some(weight)) => {
                        let reason = format!("{weight}, in {place}, holds NaN or infinity");
                        return Error::checkpoint(self.checkpoint.name(), reason);
                    }
                    Err(e) => return e,
                }
            }
        }
        Error::NotFinite(text)
    }

    /// The first weight of a layer that holds NaN or infinity.
    async fn bad_weight(&self, input: Input, layer: usize) -> Result<Option<String>> {
        let plan = record(self.spec(), input, 1, &[]);
        let steps = plan.steps.iter().filter(|step| step.layer == layer);
        let used = steps.flat_map(|step| plan.weights_of(step));
        // The table of positions is read by the host, before the first block.
        let table = Role::Weight(WeightKind::Table);
        let tables = plan.weights().filter(|slot| layer == 0 && slot.role == table);
        for slot in used.chain(tables) {
            if first_not_finite(&self.checkpoint.tensor(&slot.name).await?).is_some() {
                return Ok(Some(slot.name.clone()));
            }
        }
        Ok(None)
    }

    /// Brings `checkpoint` to an open device: once more where that is lost meanwhile, and in f32 where
    /// f16 does not hold a weight.
    pub(super) fn bring<'a>(
        checkpoint: Checkpoint,
        mut gpu: Gpu,
        streamed: bool,
        progress: &'a mut dyn Progress<u64>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            let mut notes = Vec::new();
            let precision = match upload(&gpu, &checkpoint, streamed, progress).await {
                Ok(weights) => {
                    let backend = Executor::Gpu(Box::new(gpu), weights);
                    return Ok(Self { streamed, ..Self::new(checkpoint, backend) });
                }
                Err(Error::Lost(why)) => {
                    notes.push(format!("{why}; it was opened again"));
                    gpu.precision
                }
                Err(Error::NotFinite(why)) => {
                    notes.push(format!("{why}; computing in f32"));
                    Precision::F32
                }
                Err(e) => return Err(e),
            };
            gpu = gpu.reopen(precision).await?;
            let weights = upload(&gpu, &checkpoint, streamed, progress).await?;
            let backend = Executor::Gpu(Box::new(gpu), weights);
            Ok(Self { streamed, notes, ..Self::new(checkpoint, backend) })
        })
    }
}

fn place(layer: usize) -> String {
    if layer == 0 { "the embedding".into() } else { format!("block {layer}") }
}

/// The weights of `checkpoint` on a device.
async fn upload(
    gpu: &Gpu,
    checkpoint: &Checkpoint,
    streamed: bool,
    progress: &mut dyn Progress<u64>,
) -> Result<GpuWeights> {
    let total = checkpoint.bytes();
    let plans = all_weights(checkpoint);
    let mut on_progress = async |done| progress.report(done, total).await;
    if streamed {
        return GpuWeights::streamed(gpu, &plans, checkpoint, &mut on_progress).await;
    }
    let weights = GpuWeights::upload(gpu, &plans, checkpoint, &mut on_progress).await?;
    #[cfg(feature = "language")]
    let weights = with_table(gpu, checkpoint, weights).await?;
    let _ = progress.report(total, total).await;
    Ok(weights)
}
