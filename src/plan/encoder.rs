//! The encoder, recorded: it reads as the paper does.

use super::head::{Map, record_head};
use super::op::*;
use crate::model::{Activation, FinalNorm, HeadSpec, NormKind, Spec};

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
    let tokens = input.tokens(spec);
    let plan = Plan { batch, tokens, slots: Vec::new(), steps: Vec::new() };
    let mut r = Recorder { spec, plan, layer: 0 };
    let x = r.embed(input);
    r.tap(x, taps);
    for layer in 1..=spec.sizes.layers {
        r.layer = layer;
        r.block(x);
        r.tap(x, taps);
    }
    r.finish(x);
    r.plan
}

/// Records the forward pass and a segmentation head of `d` channels on the outputs of its blocks;
/// blocks that it does not need are left out. The output is `logits`, `[h'·w', classes]` with
/// classes rounded up to a multiple of 4.
pub fn record_segment(spec: &Spec, head: &HeadSpec, d: usize, input: Input, batch: usize) -> Plan {
    let tokens = input.tokens(spec);
    let plan = Plan { batch, tokens, slots: Vec::new(), steps: Vec::new() };
    let mut r = Recorder { spec, plan, layer: 0 };
    let x = r.embed(input);
    let size = input.grid(spec.sizes.patch).unwrap_or([tokens - spec.prefix_tokens(), 1]);
    let mut kept = std::collections::BTreeMap::new();
    for layer in 1..=head.out_indices.iter().max().map_or(0, |last| last + 1) {
        r.layer = layer;
        r.block(x);
        if head.out_indices.contains(&(layer - 1)) {
            let name = format!("{}.level", layer - 1);
            let (rows, cols) = (size[0] * size[1], spec.sizes.hidden);
            let y = r.plan.add(&name, rows, cols, Role::Temporary);
            r.push(Op::Keep { x, y, skip: spec.prefix_tokens() });
            kept.insert(layer - 1, Map { slot: y, size });
        }
    }
    let levels: Vec<Map> = head.out_indices.iter().map(|index| kept[index]).collect();
    record_head(&mut r.plan, head, d, &levels);
    r.plan
}

/// A plan in the making.
pub(super) struct Recorder<'a> {
    pub(super) spec: &'a Spec,
    pub(super) plan: Plan,
    /// The block that is being recorded, from 1; 0 outside.
    pub(super) layer: usize,
}

impl Recorder<'_> {
    /// Patches `[h·w, C]`, class token and positions: the first hidden state `[N, C]`.
    fn embed(&mut self, input: Input) -> SlotId {
        let (c, tokens) = (self.spec.sizes.hidden, self.plan.tokens);
        let (pixels, patches) = match input {
            Input::PixelEmbeds { .. } => {
                let given = self.slot("pixel_embeds", tokens, c, Role::Input);
                let x = self.slot("hidden_state", tokens, c, Role::Temporary);
                self.push(Op::Keep { x: given, y: x, skip: 0 });
                return x;
            }
            Input::Rgba { height, width } => (
                self.slot("pixels", height, width, Role::Rgba),
                height * width / self.spec.sizes.patch.pow(2),
            ),
            Input::PixelValues { height, width } => (
                self.slot("pixels", self.spec.sizes.channels * height, width, Role::Input),
                height * width / self.spec.sizes.patch.pow(2),
            ),
        };
        let rows = self.slot("patches", patches, self.spec.patch_values(), Role::Temporary);
        let (patch, normal) = (self.spec.sizes.patch, self.spec.preprocessing.normal);
        self.push(Op::Unfold { pixels, rows, patch, normal });
        let embedded = self.slot("patch_embedding", patches, c, Role::Temporary);
        self.linear(rows, embedded, "embeddings.patch_embedding", true, Finish::Store);
        let position = self.slot("position", tokens, c, Role::Shared);
        let x = self.slot("hidden_state", tokens, c, Role::Temporary);
        let cls = "embeddings.class_embedding".to_string();
        self.push(Op::Embed { patches: embedded, position, y: x, cls });
        x
    }

    /// `x += ls1 ⊙ attention(norm1(x))`, then `x += ls2 ⊙ mlp(norm2(x))`, in place.
    fn block(&mut self, x: SlotId) {
        let (c, m, tokens) = (self.spec.sizes.hidden, self.spec.sizes.mlp, self.plan.tokens);
        let block = format!("encoder.layers.{}", self.layer - 1);

        let qkv = self.qkv(x, Role::Temporary);
        let o = self.slot("attention", tokens, c, Role::Temporary);
        self.push(Op::Attention { qkv, y: o, heads: self.spec.sizes.heads });
        let scale = format!("{block}.ls1");
        self.linear(o, x, &format!("{block}.attn.proj"), true, Finish::Residual { scale });

        let b = self.norm(x, &format!("{block}.norm2"));
        let hidden = self.slot("mlp", tokens, m, Role::Temporary);
        let Activation::GeluErf = self.spec.activation;
        self.linear(b, hidden, &format!("{block}.mlp.fc1"), true, Finish::Gelu);
        let scale = format!("{block}.ls2");
        self.linear(hidden, x, &format!("{block}.mlp.fc2"), true, Finish::Residual { scale });
    }

    /// Keeps the last hidden state, after a final norm where there is one.
    fn finish(&mut self, x: SlotId) {
        let last = match self.spec.final_norm {
            FinalNorm::None => x,
            FinalNorm::Tokens => self.norm(x, "layernorm"),
        };
        self.keep(last, "last_hidden_state".into());
    }

    fn tap(&mut self, x: SlotId, taps: &[usize]) {
        if taps.contains(&self.layer) {
            self.keep(x, format!("hidden_states.{}", self.layer));
        }
    }

    fn keep(&mut self, x: SlotId, name: String) {
        let slot = Slot { name, role: Role::Output, ..self.plan.slots[x].clone() };
        self.plan.slots.push(slot);
        let y = self.plan.slots.len() - 1;
        self.push(Op::Keep { x, y, skip: 0 });
    }

    pub(super) fn norm(&mut self, x: SlotId, name: &str) -> SlotId {
        let norm = self.spec.norm;
        let y = self.slot("normed", self.plan.tokens, self.spec.sizes.hidden, Role::Temporary);
        self.push(Op::Norm {
            x,
            y,
            plane: 0,
            weight: format!("{name}.weight"),
            bias: (norm.kind == NormKind::Layer).then(|| format!("{name}.bias")),
            kind: norm.kind,
            eps: norm.eps,
            gelu: false,
        });
        y
    }

    pub(super) fn linear(&mut self, x: SlotId, y: SlotId, name: &str, bias: bool, finish: Finish) {
        let bias = bias.then(|| format!("{name}.bias"));
        let weight = format!("{name}.weight");
        self.push(Op::Linear { x, y, weight, bias, window: None, finish });
    }

    /// A new slot; inside a block its name carries the block's number.
    pub(super) fn slot(&mut self, name: &str, rows: usize, cols: usize, role: Role) -> SlotId {
        let name = match self.layer {
            0 => name.to_string(),
            layer => format!("{}.{name}", layer - 1),
        };
        self.plan.add(&name, rows, cols, role)
    }

    pub(super) fn push(&mut self, op: Op) {
        self.plan.steps.push(Step { op, layer: self.layer });
    }
}
