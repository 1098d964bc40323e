//! Recording: plans written in the order in which data flows.

mod encoder;
mod guided;
mod head;
#[cfg(feature = "language")]
mod language;
pub(super) mod names;
mod pooled;
mod tensors;
mod text;
mod windows;

pub use encoder::{Input, record, record_attention, record_segment};
pub use guided::{Guided, record_guided};
pub use head::{record_head, record_head_alone};
#[cfg(feature = "language")]
pub use language::{
    LANGUAGE_HEAD, LANGUAGE_QKV, LANGUAGE_TABLE, Wanted, language_angles, record_language,
    record_next, record_visual, squares,
};
pub use names::{RELATIVE_INDEX, relative_slot};
pub use pooled::{POOLED, dense_layer, record_dense};
pub use tensors::{TensorSpec, parameters, tensors, text_tensors};
#[cfg(feature = "language")]
pub use tensors::{language_tensors, visual_tensors};
pub use text::{TEXT, TEXT_POSITIONS, TOKEN_TABLE, record_text};
pub(super) use windows::stages;

use super::{Activation, Linear, Norm, Op, Plan, Plane, Role, RowSource, Slot, SlotId, Step};
use crate::model::{NormKind, WeightKind};

/// A plan in the making. Inside a scope the names of slots and of weights begin with the scope's.
struct Recorder {
    plan: Plan,
    /// What the names of all weights begin with.
    base: String,
    /// What the names of weights begin with.
    weights: String,
    /// What the names of other slots begin with.
    slots: String,
    block: Option<usize>,
    layer: usize,
}

impl Recorder {
    /// Adds to `plan`; weights' names begin with `weights`, other slots' with `slots`.
    fn new(plan: Plan, weights: &str, slots: &str) -> Self {
        let layer = plan.steps.last().map_or(0, |step| step.layer);
        Self {
            plan,
            base: weights.into(),
            weights: weights.into(),
            slots: slots.into(),
            block: None,
            layer,
        }
    }

    /// Goes on in block `block`, from 0.
    fn enter(&mut self, block: usize) {
        self.weights = format!("{}encoder.layers.{block}.", self.base);
        self.slots = format!("{block}.");
        self.block = Some(block);
        self.layer = block + 1;
    }

    /// Goes on in a block of a stage, both from 0.
    fn enter_stage(&mut self, stage: usize, block: usize) {
        self.enter(stage);
        self.weights += &format!("blocks.{block}.");
        self.slots += &format!("{block}.");
    }

    /// Goes on behind the blocks of a stage.
    fn merge_stage(&mut self, stage: usize) {
        self.enter(stage);
    }

    /// Goes on behind the last block.
    fn leave(&mut self) {
        self.weights = self.base.clone();
        self.slots.clear();
        self.block = None;
    }

    /// A new slot of one picture's `[planes, rows, cols]`.
    fn slot(&mut self, name: &str, shape: [usize; 3], role: Role) -> SlotId {
        let name = format!("{}{name}", self.slots);
        self.plan.add(Slot { block: self.block, ..Slot::new(&name, shape, role) })
    }

    /// A weight, `[planes, rows, cols]` as it is used and `stored` in the checkpoint.
    fn weight(
        &mut self,
        name: &str,
        shape: [usize; 3],
        stored: &[usize],
        kind: WeightKind,
    ) -> SlotId {
        let name = format!("{}{name}", self.weights);
        let slot = Slot::new(&name, shape, Role::Weight(kind));
        self.plan.add(Slot { block: self.block, stored: stored.into(), ..slot })
    }

    /// A value for each of `n` channels.
    fn vector(&mut self, name: &str, n: usize, kind: WeightKind) -> SlotId {
        self.weight(name, [1, 1, n], &[n], kind)
    }

    /// Records an operation whose result is a new slot of one plane.
    fn push(&mut self, name: &str, [rows, cols]: [usize; 2], op: Op) -> SlotId {
        let y = self.slot(name, [1, rows, cols], Role::Temporary);
        self.write(y, op);
        y
    }

    fn write(&mut self, y: SlotId, op: Op) {
        self.plan.steps.push(Step { y, op, layer: self.layer });
    }

    fn rows(&self, slot: SlotId) -> usize {
        self.plan.slots[slot].rows
    }

    fn cols(&self, slot: SlotId) -> usize {
        self.plan.slots[slot].cols
    }

    /// `norm(x)`, of the weights and as the slot called `name`.
    fn norm(&mut self, x: SlotId, name: &str, kind: NormKind, eps: f32) -> SlotId {
        let norm = self.norm_of(self.cols(x), name, kind, eps);
        let shape = [self.rows(x), self.cols(x)];
        self.push(name, shape, Op::Norm(Norm { x: x.into(), ..norm }))
    }

    /// A norm over `c` channels, of nothing yet.
    fn norm_of(&mut self, c: usize, name: &str, kind: NormKind, eps: f32) -> Norm {
        let weight = self.vector(&format!("{name}.weight"), c, WeightKind::Gain);
        let layer = kind == NormKind::Layer;
        let bias = layer.then(|| self.vector(&format!("{name}.bias"), c, WeightKind::Bias));
        Norm { x: Plane::from(0), weight, bias, kind, eps, activation: None }
    }

    /// Begins a linear layer of `out` outputs on x; `name` is its weights'.
    fn linear<'a>(&'a mut self, x: SlotId, name: &'a str, out: usize) -> LinearLayer<'a> {
        let layer = Linear::new(x, 0);
        LinearLayer {
            r: self,
            x,
            name,
            out,
            layer,
            planes: 1,
            stored: None,
            bias: false,
            scale: None,
        }
    }
}

/// A linear layer in the making.
struct LinearLayer<'a> {
    r: &'a mut Recorder,
    x: SlotId,
    name: &'a str,
    out: usize,
    layer: Linear,
    planes: usize,
    stored: Option<Vec<usize>>,
    bias: bool,
    scale: Option<&'a str>,
}

impl<'a> LinearLayer<'a> {
    /// The outputs go to planes of `out` channels each.
    fn planes(mut self, planes: usize) -> Self {
        self.planes = planes;
        self
    }

    /// The shape of W in the checkpoint, where it is not `[planes·out, in]`.
    fn stored(mut self, shape: Vec<usize>) -> Self {
        self.stored = Some(shape);
        self
    }

    /// x is a map of this height and width, and its 3 × 3 windows are the rows.
    fn windows(mut self, size: [usize; 2]) -> Self {
        self.layer.rows = RowSource::Windows(size);
        self
    }

    fn activation(mut self, activation: Activation) -> Self {
        self.layer.activation = Some(activation);
        self
    }

    /// The activation of a gate's sums multiplies as many others', where `gated` says so.
    fn gated(mut self, gated: bool) -> Self {
        self.layer.gated = gated;
        self
    }

    /// The sums are multiplied by the vector called `name`, where `scales` says so.
    fn scale_if(mut self, scales: bool, name: &'a str) -> Self {
        self.scale = scales.then_some(name);
        self
    }

    /// The result is added to `residual`.
    fn add(mut self, residual: SlotId) -> Self {
        self.layer.residual = Some(residual);
        self
    }

    /// The result is added to `residual`, where there is one.
    fn add_if(mut self, residual: Option<SlotId>) -> Self {
        self.layer.residual = residual;
        self
    }

    /// With a bias, where `bias` says so.
    fn bias_if(mut self, bias: bool) -> Self {
        self.bias = bias;
        self
    }

    /// Records it without a bias, as the slot called `name`.
    fn unbiased(self, name: &str) -> SlotId {
        self.bias_if(false).record(name)
    }

    /// Records it with a bias, as the slot called `name`.
    fn biased(self, name: &str) -> SlotId {
        self.bias_if(true).record(name)
    }

    /// Records it as the slot called `name`.
    fn record(mut self, name: &str) -> SlotId {
        let (planes, out) = (self.planes, self.out);
        let rows = self.r.rows(self.x);
        let k = match self.layer.rows {
            RowSource::Rows => self.r.cols(self.x),
            RowSource::Windows(_) => 9 * self.r.cols(self.x),
        };
        let sums = if self.layer.gated { 2 } else { planes };
        let stored = self.stored.take().unwrap_or_else(|| vec![sums * out, k]);
        let weight = format!("{}.weight", self.name);
        self.layer.weight = self.r.weight(&weight, [sums, out, k], &stored, WeightKind::Matrix);
        if self.bias {
            let bias = format!("{}.bias", self.name);
            self.layer.bias = Some(self.r.vector(&bias, sums * out, WeightKind::Bias));
        }
        self.layer.scale = self.scale.map(|name| self.r.vector(name, out, WeightKind::LayerScale));
        let y = self.r.slot(name, [planes, rows, out], Role::Temporary);
        self.r.write(y, Op::Linear(self.layer));
        y
    }
}
