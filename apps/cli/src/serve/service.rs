//! What answers: the model, its limits, and who waits.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use internvit::hub::Web;
use internvit::image::Picture;
use internvit::{Model, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::READERS;
use super::counts::{Counts, Log};
use super::refusal::Refusal;
use internvit::words::Tokenizer;

/// What a request may be.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// Bytes.
    pub(super) body: u64,
    /// Pixels of a photograph.
    pub(super) pixels: u64,
    /// Photographs and texts that wait, of all requests.
    pub(super) queue: u32,
    /// Photographs that are encoded at once.
    pub(super) batch: usize,
    /// For a request to arrive.
    pub(super) time: Duration,
}

pub(super) struct Service {
    /// What clients call the model.
    pub(super) name: String,
    pub(super) model: Model,
    /// What makes tokens of texts, where the model reads them.
    pub(super) tokenizer: Option<Tokenizer>,
    /// Values of an embedding.
    pub(super) width: usize,
    pub(super) limits: Limits,
    pub(super) key: Option<String>,
    pub(super) origins: Vec<String>,
    /// What fetches photographs, where any may be.
    pub(super) web: Option<Web>,
    /// Requests that fetch at once: the other readers go on with what others send.
    pub(super) fetching: Semaphore,
    pub(super) log: Log,
    pub(super) counts: Counts,
    /// When it began, in seconds since 1970.
    pub(super) since: u64,
    /// Places for photographs and texts.
    queue: Arc<Semaphore>,
    /// Room for what arrives, in KiB.
    room: Arc<Semaphore>,
    /// How long answers took lately, in seconds.
    pace: Mutex<f64>,
    /// Why the device could not compute what was asked last, and when.
    fault: Mutex<Option<(Instant, String)>>,
    /// Notes of the model that were told.
    told: Mutex<usize>,
}

/// How long a server counts as failing that was not asked again.
const FAILING: Duration = Duration::from_secs(30);

/// What a byte of a request takes while it is worked at: itself, its text as a value, and the photographs of it.
const COPIES: u64 = 3;

impl Service {
    /// Encodes once, so that kernels are compiled before anybody waits for them.
    pub(super) fn new(
        name: String,
        model: Model,
        tokenizer: Option<Tokenizer>,
        limits: Limits,
        memory: u64,
    ) -> Result<Self> {
        let side = model.spec().sizes.image.clamp(1, 1024) as u32;
        let width = model.features().picture(&Picture::noise(side)?)?.embedding().len();
        let room = (memory / 1024).max(units(limits.body).into()) as usize;
        let told = model.notes().len();
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Self {
            name,
            model,
            tokenizer,
            width,
            limits,
            key: None,
            origins: Vec::new(),
            web: None,
            fetching: Semaphore::new(READERS / 2),
            log: Log::Quiet,
            counts: Counts::default(),
            since,
            queue: Arc::new(Semaphore::new(limits.queue as usize)),
            room: Arc::new(Semaphore::new(room.min(Semaphore::MAX_PERMITS))),
            pace: Mutex::new(1.0),
            fault: Mutex::default(),
            told: Mutex::new(told),
        })
    }

    /// Room for a request of this number of bytes, until it is dropped.
    pub(super) fn room(&self, bytes: u64) -> std::result::Result<OwnedSemaphorePermit, Refusal> {
        let room = self.room.clone().try_acquire_many_owned(units(bytes));
        room.map_err(|_| self.busy("the requests of others take all memory there is for them"))
    }

    /// Places for this number of photographs and texts, until they are dropped.
    pub(super) fn places(
        &self,
        count: usize,
    ) -> std::result::Result<OwnedSemaphorePermit, Refusal> {
        let most = self.limits.queue;
        let count = u32::try_from(count).ok().filter(|count| *count <= most).ok_or_else(|| {
            let text =
                format!("input: {count} photographs and texts, this server takes {most} at once");
            Refusal::bad("input", text)
        })?;
        let places = self.queue.clone().try_acquire_many_owned(count);
        places.map_err(|_| self.busy(&format!("{} of {most} places are taken", self.waiting())))
    }

    /// Photographs and texts that wait.
    pub(super) fn waiting(&self) -> usize {
        self.limits.queue as usize - self.queue.available_permits()
    }

    fn busy(&self, why: &str) -> Refusal {
        let text = format!("the server is busy: {why}; try again later");
        Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_exceeded", text).after(self.soon())
    }

    /// Seconds after which a place may be free: as many as an answer took lately.
    fn soon(&self) -> u64 {
        let pace = *self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        (pace.ceil() as u64).clamp(1, 60)
    }

    /// Keeps in mind how long an answer took.
    pub(super) fn took(&self, time: Duration) {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        *pace += (time.as_secs_f64() - *pace) / 8.0;
        drop(pace);
        self.learn(None);
    }

    /// The refusal of what the library could not do.
    pub(super) fn failed(&self, places: &[usize], error: &internvit::Error) -> Refusal {
        let place = match (error, places) {
            // Errors of photographs begin with their names.
            (internvit::Error::Input(_), [first, ..]) => format!("input[{first}]: "),
            _ => String::new(),
        };
        let refusal = Refusal::of(error, &place);
        if refusal.status != StatusCode::SERVICE_UNAVAILABLE {
            return refusal;
        }
        self.learn(Some(error.to_string()));
        refusal.after(self.soon())
    }

    /// Keeps in mind whether the device computes, and tells what the model noted since.
    fn learn(&self, fault: Option<String>) {
        let fault = fault.map(|why| (Instant::now(), why));
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault;
        let notes = self.model.notes();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        notes.iter().skip(*told).for_each(|note| self.log.note(note));
        *told = notes.len();
    }

    /// Why the device could not compute what was asked last, a while ago at most: who keeps requests away from
    /// a server that fails must come to try it again.
    pub(super) fn fault(&self) -> Option<String> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).clone();
        fault.filter(|(when, _)| when.elapsed() < FAILING).map(|(_, why)| why)
    }
}

/// KiB that a request of this number of bytes takes.
fn units(bytes: u64) -> u32 {
    u32::try_from(bytes.saturating_mul(COPIES).div_ceil(1024)).unwrap_or(u32::MAX)
}
