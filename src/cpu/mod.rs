//! The fast executor where there is no GPU: SIMD products on all cores, the rest by the plain
//! twins. A plan runs as it does in `reference`, and is held against it in the tests.

mod attention;
// The library's tiles are too large for the registers of WebAssembly.
#[cfg(any(target_arch = "wasm32", test))]
mod gemm;
mod linear;
mod norm;
#[cfg(not(target_arch = "wasm32"))]
mod product;
mod team;
mod weights;

pub use attention::attention;
pub use linear::{Matrix, linear};
pub use norm::norm;
pub use team::{Helper, Job, Jobs, Share, Task, Team};
pub use weights::CpuWeights;

use std::ops::{ControlFlow, Range};

use crate::plan::{Finish, Op, Plan, Role, SlotId, Step, Value};
use crate::reference::{embed, plain, windows};
use crate::{Error, Result};
#[cfg(target_arch = "wasm32")]
use gemm::{Panels, product};
use linear::{place, take};
#[cfg(not(target_arch = "wasm32"))]
use product::{Panels, product};
use team::give_way;

/// The memory of a plan's slots, kept from run to run.
#[derive(Default)]
pub struct Workspace {
    values: Vec<Vec<f32>>,
    free: Vec<Vec<f32>>,
}

impl Workspace {
    /// Memory for `len` values: what an earlier slot left, or new.
    fn take(&mut self, len: usize) -> Vec<f32> {
        let fit = |v: &&Vec<f32>| v.capacity() >= len;
        let best = self.free.iter().enumerate().filter(|(_, v)| fit(v));
        let mut values = match best.min_by_key(|(_, v)| v.capacity()).map(|(at, _)| at) {
            Some(at) => self.free.swap_remove(at),
            None => Vec::with_capacity(len),
        };
        values.resize(len, 0.0);
        values
    }

    fn give(&mut self, values: Vec<f32>) {
        if values.capacity() > 0 {
            self.free.push(values);
        }
    }
}

/// Runs `plan` for `batch` pictures and returns its outputs by slot.
///
/// After each step `watch` may stop the run, which then ends with [`Error::Cancelled`].
pub async fn run(
    plan: &Plan,
    batch: usize,
    weights: &CpuWeights,
    workspace: &mut Workspace,
    inputs: &[(SlotId, Value<'_>)],
    watch: &mut impl AsyncFnMut(&Step) -> ControlFlow<()>,
) -> Result<Vec<(SlotId, Vec<f32>)>> {
    let leftover: Vec<_> = workspace.values.drain(..).collect();
    leftover.into_iter().for_each(|values| workspace.give(values));
    workspace.values.resize_with(plan.slots.len(), Vec::new);
    let mut pixels: &[u8] = &[];
    for (slot, value) in inputs {
        match value {
            Value::F32(v) => {
                let mut own = workspace.take(v.len());
                own.copy_from_slice(v);
                workspace.values[*slot] = own;
            }
            Value::Rgba(v) => pixels = v,
        }
    }
    let last_use = plan.last_uses();
    for (at, step) in plan.steps.iter().enumerate() {
        let (out, len) = (step.op.writes(), plan.slots[step.op.writes()].len(batch));
        let mut y = std::mem::take(&mut workspace.values[out]);
        if y.len() != len {
            workspace.give(y);
            y = workspace.take(len);
        }
        let values = &workspace.values;
        Fast { plan, batch, weights, values, pixels }.step(&step.op, &mut y).await?;
        workspace.values[out] = y;
        if watch(step).await.is_break() {
            return Err(Error::Cancelled);
        }
        for slot in step.op.reads() {
            if last_use[slot] == at && plan.slots[slot].role == Role::Temporary && slot != out {
                let done = std::mem::take(&mut workspace.values[slot]);
                workspace.give(done);
            }
        }
    }
    let outputs = plan.outputs().map(|slot| (slot, std::mem::take(&mut workspace.values[slot])));
    Ok(outputs.collect())
}

struct Fast<'a> {
    plan: &'a Plan,
    batch: usize,
    weights: &'a CpuWeights,
    values: &'a [Vec<f32>],
    pixels: &'a [u8],
}

impl Fast<'_> {
    async fn step(&self, op: &Op, y: &mut [f32]) -> Result<()> {
        let slots = &self.plan.slots;
        match op {
            Op::Linear { x, weight: name, bias, window, finish, .. } => {
                let bias = self.optional(bias.as_deref())?;
                let scale = match finish {
                    Finish::Residual { scale } => Some(self.weights.vector(scale)?),
                    _ => None,
                };
                let (x, c, weight) = (&self.values[*x], slots[*x].cols, self.weights.matrix(name)?);
                match (window, self.weights.team()) {
                    (Some(size), _) => {
                        linear(&windows(x, *size, c), weight, bias, finish, scale, y)?;
                    }
                    (None, Some(team)) if weight.is_part() => {
                        let ask = |_| Task::Linear { weight: name.clone(), x: x.clone() };
                        let own = || weight.product(x, bias, finish);
                        let whole = slots[op.writes()].cols;
                        self.shared(team, whole, |s| s.columns(whole), ask, own, scale, y).await?;
                    }
                    _ => linear(x, weight, bias, finish, scale, y)?,
                }
            }
            Op::Embed { patches, position, cls, .. } => {
                let cls = self.weights.vector(cls)?;
                embed(&self.values[*patches], &self.values[*position], cls, y);
            }
            Op::Norm { x, y: out, plane, weight, bias, kind, eps, gelu } => {
                let (w, b) = (self.weights.vector(weight)?, self.optional(bias.as_deref())?);
                let len = slots[*out].plane_len(self.batch);
                let part = &mut y[plane * len..][..len];
                if x != out {
                    part.copy_from_slice(&self.values[*x][plane * len..][..len]);
                }
                norm(part, w, b, *kind, *eps, *gelu);
            }
            Op::Attention { qkv, heads, .. } => {
                let (qkv, c) = (&self.values[*qkv], slots[*qkv].cols);
                let (size, d) = ([self.batch, self.plan.tokens, c], c / heads);
                let Some(team) = self.weights.team() else {
                    attention(qkv, size, *heads, 0..*heads, y);
                    return Ok(());
                };
                let columns = |share: Share| {
                    let part = share.heads(*heads);
                    part.start * d..part.end * d
                };
                let ask = |columns: Range<usize>| {
                    let (heads, size) = (columns.len() / d, [size[0], size[1], columns.len()]);
                    Task::Attention { qkv: take(qkv, columns, c), size, heads }
                };
                let own = || {
                    let part = team.share().heads(*heads);
                    let mut y = vec![0.0; size[0] * size[1] * part.len() * d];
                    attention(qkv, size, *heads, part, &mut y);
                    Ok(y)
                };
                self.shared(team, c, columns, ask, own, None, y).await?;
            }
            _ => plain(op, self.plan, self.values, self.pixels, y),
        }
        Ok(())
    }

    /// An operation by all members: `columns` says which of the `out` are a member's, `ask` what a
    /// helper is given for them, `own` computes the engine's.
    #[expect(clippy::too_many_arguments, reason = "two callers, nothing to name")]
    async fn shared(
        &self,
        team: &Team,
        out: usize,
        columns: impl Fn(Share) -> Range<usize>,
        ask: impl Fn(Range<usize>) -> Task,
        own: impl FnOnce() -> Result<Vec<f32>>,
        scale: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        let lines = y.len() / out;
        let helpers = team.helpers().map(|share| (share.member, columns(share)));
        let asked: Vec<_> = helpers
            .filter(|(_, columns)| !columns.is_empty())
            .map(|(helper, columns)| (team.ask(helper, ask(columns.clone())), columns))
            .collect();
        give_way().await;
        place(&own()?, columns(team.share()), out, scale, y);
        for (answer, columns) in asked {
            let part = answer.values(lines * columns.len()).await?;
            place(&part, columns, out, scale, y);
        }
        Ok(())
    }

    fn optional(&self, name: Option<&str>) -> Result<Option<&[f32]>> {
        name.map(|name| self.weights.vector(name)).transpose()
    }
}
