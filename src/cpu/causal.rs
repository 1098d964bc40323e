//! What language models do with states: attention over them a head of a query at a time on all cores, the rest by the
//! twins of `reference::causal`.

use rten_simd::SimdOp;
use rten_vecmath::Softmax;

use super::Fast;
use crate::Result;
use crate::math::dot;
use crate::parallel::prelude::*;
use crate::plan::{Heads, Op, SlotId, Step};
use crate::reference::{Rows, append, gather, probabilities};

impl Fast<'_> {
    /// A step that reads or writes a state, takes rows of weights, or what follows the logits.
    pub(super) fn over_states(&self, step: &Step, y: &mut [f32]) -> Result<()> {
        let place = |slot: SlotId| self.twin().place(slot);
        match &step.op {
            Op::Append(op) => {
                let rows = self.rows(&op.heads, [None, op.heads.key_norm])?;
                append(&rows, place(op.place), y);
            }
            Op::Causal(op) => {
                let rows = self.rows(&op.heads, [op.heads.query_norm, None])?;
                let state = &self.values[op.state];
                causal(&rows.queries(), state, place(op.place), rows.sizes, y);
            }
            Op::Probabilities(op) => {
                let rows = self.rows(&op.heads, [op.heads.query_norm, None])?;
                let state = &self.values[op.state];
                probabilities(&rows.queries(), state, place(op.place), rows.sizes, y);
            }
            Op::Gather(op) => {
                let c = self.plan.slots[op.x].cols;
                gather(self.vector(op.x)?, &self.values[op.index], c, false, y);
            }
            _ => self.twin().plain(step, y),
        }
        Ok(())
    }

    /// Queries, keys and values, with the norms of queries and of keys that a step takes.
    fn rows(&self, heads: &Heads, norms: [Option<(SlotId, f32)>; 2]) -> Result<Rows<'_>> {
        let norm = |norm: Option<(SlotId, f32)>| -> Result<_> {
            norm.map(|(weight, eps)| Ok((self.vector(weight)?, eps))).transpose()
        };
        let [queries, keys] = norms;
        Ok(self.twin().rows_with(heads, norm(queries)?, norm(keys)?))
    }
}

/// `softmax(q·kᵀ / √d) · v` of each query over the rows of a state up to its own, `place + r` of query r; shapes are the
/// twin's.
pub fn causal(
    q: &[f32],
    state: &[f32],
    place: usize,
    [heads, key_heads, d]: [usize; 3],
    y: &mut [f32],
) {
    let (width, scale) = (key_heads * d, 1.0 / (d as f32).sqrt());
    y.par_chunks_exact_mut(d).enumerate().for_each(|(at, y)| {
        let (row, head) = (at / heads, at % heads);
        let first = head / (heads / key_heads) * d;
        let q = &q[at * d..][..d];
        let own = |at: usize| &state[at * width + first..][..d];
        let mut scores: Vec<f32> =
            (0..place + row + 1).map(|key| scale * dot(q, own(2 * key))).collect();
        Softmax::new_mut(&mut scores).dispatch();
        y.fill(0.0);
        for (key, weight) in scores.iter().enumerate() {
            y.iter_mut().zip(own(2 * key + 1)).for_each(|(y, v)| *y += weight * v);
        }
    });
}
