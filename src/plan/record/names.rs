//! Canonical names of the tensors that the host reads, and of slots that it fills.

use crate::model::{Relative, Spec};

/// The class token.
pub(in crate::plan) const CLASS_TOKEN: &str = "embeddings.class_embedding";

/// The token that learned from a teacher.
pub(in crate::plan) const DISTILLATION_TOKEN: &str = "embeddings.distillation_token";

/// The register tokens.
pub(in crate::plan) const REGISTER_TOKENS: &str = "embeddings.register_tokens";

/// The table of learned positions, of the native grid.
pub(in crate::plan) const POSITION_TABLE: &str = "embeddings.position_embedding";

/// The table of relative positions that all blocks share.
pub(in crate::plan) const SHARED_BIAS: &str = "encoder.relative_position_bias_table";

/// A block's table of relative positions; `scope` is what the names of its weights begin with.
pub(in crate::plan) fn block_bias(scope: &str) -> String {
    format!("{scope}attn.relative_position_bias_table")
}

/// The slot of what distances add to the scores of a block, counted from 0, where they do.
pub fn relative_slot(relative: Relative, block: usize) -> Option<String> {
    match relative {
        Relative::None => None,
        Relative::Shared => Some("relative".into()),
        Relative::Blocks | Relative::Both => Some(format!("{block}.relative")),
    }
}

/// The slot of which of them each query and key look up.
pub const RELATIVE_INDEX: &str = "relative.index";

/// The prefix tokens that a model has, in their order.
pub(in crate::plan) fn prefix(spec: &Spec) -> impl Iterator<Item = &'static str> {
    let all = [
        (spec.prefix.cls, CLASS_TOKEN),
        (spec.prefix.distillation, DISTILLATION_TOKEN),
        (spec.prefix.registers > 0, REGISTER_TOKENS),
    ];
    all.into_iter().filter(|(there, _)| *there).map(|(_, name)| name)
}
