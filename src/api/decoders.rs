//! Threads that decode what a service is asked, apart from those that compute.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

/// What is to be decoded; it answers by itself.
type Job = Box<dyn FnOnce() + Send>;

/// Threads that take jobs one after the other, from the first job on until no sender is left. (Those of rayon
/// compute: a step of a model would wait there behind every photograph that came before it.)
#[derive(Default)]
pub(super) struct Decoders(OnceLock<Sender<Job>>);

impl Decoders {
    /// Does `job` when a thread is free.
    pub(super) fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let jobs = self.0.get_or_init(|| {
            let (jobs, inbox) = channel();
            let inbox = Arc::new(Mutex::new(inbox));
            let cores = thread::available_parallelism().map_or(1, usize::from);
            // Each takes its jobs from the one inbox.
            for _ in 0..cores.min(crate::many::READERS) {
                let inbox = inbox.clone();
                let work = move || while next(&inbox).is_some_and(done) {};
                // Where none can be started jobs are dropped, and with each who was to answer.
                let _ = thread::Builder::new().name("decoder".into()).spawn(work);
            }
            jobs
        });
        let _ = jobs.send(Box::new(job));
    }
}

fn next(inbox: &Mutex<Receiver<Job>>) -> Option<Job> {
    inbox.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// A job that panics drops who was to answer, and the thread goes on.
fn done(job: Job) -> bool {
    let _ = catch_unwind(AssertUnwindSafe(job));
    true
}
