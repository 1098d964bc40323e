//! The encoder, recorded: it reads as the paper does.

use super::Recorder;
use crate::model::{
    FinalNorm, HeadSpec, Mlp, NormKind, Position, Prefix, QkNorm, Spec, WeightKind,
};
use crate::plan::{
    self, Attention, Embed, Map, Op, Patchify, Plan, Plane, Role, Slice, Slot, SlotId,
};

/// What an encoder is fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Input {
    /// RGBA bytes `[batch, height, width, 4]`, normalised on the device.
    Rgba {
        /// Pixels, a multiple of the patch.
        height: usize,
        /// Pixels, a multiple of the patch.
        width: usize,
    },
    /// `pixel_values` `[batch, 3, height, width]` f32, normalised already.
    PixelValues {
        /// Pixels, a multiple of the patch.
        height: usize,
        /// Pixels, a multiple of the patch.
        width: usize,
    },
    /// `pixel_embeds` `[batch, tokens, C]` f32: what the first block takes.
    PixelEmbeds {
        /// Tokens, prefix included.
        tokens: usize,
    },
}

impl Input {
    /// Rows and columns of patches; unknown for embeddings.
    pub fn grid(self, patch: usize) -> Option<[usize; 2]> {
        match self {
            Self::Rgba { height, width } | Self::PixelValues { height, width } => {
                Some([height / patch, width / patch])
            }
            Self::PixelEmbeds { .. } => None,
        }
    }

    /// Tokens that `spec` makes of it.
    pub fn tokens(self, spec: &Spec) -> usize {
        match (self.grid(spec.sizes.patch), self) {
            (Some([h, w]), _) => spec.prefix_tokens() + h * w,
            (None, Self::PixelEmbeds { tokens }) => tokens,
            (None, _) => 0,
        }
    }
}

/// Records the forward pass for up to `batch` pictures. `taps` are the hidden states to keep: 0 is
/// the embedding, i the output of block i.
///
/// Outputs: `last_hidden_state` and `hidden_states.{i}`, all `[tokens, C]`. Inputs: `pixels`
/// and `position`, or `pixel_embeds`.
pub fn record(spec: &Spec, input: Input, batch: usize, taps: &[usize]) -> Plan {
    let mut r = EncoderRecorder::new(spec, batch);
    let mut x = r.embed(input);
    r.tap(x, 0, taps);
    for block in 0..spec.sizes.layers {
        x = r.block(x, block);
        r.tap(x, block + 1, taps);
    }
    let last = r.finish(x);
    r.r.plan.output("last_hidden_state", last);
    r.r.plan
}

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
    plan.slots.into_iter().filter_map(TensorSpec::of).collect()
}

/// Number of values of all tensors.
pub fn parameters(spec: &Spec) -> u64 {
    let values =
        |tensor: &TensorSpec| tensor.shape.iter().map(|side| *side as u64).product::<u64>();
    tensors(spec).iter().map(values).sum()
}

/// Records the forward pass and a segmentation head of `d` channels on the outputs of its blocks;
/// blocks that it does not need are left out. The output is `logits`, `[h'·w', classes]` with
/// classes rounded up to a multiple of 4.
pub fn record_segment(spec: &Spec, head: &HeadSpec, d: usize, input: Input, batch: usize) -> Plan {
    let mut r = EncoderRecorder::new(spec, batch);
    let prefix = spec.prefix_tokens();
    let size = input.grid(spec.sizes.patch).unwrap_or([input.tokens(spec) - prefix, 1]);
    let mut x = r.embed(input);
    let mut levels = std::collections::BTreeMap::new();
    for block in 0..head.out_indices.iter().max().map_or(0, |last| last + 1) {
        x = r.block(x, block);
        if head.out_indices.contains(&block) {
            let shape = [size[0] * size[1], spec.sizes.hidden];
            let slice = Op::Slice(Slice { x, first: prefix });
            let slot = r.r.push(&format!("level.{block}"), shape, slice);
            levels.insert(block, Map { slot, size });
        }
    }
    let levels: Vec<Map> = head.out_indices.iter().map(|index| levels[index]).collect();
    let mut plan = r.r.plan;
    super::record_head(&mut plan, head, d, &levels);
    plan
}

/// Records norm, q/k/v product and q/k norms of block `layer` (from 1) for one picture of `tokens`
/// tokens (prefix included): what attention maps are made of.
///
/// Input: `hidden_state` `[tokens, C]`, the output of the block before. Outputs: `queries` and `keys`,
/// slots whose first and second plane, or only plane, `[tokens, C]` they are.
pub fn record_attention(spec: &Spec, tokens: usize, layer: usize) -> (Plan, [Plane; 2]) {
    let mut r = EncoderRecorder::new(spec, 1);
    let shape = [1, tokens, spec.sizes.hidden];
    let x = r.r.slot("hidden_state", shape, Role::Input);
    r.r.enter(layer - 1);
    let a = r.norm(x, "norm1");
    let [q, k, _] = r.qkv(a);
    r.r.plan.output("queries", q.slot);
    r.r.plan.output("keys", k.slot);
    (r.r.plan, [q, k])
}

struct EncoderRecorder<'a> {
    spec: &'a Spec,
    r: Recorder,
}

impl<'a> EncoderRecorder<'a> {
    fn new(spec: &'a Spec, batch: usize) -> Self {
        Self { spec, r: Recorder::new(Plan::new(batch), "", "") }
    }

    /// Patches `[h·w, C]`, class token and positions: the first hidden state `[N, C]`.
    fn embed(&mut self, input: Input) -> SlotId {
        let (sizes, tokens) = (self.spec.sizes, input.tokens(self.spec));
        let (c, patch) = (sizes.hidden, sizes.patch);
        let (pixels, patches) = match input {
            Input::PixelEmbeds { .. } => {
                return self.r.slot("pixel_embeds", [1, tokens, c], Role::Input);
            }
            Input::Rgba { height, width } => {
                let pixels = self.r.slot("pixels", [1, height, width], Role::Rgba);
                (pixels, height * width / patch.pow(2))
            }
            Input::PixelValues { height, width } => {
                let shape = [1, sizes.channels * height, width];
                (self.r.slot("pixels", shape, Role::Input), height * width / patch.pow(2))
            }
        };
        let shape = [patches, self.spec.patch_values()];
        let normal = self.spec.preprocessing.normal;
        let patchify = Op::Patchify(Patchify { pixels, patch, normal });
        let rows = self.r.push("patches", shape, patchify);
        let mut table = |name: &str, rows: usize| {
            self.r.weight(name, [1, rows, c], &[1, rows, c], WeightKind::Table);
        };
        let Prefix { cls, registers } = self.spec.prefix;
        if cls {
            table(CLASS_TOKEN, 1);
        }
        if registers > 0 {
            table(REGISTER_TOKENS, registers);
        }
        let layer = self.r.linear(rows, "embeddings.patch_embedding", c);
        let layer = layer.stored(vec![c, sizes.channels, patch, patch]);
        let patches = layer.biased("patch_embedding");
        let Position::Table { prefix, resample: _ } = self.spec.position;
        let shape = [1, prefix + self.spec.native_grid().pow(2), c];
        self.r.weight(POSITION_TABLE, shape, &shape, WeightKind::Table);
        // Made by the caller: `prefix_and_positions`.
        let rows = self.r.slot("position", [1, tokens, c], Role::Shared);
        self.r.push("hidden_states.0", [tokens, c], Op::Embed(Embed { patches, rows }))
    }

    /// `x += ls1 ⊙ attention(norm1(x))`, then `x += ls2 ⊙ mlp(norm2(x))`.
    fn block(&mut self, x: SlotId, block: usize) -> SlotId {
        let (sizes, tokens) = (self.spec.sizes, self.r.rows(x));
        let (c, heads) = (sizes.hidden, sizes.heads);
        self.r.enter(block);
        let a = self.norm(x, "norm1");
        let [q, k, v] = self.qkv(a);
        let attention = Op::Attention(Attention { q, k, v, heads });
        let a = self.r.push("attention", [tokens, c], attention);
        let scales = self.spec.layer_scale;
        let x = self.r.linear(a, "attn.proj", c).scale_if(scales, "ls1").add(x).biased("attended");

        let m = self.norm(x, "norm2");
        let Mlp { activation, gated } = self.spec.mlp;
        let m = self.r.linear(m, "mlp.fc1", sizes.mlp).activation(activation).gated(gated);
        let m = m.biased("mlp");
        let y = self.r.linear(m, "mlp.fc2", c).scale_if(scales, "ls2").add(x).biased("output");
        self.r.leave();
        self.r.plan.slots[y].name = format!("hidden_states.{}", block + 1);
        y
    }

    /// Queries, keys and values `[N, C]` of the normed `a`; queries and keys normed where the spec
    /// says so.
    fn qkv(&mut self, a: SlotId) -> [Plane; 3] {
        let (c, tokens) = (self.spec.sizes.hidden, self.r.rows(a));
        let layer = self.r.linear(a, "attn.qkv", c).planes(3);
        let slot = if self.spec.qkv_bias { layer.biased("qkv") } else { layer.unbiased("qkv") };
        let planes = [0, 1, 2].map(|plane| Plane { slot, plane });
        match self.spec.qk_norm {
            QkNorm::None => planes,
            QkNorm::FullWidth => {
                let [q, k, v] = planes;
                let mut norm = |x: Plane, name: &str| {
                    let norm = self.r.norm_of(slot, name, NormKind::Rms, self.spec.norm.eps);
                    let norm = Op::Norm(plan::Norm { x, ..norm });
                    Plane::from(self.r.push(name, [tokens, c], norm))
                };
                [norm(q, "attn.q_norm"), norm(k, "attn.k_norm"), v]
            }
        }
    }

    /// The last hidden state, after a final norm where there is one.
    fn finish(&mut self, x: SlotId) -> SlotId {
        match self.spec.final_norm {
            FinalNorm::None => x,
            FinalNorm::Tokens => self.norm(x, "layernorm"),
        }
    }

    fn norm(&mut self, x: SlotId, name: &str) -> SlotId {
        self.r.norm(x, name, self.spec.norm.kind, self.spec.norm.eps)
    }

    fn tap(&mut self, x: SlotId, layer: usize, taps: &[usize]) {
        if taps.contains(&layer) {
            self.r.plan.output(&format!("hidden_states.{layer}"), x);
        }
    }
}

/// The class token.
pub const CLASS_TOKEN: &str = "embeddings.class_embedding";

/// The register tokens.
pub const REGISTER_TOKENS: &str = "embeddings.register_tokens";

/// The table of learned positions, of the native grid.
pub const POSITION_TABLE: &str = "embeddings.position_embedding";
