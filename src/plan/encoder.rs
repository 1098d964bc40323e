//! The encoder, recorded: it reads as the paper does.

use super::op::*;
use crate::model::{Activation, FinalNorm, NormKind, QkNorm, Spec};

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

struct Recorder<'a> {
    spec: &'a Spec,
    plan: Plan,
    layer: usize,
}

impl Recorder<'_> {
    /// Patches `[h·w, C]`, class token and positions: the first hidden state `[N, C]`.
    fn embed(&mut self, input: Input) -> SlotId {
        let (c, tokens) = (self.spec.sizes.hidden, self.plan.tokens);
        let (pixels, patches) = match input {
            Input::PixelEmbeds { .. } => {
                let given = self.slot("pixel_embeds", tokens, c, Role::Input);
                let x = self.slot("hidden_state", tokens, c, Role::Temporary);
                self.push(Op::Keep { x: given, y: x });
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
        self.push(Op::Unfold { pixels, rows, patch: self.spec.sizes.patch });
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

        let a = self.norm(x, &format!("{block}.norm1"));
        let qkv = self.slot("qkv", tokens, c, Role::Temporary);
        self.plan.slots[qkv].planes = 3;
        self.linear(a, qkv, &format!("{block}.attn.qkv"), self.spec.qkv_bias, Finish::Store);
        if self.spec.qk_norm == QkNorm::FullWidth {
            for (plane, name) in ["q_norm", "k_norm"].into_iter().enumerate() {
                self.push(Op::Norm {
                    x: qkv,
                    y: qkv,
                    plane,
                    weight: format!("{block}.attn.{name}.weight"),
                    bias: None,
                    kind: NormKind::Rms,
                    eps: self.spec.norm.eps,
                });
            }
        }
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
        self.push(Op::Keep { x, y });
    }

    fn norm(&mut self, x: SlotId, name: &str) -> SlotId {
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
        });
        y
    }

    fn linear(&mut self, x: SlotId, y: SlotId, name: &str, bias: bool, finish: Finish) {
        let bias = bias.then(|| format!("{name}.bias"));
        self.push(Op::Linear { x, y, weight: format!("{name}.weight"), bias, finish });
    }

    /// A new slot; inside a block its name carries the block's number.
    fn slot(&mut self, name: &str, rows: usize, cols: usize, role: Role) -> SlotId {
        let name = match self.layer {
            0 => name.to_string(),
            layer => format!("{}.{name}", layer - 1),
        };
        self.plan.slots.push(Slot { name, planes: 1, rows, cols, role });
        self.plan.slots.len() - 1
    }

    fn push(&mut self, op: Op) {
        self.plan.steps.push(Step { op, layer: self.layer });
    }
}
