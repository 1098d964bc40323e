//! A lesson: classes, what was painted of them, how it is learned; undo and redo of all of it.

use internvit::model::MAX_CLASSES;
use internvit::view::{Edges, Refine, default_palette};
use internvit::weights::Method;

use super::history::History;
use super::traces::{Sheet, Trace, erased, painted, point_at};
use crate::talk::ShotId;

/// A class.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) colour: [u8; 3],
}

/// Which layers are learned from: the chosen one, or others with it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Depth {
    /// With the one at two thirds of the way.
    #[default]
    Two,
    Last,
    /// With those at one third and at two thirds of the way.
    Three,
}

/// What is undone and redone.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Lesson {
    pub(crate) classes: Vec<Class>,
    pub(crate) traces: Vec<Trace>,
    pub(crate) method: Method,
    pub(crate) depth: Depth,
    /// Pixels over which probabilities are smoothed, of a photograph 1000 pixels long.
    pub(crate) smooth: u32,
    /// Parts of fewer pixels go to what lies around them.
    pub(crate) least: usize,
}

impl Default for Lesson {
    fn default() -> Self {
        let colours = default_palette(2);
        let classes = ["object", "background"].iter().zip(colours);
        Self {
            classes: classes.map(|(name, colour)| Class { name: (*name).into(), colour }).collect(),
            traces: Vec::new(),
            method: Method::Walk,
            depth: Depth::default(),
            smooth: 0,
            least: 0,
        }
    }
}

/// Radii of the brush in parts of the longer side, and their names. The first is a point.
pub(crate) const RADII: [(f32, &str); 5] =
    [(0.0, "point"), (0.008, "thin"), (0.016, "medium"), (0.032, "wide"), (0.064, "very wide")];

/// The lesson, and what is in hand.
#[derive(Clone, Debug, Default)]
pub(crate) struct Teaching {
    history: History<Lesson>,
    /// The class that is painted.
    pub(crate) class: usize,
    /// The brush's place among [`RADII`].
    pub(crate) size: usize,
    /// Whether it takes away.
    pub(crate) erases: bool,
    /// Where the pressed pointer was last.
    last: Option<[f32; 2]>,
}

impl Lesson {
    /// The classes that something was painted of, by their places.
    pub(crate) fn used(&self) -> Vec<usize> {
        (0..self.classes.len())
            .filter(|class| self.traces.iter().any(|trace| trace.class == *class))
            .collect()
    }

    /// Whether two classes are painted.
    pub(crate) fn complete(&self) -> bool {
        self.used().len() >= 2
    }

    /// The layers to learn from, where `layer` is the chosen one.
    pub(crate) fn layers(&self, layer: usize) -> Vec<usize> {
        let last = layer.max(1);
        let (third, second) = (last.div_ceil(3), (2 * last).div_ceil(3));
        let mut layers = match self.depth {
            Depth::Last => vec![last],
            Depth::Two => vec![second, last],
            Depth::Three => vec![third, second, last],
        };
        layers.dedup();
        layers
    }

    /// How probabilities become masks, with edges from there.
    pub(crate) fn refine(&self, edges: Edges) -> Refine {
        Refine { edges, smooth: self.smooth, least: self.least }
    }

    /// What the user does next, before anything can be learned.
    pub(crate) fn next(&self) -> Option<String> {
        let used = self.used();
        let name = |class: usize| &self.classes[class].name;
        match used.as_slice() {
            [] => Some(format!("Click or paint some of {}.", name(0))),
            [_] => {
                let other = (0..self.classes.len()).find(|class| !used.contains(class))?;
                Some(format!("Now click or paint some of {} (key {}).", name(other), other + 1))
            }
            _ => None,
        }
    }

    /// In words, of a class: "2 points, 1 stroke".
    pub(crate) fn amount(&self, class: usize) -> String {
        let own = self.traces.iter().filter(|trace| trace.class == class);
        let (points, strokes): (Vec<_>, Vec<_>) = own.partition(|trace| trace.path.len() == 1);
        let count =
            |number: usize, what| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
        match (points.len(), strokes.len()) {
            (points, 0) => count(points, "point"),
            (0, strokes) => count(strokes, "stroke"),
            (points, strokes) => {
                format!("{}, {}", count(points, "point"), count(strokes, "stroke"))
            }
        }
    }
}

impl Teaching {
    /// The lesson.
    pub(crate) fn now(&self) -> &Lesson {
        self.history.now()
    }

    /// Whether a step can be undone, and one taken again.
    pub(crate) fn can(&self) -> [bool; 2] {
        self.history.can()
    }

    /// Changes the lesson, as a step of its own.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Lesson)) {
        let mut next = self.now().clone();
        change(&mut next);
        self.history.step(next);
        self.clamp();
    }

    /// Goes a step back, or takes one again; false where there is none.
    pub(crate) fn undo(&mut self, again: bool) -> bool {
        let done = if again { self.history.redo() } else { self.history.undo() };
        self.clamp();
        done
    }

    /// The class in hand may be gone.
    fn clamp(&mut self) {
        self.class = self.class.min(self.now().classes.len().saturating_sub(1));
    }

    /// Adds a class, in the first colour that none has, and takes it in hand.
    pub(crate) fn add_class(&mut self) {
        let count = self.now().classes.len();
        if count >= MAX_CLASSES {
            return;
        }
        let taken: Vec<[u8; 3]> = self.now().classes.iter().map(|class| class.colour).collect();
        let colour = default_palette(count + 1).into_iter().find(|colour| !taken.contains(colour));
        let class =
            Class { name: format!("class {}", count + 1), colour: colour.unwrap_or_default() };
        self.edit(|lesson| lesson.classes.push(class));
        self.class = count;
    }

    /// Deletes a class and all that was painted of it; two stay.
    pub(crate) fn remove_class(&mut self, class: usize) {
        if self.now().classes.len() <= 2 {
            return;
        }
        self.edit(|lesson| {
            lesson.classes.remove(class);
            lesson.traces.retain(|trace| trace.class != class);
            lesson
                .traces
                .iter_mut()
                .filter(|trace| trace.class > class)
                .for_each(|trace| trace.class -= 1);
        });
    }

    /// The radius of what is in hand; the smallest eraser is as large as a thin brush.
    pub(crate) fn radius(&self) -> f32 {
        let radius = RADII[self.size.min(RADII.len() - 1)].0;
        if self.erases { radius.max(RADII[1].0) } else { radius }
    }

    /// The pointer is pressed at a pixel; `drag` where it moved there pressed. A press on a point of the
    /// class in hand takes it away. False where nothing changed.
    pub(crate) fn paint(&mut self, shot: ShotId, at: [f32; 2], drag: bool, sheet: &Sheet) -> bool {
        let last = self.last.filter(|_| drag);
        if last.is_none() && drag {
            return false;
        }
        let radius = self.radius();
        let path = last.map_or_else(|| vec![at], |last| sheet.between(last, at, radius));
        if path.is_empty() {
            return false;
        }
        self.last = Some(at);
        let (mut next, class) = (self.now().clone(), self.class);
        let known = point_at(&next.traces, shot, at, class, sheet);
        if self.erases {
            next.traces = erased(&next.traces, shot, &path, radius, sheet);
        } else if let (false, Some(known), 0) = (drag, known, self.size) {
            next.traces.remove(known);
            self.last = None;
        } else {
            let trace = Trace { shot, path, radius, class };
            next.traces = painted(&next.traces, trace, drag, sheet);
        }
        let changed = next != *self.now();
        if drag {
            self.history.amend(next)
        } else {
            self.history.step(next)
        }
        changed
    }

    /// The pointer is let go.
    pub(crate) fn lift(&mut self) {
        self.last = None;
    }

    /// Forgets what was painted on a photograph.
    pub(crate) fn forget(&mut self, shot: ShotId) {
        if self.now().traces.iter().any(|trace| trace.shot == shot) {
            self.edit(|lesson| lesson.traces.retain(|trace| trace.shot != shot));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHEET: Sheet = Sheet { region: [0.0, 0.0, 160.0, 80.0], grid: [4, 8] };

    #[test]
    fn a_lesson_says_what_comes_next_until_two_classes_are_painted() {
        let mut teaching = Teaching::default();
        assert_eq!(teaching.now().next().as_deref(), Some("Click or paint some of object."));
        assert!(teaching.paint(1, [10.0, 10.0], false, &SHEET));
        teaching.lift();
        let next = teaching.now().next();
        assert_eq!(next.as_deref(), Some("Now click or paint some of background (key 2)."));
        teaching.class = 1;
        assert!(teaching.paint(1, [100.0, 60.0], false, &SHEET));
        assert!(teaching.now().complete() && teaching.now().next().is_none());
        assert_eq!(teaching.now().amount(1), "1 point");
    }

    #[test]
    fn a_stroke_is_undone_whole() {
        let mut teaching = Teaching { size: 1, ..Teaching::default() };
        teaching.paint(1, [10.0, 10.0], false, &SHEET);
        for x in 2..8 {
            teaching.paint(1, [10.0 * x as f32, 10.0], true, &SHEET);
        }
        teaching.lift();
        assert_eq!(teaching.now().amount(0), "1 stroke");
        assert!(teaching.undo(false));
        assert!(teaching.now().traces.is_empty());
        assert!(teaching.undo(true));
        assert_eq!(teaching.now().traces.len(), 1);
    }

    #[test]
    fn a_second_press_takes_a_point_away() {
        let mut teaching = Teaching::default();
        teaching.paint(1, [10.0, 10.0], false, &SHEET);
        teaching.lift();
        teaching.paint(1, [12.0, 10.0], false, &SHEET);
        assert!(teaching.now().traces.is_empty());
    }

    #[test]
    fn a_class_goes_with_what_was_painted_of_it() {
        let mut teaching = Teaching::default();
        teaching.add_class();
        assert_eq!((teaching.class, teaching.now().classes[2].name.as_str()), (2, "class 3"));
        teaching.paint(1, [10.0, 10.0], false, &SHEET);
        teaching.lift();
        teaching.remove_class(0);
        assert_eq!((teaching.now().classes.len(), teaching.now().traces[0].class), (2, 1));
        teaching.remove_class(0);
        assert_eq!(teaching.now().classes.len(), 2, "two stay");
    }

    #[test]
    fn the_class_in_hand_is_one_that_there_is() {
        let mut teaching = Teaching::default();
        teaching.add_class();
        teaching.undo(false);
        assert_eq!((teaching.class, teaching.now().classes.len()), (1, 2));
        teaching.undo(true);
        teaching.class = 2;
        teaching.remove_class(2);
        assert_eq!(teaching.class, 1);
        teaching.undo(false);
        teaching.class = 2;
        teaching.undo(true);
        assert_eq!((teaching.class, teaching.now().classes.len()), (1, 2));
    }

    #[test]
    fn layers_are_those_of_the_page() {
        let layers = |depth, last| Lesson { depth, ..Lesson::default() }.layers(last);
        assert_eq!(layers(Depth::Two, 12), [8, 12]);
        assert_eq!(layers(Depth::Three, 12), [4, 8, 12]);
        assert_eq!(layers(Depth::Last, 12), [12]);
        assert_eq!(layers(Depth::Three, 1), [1]);
        assert_eq!(Method::Walk.layers(12), layers(Depth::Two, 12));
    }
}
