//! Attention as a dispatch.

use super::dispatch::{Draft, Rows, Size};
use super::kernels::{ATTENTION, Attention as Shape, Target, choose};
use super::steps::Builder;
#[cfg(feature = "probe")]
use super::tuning::attention_shape;
use crate::Result;
use crate::plan::{Attention, Role, ScoreBias, SlotId};

impl<'a> Builder<'a> {
    /// Attention as the choice of its kernel sees it.
    pub(super) fn attention_of(&self, op: &Attention, y: SlotId) -> Shape {
        let ([tokens, keys], heads) = (op.sizes(self.plan), op.heads);
        let head_dim = self.cols(y) / heads;
        let half = [op.q.slot, y].map(|slot| self.extents.of(slot).half);
        let (bias, cross) = (op.bias.is_some(), keys != tokens);
        Shape { tokens, heads, head_dim, bias, cross, half }
    }

    /// The device with the family whose kernels are taken for attention.
    #[cfg(feature = "probe")]
    fn attention_target(&self, shape: &Shape, groups: usize) -> Target {
        let found =
            self.tuned.then(|| self.gpu.best_family(attention_shape(shape, groups))).flatten();
        Target { family: found.unwrap_or(self.target.family), ..self.target }
    }

    #[cfg(not(feature = "probe"))]
    fn attention_target(&self, _: &Shape, _: usize) -> Target {
        self.target
    }

    /// Attention as a dispatch.
    pub(super) fn attention(&self, op: &Attention, y: SlotId) -> Result<Draft<'a>> {
        let shape = self.attention_of(op, y);
        let Shape { tokens, heads, head_dim, .. } = shape;
        let keys = op.sizes(self.plan)[1];
        let target = self.attention_target(&shape, op.groups);
        let row = choose(ATTENTION, &target, &shape)?;
        let mut bindings = Vec::new();
        for plane in [op.q, op.k, op.v] {
            let rows = self.plan.slots[plane.slot].rows * self.plan.batch;
            bindings.push(Some(self.range(plane.slot, plane.plane, 0, rows)?));
        }
        bindings.push(Some(self.whole(y)?));
        let mut looked_up = Vec::new();
        let mut height = u32::MAX; // groups of an index that belongs to one picture
        if let Some(ScoreBias { table, index }) = op.bias {
            looked_up = vec![Some(self.whole(index)?), Some(self.whole(table)?)];
            if self.plan.slots[index].role == Role::Shared {
                height = op.groups as u32;
            }
        }
        let kernel = row.kernel(&target, &shape);
        let tiles = tokens.div_ceil(row.tile.rows()) as u32;
        let layers = op.groups * self.plan.batch;
        let counts = [tiles, (heads * row.parts(head_dim)) as u32, layers as u32];
        let (tokens, width) = (tokens as u32, keys as u32);
        let size = Size { tokens, height, width, ..self.rows_size(y) };
        let bindings = [bindings, looked_up, vec![]];
        self.draft(&kernel, row.file, bindings, size, Rows::Pictures(op.groups), counts)
    }
}
