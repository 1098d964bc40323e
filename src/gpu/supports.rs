//! Which plans the kernels can run, told when a model is loaded.

use super::kernels::Attention;
#[cfg(feature = "language")]
use super::kernels::Causal;
use super::pack::quads;
use crate::plan::{Map, Op, Plan, SlotId, Step};
use crate::{Error, Result};

/// Checks that there is a kernel for every operation of a plan, on whatever device.
///
/// # Errors
/// [`Error::Device`] with the operation and its limit, where there is none.
pub fn supports(plan: &Plan) -> Result<()> {
    for step in &plan.steps {
        if let Some(reason) = unsupported(plan, step) {
            let (op, slot) = (step.op.name(), &plan.slots[step.y].name);
            return Err(Error::device(format!("{op} {slot}: {reason}; compute on the CPU")));
        }
    }
    Ok(())
}

/// The limit that a step exceeds.
fn unsupported(plan: &Plan, step: &Step) -> Option<String> {
    let slot = |id: SlotId| &plan.slots[id];
    let y = slot(step.y);
    match &step.op {
        Op::Attention(op) => {
            let ([tokens, keys], heads) = (op.sizes(plan), op.heads);
            let (bias, cross, half) = (op.bias.is_some(), keys != tokens, [false; 2]);
            let head_dim = y.cols / heads;
            Attention { tokens, heads, head_dim, bias, cross, half }.unsupported()
        }
        Op::Rotate(op) => {
            let head_dim = slot(op.angles).cols;
            (!head_dim.is_multiple_of(8))
                .then(|| format!("expected heads of a multiple of 8 channels, found {head_dim}"))
        }
        Op::Gather(op) => (slot(op.index).cols > 1).then(|| uneven(slot(op.x).cols)).flatten(),
        Op::Linear(op) if op.gated => {
            let planes = slot(op.weight).planes;
            (planes != 2 || y.planes != 1).then(|| {
                format!("expected two gated planes and one result, found {planes} and {}", y.planes)
            })
        }
        Op::Linear(op) => op.residual.filter(|_| y.planes > 1).map(|_| {
            format!("expected one plane that is added to another slot, found {}", y.planes)
        }),
        Op::Interleave(op) => uneven(slot(op.x).cols),
        Op::Pool(op) => uneven(slot(op.x.slot).cols),
        Op::Resize(op) => uneven(slot(op.x.slot).cols),
        Op::Concat(op) => op.maps.iter().find_map(|map: &Map| uneven(slot(map.slot).cols)),
        Op::BoxMean(op) => uneven(slot(op.x.slot).cols),
        Op::Outer(op) => uneven(slot(op.x).cols),
        Op::Ridge(op) => uneven(slot(op.x).cols),
        Op::LocalAffine(_) => uneven(y.cols),
        Op::Patchify(op) => {
            let channels = y.cols / (op.patch * op.patch);
            (channels != 3).then(|| format!("expected pictures of 3 channels, found {channels}"))
        }
        #[cfg(feature = "language")]
        Op::Causal(crate::plan::Causal { heads, .. })
        | Op::Probabilities(crate::plan::Probabilities { heads, .. })
        | Op::Append(crate::plan::Append { heads, .. }) => {
            let (head_dim, half) = (heads.d(plan), false);
            let (heads, key_heads) = (heads.queries, heads.keys);
            Causal { heads, key_heads, head_dim, norm: None, half }.unsupported()
        }
        #[cfg(feature = "language")]
        Op::Top(op) => (op.count > crate::plan::Top::MOST).then(|| {
            format!("expected at most {} of them, found {}", crate::plan::Top::MOST, op.count)
        }),
        Op::Embed(_) | Op::Norm(_) | Op::Slice(_) | Op::Add(_) => None,
    }
}

/// Maps are read in quads.
fn uneven(channels: usize) -> Option<String> {
    let even = quads(channels) == channels;
    (!even).then(|| format!("expected a map of a multiple of 4 channels, found {channels}"))
}
