//! Operations over states, and what follows logits, as dispatches.

use super::dispatch::{Bind, Draft, Group, Rows, Size, Unit};
use super::kernels::{self, choose};
use super::pack::{PANEL, quads};
use super::products::panel_bytes;
use super::steps::Builder;
use crate::Result;
use crate::plan::{Append, Causal, Gather, Heads, Probabilities, SlotId, Top};

impl<'a> Builder<'a> {
    pub(super) fn append(&self, op: &Append, y: SlotId) -> Result<Draft<'a>> {
        let (heads, norm) = (&op.heads, op.heads.key_norm);
        let shape = self.over_state(heads, norm, y);
        let row = choose(&kernels::APPEND, &self.target, &shape)?;
        let own = vec![Some(self.whole(op.place)?), Some(self.whole(y)?)];
        let bindings = [own, self.turned(heads, norm)?, vec![]];
        // As many as there are new rows, not as the state has.
        let unit = Unit::Values(shape.key_heads * shape.head_dim / 2);
        let (size, cut) = (self.rows_size(heads.x), self.cut(heads.x, 0, unit));
        self.draft(&row.kernel(&self.target, &shape), row.file, bindings, size, cut, [1; 3])
    }

    pub(super) fn causal(&self, op: &Causal, y: SlotId) -> Result<Draft<'a>> {
        let (heads, norm) = (&op.heads, op.heads.query_norm);
        let shape = self.over_state(heads, norm, op.state);
        let row = choose(&kernels::CAUSAL, &self.target, &shape)?;
        let bindings = [self.read(op.state, op.place, y)?, self.turned(heads, norm)?, vec![]];
        let size = self.rows_size(y);
        let (rows, queries) = (size.rows as usize, row.tile.rows());
        // Of one query, or of as many among all heads that read one key head.
        let counts = match queries {
            1 => [rows, heads.queries, 1],
            _ => [(rows * heads.queries / heads.keys).div_ceil(queries), heads.keys, 1],
        };
        let counts = counts.map(|count| count as u32);
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, bindings, size, Rows::Pictures(1), counts)
    }

    pub(super) fn probabilities(&self, op: &Probabilities, y: SlotId) -> Result<Draft<'a>> {
        let (heads, norm) = (&op.heads, op.heads.query_norm);
        let shape = self.over_state(heads, norm, op.state);
        let row = choose(&kernels::PROBABILITIES, &self.target, &shape)?;
        let bindings = [self.read(op.state, op.place, y)?, self.turned(heads, norm)?, vec![]];
        let width = self.extents.of(y).width as u32;
        let size = Size { width, ..self.rows_size(heads.x) };
        let counts = [heads.queries as u32, 1, 1];
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, bindings, size, Rows::Pictures(1), counts)
    }

    pub(super) fn top(&self, op: &Top, y: SlotId) -> Result<Draft<'a>> {
        let (x, parts) = (&self.plan.slots[op.x], self.plan.slots[y].rows);
        let (numbered, count) = (op.numbered, op.count);
        let cols = if numbered { x.rows * count } else { x.cols };
        let step = if numbered { cols } else { Top::STEP };
        let shape = kernels::Top { count, cols, step, numbered };
        let row = choose(&kernels::TOP, &self.target, &shape)?;
        let bindings = [vec![Some(self.whole(op.x)?), Some(self.whole(y)?)], vec![], vec![]];
        let (size, counts) = (self.rows_size(y), [parts as u32, 1, 1]);
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, bindings, size, Rows::Pictures(1), counts)
    }

    /// Rows of a matrix of weights, of as many panels at a time as a binding may have.
    pub(super) fn pick(&self, op: &Gather, y: SlotId) -> Result<Vec<Draft<'a>>> {
        let slot = &self.plan.slots[op.x];
        let (k, format) = (quads(slot.cols), self.weights.get(&slot.name)?.format);
        let shape = kernels::Pick { k, format };
        let row = choose(&kernels::PICK, &self.target, &shape)?;
        let bytes = panel_bytes(k, format);
        let most = (self.gpu.caps.max_binding / bytes).max(1) as usize;
        let all = slot.rows.div_ceil(PANEL);
        let part = |first: usize| {
            let panels = most.min(all - first);
            let range = (first as u64 * bytes, panels as u64 * bytes);
            let w = Bind { offset: range.0, bytes: range.1, ..self.weight(op.x)? };
            let own = vec![Some(self.whole(op.index)?), Some(self.whole(y)?)];
            let (first_panel, width) = (first as u32, panels as u32);
            let size = Size { first_panel, width, ..self.rows_size(y) };
            let cut = self.cut(y, 0, self.quads_of(y));
            let kernel = row.kernel(&self.target, &shape);
            self.draft(&kernel, row.file, [own, vec![Some(w)], vec![]], size, cut, [1; 3])
        };
        (0..all).step_by(most).map(part).collect()
    }

    fn over_state(
        &self,
        heads: &Heads,
        norm: Option<(SlotId, f32)>,
        state: SlotId,
    ) -> kernels::Causal {
        kernels::Causal {
            heads: heads.queries,
            key_heads: heads.keys,
            head_dim: heads.d(self.plan),
            norm: norm.map(|(_, eps)| eps),
            half: self.extents.of(state).half,
        }
    }

    /// The bindings of what reads a state.
    fn read(&self, state: SlotId, place: SlotId, y: SlotId) -> Result<Group<'a>> {
        [state, place, y].map(|slot| self.whole(slot).map(Some)).into_iter().collect()
    }

    /// Those of heads that are turned.
    fn turned(&self, heads: &Heads, norm: Option<(SlotId, f32)>) -> Result<Group<'a>> {
        let weight = self.vector(norm.map(|(weight, _)| weight))?;
        Ok(vec![Some(self.whole(heads.x)?), Some(self.whole(heads.angles)?), weight])
    }
}
