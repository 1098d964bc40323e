//! The state of the window, which knows no user interface: what is chosen, what is shown, what is asked next.

pub(crate) mod describe;
pub(crate) mod history;
pub(crate) mod lesson;
pub(crate) mod look;
pub(crate) mod published;
pub(crate) mod recent;
pub(crate) mod shots;
#[cfg(test)]
mod tests;
pub(crate) mod traces;
pub(crate) mod views;
mod wish;

use std::path::{Path, PathBuf};

use self::lesson::Teaching;
use self::look::Look;
use self::recent::Recent;
use self::shots::{Read, Shots};
use self::traces::Sheet;
use self::views::{Pointing, View};
use crate::talk::{Ask, Known, Opening, Save, ShotId, Shown, Taught, Told};

/// A model, from when it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Model {
    Opening(Opening),
    Open(Opening, Box<Known>),
    Failed(Opening),
}

/// The line at the bottom.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Status {
    pub(crate) text: String,
    /// Whether it says what went wrong.
    pub(crate) trouble: bool,
    /// The part that is done, of work that goes on.
    pub(crate) share: Option<f32>,
}

/// What is to be read of a file, next or when there is time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) shot: ShotId,
    pub(crate) path: PathBuf,
    /// Whether the whole photograph is wanted, and at once.
    pub(crate) whole: bool,
}

/// The state of the window.
pub(crate) struct Desk {
    pub(crate) shots: Shots,
    pub(crate) look: Look,
    pub(crate) teaching: Teaching,
    pub(crate) model: Model,
    /// The model that is open while another is opened.
    before: Option<(Opening, Box<Known>)>,
    /// Why the model that was asked for is not there, which is told until a view has been shown.
    refused: Option<String>,
    pub(crate) status: Status,
    pub(crate) shown: Option<Box<Shown>>,
    pub(crate) taught: Option<Taught>,
    /// A head that was loaded, used until a lesson is complete.
    pub(crate) loaded: bool,
    pub(crate) recent: Recent,
    recent_file: Option<PathBuf>,
    ticket: u64,
    /// Whether what is shown is no longer what is wanted.
    stale: bool,
    /// Photographs that are read, without which the wish waits.
    awaited: Vec<ShotId>,
    asks: Vec<Ask>,
    readings: Vec<Reading>,
}

impl Desk {
    /// A window that opens a model; what was opened before is kept in a file, if in any.
    pub(crate) fn new(opening: Opening, recent_file: Option<PathBuf>) -> Self {
        let recent = recent_file.as_deref().map(Recent::read).unwrap_or_default();
        let mut desk = Self {
            shots: Shots::default(),
            look: Look::default(),
            teaching: Teaching::default(),
            model: Model::Failed(opening.clone()),
            before: None,
            refused: None,
            status: Status::default(),
            shown: None,
            taught: None,
            loaded: false,
            recent,
            recent_file,
            ticket: 0,
            stale: true,
            awaited: Vec::new(),
            asks: Vec::new(),
            readings: Vec::new(),
        };
        desk.open_model(opening);
        desk
    }

    /// The model, where one is open.
    pub(crate) fn known(&self) -> Option<&Known> {
        match &self.model {
            Model::Open(_, known) => Some(known),
            Model::Opening(_) | Model::Failed(_) => None,
        }
    }

    /// How the model is opened.
    pub(crate) fn opening(&self) -> &Opening {
        match &self.model {
            Model::Opening(opening) | Model::Open(opening, _) | Model::Failed(opening) => opening,
        }
    }

    /// Opens another model.
    pub(crate) fn open_model(&mut self, opening: Opening) {
        self.say(format!("Opening {}.", opening.model));
        self.status.share = Some(0.0);
        self.asks.push(Ask::Open(opening.clone()));
        if let Model::Open(before, known) =
            std::mem::replace(&mut self.model, Model::Opening(opening))
        {
            self.before = Some((before, known));
        }
    }

    /// What the model before has shown and learned is of no use to this one.
    fn begin(&mut self, opening: Opening, known: Box<Known>) {
        self.model = Model::Open(opening, known);
        (self.shown, self.taught, self.loaded) = (None, None, false);
        self.stale = true;
    }

    /// Adds photographs, of which the first comes to the stage.
    pub(crate) fn add(&mut self, paths: Vec<PathBuf>) {
        let (new, first) = self.shots.add(paths);
        for id in &new {
            self.read(*id, false);
        }
        if let Some(first) = first {
            self.choose(first);
        }
    }

    /// Brings a photograph to the stage.
    pub(crate) fn choose(&mut self, id: ShotId) {
        let Some(path) = self.shots.get(id).map(|shot| shot.path.clone()) else { return };
        if self.shots.chosen != Some(id) {
            self.shown = None;
        }
        self.shots.chosen = Some(id);
        self.stale = true;
        if self.shots.held(id).is_none() {
            self.read(id, true);
        }
        if self.recent.photograph(&path) {
            self.keep_recent();
        }
    }

    /// The photograph `by` places further on.
    pub(crate) fn go(&mut self, by: isize) {
        if let Some(id) = self.shots.further(by) {
            self.choose(id);
        }
    }

    /// Takes a photograph from the window; its file stays.
    pub(crate) fn remove(&mut self, id: ShotId) {
        let next = self.shots.remove(id);
        self.asks.push(Ask::Forget(id));
        self.look.forget(id);
        self.teaching.forget(id);
        if self.shots.chosen == Some(id) {
            (self.shots.chosen, self.shown) = (None, None);
            next.into_iter().for_each(|next| self.choose(next));
        }
        self.changed();
    }

    /// Shows another view.
    pub(crate) fn view(&mut self, view: View) {
        self.look.choose(view);
        self.changed();
    }

    /// What is chosen has changed: the view is asked for again.
    pub(crate) fn changed(&mut self) {
        self.stale = true;
    }

    /// A press on the photograph, at a pixel of it; `drag` where the pointer moved there pressed.
    pub(crate) fn press(&mut self, at: [f32; 2], drag: bool) {
        let (Some((photo, _)), Some(sheet)) = (self.shots.on_stage(), self.sheet()) else { return };
        let (shot, size) = (photo.id, [photo.picture.width, photo.picture.height]);
        let Some(patch) = sheet.patch(at) else { return };
        let pixel = [0, 1].map(|i| (at[i].max(0.0) as u32).min(size[i] - 1));
        match self.look.view.about().pointing {
            Pointing::None => {}
            Pointing::Choose | Pointing::Pin if drag => {}
            Pointing::Choose | Pointing::Pin => {
                let same = |other: [u32; 2]| sheet.patch(other.map(|v| v as f32)) == Some(patch);
                self.look.press(shot, pixel, same);
                self.stale = true;
            }
            Pointing::Paint => {
                if self.teaching.paint(shot, at, drag, &sheet) {
                    self.stale = true;
                }
            }
        }
    }

    /// The pointer is let go.
    pub(crate) fn lift(&mut self) {
        self.teaching.lift();
    }

    /// Lets go of what is pinned, or clears the line at the bottom.
    pub(crate) fn escape(&mut self) {
        match self.look.release() {
            true => self.stale = true,
            false => self.status = Status::default(),
        }
    }

    /// Undoes a step of the lesson, or takes it again.
    pub(crate) fn undo(&mut self, again: bool) {
        self.stale |= self.teaching.undo(again);
    }

    /// What the photograph on the stage is measured by, once it was encoded.
    pub(crate) fn sheet(&self) -> Option<Sheet> {
        let shown = self.shown.as_ref().filter(|shown| Some(shown.shot) == self.shots.chosen)?;
        Some(Sheet { region: shown.region, grid: shown.grid })
    }

    /// Writes a file about what is shown.
    pub(crate) fn save(&mut self, save: Save) {
        let open = self.shots.list.iter().map(|shot| shot.path.clone()).collect();
        self.asks.push(Ask::Save(save, open));
    }

    /// Reads what was learned from a file.
    pub(crate) fn load(&mut self, path: PathBuf) {
        self.asks.push(Ask::Load(path));
    }

    /// Says something in the line at the bottom.
    pub(crate) fn say(&mut self, text: impl Into<String>) {
        self.status = Status { text: text.into(), ..Status::default() };
    }

    /// Says what went wrong.
    pub(crate) fn trouble(&mut self, why: impl Into<String>) {
        self.status = Status { text: why.into(), trouble: true, share: None };
    }

    /// Takes what was read of a file.
    pub(crate) fn take(&mut self, read: Read) {
        self.awaited.retain(|id| *id != read.shot || read.whole.is_none());
        let mut needed: Vec<ShotId> = self.shots.chosen.into_iter().collect();
        needed.extend(self.teaching.now().traces.iter().map(|trace| trace.shot));
        needed.extend(self.look.pins.iter().map(|pin| pin.shot));
        self.shots.take(read, &needed);
    }

    /// A file could not be read.
    pub(crate) fn unread(&mut self, id: ShotId, why: String) {
        self.awaited.retain(|other| *other != id);
        if self.shots.chosen == Some(id) {
            self.trouble(why.clone());
        }
        self.shots.fail(id, why);
    }

    /// Takes what the engine tells.
    pub(crate) fn hear(&mut self, told: Told) {
        match told {
            Told::Working { what, done, total } => {
                let share = (total > 0).then(|| done as f32 / total as f32);
                self.status = Status { text: what, trouble: false, share };
            }
            Told::Opened(Ok(known)) => self.opened(known),
            Told::Opened(Err(why)) => {
                self.model = Model::Failed(self.opening().clone());
                (self.before, self.shown, self.taught, self.loaded) = (None, None, None, false);
                self.trouble(why);
            }
            // Of a model that another was asked for in place of.
            Told::Kept { opening, .. } if self.model != Model::Opening(opening.clone()) => {}
            Told::Kept { why, again, .. } => {
                if let Some((before, known)) = self.before.take() {
                    match again {
                        true => self.begin(before, known),
                        false => self.model = Model::Open(before, known),
                    }
                }
                self.refused = again.then(|| why.clone());
                self.trouble(why);
            }
            Told::Shown(shown) if shown.ticket == self.ticket => {
                self.look.colours_kept |= self.look.keep_colours && self.look.view == View::Pca;
                match self.refused.take() {
                    Some(why) => self.trouble(why),
                    None => self.say(shown.sentence.clone()),
                }
                self.taught.clone_from(&shown.taught);
                self.shown = Some(shown);
            }
            Told::Failed { ticket, why } if ticket == self.ticket => {
                if let Some(shown) = &mut self.shown {
                    (shown.map, shown.paint) = (None, None);
                }
                self.trouble(why);
            }
            // Of a wish that no longer counts.
            Told::Shown(_) | Told::Failed { .. } => {}
            Told::Loaded(Ok(taught)) => {
                self.view(View::Teach);
                (self.taught, self.loaded) = (Some(taught), true);
            }
            Told::Saved(Ok(said)) => self.say(said),
            Told::Loaded(Err(why)) | Told::Saved(Err(why)) => self.trouble(why),
        }
    }

    fn opened(&mut self, known: Box<Known>) {
        let opening = self.opening().clone();
        self.look.fit(&known);
        if self.look.view.lacking(&known).is_some() {
            self.look.choose(View::default());
        }
        self.say(
            known
                .notes
                .first()
                .cloned()
                .unwrap_or_else(|| format!("{} on {}.", known.name, known.device)),
        );
        if self.recent.model(&opening.model) {
            self.keep_recent();
        }
        self.before = None;
        self.begin(opening, known);
    }

    fn keep_recent(&mut self) {
        let written = self.recent_file.as_deref().map(|file: &Path| self.recent.write(file));
        if let Some(Err(error)) = written {
            // It is told once: the next try would fail as well.
            self.recent_file = None;
            self.trouble(format!("What was opened is not kept: {error}"));
        }
    }

    fn read(&mut self, id: ShotId, whole: bool) {
        if whole && self.awaited.contains(&id) {
            return;
        }
        let Some(shot) = self.shots.get(id) else { return };
        if whole {
            self.awaited.push(id);
        }
        self.readings.push(Reading { shot: id, path: shot.path.clone(), whole });
    }

    /// Whether what is shown is what was asked for last.
    pub(crate) fn settled(&self) -> bool {
        !self.stale && self.shown.as_ref().is_some_and(|shown| shown.ticket == self.ticket)
    }

    /// What is to be read next.
    pub(crate) fn next_readings(&mut self) -> Vec<Reading> {
        std::mem::take(&mut self.readings)
    }
}
