//! The text tower, recorded.

use super::encoder::EncoderRecorder;
use super::names;
use crate::model::{TextHead, TextSpec, WeightKind};
use crate::plan::{Embed, Gather, Op, Plan, Role, ScoreBias};

/// What the names of a text tower's tensors begin with.
pub const TEXT: &str = "text.";

/// The table of what each number of a token stands for, which the host reads.
pub const TOKEN_TABLE: &str = "text.embeddings.token_embedding.weight";

/// The positions of a text's tokens, which the host reads.
pub const TEXT_POSITIONS: &str = "text.embeddings.position_embedding";

/// Records the forward pass of up to `batch` texts of `tokens` tokens.
///
/// Inputs: `embeddings` `[tokens, C]`, the rows of [`TOKEN_TABLE`]; `position` `[tokens, C]`, the first rows of
/// [`TEXT_POSITIONS`]; `mask` `[2, heads]`, zeros and then what hides a key, and `mask.index` `[tokens, tokens]`,
/// 1 where a key is hidden; `pooled.row` `[1, 1]`, which token stands for the text. Outputs:
/// `text_last_hidden_state` `[tokens, C]`, `text_pooler_output` and `text_features`, one row each.
pub fn record_text(text: &TextSpec, tokens: usize, batch: usize) -> Plan {
    let mut r = EncoderRecorder::within(&text.tower, batch, TEXT);
    let (c, heads) = (text.tower.sizes.hidden, text.tower.sizes.heads);
    let table = [1, text.vocabulary, c];
    r.r.weight("embeddings.token_embedding.weight", table, &table[1..], WeightKind::Table);
    let positions = [1, text.length, c];
    r.r.weight(names::POSITION_TABLE, positions, &positions, WeightKind::Table);
    let patches = r.r.slot("embeddings", [1, tokens, c], Role::Input);
    let rows = r.shared("position", [tokens, c]);
    let mut x = r.r.push("embedded", [tokens, c], Op::Embed(Embed { patches, rows }));
    let table = r.shared("mask", [2, heads]);
    let index = r.r.slot("mask.index", [1, tokens, tokens], Role::Input);
    r.mask = Some(ScoreBias { table, index });
    for block in 0..text.tower.sizes.layers {
        x = r.block(x, block, None);
    }
    let last = r.norm(x, "layernorm");
    r.r.plan.output("text_last_hidden_state", last);
    let index = r.r.slot("pooled.row", [1, 1, 1], Role::Input);
    let gather = Gather { x: last, index, residual: None };
    let pooled = r.r.push("pooled", [1, c], Op::Gather(gather));
    match text.head {
        TextHead::Projection(width) => {
            r.r.plan.output("text_pooler_output", pooled);
            let features = r.r.linear(pooled, "projection", width).unbiased("text_features");
            r.r.plan.output("text_features", features);
        }
        TextHead::Pooler(width) => {
            let features = r.r.linear(pooled, "projection", width).biased("text_features");
            r.r.plan.output("text_pooler_output", features);
            r.r.plan.output("text_features", features);
        }
    }
    r.r.plan
}
