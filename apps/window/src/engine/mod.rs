//! The engine: a thread that owns models and photographs, so that the window never waits.

mod bench;
mod learn;
mod paint;
mod save;
mod session;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use internvit::{Cancel, Error};

use self::bench::Bench;
use crate::device::Shared;
use crate::talk::{Ask, Told};

/// How long a window that was closed waits for its engine.
const PATIENCE: Duration = Duration::from_secs(3);

/// What both sides of the engine see at once.
#[derive(Default)]
struct Now {
    /// The photograph that is wanted last; another one need not be encoded to its end.
    shot: AtomicU32,
    /// Ends the opening of a model.
    opening: Mutex<Cancel>,
}

/// The window's side of the engine.
pub(crate) struct Engine {
    /// Until it ends.
    asks: Option<Sender<Ask>>,
    told: Receiver<Told>,
    now: Arc<Now>,
}

/// Who is told, and that there is something to hear.
#[derive(Clone)]
struct Teller {
    told: Sender<Told>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Teller {
    /// Where no receiver is left there is nothing to do.
    fn tell(&self, told: Told) {
        let _ = self.told.send(told);
        (self.wake)();
    }
}

impl Engine {
    /// A thread that answers, and calls `wake` when there is something to hear. `shared` is the window's own device,
    /// on which models may compute.
    pub(crate) fn start(shared: Option<Shared>, wake: impl Fn() + Send + Sync + 'static) -> Self {
        let ((asks, inbox), (send, told)) = (channel(), channel());
        let (now, teller) = (Arc::<Now>::default(), Teller { told: send, wake: Arc::new(wake) });
        let bench = Bench::new(shared, now.clone(), teller.clone());
        let work = move || work(bench, &inbox, &teller);
        // Without the thread nothing is ever answered, which the first ask tells.
        let _ = internvit::threads::start("engine", None, work);
        Self { asks: Some(asks), told, now }
    }

    /// Asks for something; false where the engine has ended.
    pub(crate) fn ask(&self, ask: Ask) -> bool {
        match &ask {
            Ask::Show(wish) => self.now.shot.store(wish.photo.id, Ordering::Relaxed),
            // The one before need not come to its end.
            Ask::Open(_) => self.cancel_opening(),
            _ => {}
        }
        self.asks.as_ref().is_some_and(|asks| asks.send(ask).is_ok())
    }

    /// Ends the opening of a model.
    pub(crate) fn cancel_opening(&self) {
        self.now.opening.lock().unwrap_or_else(PoisonError::into_inner).cancel();
    }

    /// What was told since the last time.
    pub(crate) fn told(&self) -> impl Iterator<Item = Told> + '_ {
        self.told.try_iter()
    }
}

impl Drop for Engine {
    /// Waits a moment for the thread to let go of the device: a program that ends beside its driver's work may not survive
    /// that.
    fn drop(&mut self) {
        self.cancel_opening();
        self.now.shot.store(u32::MAX, Ordering::Relaxed);
        self.asks = None;
        let end = Instant::now() + PATIENCE;
        while self.told.recv_timeout(end.saturating_duration_since(Instant::now())).is_ok() {}
    }
}

fn work(mut bench: Bench, inbox: &Receiver<Ask>, teller: &Teller) {
    let mut waiting = VecDeque::new();
    loop {
        if waiting.is_empty() {
            let Ok(ask) = inbox.recv() else { return };
            waiting.push_back(ask);
        }
        waiting.extend(inbox.try_iter());
        let Some(ask) = waiting.pop_front() else { continue };
        // Of wishes, and of models, only the last counts.
        let same = |other: &Ask| {
            matches!(
                (&ask, other),
                (Ask::Show(_), Ask::Show(_)) | (Ask::Show(_) | Ask::Open(_), Ask::Open(_))
            )
        };
        if waiting.iter().any(same) {
            continue;
        }
        let failed = failing(&ask);
        let answered = catch_unwind(AssertUnwindSafe(|| bench.answer(ask)));
        match answered
            .unwrap_or_else(|_| Err(Error::device("internal error: the engine failed at this")))
        {
            Ok(Some(told)) => teller.tell(told),
            Ok(None) => {}
            Err(error) => teller.tell(failed(error.to_string())),
        }
    }
}

/// How the failure of an ask is told.
fn failing(ask: &Ask) -> Box<dyn Fn(String) -> Told> {
    match ask {
        Ask::Open(_) => Box::new(|why| Told::Opened(Err(why))),
        Ask::Show(wish) => {
            let ticket = wish.ticket;
            Box::new(move |why| Told::Failed { ticket, why })
        }
        Ask::Load(_) => Box::new(|why| Told::Loaded(Err(why))),
        Ask::Save(..) | Ask::Forget(_) => Box::new(|why| Told::Saved(Err(why))),
    }
}
