//! Operations: a struct each, in a file of the same name as its twin and its shader.

mod add;
#[cfg(feature = "language")]
mod append;
mod attention;
mod box_mean;
#[cfg(feature = "language")]
mod causal;
mod concat;
mod embed;
mod gather;
#[cfg(feature = "language")]
mod heads;
mod interleave;
mod linear;
mod local_affine;
mod norm;
mod outer;
mod patchify;
mod pool;
#[cfg(feature = "language")]
mod probabilities;
mod resize;
mod ridge;
mod rotate;
mod slice;
#[cfg(feature = "language")]
mod top;

pub use add::Add;
#[cfg(feature = "language")]
pub use append::Append;
pub use attention::{Attention, ScoreBias};
pub use box_mean::{Axis, BoxMean};
#[cfg(feature = "language")]
pub use causal::Causal;
pub use concat::Concat;
pub use embed::Embed;
pub use gather::Gather;
#[cfg(feature = "language")]
pub use heads::Heads;
pub use interleave::Interleave;
pub use linear::{Linear, RowSource};
pub use local_affine::LocalAffine;
pub use norm::Norm;
pub use outer::Outer;
pub use patchify::Patchify;
pub use pool::{Pool, PoolKind};
#[cfg(feature = "language")]
pub use probabilities::Probabilities;
pub use resize::Resize;
pub use ridge::Ridge;
pub use rotate::Rotate;
pub use slice::Slice;
#[cfg(feature = "language")]
pub use top::Top;

use super::{Plan, SlotId};

/// What a step computes.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Pictures to rows of patches.
    Patchify(Patchify),
    /// A linear layer, or a convolution as one.
    Linear(Linear),
    /// Prefix tokens and positions.
    Embed(Embed),
    /// LayerNorm or RMSNorm.
    Norm(Norm),
    /// Softmax attention.
    Attention(Attention),
    /// Rotary positions.
    Rotate(Rotate),
    /// Rows in another order.
    Gather(Gather),
    /// A sum.
    Add(Add),
    /// Some rows of each picture.
    Slice(Slice),
    /// Four planes to one map of twice the height and width.
    Interleave(Interleave),
    /// Pooling over a map.
    Pool(Pool),
    /// Bilinear resize of a map.
    Resize(Resize),
    /// Maps side by side.
    Concat(Concat),
    /// The mean over a window along one axis.
    BoxMean(BoxMean),
    /// Products of values with the guide's.
    Outer(Outer),
    /// Ridge regression on the guide.
    Ridge(Ridge),
    /// The guide's pixels through coefficients.
    LocalAffine(LocalAffine),
    /// Keys and values behind what a state holds.
    #[cfg(feature = "language")]
    Append(Append),
    /// Attention over what a state holds.
    #[cfg(feature = "language")]
    Causal(Causal),
    /// Where attention over what a state holds looks.
    #[cfg(feature = "language")]
    Probabilities(Probabilities),
    /// The largest values.
    #[cfg(feature = "language")]
    Top(Top),
}

impl Op {
    /// The operation's name, as in shader files, twins and timings.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Patchify(_) => "patchify",
            Self::Linear(_) => "linear",
            Self::Embed(_) => "embed",
            Self::Norm(_) => "norm",
            Self::Attention(_) => "attention",
            Self::Rotate(_) => "rotate",
            Self::Gather(_) => "gather",
            Self::Add(_) => "add",
            Self::Slice(_) => "slice",
            Self::Interleave(_) => "interleave",
            Self::Pool(_) => "pool",
            Self::Resize(_) => "resize",
            Self::Concat(_) => "concat",
            Self::BoxMean(_) => "box_mean",
            Self::Outer(_) => "outer",
            Self::Ridge(_) => "ridge",
            Self::LocalAffine(_) => "local_affine",
            #[cfg(feature = "language")]
            Self::Append(_) => "append",
            #[cfg(feature = "language")]
            Self::Causal(_) => "causal",
            #[cfg(feature = "language")]
            Self::Probabilities(_) => "probabilities",
            #[cfg(feature = "language")]
            Self::Top(_) => "top",
        }
    }

    /// The slots that are read, weights included, each once.
    pub fn operands(&self) -> Vec<SlotId> {
        let all = match self {
            Self::Patchify(op) => vec![op.pixels],
            Self::Linear(op) => op.operands(),
            Self::Embed(op) => vec![op.patches, op.rows],
            Self::Norm(op) => op.operands(),
            Self::Attention(op) => op.operands(),
            Self::Rotate(op) => vec![op.x.slot, op.angles],
            Self::Gather(op) => [op.x, op.index].into_iter().chain(op.residual).collect(),
            Self::Add(op) => vec![op.x, op.to],
            Self::Slice(op) => vec![op.x],
            Self::Interleave(op) => vec![op.x],
            Self::Pool(op) => vec![op.x.slot],
            Self::Resize(op) => [op.x.slot].into_iter().chain(op.add).collect(),
            Self::Concat(op) => op.maps.iter().map(|map| map.slot).collect(),
            Self::BoxMean(op) => vec![op.x.slot],
            Self::Outer(op) => vec![op.x, op.guide],
            Self::Ridge(op) => vec![op.moments, op.x],
            Self::LocalAffine(op) => vec![op.x.slot, op.guide],
            #[cfg(feature = "language")]
            Self::Append(op) => op.heads.of_keys().chain([op.place, op.to]).collect(),
            #[cfg(feature = "language")]
            Self::Causal(op) => op.heads.of_queries().chain([op.state, op.place]).collect(),
            #[cfg(feature = "language")]
            Self::Probabilities(op) => op.heads.of_queries().chain([op.state, op.place]).collect(),
            #[cfg(feature = "language")]
            Self::Top(op) => vec![op.x],
        };
        let mut once = Vec::new();
        for slot in all {
            if !once.contains(&slot) {
                once.push(slot);
            }
        }
        once
    }

    /// The operand that the result is added to. The result may take over its memory.
    pub fn adds_to(&self) -> Option<SlotId> {
        match self {
            Self::Linear(op) => op.residual,
            Self::Resize(op) => op.add,
            Self::Gather(op) => op.residual,
            Self::Add(op) => Some(op.to),
            #[cfg(feature = "language")]
            Self::Append(op) => Some(op.to),
            _ => None,
        }
    }

    /// Planes of an operand that are read.
    fn planes(&self, plan: &Plan, slot: SlotId) -> usize {
        match self {
            Self::Norm(_) | Self::Rotate(_) => 1,
            Self::Attention(op) => {
                [op.q, op.k, op.v].iter().filter(|plane| plane.slot == slot).count().max(1)
            }
            _ => plan.slots[slot].planes,
        }
    }

    /// Operations for `batch` pictures, a multiply-add counted as two; `y` is written.
    pub(super) fn flop(&self, plan: &Plan, y: SlotId, batch: usize) -> f64 {
        let outputs = plan.slots[y].len(batch) as f64;
        match self {
            Self::Linear(op) => {
                let rows = plan.slots[y].rows * batch;
                2.0 * rows as f64 * plan.slots[op.weight].len(1) as f64
            }
            Self::Attention(op) => 4.0 * outputs * op.sizes(plan)[1] as f64,
            #[cfg(feature = "language")]
            Self::Causal(op) => 4.0 * outputs * plan.slots[op.state].rows as f64,
            _ => outputs,
        }
    }

    /// Bytes moved at least for `batch` pictures: each operand read once, the result written once.
    /// `size` gives the bytes of a value in a slot.
    pub(super) fn bytes(
        &self,
        plan: &Plan,
        y: SlotId,
        batch: usize,
        size: &dyn Fn(SlotId) -> f64,
    ) -> f64 {
        let read = |slot: &SlotId| {
            let planes = self.planes(plan, *slot) as f64;
            planes * plan.slots[*slot].plane_len(batch) as f64 * size(*slot)
        };
        let written = plan.slots[y].len(batch) as f64 * size(y);
        self.operands().iter().map(read).sum::<f64>() + written
    }
}
