//! Which steps take the weights of which block.

use std::ops::Range;

use super::{Op, Plan};

/// The block that a tensor belongs to, from 0, and its name within the block.
pub fn block_of(name: &str) -> Option<(usize, &str)> {
    let (block, rest) = name.strip_prefix("encoder.layers.")?.split_once('.')?;
    Some((block.parse().ok()?, rest))
}

impl Plan {
    /// All steps, in stretches that take the weights of at most one block, and that block.
    pub fn by_block(&self) -> Vec<(Range<usize>, Option<usize>)> {
        let mut stretches: Vec<(Range<usize>, Option<usize>)> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let needed = of_step(&step.op);
            match stretches.last_mut() {
                Some((steps, block))
                    if needed.is_none() || block.is_none_or(|b| Some(b) == needed) =>
                {
                    steps.end = at + 1;
                    *block = block.or(needed);
                }
                _ => stretches.push((at..at + 1, needed)),
            }
        }
        stretches
    }
}

fn of_step(op: &Op) -> Option<usize> {
    op.weights().into_iter().find_map(|name| block_of(name).map(|(block, _)| block))
}
