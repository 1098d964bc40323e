//! Lessons: what was painted becomes examples, and a head is fitted to them.

use internvit::app::{Example, Lesson};
use internvit::weights::Method;
use internvit::{Encoder, Result};

use super::session::{Session, taught};
use crate::state::traces::{Sheet, cells};
use crate::talk::{Detail, Lessons, Told};

/// What a head was learned from, by which a lesson that is the same is known.
#[derive(Clone, PartialEq)]
pub(super) struct Asked(Lesson);

impl Session {
    /// Learns a lesson, unless it was learned last.
    pub(super) fn learn(
        &mut self,
        encoder: &mut Encoder,
        lesson: &Lessons,
        detail: Detail,
    ) -> Result<()> {
        let mut examples: Vec<Example> = Vec::new();
        for (photo, traces) in &lesson.painted {
            let number = self.encode_beside(encoder, photo, detail)?;
            let known = self.album.photo(number)?;
            let sheet = Sheet { region: known.region, grid: known.grid() };
            let seen = known.seen();
            for cell in cells(traces, &sheet) {
                if !seen.get(cell.patch).is_some_and(|seen| *seen) {
                    continue;
                }
                let example = Example {
                    photo: number,
                    token: cell.patch,
                    class: cell.class,
                    at: Some(cell.at),
                };
                // By itself a patch has one class: the one that was painted last.
                if lesson.method != Method::Walk {
                    examples.retain(|other| (other.photo, other.token) != (number, cell.patch));
                }
                examples.push(example);
            }
        }
        let asked = Lesson {
            layers: lesson.layers.clone(),
            names: lesson.names.clone(),
            palette: lesson.palette.clone(),
            examples,
            method: lesson.method,
            ..Lesson::default()
        };
        if self.asked.as_ref() == Some(&Asked(asked.clone())) {
            return Ok(());
        }
        self.teller.tell(Told::Working { what: "Learning.".into(), done: 0, total: 0 });
        let gathered = pollster::block_on(asked.gather(&mut self.album, encoder))?;
        let head = asked.fit(&gathered)?;
        let mut patches: Vec<_> =
            asked.examples.iter().map(|e| (e.photo, e.token, e.class)).collect();
        patches.sort_unstable();
        patches.dedup();
        self.learned = Some(taught(&head, patches.len()));
        self.album.learn(head, &asked.examples);
        self.asked = Some(Asked(asked));
        Ok(())
    }
}
