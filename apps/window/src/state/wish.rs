//! What is asked of the engine: the last of what is to be shown, once all that it is about was read.

use super::Desk;
use super::views::View;
use crate::talk::{Ask, Known, Lessons, Photograph, Pinned, ShotId, What, Wish};

impl Desk {
    /// What the engine is asked next: of what is to be shown the last alone.
    pub(crate) fn next_asks(&mut self) -> Vec<Ask> {
        if self.stale
            && let Some(wish) = self.wish()
        {
            self.stale = false;
            self.asks.push(Ask::Show(Box::new(wish)));
        }
        std::mem::take(&mut self.asks)
    }

    /// What is to be shown; none while photographs that it is about are still read.
    fn wish(&mut self) -> Option<Wish> {
        let (photo, _) = self.shots.on_stage()?.clone();
        let what = self.what(&photo)?;
        self.ticket += 1;
        let layers = self.known()?.layers;
        let (detail, edges) = (self.look.detail, self.look.edges);
        let layer = self.look.shown_layer(layers);
        Some(Wish { ticket: self.ticket, photo, detail, layer, what, edges })
    }

    fn what(&mut self, photo: &Photograph) -> Option<What> {
        let known = self.known()?.clone();
        Some(match self.look.view {
            View::Labels => What::Labels(match known.labels {
                0 => self.look.texts().unwrap_or_default(),
                _ => Vec::new(),
            }),
            View::Teach => {
                let lesson = match self.teaching.now().complete() {
                    true => Some(self.lesson(&known)?),
                    false => None,
                };
                let refine = self.teaching.now().refine(self.look.edges);
                What::Taught { lesson, refine, showing: self.look.showing }
            }
            _ => {
                let pins = self.look.places(photo.id);
                let mut at = Vec::new();
                for pin in pins {
                    at.push(Pinned {
                        photo: self.photograph(pin.shot)?,
                        at: pin.at,
                        against: pin.against,
                    });
                }
                What::View { request: self.look.request(&known), at }
            }
        })
    }

    /// The lesson as the engine learns it.
    fn lesson(&mut self, known: &Known) -> Option<Lessons> {
        let lesson = self.teaching.now().clone();
        let used = lesson.used();
        let class = |class: usize| used.iter().position(|other| *other == class).unwrap_or(0);
        let mut shots: Vec<ShotId> = lesson.traces.iter().map(|trace| trace.shot).collect();
        shots.sort_unstable();
        shots.dedup();
        let mut painted = Vec::new();
        for shot in shots {
            let own = lesson.traces.iter().filter(|trace| trace.shot == shot).cloned();
            let own = own.map(|mut trace| {
                trace.class = class(trace.class);
                trace
            });
            painted.push((self.photograph(shot)?, own.collect()));
        }
        let of = |class: &usize| lesson.classes[*class].clone();
        Some(Lessons {
            names: used.iter().map(|class| of(class).name).collect(),
            palette: used.iter().map(|class| of(class).colour).collect(),
            layers: lesson.layers(self.look.shown_layer(known.layers)),
            method: lesson.method,
            painted,
        })
    }

    /// A photograph that is held; one that is not is read first.
    fn photograph(&mut self, id: ShotId) -> Option<Photograph> {
        let held = self.shots.held(id).map(|(photo, _)| photo.clone());
        if held.is_none() {
            self.read(id, true);
        }
        held
    }
}
