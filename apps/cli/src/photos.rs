//! Photographs decoded and resized on threads of their own, a few ahead of the encoder.

use std::path::PathBuf;
use std::sync::Arc;

use internvit::app::Shape;
use internvit::photos::Ahead;
use internvit::{Error, Result};

use super::background::Background;
use super::input::{Photo, prepare};
use super::memory::budget;

/// Threads at most: decoding is quicker than encoding on most devices.
const THREADS: usize = 8;

/// Photographs in the order of their paths, each as [`prepare`] gives it.
pub(super) struct Photos {
    ahead: Ahead<Result<Photo>>,
    taken: usize,
    paths: Arc<[PathBuf]>,
}

impl Photos {
    /// Begins to read `paths`.
    pub(super) fn read(paths: &[PathBuf], shape: Shape, background: &Background) -> Self {
        let paths: Arc<[PathBuf]> = paths.into();
        // Photographs that wait are no part of what decoding draws from the budget.
        let waiting = 2 * 3 * u64::from(shape.tiles + 1) * u64::from(shape.fit.size).pow(2);
        let held = (budget().limit() / 4 / waiting.max(1)).max(1) as usize;
        let background = background.clone();
        let work = move |path: &PathBuf| prepare(path, &shape, &background);
        Self { ahead: Ahead::new(paths.clone(), THREADS.min(held), work), taken: 0, paths }
    }
}

impl Iterator for Photos {
    type Item = Result<Photo>;

    fn next(&mut self) -> Option<Self::Item> {
        let photo = self.ahead.next()?;
        let path = &self.paths[self.taken];
        self.taken += 1;
        Some(photo.unwrap_or_else(|| Err(Error::image(path.display(), "decoding stopped"))))
    }
}
