//! A plan as text, one line a step, for reading and for comparing.

use std::fmt;

use super::op::*;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "batch {} tokens {}", self.batch, self.tokens)?;
        for step in &self.steps {
            let y = &self.slots[step.op.writes()];
            let reads = step.op.reads();
            let from: Vec<_> = reads.iter().map(|s| self.slots[*s].name.as_str()).collect();
            write!(f, "{:<9} {} <- {}", step.op.name(), y.name, from.join(", "))?;
            write!(f, "  [{}, {}, {}]", y.planes, y.rows, y.cols)?;
            writeln!(f, "  {}", step.op.weights().join(" "))?;
        }
        Ok(())
    }
}

impl Plan {
    /// What a step does, the same in every block: `linear qkv <- normed [3, 257, 192]`.
    pub fn describe(&self, op: &Op) -> String {
        let name = |id: SlotId| {
            let name = self.slots[id].name.as_str();
            match name.split_once('.') {
                Some((block, rest)) if block.parse::<usize>().is_ok() => rest,
                _ => name,
            }
        };
        let y = &self.slots[op.writes()];
        let from: Vec<_> = op.reads().into_iter().map(name).collect();
        let shape = [y.planes, y.rows, y.cols];
        format!("{} {} <- {} {shape:?}", op.name(), name(op.writes()), from.join(", "))
    }
}

impl Op {
    /// The operation's name, as in shader files, twins and timings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unfold { .. } => "unfold",
            Self::Linear { .. } => "linear",
            Self::Embed { .. } => "embed",
            Self::Norm { .. } => "norm",
            Self::Attention { .. } => "attention",
            Self::Keep { .. } => "keep",
            Self::Interleave { .. } => "interleave",
            Self::Pool { .. } => "pool",
            Self::Resize { .. } => "resize",
        }
    }
}
