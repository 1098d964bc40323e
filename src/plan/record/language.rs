//! A language model and what it is given of a picture, recorded.

use super::Recorder;
use crate::model::{
    Activation, LANGUAGE, LanguageSpec, NormKind, SquareOrder, VisualSpec, WeightKind,
};
use crate::plan::{
    Append, Causal, Gather, Heads, Op, Plan, Probabilities, Role, Slice, SlotId, Top,
};

/// The table of what each number of a token stands for: the host reads its rows, and a device where it has room for it.
pub const LANGUAGE_TABLE: &str = "language.embeddings.token_embedding.weight";

/// The matrix that makes logits.
pub const LANGUAGE_HEAD: &str = "language.head.weight";

/// The product of queries, keys and values, one behind the other; checkpoints may have three tensors for it.
pub const LANGUAGE_QKV: &str = "attn.qkv";

/// What a run of a language model is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Nothing but what is kept of the tokens.
    Nothing,
    /// Logits of the last token.
    Last,
    /// Logits of every token.
    All,
    /// So many of the largest logits of the last token, at most [`Top::MOST`], with their numbers.
    Best(usize),
    /// Logits of the last token, and where it looked.
    Attention,
    /// As `Best`, and where the token looked.
    BestAttention(usize),
}

impl Wanted {
    /// How many of the largest logits, where it is these.
    pub fn best(self) -> Option<usize> {
        match self {
            Self::Best(count) | Self::BestAttention(count) => Some(count),
            Self::Nothing | Self::Last | Self::All | Self::Attention => None,
        }
    }

    /// Whether it is asked where the last token looked.
    pub fn attention(self) -> bool {
        matches!(self, Self::Attention | Self::BestAttention(_))
    }
}

/// Records the forward pass of `rows` tokens behind what the states hold, which have room for `capacity`.
///
/// Inputs: `embeddings` `[rows, C]`, rows of [`LANGUAGE_TABLE`] or visual tokens; `angles` `[rows, d]`, of
/// [`language_angles`]; `place` `[1, 1]`, how many tokens came before. Output: `logits` `[1, vocabulary]` of the last
/// row, or `[rows, vocabulary]`, or none, or `best` `[1, 2·count]`, values and then numbers; where attention is wanted too,
/// behind it of each block `attentions.1` to `.L` `[heads, capacity]` of the last row.
pub fn record_language(spec: &LanguageSpec, rows: usize, capacity: usize, wanted: Wanted) -> Plan {
    let mut r = Recorder::new(Plan::new(1), LANGUAGE, "");
    table(&mut r, spec);
    let x = r.slot("embeddings", [1, rows, spec.hidden], Role::Input);
    forward(r, spec, x, capacity, wanted)
}

/// The same of one token whose number is fed, and whose row is taken from the table, or where the head is `tied` from the
/// head's matrix. Inputs: `token` `[1, 1]` in place of `embeddings`; output: `best`, of one.
pub fn record_next(spec: &LanguageSpec, capacity: usize, tied: bool) -> Plan {
    let mut r = Recorder::new(Plan::new(1), LANGUAGE, "");
    let table = match tied {
        true => {
            let shape = [1, spec.vocabulary, spec.hidden];
            r.weight("head.weight", shape, &shape[1..], WeightKind::Matrix)
        }
        false => table(&mut r, spec),
    };
    let index = r.slot("token", [1, 1, 1], Role::Shared);
    let gather = Op::Gather(Gather { x: table, index, residual: None });
    let x = r.push("embeddings", [1, spec.hidden], gather);
    forward(r, spec, x, capacity, Wanted::Best(1))
}

fn table(r: &mut Recorder, spec: &LanguageSpec) -> SlotId {
    let shape = [1, spec.vocabulary, spec.hidden];
    r.weight("embeddings.token_embedding.weight", shape, &shape[1..], WeightKind::Table)
}

/// Records what becomes of the tokens' rows `x`.
fn forward(
    mut r: Recorder,
    spec: &LanguageSpec,
    mut x: SlotId,
    capacity: usize,
    wanted: Wanted,
) -> Plan {
    let rows = r.rows(x);
    let angles = r.slot("angles", [1, rows, spec.head_dim], Role::Shared);
    let place = r.slot("place", [1, 1, 1], Role::Shared);
    let mut looks = Vec::new();
    for block in 0..spec.layers {
        r.enter(block);
        let a = rms(&mut r, x, "norm1", spec);
        let (a, look) = attention(&mut r, a, spec, [angles, place], capacity, wanted);
        looks.extend(look);
        let layer = r.linear(a, "attn.proj", spec.hidden).add(x);
        x = layer.bias_if(spec.out_bias).record("attended");
        let m = rms(&mut r, x, "norm2", spec);
        let layer = r.linear(m, "mlp.fc1", spec.mlp).activation(Activation::Silu).gated(true);
        let m = layer.unbiased("mlp");
        x = r.linear(m, "mlp.fc2", spec.hidden).add(x).unbiased("output");
        r.leave();
        r.plan.slots[x].name = format!("hidden_states.{}", block + 1);
    }
    if wanted == Wanted::Nothing {
        return r.plan;
    }
    if wanted != Wanted::All && rows > 1 {
        x = r.push("last", [1, spec.hidden], Op::Slice(Slice { x, first: rows - 1 }));
    }
    let x = rms(&mut r, x, "layernorm", spec);
    let logits = r.linear(x, "head", spec.vocabulary).unbiased("logits");
    match wanted.best() {
        Some(count) => best(&mut r, logits, count),
        None => r.plan.output("logits", logits),
    }
    for (block, look) in looks.into_iter().enumerate() {
        r.plan.output(&format!("attentions.{}", block + 1), look);
    }
    r.plan
}

fn rms(r: &mut Recorder, x: SlotId, name: &str, spec: &LanguageSpec) -> SlotId {
    r.norm(x, name, NormKind::Rms, spec.eps)
}

/// The largest logits of one row: of parts first, then of these.
fn best(r: &mut Recorder, logits: SlotId, count: usize) {
    // In memory of its own, so that the head can read its row through the norm.
    r.plan.slots[logits].role = Role::Output;
    let parts = r.cols(logits).div_ceil(Top::STEP);
    let top = |x, numbered| Op::Top(Top { x, numbered, count });
    let found = r.push("candidates", [parts, 2 * count], top(logits, false));
    let best = r.push("best", [1, 2 * count], top(found, true));
    r.plan.output("best", best);
}

/// Attention of the normed `a` over all that came before, and itself; and where its last row looks, if that is wanted.
fn attention(
    r: &mut Recorder,
    a: SlotId,
    spec: &LanguageSpec,
    [angles, place]: [SlotId; 2],
    capacity: usize,
    wanted: Wanted,
) -> (SlotId, Option<SlotId>) {
    let rows = r.rows(a);
    let [queries, keys] = [spec.heads, spec.key_heads].map(|heads| heads * spec.head_dim);
    let layer = r.linear(a, LANGUAGE_QKV, queries + 2 * keys);
    let x = layer.bias_if(spec.qkv_bias).record("qkv");
    let [query_norm, key_norm] = ["attn.q_norm", "attn.k_norm"].map(|name| {
        let name = format!("{name}.weight");
        let mut weight = || (r.vector(&name, spec.head_dim, WeightKind::Gain), spec.eps);
        spec.qk_norm.then(&mut weight)
    });
    let (queried, keyed) = (spec.heads, spec.key_heads);
    let heads = Heads { x, queries: queried, keys: keyed, angles, query_norm, key_norm };
    let state = r.slot("state", [1, capacity, 2 * keys], Role::State);
    r.write(state, Op::Append(Append { heads: heads.clone(), place, to: state }));
    let look = wanted.attention().then(|| {
        let probabilities = Probabilities { heads: heads.clone(), state, place };
        r.push("attentions", [queried, capacity], Op::Probabilities(probabilities))
    });
    let causal = Op::Causal(Causal { heads, state, place });
    (r.push("attention", [rows, queries], causal), look)
}

/// Cosines of the angles of tokens from `first` on, then their sines, `[rows, d]`.
pub fn language_angles(spec: &LanguageSpec, first: usize, rows: usize) -> Vec<f32> {
    let half = spec.head_dim / 2;
    let frequencies: Vec<f64> =
        (0..half).map(|i| spec.theta.powf(-(i as f64) / half as f64)).collect();
    let mut values = Vec::with_capacity(rows * 2 * half);
    for token in first..first + rows {
        let angles = || frequencies.iter().map(|frequency| token as f64 * frequency);
        values.extend(angles().map(|angle| angle.cos() as f32));
        values.extend(angles().map(|angle| angle.sin() as f32));
    }
    values
}

/// Records the visual tokens of one picture of `grid` patches behind `prefix` tokens, of `c` channels.
///
/// Inputs: `hidden_state` `[prefix + h·w, C]`; `squares` `[h·w / 4, 4]`, of [`squares`]. Output: `visual_tokens`
/// `[h·w / 4, width]`.
pub fn record_visual(visual: &VisualSpec, grid: [usize; 2], prefix: usize, c: usize) -> Plan {
    let patches = grid[0] * grid[1];
    let mut r = Recorder::new(Plan::new(1), "visual.", "");
    let x = r.slot("hidden_state", [1, prefix + patches, c], Role::Input);
    let index = r.slot("squares", [1, patches / 4, 4], Role::Shared);
    let gather = Op::Gather(Gather { x, index, residual: None });
    let x = r.push("joined", [patches / 4, 4 * c], gather);
    let x = r.norm(x, "norm", NormKind::Layer, 1e-5);
    let x = r.linear(x, "fc1", visual.width).activation(Activation::Erf).biased("visual");
    let x = r.linear(x, "fc2", visual.width).biased("visual_tokens");
    r.plan.output("visual_tokens", x);
    r.plan
}

/// The four tokens of each square of patches: two of a row, and the two below.
pub fn squares(visual: &VisualSpec, [rows, cols]: [usize; 2], prefix: usize) -> Vec<f32> {
    let (down, across) = (rows / 2, cols / 2);
    let place = |at: usize| match visual.order {
        SquareOrder::Rows => [at / across, at % across],
        SquareOrder::Columns => [at % down, at / down],
    };
    (0..down * across)
        .flat_map(|at| {
            let [y, x] = place(at);
            let first = prefix + 2 * y * cols + 2 * x;
            [first, first + 1, first + cols, first + cols + 1]
        })
        .map(|token| token as f32)
        .collect()
}
