//! The tensors of a model: the weights of its plans.

use super::encoder::{Input, record};
#[cfg(feature = "language")]
use super::language::{Wanted, record_language, record_visual};
use super::text::record_text;
use crate::model::{Joint, Pool, Spec, TextSpec, WeightKind};
#[cfg(feature = "language")]
use crate::model::{LanguageSpec, VisualSpec};
use crate::plan::{Role, Slot};

/// A tensor of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorSpec {
    /// Canonical name.
    pub name: String,
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// How it is used.
    pub kind: WeightKind,
    /// The block that it belongs to, from 0.
    pub block: Option<usize>,
}

impl TensorSpec {
    /// The tensor that a slot of weights is filled from; `None` for other slots.
    fn of(slot: Slot) -> Option<Self> {
        let Role::Weight(kind) = slot.role else { return None };
        Some(Self { name: slot.name, shape: slot.stored, kind, block: slot.block })
    }

    /// Whether it may be stored in few bits: a matrix of a block.
    pub fn is_block_matrix(&self) -> bool {
        self.kind == WeightKind::Matrix && self.block.is_some()
    }
}

/// Every tensor of `spec`, in the order of the forward pass: the weights of its plan.
pub fn tensors(spec: &Spec) -> Vec<TensorSpec> {
    let side = spec.sizes.patch;
    let plan = record(spec, Input::Rgba { height: side, width: side }, 1, &[]);
    // Such a model is compared with features of texts that were made elsewhere.
    let scale = matches!(spec.pool, Pool::MeanQuery { .. }).then(|| number("logit_scale"));
    plan.slots.into_iter().chain(scale).filter_map(TensorSpec::of).collect()
}

/// A learned number.
fn number(name: &str) -> Slot {
    Slot { stored: vec![1], ..Slot::new(name, [1; 3], Role::Weight(WeightKind::Table)) }
}

/// Every tensor of a text tower, in the order of the forward pass, and what joins it with that of pictures.
pub fn text_tensors(text: &TextSpec) -> Vec<TensorSpec> {
    let joint =
        ["logit_scale"].into_iter().chain((text.joint == Joint::Sigmoid).then_some("logit_bias"));
    let joint = joint.map(number);
    let slots = record_text(text, 1, 1).slots.into_iter();
    slots.chain(joint).filter_map(TensorSpec::of).collect()
}

/// Every tensor of a language model, in the order of the forward pass.
#[cfg(feature = "language")]
pub fn language_tensors(spec: &LanguageSpec) -> Vec<TensorSpec> {
    record_language(spec, 1, 1, Wanted::Last).slots.into_iter().filter_map(TensorSpec::of).collect()
}

/// Every tensor that makes visual tokens of `c` channels.
#[cfg(feature = "language")]
pub fn visual_tensors(visual: &VisualSpec, c: usize) -> Vec<TensorSpec> {
    record_visual(visual, [2, 2], 0, c).slots.into_iter().filter_map(TensorSpec::of).collect()
}

/// Number of values of all tensors.
pub fn parameters(spec: &Spec) -> u64 {
    let values =
        |tensor: &TensorSpec| tensor.shape.iter().map(|side| *side as u64).product::<u64>();
    tensors(spec).iter().map(values).sum()
}
