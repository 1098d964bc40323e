//! How a model is opened.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::line::Line;
use super::source::HubUse;
use super::thread::serve;
use super::{About, Model, ModelSource, stopped};
use crate::gpu::Gpu;
use crate::many::BATCH;
use crate::{Checkpoint, Compute, Device, Encoder, Error, Precision, Result, threads};

/// Ends long work from elsewhere, for example from a handler of Ctrl-C. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Ends the work that was given this, at its next step, with [`Error::Cancelled`].
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn flow(&self) -> ControlFlow<()> {
        match self.0.load(Ordering::Relaxed) {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    }
}

/// How a model is opened; ends with [`open`](Self::open).
#[derive(Default)]
#[must_use]
pub struct Options {
    compute: Compute,
    offline: bool,
    prefix: Option<String>,
    texts: bool,
    batch: Option<usize>,
    memory: Option<u64>,
    threads: Option<usize>,
    progress: Option<Box<dyn FnMut(u64, u64) + Send>>,
    cancel: Cancel,
}

impl Options {
    /// Where to compute: `"auto"`, `"gpu"`, `"cpu"`, or words of an adapter's name.
    pub fn device(mut self, device: &str) -> Self {
        let Ok(device) = device.parse::<Device>();
        self.compute = self.compute.on(&device);
        self
    }

    /// Where and how to compute, all at once.
    pub fn compute(mut self, compute: Compute) -> Self {
        self.compute = compute;
        self
    }

    /// On a device that the program opened: its device and queue, for f32, or [`Gpu::from_wgpu`].
    pub fn gpu(mut self, gpu: impl Into<Gpu>) -> Self {
        self.compute = self.compute.on_gpu(gpu.into());
        self
    }

    /// In which precision, [`Precision::F32`] if not called. The CPU computes in f32, with
    /// weights in f32, int8 or int4.
    pub fn precision(mut self, precision: Precision) -> Self {
        self.compute = self.compute.precision(precision);
        self
    }

    /// Whether the weights of blocks stay where they are stored and are read block by block.
    pub fn streamed(mut self, streamed: bool) -> Self {
        self.compute = self.compute.streamed(streamed);
        self
    }

    /// Whether the hub is asked nothing: only what was fetched before is taken.
    pub fn offline(mut self, offline: bool) -> Self {
        self.offline = offline;
        self
    }

    /// Which encoder, where a file holds several: what the names of its tensors begin with.
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Whether the model's tower for texts is opened too, for [`Model::text`]; not if this is not called.
    pub fn texts(mut self, texts: bool) -> Self {
        self.texts = texts;
        self
    }

    /// How many photographs of [`Model::spawn_features`] are encoded at once, at most; 8 if not called.
    pub fn batch(mut self, photographs: usize) -> Self {
        self.batch = Some(photographs.max(1));
        self
    }

    /// Bytes that decoding photographs may take in all; seven eighths of what the machine has free if not
    /// called.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = Some(bytes);
        self
    }

    /// Threads that compute where the CPU does, at most; as many as there are cores if not called. No two
    /// models of a program share a thread.
    pub fn threads(mut self, most: usize) -> Self {
        self.threads = Some(most);
        self
    }

    /// Calls `report` with bytes that are there and their total: of each file that is fetched from the hub,
    /// then of the weights that go to the device.
    pub fn progress(mut self, report: impl FnMut(u64, u64) + Send + 'static) -> Self {
        self.progress = Some(Box::new(report));
        self
    }

    /// Ends the loading where `cancel` says so.
    pub fn cancel(mut self, cancel: &Cancel) -> Self {
        self.cancel = cancel.clone();
        self
    }

    /// Opens a model: a folder or file, `owner/name` on the hub, `"dinov2-small"`, `"internvit-tiny"` (or
    /// `"bundled"`, which is the same), or bytes.
    ///
    /// # Errors
    /// [`Error::Input`] where nothing is there, [`Error::Config`] and [`Error::Checkpoint`] where it is
    /// no model that is known, [`Error::Hub`], [`Error::Device`], [`Error::Cancelled`].
    pub fn open(self, source: impl Into<ModelSource>) -> Result<Model> {
        self.start(source.into())
    }

    /// Opens a model's files, fetched where need be, and loads no weights: [`open`](Self::open) takes what this gives.
    ///
    /// # Errors
    /// As those of [`open`](Self::open), but for the device's.
    pub fn checkpoint(mut self, source: impl Into<ModelSource>) -> Result<Checkpoint> {
        pollster::block_on(self.find(source.into()))
    }

    // What is generic is compiled again in each program, so it is no more than the conversion, here and elsewhere.
    fn start(self, source: ModelSource) -> Result<Model> {
        let count = self.threads;
        let (requests, inbox) = mpsc::channel();
        let (opened, answer) = mpsc::sync_channel(1);
        let (alive, ended) = mpsc::channel();
        let (batch, memory) = (self.batch.unwrap_or(BATCH), self.memory);
        let work = move || {
            match pollster::block_on(self.load(source)) {
                Err(error) => drop(opened.send(Err(error))),
                Ok(mut encoder) => {
                    let about = Arc::new(About::of(&encoder, batch, memory));
                    if opened.send(Ok(about.clone())).is_ok() {
                        serve(&mut encoder, &inbox, &about);
                    }
                }
            }
            drop(alive); // behind the encoder
        };
        threads::start("internvit", count, work)
            .map_err(|e| Error::device(format!("no thread for the model: {e}")))?;
        let about = answer.recv().unwrap_or_else(|_| Err(stopped()))?;
        let line = Arc::new(Line::new(requests, ended));
        Ok(Model { line, about, cancel: Cancel::default() })
    }

    async fn find(&mut self, source: ModelSource) -> Result<Checkpoint> {
        let Self { offline, prefix, texts, progress, cancel, .. } = self;
        let report = &mut **progress.get_or_insert_with(|| Box::new(|_, _| ()));
        let hub = HubUse { offline: *offline, texts: *texts, cancel, report };
        let checkpoint = source.open(hub, prefix.as_deref()).await?;
        match texts {
            true => checkpoint.with_text().await,
            false => Ok(checkpoint),
        }
    }

    async fn load(mut self, source: ModelSource) -> Result<Encoder> {
        let checkpoint = self.find(source).await?;
        let Self { compute, progress, cancel, .. } = self;
        let mut report = progress.unwrap_or_else(|| Box::new(|_, _| ()));
        let on_progress = &mut async |done, total| {
            report(done, total);
            cancel.flow()
        };
        Encoder::load(checkpoint, compute, on_progress).await
    }
}
