//! States that can be undone and redone.

/// Steps that are kept.
const MOST: usize = 200;

/// A state, those before it, and those that were undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct History<T> {
    now: T,
    before: Vec<T>,
    after: Vec<T>,
}

impl<T: Clone + PartialEq> History<T> {
    /// The state.
    pub(crate) fn now(&self) -> &T {
        &self.now
    }

    /// Goes on to another state; what was undone is gone. One that is the same is no step.
    pub(crate) fn step(&mut self, next: T) {
        if next == self.now {
            return;
        }
        self.before.push(std::mem::replace(&mut self.now, next));
        self.after.clear();
        let over = self.before.len().saturating_sub(MOST);
        self.before.drain(..over);
    }

    /// Changes the state within the last step: a stroke goes on.
    pub(crate) fn amend(&mut self, next: T) {
        self.now = next;
    }

    /// Goes a step back; false where there is none.
    pub(crate) fn undo(&mut self) -> bool {
        let Some(before) = self.before.pop() else { return false };
        self.after.push(std::mem::replace(&mut self.now, before));
        true
    }

    /// Takes an undone step again; false where there is none.
    pub(crate) fn redo(&mut self) -> bool {
        let Some(after) = self.after.pop() else { return false };
        self.before.push(std::mem::replace(&mut self.now, after));
        true
    }

    /// Whether a step can be undone, and one taken again.
    pub(crate) fn can(&self) -> [bool; 2] {
        [!self.before.is_empty(), !self.after.is_empty()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_back_and_forth() {
        let mut history = History::<u32>::default();
        (1..=3).for_each(|state| history.step(state));
        history.step(3);
        assert!(history.undo() && history.undo());
        assert_eq!((*history.now(), history.can()), (1, [true, true]));
        assert!(history.redo());
        assert_eq!(*history.now(), 2);
        history.step(9);
        assert!(!history.redo(), "what was undone is gone");
        assert!(history.undo() && history.undo() && history.undo() && !history.undo());
        assert_eq!(*history.now(), 0);
    }

    #[test]
    fn a_stroke_that_goes_on_is_one_step() {
        let mut history = History::<u32>::default();
        history.step(1);
        history.amend(2);
        history.amend(3);
        assert!(history.undo());
        assert_eq!(*history.now(), 0);
    }
}
