//! The reference implementation: every operation as loops over f32 slices that anyone can check against
//! the formula. It is the oracle of the kernels' tests.

mod activation;
mod attention;
#[cfg(feature = "language")]
mod causal;
mod embed;
mod guided;
mod linear;
mod map;
mod norm;
mod patchify;
mod rows;
#[cfg(feature = "language")]
mod top;

pub use activation::activate;
pub use attention::{Scores, attention};
#[cfg(feature = "language")]
pub use causal::{Rows, append, causal, probabilities};
pub use embed::embed;
pub use guided::{box_mean, local_affine, outer, ridge};
pub use linear::{Epilogue, linear};
pub use map::{interleave, pool, resize, windows};
pub use norm::norm;
pub use patchify::{patchify_planes, patchify_rgba};
pub use rows::{gather, rotate};
#[cfg(feature = "language")]
pub use top::top;

use std::ops::ControlFlow;

use crate::plan::{
    Attention, Linear, Op, Plan, Plane, PoolKind, Role, RowSource, SlotId, Step, Value,
};
#[cfg(feature = "language")]
use crate::plan::{Heads, Top};
use crate::weights::WeightSource;
use crate::{Error, Result};

/// Runs `plan` for `batch` pictures and returns its outputs by slot.
///
/// After each step `watch` sees the slot that was written (all planes, `[planes, batch·rows,
/// cols]`) and may stop the run, which then ends with [`Error::Cancelled`].
///
/// # Errors
/// [`Error::Input`] for inputs of another length, [`Error::Cancelled`]; what reading weights
/// returns.
pub async fn run<'a>(
    plan: &Plan,
    batch: usize,
    weights: impl Into<WeightSource<'a>>,
    inputs: &[(SlotId, Value<'_>)],
    watch: &mut impl AsyncFnMut(&Step, &[f32]) -> ControlFlow<()>,
) -> Result<Vec<(SlotId, Vec<f32>)>> {
    let weights = weights.into();
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); plan.slots.len()];
    let mut pixels: &[u8] = &[];
    for (slot, value) in inputs {
        match value {
            Value::F32(v) => values[*slot] = v.to_vec(),
            Value::Rgba(v) => pixels = v,
        }
    }
    let last_uses = plan.last_uses();
    for (at, step) in plan.steps.iter().enumerate() {
        for weight in step.op.operands().into_iter().filter(|slot| plan.slots[*slot].is_weight()) {
            values[weight] = weights.tensor(&plan.slots[weight].name).await?;
        }
        let mut y = match step.op.adds_to() {
            // A state that nothing was put into yet.
            #[cfg(feature = "language")]
            Some(from) if values[from].is_empty() => vec![0.0; plan.slots[step.y].len(batch)],
            Some(from) => values[from].clone(),
            None => vec![0.0; plan.slots[step.y].len(batch)],
        };
        Twin { plan, batch, values: &values, pixels }.step(step, &mut y);
        values[step.y] = y;
        if watch(step, &values[step.y]).await.is_break() {
            return Err(Error::Cancelled);
        }
        for slot in step.op.operands() {
            let temporary = plan.slots[slot].role == Role::Temporary && last_uses[slot] == at;
            if temporary || plan.slots[slot].is_weight() {
                values[slot] = Vec::new();
            }
        }
    }
    let output = |slot: usize| {
        let named = plan.outputs.iter().any(|(_, output)| *output == slot);
        named || is_state(plan, slot)
    };
    let kept = values.into_iter().enumerate();
    Ok(kept.filter(|(slot, _)| output(*slot)).collect())
}

/// Whether a slot is kept from run to run; the caller hands it on.
fn is_state(_plan: &Plan, _slot: SlotId) -> bool {
    #[cfg(feature = "language")]
    return _plan.slots[_slot].role == Role::State;
    #[cfg(not(feature = "language"))]
    false
}

/// A step of a run; `rgba` are the bytes of a [`Role::Rgba`] input.
pub(crate) struct Twin<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) batch: usize,
    pub(crate) values: &'a [Vec<f32>],
    pub(crate) pixels: &'a [u8],
}

impl<'a> Twin<'a> {
    /// Computes a step. Where a sum is added to a slot, `y` holds that slot's values.
    pub(crate) fn step(&self, step: &Step, y: &mut [f32]) {
        let slots = &self.plan.slots;
        match &step.op {
            Op::Linear(op) => self.linear(op, slots[step.y].cols, y),
            Op::Embed(op) => {
                let prefix = op.prefix(self.plan) * slots[step.y].cols;
                embed(&self.values[op.patches], &self.values[op.rows], prefix, y);
            }
            Op::Norm(op) => {
                y.copy_from_slice(self.plane(op.x));
                let bias = self.optional(op.bias);
                norm(y, &self.values[op.weight], bias, op.kind, op.eps, op.activation);
            }
            Op::Attention(op) => {
                let qkv = [op.q, op.k, op.v].map(|plane| self.plane(plane));
                attention(qkv, &self.scores(op, slots[step.y].cols), y);
            }
            #[cfg(feature = "language")]
            Op::Append(op) => append(&self.rows(&op.heads), self.place(op.place), y),
            #[cfg(feature = "language")]
            Op::Causal(op) => {
                let rows = self.rows(&op.heads);
                causal(
                    &rows.queries(),
                    &self.values[op.state],
                    self.place(op.place),
                    rows.sizes,
                    y,
                );
            }
            #[cfg(feature = "language")]
            Op::Probabilities(op) => {
                let (rows, place) = (self.rows(&op.heads), self.place(op.place));
                probabilities(&rows.queries(), &self.values[op.state], place, rows.sizes, y);
            }
            _ => self.plain(step, y),
        }
    }

    /// The operations without weights, but attention; nothing for others.
    pub(crate) fn plain(&self, step: &Step, y: &mut [f32]) {
        let slots = &self.plan.slots;
        match &step.op {
            Op::Patchify(op) => {
                let source = &slots[op.pixels];
                if source.role == Role::Rgba {
                    let size = [source.rows, source.cols];
                    patchify_rgba(self.pixels, size, op.patch, &op.normal, y);
                } else {
                    let size = [source.rows / 3, source.cols];
                    patchify_planes(&self.values[op.pixels], size, op.patch, y);
                }
            }
            Op::Slice(op) => {
                let (from, to) = (&slots[op.x], &slots[step.y]);
                let pictures = self.values[op.x].chunks_exact(from.rows * from.cols);
                for (picture, kept) in pictures.zip(y.chunks_exact_mut(to.rows * to.cols)) {
                    kept.copy_from_slice(&picture[op.first * from.cols..][..kept.len()]);
                }
            }
            Op::Gather(op) => {
                let (x, index, to) = (&slots[op.x], &slots[op.index], &slots[step.y]);
                for (picture, y) in y.chunks_exact_mut(to.rows * to.cols).enumerate() {
                    let [x, index] = [(op.x, x), (op.index, index)].map(|(id, slot)| {
                        let first = if slot.role == Role::Shared { 0 } else { picture };
                        &self.values[id][first * slot.rows * slot.cols..][..slot.rows * slot.cols]
                    });
                    gather(x, index, slots[op.x].cols, op.residual.is_some(), y);
                }
            }
            Op::Rotate(op) => {
                let (to, angles) = (&slots[step.y], &slots[op.angles]);
                y.copy_from_slice(self.plane(op.x));
                for picture in y.chunks_exact_mut(to.rows * to.cols) {
                    let sizes = [to.cols, angles.cols];
                    rotate(picture, &self.values[op.angles], sizes, op.pairs);
                }
            }
            Op::Add(op) => {
                y.iter_mut().zip(&self.values[op.x]).for_each(|(y, x)| *y += x);
            }
            Op::Interleave(op) => interleave(&self.values[op.x], op.size, slots[op.x].cols, y),
            Op::Pool(op) => {
                let (x, c) = (&self.values[op.x.slot], slots[op.x.slot].cols);
                pool(x, [op.x.size, op.to], c, op.kind == PoolKind::Max, y);
            }
            Op::Resize(op) => {
                let (x, c) = (&self.values[op.x.slot], slots[op.x.slot].cols);
                resize(x, [op.x.size, op.to], [c, c, 0], op.add.is_some(), y);
            }
            Op::Concat(op) => {
                let (wide, mut column) = (slots[step.y].cols, 0);
                for map in &op.maps {
                    let (x, c) = (&self.values[map.slot], slots[map.slot].cols);
                    resize(x, [map.size, op.to], [c, wide, column], false, y);
                    column += c;
                }
            }
            Op::BoxMean(op) => {
                let (x, c) = (&self.values[op.x.slot], slots[op.x.slot].cols);
                box_mean(x, op.x.size, c, op.radius, op.axis, y);
            }
            Op::Outer(op) => outer(&self.values[op.x], &self.values[op.guide], slots[op.x].cols, y),
            Op::Ridge(op) => ridge(&self.values[op.moments], &self.values[op.x], op.eps, y),
            Op::LocalAffine(op) => {
                let (x, guide) = (&self.values[op.x.slot], &self.values[op.guide]);
                local_affine(x, [op.x.size, op.to], guide, slots[step.y].cols, y);
            }
            #[cfg(feature = "language")]
            Op::Top(op) => {
                let (x, count) = (&self.values[op.x], op.count);
                let numbers = (0..).map(|number| number as f32);
                for (part, y) in y.chunks_exact_mut(2 * count).enumerate() {
                    if op.numbered {
                        let parts = x.chunks_exact(2 * count).map(|part| part.split_at(count));
                        let pairs = parts.flat_map(|(values, own)| values.iter().zip(own));
                        top(pairs.map(|(value, number)| (*value, *number)), count, y);
                    } else {
                        let own = x.iter().copied().zip(numbers.clone());
                        top(own.skip(part * Top::STEP).take(Top::STEP), count, y);
                    }
                }
            }
            Op::Linear(_) | Op::Embed(_) | Op::Norm(_) | Op::Attention(_) => {}
            #[cfg(feature = "language")]
            Op::Append(_) | Op::Causal(_) | Op::Probabilities(_) => {}
        }
    }

    /// Queries, keys and values of language models.
    #[cfg(feature = "language")]
    fn rows(&self, heads: &Heads) -> Rows<'a> {
        let norm = |norm: Option<(SlotId, f32)>| {
            norm.map(|(weight, eps)| (self.values[weight].as_slice(), eps))
        };
        self.rows_with(heads, norm(heads.query_norm), norm(heads.key_norm))
    }

    /// The same with the norms' weights.
    #[cfg(feature = "language")]
    pub(crate) fn rows_with(
        &self,
        heads: &Heads,
        query_norm: Option<(&'a [f32], f32)>,
        key_norm: Option<(&'a [f32], f32)>,
    ) -> Rows<'a> {
        let sizes = [heads.queries, heads.keys, heads.d(self.plan)];
        let (x, angles) = (&self.values[heads.x], &self.values[heads.angles]);
        Rows { x, sizes, angles, query_norm, key_norm }
    }

    /// How many tokens came before.
    #[cfg(feature = "language")]
    pub(crate) fn place(&self, slot: SlotId) -> usize {
        self.values[slot][0] as usize
    }

    /// What attention needs to know beside queries, keys and values; rows of y have `c` channels.
    pub(crate) fn scores(&self, op: &Attention, c: usize) -> Scores<'a> {
        let slots = &self.plan.slots;
        let bias = op.bias.map(|bias| {
            let shared = slots[bias.index].role == Role::Shared;
            (self.values[bias.table].as_slice(), self.values[bias.index].as_slice(), shared)
        });
        let [queries, keys] = op.sizes(self.plan);
        let (heads, groups) = (op.heads, op.groups);
        Scores { batch: self.batch, groups, queries, keys, c, heads, bias }
    }

    fn linear(&self, op: &Linear, out: usize, y: &mut [f32]) {
        let windows_of;
        let x = match op.rows {
            RowSource::Rows => &self.values[op.x],
            RowSource::Windows(size) => {
                windows_of = windows(&self.values[op.x], size, self.plan.slots[op.x].cols);
                &windows_of
            }
        };
        let sizes = [self.plan.slots[op.weight].cols, out];
        let (bias, scale) = (self.optional(op.bias), self.optional(op.scale));
        let add = op.residual.is_some();
        let (activation, gated) = (op.activation, op.gated);
        let epilogue = Epilogue { bias, activation, gated, scale, add };
        linear(x, &self.values[op.weight], sizes, epilogue, y);
    }

    fn optional(&self, slot: Option<SlotId>) -> Option<&[f32]> {
        slot.map(|slot| self.values[slot].as_slice())
    }

    /// One plane `[batch·rows, C]` of a slot.
    fn plane(&self, Plane { slot, plane }: Plane) -> &[f32] {
        let len = self.plan.slots[slot].plane_len(self.batch);
        &self.values[slot][plane * len..][..len]
    }
}
