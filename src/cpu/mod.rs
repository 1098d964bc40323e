//! The fast executor where there is no GPU: SIMD products on all cores, the rest by the plain
//! twins. A plan runs as it does in `reference`, and is held against it in the tests.

mod activation;
#[cfg(feature = "language")]
mod at_once;
mod attention;
#[cfg(feature = "language")]
mod causal;
#[cfg(any(feature = "language", not(target_arch = "wasm32")))]
mod codes;
#[cfg(any(feature = "language", not(target_arch = "wasm32")))]
mod few_rows;
mod fused_pair;
// Natively a library multiplies, whose tiles are too large for the registers of WebAssembly.
#[cfg(any(target_arch = "wasm32", test))]
mod gemm;
mod guide;
mod linear;
#[cfg(all(not(feature = "language"), target_arch = "wasm32"))]
mod no_codes;
mod norm;
#[cfg(not(target_arch = "wasm32"))]
mod product;
mod team;
mod tile;
mod upsample;
mod weights;

#[cfg(feature = "language")]
pub use at_once::run_at_once;
pub use attention::attention;
#[cfg(feature = "language")]
pub use causal::causal;
pub use guide::Guide;
pub(crate) use guide::box_mean;
pub use linear::{Matrix, linear};
pub use norm::norm;
pub use team::{Helper, Job, Jobs, Share, Task, Team};
pub use upsample::Upsampled;
pub(crate) use upsample::{Tap, stretch, taps};
pub use weights::CpuWeights;

use std::ops::{ControlFlow, Range};

use crate::plan::{Op, Plan, Plane, Role, RowSource, SlotId, Step, Value};
use crate::progress::LocalBoxFuture;
use crate::reference::{Epilogue, Twin, embed, windows};
use crate::weights::{QuantFormat, WeightSource};
use crate::{Error, Result};
#[cfg(any(feature = "language", not(target_arch = "wasm32")))]
use codes::Codes;
use fused_pair::{FusedPair, PairShare, rows};
#[cfg(all(feature = "language", target_arch = "wasm32"))]
use gemm::product_once;
#[cfg(target_arch = "wasm32")]
use gemm::{Panels, product};
use linear::Place;
#[cfg(all(not(feature = "language"), target_arch = "wasm32"))]
use no_codes::Codes;
#[cfg(not(target_arch = "wasm32"))]
use product::{Panels, product, product_once};
use team::{Answer, give_way};

/// The memory of a plan's slots, kept from run to run.
#[derive(Default)]
pub struct Workspace {
    values: Vec<Vec<f32>>,
    free: Vec<Vec<f32>>,
    /// What runs keep for later ones, by the names of slots.
    #[cfg(feature = "language")]
    states: std::collections::HashMap<String, Vec<f32>>,
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

    /// Brings states where steps find them; those that nothing was put into yet are zeros.
    #[cfg(feature = "language")]
    fn take_states(&mut self, plan: &Plan, batch: usize) {
        for (slot, values) in plan.slots.iter().zip(&mut self.values) {
            if slot.role == Role::State {
                *values = self.states.remove(&slot.name).unwrap_or_default();
                values.resize(slot.len(batch), 0.0);
            }
        }
    }

    /// Keeps states for the next run.
    #[cfg(feature = "language")]
    fn keep_states(&mut self, plan: &Plan) {
        for (slot, values) in plan.slots.iter().zip(&mut self.values) {
            if slot.role == Role::State {
                self.states.insert(slot.name.clone(), std::mem::take(values));
            }
        }
    }

    fn give(&mut self, values: Vec<f32>) {
        if values.capacity() > 0 {
            self.free.push(values);
        }
    }
}

/// Where a run finds its weights.
#[derive(Clone, Copy)]
pub enum Supply<'a> {
    /// In memory.
    Held(&'a CpuWeights),
    /// Where they are stored; those of one block at a time are read and packed, in few bits if so.
    Read(WeightSource<'a>, Option<QuantFormat>),
}

/// The outputs of a run by slot.
pub type Outputs = Vec<(SlotId, Vec<f32>)>;

/// Runs `plan` for `batch` pictures and returns its outputs by slot.
///
/// `watch` is told the steps that are done, one, or several that a team shares, and may stop the
/// run: [`Error::Cancelled`].
///
/// # Errors
/// [`Error::Input`] for inputs of another length; as reading weights and as a team's members.
pub fn run<'a>(
    plan: &'a Plan,
    batch: usize,
    supply: Supply<'a>,
    workspace: &'a mut Workspace,
    inputs: &'a [(SlotId, Value<'a>)],
    watch: &'a mut dyn Watch,
) -> LocalBoxFuture<'a, Result<Outputs>> {
    Box::pin(async move {
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
        #[cfg(feature = "language")]
        workspace.take_states(plan, batch);
        let last_uses = plan.last_uses();
        let (pairs, blocks) = match supply {
            Supply::Held(weights) if weights.team().is_some() => (FusedPair::all(plan), Vec::new()),
            Supply::Held(_) => Default::default(),
            Supply::Read(..) => (Vec::new(), plan.by_block()),
        };
        let mut own = CpuWeights::default();
        let mut at = 0;
        while at < plan.steps.len() {
            if let Supply::Read(source, quant) = supply
                && let Some((steps, _)) = blocks.iter().find(|(steps, _)| steps.start == at)
            {
                drop(std::mem::take(&mut own)); // Before the next are read, this memory is free.
                let part = Plan { steps: plan.steps[steps.clone()].to_vec(), ..plan.clone() };
                let go_on = &mut async |_| ControlFlow::Continue(());
                own = CpuWeights::load(&[part], source, quant, None, go_on).await?;
            }
            let weights = match supply {
                Supply::Held(weights) => weights,
                Supply::Read(..) => &own,
            };
            let pair = pairs.iter().find(|pair| pair.steps.start == at);
            let steps = pair.map_or(at..at + 1, |pair| pair.steps.clone());
            at = steps.end;
            let step = &plan.steps[at - 1];
            let len = plan.slots[step.y].len(batch);
            let mut y = match (step.op.adds_to(), plan.takes_over(at - 1, &last_uses)) {
                (_, Some(from)) => std::mem::take(&mut workspace.values[from]),
                // A state is changed where it lies.
                #[cfg(feature = "language")]
                (Some(from), None) if from == step.y => std::mem::take(&mut workspace.values[from]),
                (Some(from), None) => {
                    let mut own = workspace.take(len);
                    own.copy_from_slice(&workspace.values[from]);
                    own
                }
                (None, None) => workspace.take(len),
            };
            let fast = Fast { plan, batch, weights, values: &workspace.values, pixels };
            match pair {
                Some(pair) => fast.fused_pair(pair, &mut y).await?,
                None => fast.step(step, &mut y).await?,
            }
            workspace.values[step.y] = y;
            if watch.done(&plan.steps[steps.clone()]).await.is_break() {
                return Err(Error::Cancelled);
            }
            for slot in plan.steps[steps.clone()].iter().flat_map(|step| step.op.operands()) {
                let last = steps.contains(&last_uses[slot]);
                if last && plan.slots[slot].role == Role::Temporary {
                    let done = std::mem::take(&mut workspace.values[slot]);
                    workspace.give(done);
                }
            }
        }
        #[cfg(feature = "language")]
        workspace.keep_states(plan);
        // A slot may have two names.
        let mut slots: Vec<SlotId> = Vec::new();
        for (_, slot) in &plan.outputs {
            if !slots.contains(slot) {
                slots.push(*slot);
            }
        }
        Ok(slots
            .into_iter()
            .map(|slot| (slot, std::mem::take(&mut workspace.values[slot])))
            .collect())
    })
}

/// The caller that learns which steps are done, and may stop the run: every `AsyncFnMut(&[Step]) ->
/// ControlFlow<()>`.
pub trait Watch {
    /// Tells the steps that are done since the last time.
    fn done<'a>(&'a mut self, steps: &'a [Step]) -> LocalBoxFuture<'a, ControlFlow<()>>;
}

impl<F: AsyncFnMut(&[Step]) -> ControlFlow<()>> Watch for F {
    fn done<'a>(&'a mut self, steps: &'a [Step]) -> LocalBoxFuture<'a, ControlFlow<()>> {
        Box::pin(self(steps))
    }
}

struct Fast<'a> {
    plan: &'a Plan,
    batch: usize,
    weights: &'a CpuWeights,
    values: &'a [Vec<f32>],
    pixels: &'a [u8],
}

impl Fast<'_> {
    async fn step(&self, step: &Step, y: &mut [f32]) -> Result<()> {
        let slots = &self.plan.slots;
        match &step.op {
            Op::Linear(op) => {
                let (bias, scale) = (self.optional(op.bias)?, self.optional(op.scale)?);
                let add = op.residual.is_some();
                let (activation, gated) = (op.activation, op.gated);
                let epilogue = Epilogue { bias, activation, gated, scale, add };
                let (name, x) = (&slots[op.weight].name, &self.values[op.x]);
                match (op.rows, self.weights.part(name)) {
                    (RowSource::Rows, Some(part)) => self.columns(name, part, x, y).await?,
                    (RowSource::Rows, None) => linear(x, self.weights.matrix(name)?, epilogue, y)?,
                    (RowSource::Windows(size), _) => {
                        let rows = windows(x, size, slots[op.x].cols);
                        linear(&rows, self.weights.matrix(name)?, epilogue, y)?;
                    }
                }
            }
            Op::Embed(op) => {
                let prefix = op.prefix(self.plan) * slots[step.y].cols;
                embed(&self.values[op.patches], &self.values[op.rows], prefix, y);
            }
            Op::Norm(op) => {
                let (weight, bias) = (self.vector(op.weight)?, self.optional(op.bias)?);
                norm((self.plane(op.x), y), weight, bias, op.kind, op.eps, op.activation);
            }
            Op::Attention(op) => {
                let qkv = [op.q, op.k, op.v].map(|plane| self.plane(plane));
                let scores = self.twin().scores(op, slots[step.y].cols);
                attention(qkv, &scores, &vec![0..scores.queries; op.heads], y);
            }
            #[cfg(feature = "language")]
            Op::Gather(op) if slots[op.x].is_weight() => self.over_states(step, y)?,
            Op::Patchify(_)
            | Op::Slice(_)
            | Op::Interleave(_)
            | Op::Pool(_)
            | Op::Resize(_)
            | Op::Concat(_)
            | Op::BoxMean(_)
            | Op::Outer(_)
            | Op::Ridge(_)
            | Op::LocalAffine(_)
            | Op::Gather(_)
            | Op::Rotate(_)
            | Op::Add(_) => self.twin().plain(step, y),
            #[cfg(feature = "language")]
            Op::Append(_) | Op::Causal(_) | Op::Probabilities(_) | Op::Top(_) => {
                self.over_states(step, y)?;
            }
        }
        Ok(())
    }

    /// The plain operations on the same values.
    fn twin(&self) -> Twin<'_> {
        let Self { plan, batch, values, pixels, .. } = *self;
        Twin { plan, batch, values, pixels }
    }

    /// A fused pair by all members: their sums are added to the residual stream `y`.
    async fn fused_pair(&self, pair: &FusedPair, y: &mut [f32]) -> Result<()> {
        let (first, last) = (pair.steps.start, pair.steps.end - 1);
        let (Some(begin), Some(end)) = (rows(self.plan, first), rows(self.plan, last)) else {
            return Err(Error::device("a shared range that is not between two linear layers"));
        };
        let (x, weight) = (begin.x, &self.plan.slots[begin.weight].name);
        let Some(part) = self.weights.part(weight) else {
            return Err(Error::device(format!("{weight}: not loaded; load the model again")));
        };
        let rows = self.plan.slots[x].rows;
        // Groups lie one behind the other, as pictures do.
        let (x, size) = (&self.values[x], [self.batch * pair.groups, rows / pair.groups]);
        let asked = self.ask(part, weight, x, Some(size));
        give_way().await;
        let mut sum = part.through(x, size)?;
        let mut answers = Vec::with_capacity(asked.len());
        for (_, answer) in asked {
            answers.push(answer.values(sum.len()).await?);
        }
        let (bias, scale) = (self.optional(end.bias)?, self.optional(end.scale)?);
        let out = self.plan.slots[self.plan.steps[last].y].cols;
        // Row by row, so that a row is read once from where it lies.
        for (at, (y, row)) in y.chunks_exact_mut(out).zip(sum.chunks_exact_mut(out)).enumerate() {
            let others = answers.iter().map(|values| &values[at * out..][..out]);
            for other in others.chain(bias) {
                row.iter_mut().zip(other).for_each(|(sum, value)| *sum += value);
            }
            Place::Add(scale).put(row, 0..out, out, y);
        }
        Ok(())
    }

    /// The first product of a pair alone, each member's columns put beside the others'.
    async fn columns(
        &self,
        weight: &str,
        part: &PairShare,
        x: &[f32],
        y: &mut [f32],
    ) -> Result<()> {
        let Some(team) = self.weights.team() else { unreachable!("parts are a team's") };
        let width = part.width();
        let lines = y.len() / width;
        let asked = self.ask(part, weight, x, None);
        give_way().await;
        let store = Place::Store(None);
        store.put(&part.begin(x)?, part.columns(team.share()), width, y);
        for (columns, answer) in asked {
            let values = answer.values(lines * columns.len()).await?;
            store.put(&values, columns, width, y);
        }
        Ok(())
    }

    /// Asks every helper that has something to do, and says which columns are its.
    fn ask(
        &self,
        part: &PairShare,
        weight: &str,
        x: &[f32],
        through: Option<[usize; 2]>,
    ) -> Vec<(Range<usize>, Answer)> {
        let helpers = self.weights.team().into_iter().flat_map(|team| {
            team.helpers().map(move |share| (team, share.member, part.columns(share)))
        });
        let busy = helpers.filter(|(_, _, columns)| !columns.is_empty());
        busy.map(|(team, helper, columns)| {
            let task = Task { weight: weight.into(), x: x.to_vec(), through };
            (columns, team.ask(helper, task))
        })
        .collect()
    }

    fn vector(&self, slot: SlotId) -> Result<&[f32]> {
        self.weights.vector(&self.plan.slots[slot].name)
    }

    fn optional(&self, slot: Option<SlotId>) -> Result<Option<&[f32]>> {
        slot.map(|slot| self.vector(slot)).transpose()
    }

    /// One plane `[batch·rows, C]` of a slot.
    fn plane(&self, Plane { slot, plane }: Plane) -> &[f32] {
        let len = self.plan.slots[slot].plane_len(self.batch);
        &self.values[slot][plane * len..][..len]
    }
}
