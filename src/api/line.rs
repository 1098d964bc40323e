//! The line to the thread that owns an encoder.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::stopped;
use super::thread::Request;
use crate::Result;

/// How long the end of the thread is waited for: what it does for a caller who has gone may take longer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where requests go. It ends with the last model that shares it, and once it has the encoder's memory is free: the next
/// model may need it, and a program that ends beside its driver's work may not survive that.
pub(super) struct Line {
    requests: Option<Sender<Request>>,
    /// Never receives anything; its sender is gone when the encoder is.
    ended: Mutex<Receiver<()>>,
}

impl Line {
    pub(super) fn new(requests: Sender<Request>, ended: Receiver<()>) -> Self {
        Self { requests: Some(requests), ended: Mutex::new(ended) }
    }

    pub(super) fn send(&self, request: Request) -> Result<()> {
        let requests = self.requests.as_ref().ok_or_else(stopped)?;
        requests.send(request).map_err(|_| stopped())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.requests = None;
        let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = ended.recv_timeout(PATIENCE);
    }
}
