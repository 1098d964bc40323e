//! What was answered: counted, and told a line at a time.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;

use super::service::Service;
use crate::terminal;

/// Since the server began.
#[derive(Default)]
pub(super) struct Counts {
    /// Requests by the status of their answers; 0 where the client did not wait for one.
    requests: Mutex<BTreeMap<u16, u64>>,
    /// Photographs and texts that were answered.
    pub(super) photographs: AtomicU64,
    pub(super) texts: AtomicU64,
    /// Numbers of requests.
    pub(super) next: AtomicU64,
}

impl Counts {
    pub(super) fn count(&self, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(status).or_default() += 1;
    }

    /// In the form that Prometheus reads.
    pub(super) fn page(&self, service: &Service) -> String {
        let mut page = String::new();
        let mut counter = |name: &str, kind: &str, values: &[(String, u64)]| {
            let _ = writeln!(page, "# TYPE internvit_{name} {kind}");
            for (label, value) in values {
                let _ = writeln!(page, "internvit_{name}{label} {value}");
            }
        };
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let by_status =
            |(status, count): (&u16, &u64)| (format!("{{status=\"{status}\"}}"), *count);
        counter("requests_total", "counter", &requests.iter().map(by_status).collect::<Vec<_>>());
        let of = |kind: &str, count: &AtomicU64| {
            (format!("{{kind=\"{kind}\"}}"), count.load(Ordering::Relaxed))
        };
        let inputs = [of("photograph", &self.photographs), of("text", &self.texts)];
        counter("inputs_total", "counter", &inputs);
        counter("batches_total", "counter", &[(String::new(), service.model.runs())]);
        counter("waiting", "gauge", &[(String::new(), service.waiting() as u64)]);
        page
    }
}

/// How requests are told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Log {
    Quiet,
    Text,
    Json,
}

/// A request that was answered, or whose client has gone.
pub(super) struct Line<'a> {
    pub(super) id: &'a str,
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    /// 0 where the client did not wait for it.
    pub(super) status: u16,
    pub(super) inputs: usize,
    pub(super) time: Duration,
}

impl Log {
    pub(super) fn request(self, line: &Line<'_>) {
        let Line { id, method, path, status, inputs, time } = line;
        let ms = time.as_secs_f64() * 1e3;
        match self {
            Self::Quiet => {}
            Self::Text => {
                let status = if *status == 0 { "gone".into() } else { status.to_string() };
                say!("{status} {method} {path} {inputs} inputs {ms:.0} ms {id}");
            }
            Self::Json => terminal::json_line(&json!({
                "event": "request", "time": now(), "id": id, "method": method, "path": path,
                "status": (*status != 0).then_some(status), "inputs": inputs, "ms": (ms * 10.0).round() / 10.0,
            })),
        }
    }

    pub(super) fn note(self, text: &str) {
        match self {
            Self::Json => {
                terminal::json_line(&json!({ "event": "note", "time": now(), "text": text }))
            }
            _ => note!("{text}"),
        }
    }
}

/// Seconds since 1970.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

impl From<&super::Args> for Log {
    fn from(args: &super::Args) -> Self {
        match (args.quiet, args.json) {
            (true, _) => Self::Quiet,
            (_, true) => Self::Json,
            _ => Self::Text,
        }
    }
}
