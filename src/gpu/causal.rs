//! Operations over states as dispatches.

use super::dispatch::{Draft, Rows, Size};
use super::kernels::{self, choose};
use super::steps::Builder;
use crate::Result;
use crate::plan::{Append, Causal, Probabilities, SlotId};

impl<'a> Builder<'a> {
    pub(super) fn append(&self, op: &Append, y: SlotId) -> Result<Draft<'a>> {
        let shape = kernels::Rows { c: self.plan.slots[y].cols };
        let row = choose(&kernels::APPEND, &self.target, &shape)?;
        let x = self.whole(op.x.slot)?;
        let bindings = vec![Some(x), Some(self.whole(op.place)?), Some(self.whole(y)?)];
        // As many as there are new rows, not as the state has.
        let size = self.rows_size(op.x.slot);
        let cut = self.cut(op.x.slot, 0, self.quads_of(y));
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, [bindings, vec![], vec![]], size, cut, [1; 3])
    }

    pub(super) fn causal(&self, op: &Causal, y: SlotId) -> Result<Draft<'a>> {
        let slot = &self.plan.slots[y];
        let (heads, key_heads) = (op.heads, op.key_heads);
        let shape = kernels::Causal { heads, key_heads, head_dim: slot.cols / heads };
        let row = choose(&kernels::CAUSAL, &self.target, &shape)?;
        let mut bindings = Vec::new();
        for slot in [op.q.slot, op.k, op.v, op.place, y] {
            bindings.push(Some(self.whole(slot)?));
        }
        let (size, counts): (Size, _) = (self.rows_size(y), [slot.rows as u32, heads as u32, 1]);
        let kernel = row.kernel(&self.target, &shape);
        self.draft(&kernel, row.file, [bindings, vec![], vec![]], size, Rows::Pictures(1), counts)
    }
    pub(super) fn probabilities(&self, op: &Probabilities, y: SlotId) -> Result<Draft<'a>> {
        let (heads, key_heads) = (self.plan.slots[y].rows, op.key_heads);
        let head_dim = self.plan.slots[op.q.slot].cols / heads;
        let shape = kernels::Causal { heads, key_heads, head_dim };
        let row = choose(&kernels::PROBABILITIES, &self.target, &shape)?;
        let mut bindings = Vec::new();
        for slot in [op.q.slot, op.k, op.place, y] {
            bindings.push(Some(self.whole(slot)?));
        }
        let width = self.extents.of(y).width as u32;
        let size = Size { width, ..self.rows_size(op.q.slot) };
        let kernel = row.kernel(&self.target, &shape);
        let (groups, counts) = ([bindings, vec![], vec![]], [heads as u32, 1, 1]);
        self.draft(&kernel, row.file, groups, size, Rows::Pictures(1), counts)
    }
}
