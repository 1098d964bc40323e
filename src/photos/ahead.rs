//! Work done ahead, on threads of its own, its results in order.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// The results of `work` for some items, in their order; `None` in the place of one whose thread has
/// ended. Each thread holds at most two that were not taken yet.
pub struct Ahead<T> {
    lanes: Vec<Receiver<T>>,
    taken: usize,
    count: usize,
}

impl<T: Send + 'static> Ahead<T> {
    /// Begins to work on `items`, on at most `threads` threads, and as many as there are cores.
    pub fn new<I: Send + Sync + 'static>(
        items: Arc<[I]>,
        threads: usize,
        work: impl Fn(&I) -> T + Send + Sync + 'static,
    ) -> Self {
        let work = Arc::new(work);
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let (count, lanes) = (items.len(), cores.min(threads.max(1)).min(items.len()));
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
        Self { lanes: (0..lanes).map(lane).collect(), taken: 0, count }
    }
}

impl<T> Iterator for Ahead<T> {
    type Item = Option<T>;

    fn next(&mut self) -> Option<Option<T>> {
        if self.taken == self.count {
            return None;
        }
        let result = self.lanes[self.taken % self.lanes.len()].recv().ok();
        self.taken += 1;
        Some(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_fails_keeps_its_place() {
        let items: Arc<[u32]> = (0..9).collect();
        let work = |item: &u32| if *item == 4 { panic!("a fault of this item") } else { 2 * item };
        let found: Vec<Option<u32>> = Ahead::new(items.clone(), 8, work).collect();
        assert_eq!(found.len(), 9);
        assert_eq!((found[4], found[0], found[3]), (None, Some(0), Some(6)));
        assert_eq!(
            Ahead::new(items, 8, |item| *item).flatten().collect::<Vec<_>>(),
            [0, 1, 2, 3, 4, 5, 6, 7, 8]
        );
    }
}
