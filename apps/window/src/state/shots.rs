//! The photographs of the window, in the order of the strip.

use std::path::PathBuf;
use std::sync::Arc;

use crate::talk::{Photograph, ShotId};

/// A small picture for the strip, and one for the stage.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pixels {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Three bytes a pixel.
    pub(crate) rgb: Vec<u8>,
}

/// What was read of a file.
pub(crate) struct Read {
    pub(crate) shot: ShotId,
    /// For the strip.
    pub(crate) small: Pixels,
    /// Where it was wanted, the photograph, and what of it the stage shows.
    pub(crate) whole: Option<(Photograph, Arc<Pixels>)>,
}

/// A photograph of the strip.
pub(crate) struct Shot {
    pub(crate) id: ShotId,
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) small: Option<Pixels>,
    /// Why it could not be read.
    pub(crate) failed: Option<String>,
}

/// The photographs.
#[derive(Default)]
pub(crate) struct Shots {
    pub(crate) list: Vec<Shot>,
    /// The number of the one on the stage.
    pub(crate) chosen: Option<ShotId>,
    /// Those that were on the stage last, the last one at the end.
    held: Vec<(Photograph, Arc<Pixels>)>,
    last: ShotId,
}

/// Photographs that are held in memory.
const HELD: usize = 6;

impl Shots {
    /// Adds files that are not there yet; the numbers of those that are new, and of the first one, new or not.
    pub(crate) fn add(&mut self, paths: Vec<PathBuf>) -> (Vec<ShotId>, Option<ShotId>) {
        let (mut new, mut first) = (Vec::new(), None);
        for path in paths {
            let known = self.list.iter().find(|shot| shot.path == path).map(|shot| shot.id);
            let id = known.unwrap_or_else(|| {
                self.last += 1;
                let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
                let name = internvit::error::short(name, 200);
                self.list.push(Shot { id: self.last, path, name, small: None, failed: None });
                new.push(self.last);
                self.last
            });
            first.get_or_insert(id);
        }
        (new, first)
    }

    /// A photograph of the strip.
    pub(crate) fn get(&self, id: ShotId) -> Option<&Shot> {
        self.list.iter().find(|shot| shot.id == id)
    }

    /// Takes what was read. Photographs that are `needed` stay in memory however many they are.
    pub(crate) fn take(&mut self, read: Read, needed: &[ShotId]) {
        let Some(shot) = self.list.iter_mut().find(|shot| shot.id == read.shot) else { return };
        shot.small = Some(read.small);
        shot.failed = None;
        if let Some(whole) = read.whole {
            self.held.retain(|(held, _)| held.id != read.shot);
            self.held.push(whole);
            let mut over = self.held.len().saturating_sub(HELD);
            self.held.retain(|(held, _)| {
                let goes = over > 0 && !needed.contains(&held.id) && held.id != read.shot;
                over -= usize::from(goes);
                !goes
            });
        }
    }

    /// A file could not be read.
    pub(crate) fn fail(&mut self, id: ShotId, why: String) {
        if let Some(shot) = self.list.iter_mut().find(|shot| shot.id == id) {
            shot.failed = Some(why);
        }
    }

    /// A photograph and what the stage shows of it, where they are held.
    pub(crate) fn held(&self, id: ShotId) -> Option<&(Photograph, Arc<Pixels>)> {
        self.held.iter().find(|(held, _)| held.id == id)
    }

    /// The one on the stage.
    pub(crate) fn on_stage(&self) -> Option<&(Photograph, Arc<Pixels>)> {
        self.held(self.chosen?)
    }

    /// The number of the photograph `by` places further on.
    pub(crate) fn further(&self, by: isize) -> Option<ShotId> {
        let at = self.list.iter().position(|shot| Some(shot.id) == self.chosen)?;
        let count = self.list.len() as isize;
        Some(self.list[(at as isize + by).rem_euclid(count) as usize].id)
    }

    /// Takes a photograph from the strip; the number of the one to show in its place.
    pub(crate) fn remove(&mut self, id: ShotId) -> Option<ShotId> {
        let at = self.list.iter().position(|shot| shot.id == id)?;
        self.list.remove(at);
        self.held.retain(|(held, _)| held.id != id);
        self.list.get(at).or(self.list.last()).map(|shot| shot.id)
    }
}
