//! Photographs decoded and resized on threads of their own, a few ahead of the encoder.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use internvit::app::Shape;
use internvit::{Error, Result};

use super::background::Background;
use super::input::{Photo, prepare};
use super::memory::budget;

/// Threads at most: decoding is quicker than encoding on most devices.
const THREADS: usize = 8;

/// Photographs in the order of their paths, each as [`prepare`] gives it. Each thread holds at most
/// two that nobody has taken.
pub(super) struct Photos {
    lanes: Vec<Receiver<Result<Photo>>>,
    taken: usize,
    paths: Arc<[PathBuf]>,
}

impl Photos {
    /// Begins to read `paths`.
    pub(super) fn read(paths: &[PathBuf], shape: Shape, background: &Background) -> Self {
        let paths: Arc<[PathBuf]> = paths.into();
        let cores = thread::available_parallelism().map_or(1, usize::from);
        // Photographs that wait are no part of what decoding draws from the budget.
        let waiting = 2 * 3 * u64::from(shape.tiles + 1) * u64::from(shape.fit.size).pow(2);
        let held = (budget().limit() / 4 / waiting.max(1)).max(1) as usize;
        let lanes = cores.min(THREADS).min(paths.len()).min(held);
        let lane = |first: usize| {
            let (send, receive) = sync_channel(1);
            let (paths, background) = (paths.clone(), background.clone());
            thread::spawn(move || {
                for path in paths.iter().skip(first).step_by(lanes) {
                    if send.send(prepare(path, &shape, &background)).is_err() {
                        return;
                    }
                }
            });
            receive
        };
        Self { lanes: (0..lanes).map(lane).collect(), taken: 0, paths }
    }
}

impl Iterator for Photos {
    type Item = Result<Photo>;

    fn next(&mut self) -> Option<Self::Item> {
        let path = self.paths.get(self.taken)?;
        let photo = self.lanes[self.taken % self.lanes.len()].recv();
        self.taken += 1;
        Some(photo.unwrap_or_else(|_| Err(Error::image(path.display(), "decoding stopped"))))
    }
}
