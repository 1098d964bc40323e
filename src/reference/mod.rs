//! The plain twins: every operation as loops over f32 slices that anyone can check against the
//! formula. They are the oracle of the kernels' tests and run a plan where there is no GPU.

mod attention;
mod embed;
mod linear;
mod map;
mod norm;
mod unfold;

pub use attention::attention;
pub use embed::embed;
pub use linear::{After, linear};
pub use map::{interleave, pool, resize, windows};
pub use norm::norm;
pub use unfold::{unfold_planes, unfold_rgba};

use std::ops::ControlFlow;

use crate::plan::{Finish, Op, Plan, Role, SlotId, Step, Value};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Runs `plan` for `batch` pictures and returns its outputs by slot.
///
/// After each step `watch` sees the slot that was written (all planes, `[planes, batch·rows,
/// cols]`) and may stop the run, which then ends with [`Error::Cancelled`].
pub async fn run(
    plan: &Plan,
    batch: usize,
    checkpoint: &Checkpoint,
    inputs: &[(SlotId, Value<'_>)],
    watch: &mut impl AsyncFnMut(&Step, &[f32]) -> ControlFlow<()>,
) -> Result<Vec<(SlotId, Vec<f32>)>> {
    let mut values: Vec<Vec<f32>> = vec![Vec::new(); plan.slots.len()];
    let mut pixels: &[u8] = &[];
    for (slot, value) in inputs {
        match value {
            Value::F32(v) => values[*slot] = v.to_vec(),
            Value::Rgba(v) => pixels = v,
        }
    }
    let last_use = plan.last_uses();
    for (at, step) in plan.steps.iter().enumerate() {
        let out = step.op.writes();
        let mut y = std::mem::take(&mut values[out]);
        y.resize(plan.slots[out].len(batch), 0.0);
        let result =
            Twin { plan, batch, checkpoint, values: &values, pixels }.step(step, y).await?;
        values[out] = result;
        if watch(step, &values[out]).await.is_break() {
            return Err(Error::Cancelled);
        }
        for slot in step.op.reads() {
            if last_use[slot] == at && plan.slots[slot].role == Role::Temporary && slot != out {
                values[slot] = Vec::new();
            }
        }
    }
    let kept = values.into_iter().enumerate();
    Ok(kept.filter(|(slot, _)| plan.slots[*slot].role == Role::Output).collect())
}

/// The operations that take no weights; `rgba` are the bytes of an [`Role::Rgba`] input.
pub fn plain(op: &Op, plan: &Plan, values: &[Vec<f32>], rgba: &[u8], y: &mut [f32]) {
    let slots = &plan.slots;
    match op {
        Op::Unfold { pixels, patch, normal, .. } => {
            let source = &slots[*pixels];
            if source.role == Role::Rgba {
                unfold_rgba(rgba, [source.rows, source.cols], *patch, normal, y);
            } else {
                let size = [source.rows / 3, source.cols];
                unfold_planes(&values[*pixels], size, *patch, y);
            }
        }
        Op::Keep { x, y: out, skip } => {
            let (from, to) = (&slots[*x], &slots[*out]);
            let pictures = values[*x].chunks_exact(from.rows * from.cols);
            for (picture, kept) in pictures.zip(y.chunks_exact_mut(to.rows * to.cols)) {
                kept.copy_from_slice(&picture[skip * from.cols..]);
            }
        }
        Op::Interleave { x, from, .. } => {
            interleave(&values[*x], *from, slots[*x].cols, y);
        }
        Op::Pool { x, from, to, max, .. } => {
            pool(&values[*x], [*from, *to], slots[*x].cols, *max, y);
        }
        Op::Resize { x, y: out, from, to, column, add } => {
            let columns = [slots[*x].cols, slots[*out].cols, *column];
            resize(&values[*x], [*from, *to], columns, *add, y);
        }
        _ => unreachable!("this operation takes weights, or is attention"),
    }
}

struct Twin<'a> {
    plan: &'a Plan,
    batch: usize,
    checkpoint: &'a Checkpoint,
    values: &'a [Vec<f32>],
    pixels: &'a [u8],
}

impl Twin<'_> {
    async fn step(&self, step: &Step, mut y: Vec<f32>) -> Result<Vec<f32>> {
        let slots = &self.plan.slots;
        match &step.op {
            Op::Linear { x, y: out, weight, bias, window, finish } => {
                let w = self.checkpoint.tensor(weight).await?;
                let b = self.optional(bias.as_deref()).await?;
                let scale = match finish {
                    Finish::Residual { scale } => Some(self.checkpoint.tensor(scale).await?),
                    _ => None,
                };
                let after = match (finish, &scale) {
                    (Finish::Residual { .. }, Some(scale)) => After::Residual(scale),
                    (Finish::Gelu, _) => After::Gelu,
                    (Finish::Relu, _) => After::Relu,
                    _ => After::Store,
                };
                let (x, k, cols) = (&self.values[*x], slots[*x].cols, slots[*out].cols);
                match window {
                    None => linear(x, &w, b.as_deref(), [k, cols], after, &mut y),
                    Some(size) => {
                        let rows = windows(x, *size, k);
                        linear(&rows, &w, b.as_deref(), [9 * k, cols], after, &mut y);
                    }
                }
            }
            Op::Embed { patches, position, cls, .. } => {
                let cls = self.checkpoint.tensor(cls).await?;
                embed(&self.values[*patches], &self.values[*position], &cls, &mut y);
            }
            Op::Norm { x, y: out, plane, weight, bias, kind, eps, gelu } => {
                let w = self.checkpoint.tensor(weight).await?;
                let b = self.optional(bias.as_deref()).await?;
                let len = slots[*out].plane_len(self.batch);
                let part = &mut y[plane * len..][..len];
                if x != out {
                    part.copy_from_slice(&self.values[*x][plane * len..][..len]);
                }
                norm(part, &w, b.as_deref(), *kind, *eps, *gelu);
            }
            Op::Attention { qkv, heads, .. } => {
                let cols = slots[*qkv].cols;
                attention(&self.values[*qkv], [self.batch, self.plan.tokens, cols], *heads, &mut y);
            }
            _ => plain(&step.op, self.plan, self.values, self.pixels, &mut y),
        }
        Ok(y)
    }

    async fn optional(&self, name: Option<&str>) -> Result<Option<Vec<f32>>> {
        match name {
            Some(name) => self.checkpoint.tensor(name).await.map(Some),
            None => Ok(None),
        }
    }
}
