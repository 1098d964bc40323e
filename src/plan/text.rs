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
