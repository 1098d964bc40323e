//! Long work: the interpreter is free meanwhile, is told how far it is, and can end it.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use internvit::{Cancel, Error, Result};
use pyo3::prelude::*;

use crate::error::OrRaise;

/// How often Ctrl-C is looked for.
const PAUSE: Duration = Duration::from_millis(50);

/// What work reports.
enum Event<T> {
    Progress(u64, u64),
    Done(Result<T>),
}

/// Tells how far work is: what is done, and all.
pub(crate) type Report = Box<dyn FnMut(u64, u64) + Send>;

/// Does some work on a thread of its own. The caller's thread tells `progress` how far it is and listens for
/// signals; an exception of either ends the work and is raised when that has ended.
pub(crate) fn wait<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(Report, &Cancel) -> Result<T> + Send,
) -> PyResult<T> {
    let cancel = Cancel::default();
    let (send, mut receive) = channel();
    let mut raised = None;
    let done = thread::scope(|scope| {
        let ends = cancel.clone();
        scope.spawn(move || run(&send, work, &ends));
        loop {
            // A receiver belongs to one thread: what waits takes it along.
            let events = &mut receive;
            let event = py.detach(move || events.recv_timeout(PAUSE));
            let heard = match event {
                Ok(Event::Done(result)) => return result,
                Ok(Event::Progress(done, all)) => match (progress, &raised) {
                    (Some(progress), None) => progress.call1((done, all)).map(|_| ()),
                    _ => Ok(()),
                },
                Err(RecvTimeoutError::Timeout) => Ok(()),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::device("the work stopped without an answer"));
                }
            };
            if let Err(error) = heard.and_then(|()| py.check_signals()) {
                cancel.cancel();
                raised.get_or_insert(error);
            }
        }
    });
    match raised {
        Some(error) => Err(error),
        None => done.or_raise(py),
    }
}

fn run<T: Send + 'static>(
    send: &Sender<Event<T>>,
    work: impl FnOnce(Report, &Cancel) -> Result<T>,
    cancel: &Cancel,
) {
    let told = send.clone();
    // Where no receiver is left nothing is to be told.
    let report = move |done, all| drop(told.send(Event::Progress(done, all)));
    let result = work(Box::new(report), cancel);
    let _ = send.send(Event::Done(result));
}
