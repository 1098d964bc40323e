//! Work done ahead, on threads of its own, its results in order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// The results of `work` for some items, in their order. Each thread holds at most two that nobody
/// has taken.
pub(super) struct Ahead<T> {
    lanes: Vec<Receiver<T>>,
    taken: usize,
    count: usize,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to work on `items`, on as many threads as there are cores, eight at most.
    pub(super) fn new<I: Send + Sync + 'static>(
        items: Vec<I>,
        work: impl Fn(&I) -> T + Send + Sync + 'static,
    ) -> Self {
        let (items, work) = (Arc::new(items), Arc::new(work));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let lanes = cores.min(8).min(items.len());
        let lane = |first: usize| {
            let (send, receive) = sync_channel(1);
            let (items, work) = (items.clone(), work.clone());
            thread::spawn(move || {
                for item in items.iter().skip(first).step_by(lanes) {
                    if send.send(work(item)).is_err() {
                        return;
                    }
                }
            });
            receive
        };
        Self { lanes: (0..lanes).map(lane).collect(), taken: 0, count: items.len() }
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = T;

    /// The next result; none where a thread has ended before its time.
    fn next(&mut self) -> Option<T> {
        if self.taken == self.count {
            return None;
        }
        let result = self.lanes[self.taken % self.lanes.len()].recv().ok();
        self.taken += 1;
        result
    }
}
