//! A forward pass as data: operations over slots. No precision, no kernel and no device is
//! named here; `reference`, `cpu` and `gpu` run it.

mod arena;
mod host;
mod op;
mod position;
mod record;
mod slot;
mod text;

pub use arena::{Arena, arena_of, plan_arena};
pub use host::{Host, host_inputs};
pub use op::{
    Add, Attention, Axis, BoxMean, Concat, Embed, Gather, Interleave, Linear, LocalAffine, Norm,
    Op, Outer, Patchify, Pool, PoolKind, Resize, Ridge, Rotate, RowSource, ScoreBias, Slice,
};
#[cfg(feature = "language")]
pub use op::{Append, Causal, Heads, Probabilities, Top};
pub use record::{
    Guided, Input, POOLED, RELATIVE_INDEX, TEXT, TEXT_POSITIONS, TOKEN_TABLE, TensorSpec,
    dense_layer, parameters, record, record_attention, record_dense, record_guided, record_head,
    record_head_alone, record_segment, record_text, relative_slot, tensors, text_tensors,
};
#[cfg(feature = "language")]
pub use record::{
    LANGUAGE_HEAD, LANGUAGE_QKV, LANGUAGE_TABLE, Wanted, language_angles, language_tensors,
    record_language, record_next, record_visual, squares, visual_tensors,
};
pub use slot::{Map, Plane, Role, Slot, SlotId, Value};

pub use crate::model::Activation;

use std::ops::Range;

/// A straight list of operations, for a fixed batch and number of tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Pictures that one run takes at most.
    pub batch: usize,
    /// Every value. Each is filled by the caller or written by one step.
    pub slots: Vec<Slot>,
    /// In the order of execution.
    pub steps: Vec<Step>,
    /// What is read after a run: names and slots, in the order in which they are written. A slot may
    /// have two names.
    pub outputs: Vec<(String, SlotId)>,
}

/// One operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The slot that is written.
    pub y: SlotId,
    /// What is computed.
    pub op: Op,
    /// Blocks that are begun: 0 before the first.
    pub layer: usize,
}

impl Plan {
    /// An empty plan.
    pub fn new(batch: usize) -> Self {
        Self { batch, ..Self::default() }
    }

    /// Adds a slot.
    pub fn add(&mut self, slot: Slot) -> SlotId {
        self.slots.push(slot);
        self.slots.len() - 1
    }

    /// Adds a step that writes `y`, behind all blocks.
    pub fn push(&mut self, y: SlotId, op: Op) {
        let layer = self.steps.last().map_or(0, |step| step.layer);
        self.steps.push(Step { y, op, layer });
    }

    /// Makes a slot an output called `name`.
    pub fn output(&mut self, name: &str, slot: SlotId) {
        if self.slots[slot].role == Role::Temporary {
            self.slots[slot].role = Role::Output;
        }
        self.outputs.push((name.into(), slot));
    }

    /// The slot called `name`.
    pub fn slot(&self, name: &str) -> Option<SlotId> {
        let output = self.outputs.iter().find(|(output, _)| output == name).map(|(_, slot)| *slot);
        output.or_else(|| self.slots.iter().position(|slot| slot.name == name))
    }

    /// The weights, in the order of the forward pass.
    pub fn weights(&self) -> impl Iterator<Item = &Slot> {
        self.slots.iter().filter(|slot| slot.is_weight())
    }

    /// The weights that a step uses.
    pub fn weights_of(&self, step: &Step) -> impl Iterator<Item = &Slot> {
        let slots = step.op.operands().into_iter().map(|slot| &self.slots[slot]);
        slots.filter(|slot| slot.is_weight())
    }

    /// The slots that a step reads, weights left out.
    pub fn reads(&self, step: &Step) -> impl Iterator<Item = SlotId> + '_ {
        step.op.operands().into_iter().filter(|slot| !self.slots[*slot].is_weight())
    }

    /// Number of blocks; at least 1, so that it can be divided by.
    pub fn blocks(&self) -> usize {
        self.steps.last().map_or(1, |step| step.layer.max(1))
    }

    /// Work of a step for `batch` pictures, a multiply-add counted as two.
    pub fn flop(&self, step: &Step, batch: usize) -> f64 {
        step.op.flop(self, step.y, batch)
    }

    /// Bytes that a step moves at least for `batch` pictures: each operand and each weight read
    /// once, the result written once. `size` gives the bytes of a value in a slot.
    pub fn bytes(&self, step: &Step, batch: usize, size: &dyn Fn(SlotId) -> f64) -> f64 {
        step.op.bytes(self, step.y, batch, size)
    }

    /// For each slot the index of the last step that reads or writes it.
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![0; self.slots.len()];
        for (at, step) in self.steps.iter().enumerate() {
            for slot in step.op.operands().into_iter().chain([step.y]) {
                last[slot] = at;
            }
        }
        last
    }

    /// The operand whose memory the result of step `at` may take over: what it is added to, where
    /// nothing else needs that.
    pub fn takes_over(&self, at: usize, last_uses: &[usize]) -> Option<SlotId> {
        let from = self.steps[at].op.adds_to()?;
        let free = self.slots[from].role == Role::Temporary && last_uses[from] == at;
        free.then_some(from)
    }

    /// All steps, in ranges that use the weights of at most one block, and that block.
    pub fn by_block(&self) -> Vec<(Range<usize>, Option<usize>)> {
        let mut ranges: Vec<(Range<usize>, Option<usize>)> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let needed = self.weights_of(step).find_map(|weight| weight.block);
            match ranges.last_mut() {
                Some((steps, block))
                    if needed.is_none() || block.is_none_or(|b| Some(b) == needed) =>
                {
                    steps.end = at + 1;
                    *block = block.or(needed);
                }
                _ => ranges.push((at..at + 1, needed)),
            }
        }
        ranges
    }
}
