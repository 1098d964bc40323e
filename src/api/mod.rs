//! A model in a few lines: opened by path, name or bytes, blocking, shared by any number of threads.
//!
//! A thread owns the encoder and answers one request after the other; a [`Model`] only sends requests.
//! So it is `Send` and `Sync`, its clones share the weights, and a call blocks until it is answered. An
//! asynchronous program calls [`Model::spawn_features`], or makes other calls in a blocking task.

mod classify;
mod convert;
mod decoders;
mod features;
mod given;
mod line;
mod look;
mod options;
mod photo;
mod source;
mod teach;
mod thread;

pub use classify::{TextInput, Texts};
pub use features::FeatureRequest;
pub use given::PhotoSource;
pub use look::{Look, View};
pub use options::{Cancel, Options};
pub use photo::{FeatureSet, KeptFeatures};
pub use source::ModelSource;
pub use teach::{Segmentation, Teach};

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use futures_channel::oneshot;

use crate::app::Shape;
use crate::budget::Budget;
use crate::image::Picture;
use crate::many::{PhotoFeatures, Ready};
use crate::model::Spec;
use crate::{Encoder, Error, Result};
use decoders::Decoders;
use line::Line;
use thread::{Request, Waiting};

/// A model on a device. Clones share it; the last one releases its memory, and waits until that is done: two seconds at
/// most, where something is still computed for a caller who has gone.
#[derive(Clone)]
pub struct Model {
    line: Arc<Line>,
    about: Arc<About>,
    /// What ends the calls of this clone.
    cancel: Cancel,
}

/// What is known of a model without asking its thread.
struct About {
    name: String,
    spec: Spec,
    device: String,
    notes: Mutex<Vec<String>>,
    /// What decoding draws from.
    budget: Arc<Budget>,
    /// Who decodes for [`Model::spawn_features`], and how many of its photographs are encoded at once.
    decoders: Decoders,
    batch: usize,
    /// How often photographs of it were encoded.
    runs: AtomicU64,
    #[cfg(feature = "tokenizers")]
    tokenizer: Mutex<Option<crate::words::Tokenizer>>,
}

impl About {
    fn of(encoder: &Encoder, batch: usize, memory: Option<u64>) -> Self {
        let device = encoder.gpu().map_or("CPU".into(), |gpu| gpu.report.name.clone());
        let mut notes = encoder.checkpoint().notes.clone();
        notes.extend(encoder.why_cpu().map(|why| format!("computing on the CPU: {why}")));
        Self {
            name: encoder.checkpoint().name().into(),
            spec: encoder.spec().clone(),
            device,
            notes: Mutex::new(notes),
            budget: Arc::new(memory.map_or_else(Budget::of_machine, Budget::new)),
            decoders: Decoders::default(),
            batch,
            runs: AtomicU64::new(0),
            #[cfg(feature = "tokenizers")]
            tokenizer: Mutex::new(None),
        }
    }

    /// Does work with the encoder, and keeps what that notes of it.
    fn noting<T>(&self, encoder: &mut Encoder, work: impl FnOnce(&mut Encoder) -> T) -> T {
        let known = encoder.notes().len();
        let result = work(encoder);
        if let Some(more) = encoder.notes().get(known..) {
            self.notes.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(more);
        }
        result
    }

    fn count_run(&self) {
        self.runs.fetch_add(1, Ordering::Relaxed);
    }
}

impl Model {
    /// Opens a model with the defaults of [`Options`]: a folder or file, `owner/name` on the hub,
    /// `"dinov2-small"`, `"internvit-tiny"` (or `"bundled"`, which is the same), or bytes.
    ///
    /// # Errors
    /// As [`Options::open`].
    pub fn open(source: impl Into<ModelSource>) -> Result<Self> {
        Self::options().open(source)
    }

    /// Begins to say how a model is opened.
    pub fn options() -> Options {
        Options::default()
    }

    /// The folder, or another name for it.
    pub fn name(&self) -> &str {
        &self.about.name
    }

    /// What its configuration describes: sizes, axes, preprocessing.
    pub fn spec(&self) -> &Spec {
        &self.about.spec
    }

    /// The adapter's name, or `CPU`.
    pub fn device(&self) -> &str {
        &self.about.device
    }

    /// What it did by itself and the caller should know, a sentence each.
    pub fn notes(&self) -> Vec<String> {
        self.about.notes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often photographs of [`Model::spawn_features`] were encoded: less often than there were
    /// photographs, where several waited.
    pub fn runs(&self) -> u64 {
        self.about.runs.load(Ordering::Relaxed)
    }

    /// The same model, whose calls end where `cancel` says so, with [`Error::Cancelled`]: at the next block of an
    /// encoding, and between texts. What is computed behind the last block is finished, and so is what
    /// [`spawn_features`](Self::spawn_features) began.
    #[must_use]
    pub fn until(&self, cancel: &Cancel) -> Self {
        Self { cancel: cancel.clone(), ..self.clone() }
    }

    /// Begins to ask for features of photographs.
    pub fn features(&self) -> FeatureRequest<'_> {
        FeatureRequest::new(self)
    }

    /// Begins to ask for a view of a photograph.
    pub fn look<'a>(&'a self, photo: &'a Picture) -> Look<'a> {
        Look::new(self, photo)
    }

    /// Begins to teach a segmentation by points on a photograph.
    pub fn teach(&self, photo: &Picture) -> Teach<'_> {
        Teach::new(self, photo)
    }

    /// Features of an encoded photograph, for an asynchronous program: any executor can await them.
    /// `name` is for errors. Requests that come while the device is at work are encoded together,
    /// those of one size in a batch ([`Options::batch`]); one that cannot be encoded costs only itself.
    /// Where the future is dropped before its turn nothing is decoded or encoded for it.
    ///
    /// # Errors
    /// [`Error::Image`] where `bytes` are no picture or damaged, else as
    /// [`FeatureRequest::picture`].
    pub fn spawn_features(
        &self,
        name: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> impl Future<Output = Result<PhotoFeatures>> + Send + 'static {
        let (name, model) = (name.into(), self.clone());
        let photo = PhotoSource::Bytes(name.clone(), bytes.into());
        let (answer, answered) = oneshot::channel();
        self.about.decoders.spawn(move || {
            if answer.is_canceled() {
                return;
            }
            let spec = model.spec();
            let ready = Shape::new(spec, None, None, 1).and_then(|shape| {
                photo.with(&model.about.budget, |photo| Ready::new(name, photo, &shape))
            });
            match ready {
                Err(error) => drop(answer.send(Err(error))),
                Ok(photo) => {
                    // Where the thread has ended the answer is dropped, which the caller sees.
                    let _ = model.line.send(Request::Photo(Waiting { photo, answer }));
                }
            }
        });
        async { answered.await.unwrap_or_else(|_| Err(stopped())) }
    }

    /// Runs `work` with the encoder, on the thread that owns it, and waits for its result.
    ///
    /// # Errors
    /// What `work` returns; [`Error::Device`] where the thread has ended, [`Error::Cancelled`] where
    /// [`until`](Self::until) says so before its turn.
    pub fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Encoder) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (send, answer) = mpsc::sync_channel(1);
        let (about, cancel) = (self.about.clone(), self.cancel.clone());
        let request = move |encoder: &mut Encoder| {
            let _ = send.send(match cancel.flow().is_break() {
                true => Err(Error::Cancelled),
                false => about.noting(encoder, work),
            });
        };
        self.line.send(Request::Work(Box::new(request)))?;
        answer.recv().unwrap_or_else(|_| Err(stopped()))
    }
}

fn stopped() -> Error {
    Error::device("the model's thread has ended; open the model again")
}
