//! A plan as text, one line a step, for reading and for comparing.

use std::fmt;

use super::{Plan, SlotId, Step};

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "batch {}", self.batch)?;
        for step in &self.steps {
            let y = &self.slots[step.y];
            let from: Vec<_> = self.reads(step).map(|s| self.slots[s].name.as_str()).collect();
            let weights: Vec<_> = self.weights_of(step).map(|slot| slot.name.as_str()).collect();
            write!(f, "{:<9} {} <- {}", step.op.name(), y.name, from.join(", "))?;
            write!(f, "  [{}, {}, {}]", y.planes, y.rows, y.cols)?;
            writeln!(f, "  {}", weights.join(" "))?;
        }
        for (name, slot) in &self.outputs {
            writeln!(f, "output    {name} <- {}", self.slots[*slot].name)?;
        }
        Ok(())
    }
}

impl Plan {
    /// What a step does, the same in every block: `linear qkv <- norm1 [3, 257, 192]`.
    pub fn describe(&self, step: &Step) -> String {
        let name = |id: SlotId| {
            let Some((scope, name)) = self.slots[id].name.split_once('.') else {
                return self.slots[id].name.clone();
            };
            match (scope, name.parse::<usize>()) {
                ("hidden_states", Ok(_)) => "hidden_state".into(),
                _ if scope.parse::<usize>().is_ok() => name.into(),
                _ => self.slots[id].name.clone(),
            }
        };
        let y = &self.slots[step.y];
        let from: Vec<_> = self.reads(step).map(name).collect();
        let shape = [y.planes, y.rows, y.cols];
        format!("{} {} <- {} {shape:?}", step.op.name(), name(step.y), from.join(", "))
    }
}
