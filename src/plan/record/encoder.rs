//! The encoder, recorded: it reads as the paper does.

use super::{Recorder, names, stages};
use crate::model::{FinalNorm, HeadSpec, Mlp, NormKind, Order, QkNorm, Rope, Spec, WeightKind};
use crate::plan::{
    self, Add, Attention, Embed, Map, Op, Patchify, Plan, Plane, Role, Rotate, ScoreBias, Slice,
    Slot, SlotId,
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
/// the embedding, i the output of block i, or of stage i where there are stages.
///
/// Outputs: `last_hidden_state` and `hidden_states.{i}`, all `[tokens, C]`, and what the spec computes of
/// them, of [`POOLED`](super::POOLED) `[1, C]`. Inputs: `pixels`, or `pixel_embeds`; what
/// [`host_inputs`](crate::plan::host_inputs) makes.
pub fn record(spec: &Spec, input: Input, batch: usize, taps: &[usize]) -> Plan {
    let mut r = EncoderRecorder::new(spec, batch);
    let mut x = r.embed(input);
    r.tap(x, 0, taps);
    // Weights of blocks that are left out are part of the model all the same.
    let last = spec.sizes.layers - spec.unused;
    let mut kept = x;
    let grid = input.grid(spec.sizes.patch);
    match spec.windows {
        None => {
            for block in 0..spec.sizes.layers {
                x = r.block(x, block, grid);
                r.tap(x, block + 1, taps);
                if block + 1 == last {
                    kept = x;
                }
            }
        }
        Some(_) => {
            for stage in stages(spec, grid.unwrap_or([1, 1])) {
                x = r.stage(x, &stage);
                r.tap(x, stage.number + 1, taps);
            }
            kept = x;
        }
    }
    let last = r.finish(kept);
    r.r.plan.output("last_hidden_state", last);
    r.pooled(last);
    r.r.plan
}

/// Records the forward pass and a segmentation head of `d` channels on the outputs of its blocks;
/// blocks that it does not need are left out. The output is `logits`, `[h'·w', classes]` with
/// classes rounded up to a multiple of 4.
pub fn record_segment(spec: &Spec, head: &HeadSpec, d: usize, input: Input, batch: usize) -> Plan {
    let mut r = EncoderRecorder::new(spec, batch);
    let prefix = spec.prefix_tokens();
    let size = input.grid(spec.sizes.patch).unwrap_or([input.tokens(spec) - prefix, 1]);
    let mut x = r.embed(input);
    let grid = input.grid(spec.sizes.patch);
    let mut levels = std::collections::BTreeMap::new();
    for block in 0..head.out_indices.iter().max().map_or(0, |last| last + 1) {
        x = r.block(x, block, grid);
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
/// Inputs: `hidden_state` `[tokens, C]`, the output of the block before, and `angles` where the spec
/// rotates. Outputs: `queries` and `keys`,
/// slots whose first and second plane, or only plane, `[tokens, C]` they are.
pub fn record_attention(spec: &Spec, tokens: usize, layer: usize) -> (Plan, [Plane; 2]) {
    let mut r = EncoderRecorder::new(spec, 1);
    let shape = [1, tokens, spec.sizes.hidden];
    let x = r.r.slot("hidden_state", shape, Role::Input);
    r.r.enter(layer - 1);
    let a = match spec.order {
        Order::ResidualPost => x,
        Order::Pre | Order::Parallel => r.norm(x, "norm1"),
    };
    let [q, k, _] = r.qkv(a, spec.sizes.heads);
    r.r.plan.output("queries", q.slot);
    r.r.plan.output("keys", k.slot);
    (r.r.plan, [q, k])
}

pub(super) struct EncoderRecorder<'a> {
    pub(super) spec: &'a Spec,
    pub(super) r: Recorder,
    /// What is added to the scores of every block.
    pub(super) mask: Option<ScoreBias>,
}

impl<'a> EncoderRecorder<'a> {
    fn new(spec: &'a Spec, batch: usize) -> Self {
        Self::within(spec, batch, "")
    }

    /// Of a tower whose weights' names begin with `base`.
    pub(super) fn within(spec: &'a Spec, batch: usize, base: &str) -> Self {
        Self { spec, r: Recorder::new(Plan::new(batch), base, ""), mask: None }
    }

    /// Patches `[h·w, C]`, prefix tokens and positions: the first hidden state `[N, C]`.
    fn embed(&mut self, input: Input) -> SlotId {
        let (spec, sizes, tokens) = (self.spec, self.spec.sizes, input.tokens(self.spec));
        // A model of stages begins with fewer channels.
        let c = stages(spec, [1, 1]).first().map_or(sizes.hidden, |stage| stage.hidden);
        let patch = sizes.patch;
        let (pixels, [height, width]) = match input {
            Input::PixelEmbeds { .. } => {
                return self.r.slot("pixel_embeds", [1, tokens, c], Role::Input);
            }
            Input::Rgba { height, width } => {
                (self.r.slot("pixels", [1, height, width], Role::Rgba), [height, width])
            }
            Input::PixelValues { height, width } => {
                let shape = [1, sizes.channels * height, width];
                (self.r.slot("pixels", shape, Role::Input), [height, width])
            }
        };
        let shape = [(height / patch) * (width / patch), spec.patch_values()];
        let normal = spec.preprocessing.normal;
        let patchify = Op::Patchify(Patchify { pixels, patch, normal });
        let rows = self.r.push("patches", shape, patchify);
        let mut table = |name: &str, rows: usize| {
            self.r.weight(name, [1, rows, c], &[1, rows, c], WeightKind::Table);
        };
        for name in names::prefix(spec) {
            table(name, if name == names::REGISTER_TOKENS { spec.prefix.registers } else { 1 });
        }
        let layer = self.r.linear(rows, "embeddings.patch_embedding", c);
        let layer = layer.stored(vec![c, sizes.channels, patch, patch]);
        let mut x = layer.bias_if(spec.patch_bias).record("patch_embedding");
        if let Some(rows) = spec.position.table_rows(spec) {
            let shape = [1, rows, c];
            self.r.weight(names::POSITION_TABLE, shape, &shape, WeightKind::Table);
        }
        if spec.has_embed() {
            // Made by the host.
            let rows = self.r.slot("position", [1, tokens, c], Role::Shared);
            x = self.r.push("embedded", [tokens, c], Op::Embed(Embed { patches: x, rows }));
        }
        if spec.stem_norm {
            x = self.norm(x, "embeddings.norm");
        }
        if spec.relative.is_shared() {
            let entries = (2 * spec.native_grid() - 1).pow(2) + 3 * usize::from(spec.prefix.cls);
            self.bias_table(names::SHARED_BIAS, entries, sizes.heads);
        }
        self.r.plan.slots[x].name = "hidden_states.0".into();
        x
    }

    /// A table of relative positions, which the host reads.
    pub(super) fn bias_table(&mut self, name: &str, entries: usize, heads: usize) {
        self.r.weight(name, [1, entries, heads], &[entries, heads], WeightKind::Table);
    }

    /// A block, of which nothing but the result is named after the hidden state.
    pub(super) fn block(&mut self, x: SlotId, block: usize, grid: Option<[usize; 2]>) -> SlotId {
        self.r.enter(block);
        let bias = self.mask.or_else(|| self.relative(block, grid?));
        let heads = self.spec.sizes.heads;
        let attend = |this: &mut Self, a: SlotId, add: Option<SlotId>| {
            let a = this.attention(a, heads, 1, bias);
            this.projected(a, add)
        };
        let y = self.residual(x, &attend);
        self.r.leave();
        self.r.plan.slots[y].name = format!("hidden_states.{}", block + 1);
        y
    }

    /// A block in which each token attends to itself alone: attention is its values.
    pub(super) fn block_of_values(&mut self, x: SlotId, block: usize) -> SlotId {
        self.r.enter(block);
        let (heads, tokens) = (self.spec.sizes.heads, self.r.rows(x));
        let y = self.residual(x, &|this, a, add| {
            let a = this.attention(a, heads, tokens, None);
            this.projected(a, add)
        });
        self.r.leave();
        y
    }

    /// Both branches of a block around the residual stream x; `attend` computes attention of what was
    /// normed, and adds it.
    pub(super) fn residual(
        &mut self,
        x: SlotId,
        attend: &dyn Fn(&mut Self, SlotId, Option<SlotId>) -> SlotId,
    ) -> SlotId {
        match self.spec.order {
            Order::Pre => {
                let a = self.norm(x, "norm1");
                let x = attend(self, a, Some(x));
                let m = self.norm(x, "norm2");
                self.mlp(m, Some(x))
            }
            Order::ResidualPost => {
                let a = attend(self, x, None);
                let a = self.norm(a, "norm1");
                let x = self.sum(a, x, "attended");
                let m = self.mlp(x, None);
                let m = self.norm(m, "norm2");
                self.sum(m, x, "output")
            }
            Order::Parallel => {
                let n = self.norm(x, "norm1");
                let x = attend(self, n, Some(x));
                self.mlp(n, Some(x))
            }
        }
    }

    fn sum(&mut self, x: SlotId, to: SlotId, name: &str) -> SlotId {
        let shape = [self.r.rows(x), self.r.cols(x)];
        self.r.push(name, shape, Op::Add(Add { x, to }))
    }

    /// Attention of the normed `a` by `heads`, within `groups`, with the sub-norm.
    pub(super) fn attention(
        &mut self,
        a: SlotId,
        heads: usize,
        groups: usize,
        bias: Option<ScoreBias>,
    ) -> SlotId {
        let shape = [self.r.rows(a), self.r.cols(a)];
        let qkv = self.qkv(a, heads);
        let attention = Attention { groups, bias, ..Attention::new(qkv, heads) };
        let a = self.r.push("attention", shape, Op::Attention(attention));
        if self.spec.sub_norm.attention { self.norm(a, "attn.norm") } else { a }
    }

    /// Attention's projection, scaled, and added where there is something to add to.
    pub(super) fn projected(&mut self, a: SlotId, add: Option<SlotId>) -> SlotId {
        let c = self.r.cols(a);
        let layer = self.r.linear(a, "attn.proj", c).scale_if(self.spec.layer_scale, "ls1");
        layer.add_if(add).biased("attended")
    }

    /// `ls2 ⊙ mlp(m)`, added where there is something to add to.
    fn mlp(&mut self, m: SlotId, add: Option<SlotId>) -> SlotId {
        let c = self.r.cols(m);
        let width = c * self.spec.sizes.mlp / self.spec.sizes.hidden;
        let Mlp { activation, gated } = self.spec.mlp;
        let m = self.r.linear(m, "mlp.fc1", width).activation(activation).gated(gated);
        let mut m = m.biased("mlp");
        if self.spec.sub_norm.mlp {
            m = self.norm(m, "mlp.norm");
        }
        let layer = self.r.linear(m, "mlp.fc2", c).scale_if(self.spec.layer_scale, "ls2");
        layer.add_if(add).biased("output")
    }

    /// Queries, keys and values `[N, C]` of the normed `a`; queries and keys normed and rotated where the
    /// spec says so.
    fn qkv(&mut self, a: SlotId, heads: usize) -> [Plane; 3] {
        let (c, tokens) = (self.r.cols(a), self.r.rows(a));
        let layer = self.r.linear(a, "attn.qkv", c).planes(3);
        let slot = layer.bias_if(self.spec.qkv_bias).record("qkv");
        let [q, k, v] = [0, 1, 2].map(|plane| Plane { slot, plane });
        let [q, k] = [(q, "attn.q_norm"), (k, "attn.k_norm")].map(|(x, name)| {
            let (kind, width) = match self.spec.qk_norm {
                QkNorm::None => return x,
                QkNorm::FullWidth => (NormKind::Rms, c),
                QkNorm::PerHead => (self.spec.norm.kind, c / heads),
            };
            let norm = self.r.norm_of(width, name, kind, self.spec.norm.eps);
            let norm = Op::Norm(plan::Norm { x, ..norm });
            Plane::from(self.r.push(name, [tokens, c], norm))
        });
        let Rope::Axial { pairs, .. } = self.spec.rope else { return [q, k, v] };
        let angles = self.shared("angles", [tokens, c / heads]);
        let [q, k] = [(q, "queries"), (k, "keys")].map(|(x, name)| {
            let rotate = Op::Rotate(Rotate { x, angles, pairs });
            Plane::from(self.r.push(name, [tokens, c], rotate))
        });
        [q, k, v]
    }

    /// A slot that the host fills once for all pictures, the same in every block.
    pub(super) fn shared(&mut self, name: &str, [rows, cols]: [usize; 2]) -> SlotId {
        match self.r.plan.slots.iter().position(|slot| slot.name == name) {
            Some(known) => known,
            None => self.r.plan.add(Slot::new(name, [1, rows, cols], Role::Shared)),
        }
    }

    /// The summands of a block's scores, where the distance of patches counts.
    fn relative(&mut self, block: usize, [rows, cols]: [usize; 2]) -> Option<ScoreBias> {
        let (spec, heads) = (self.spec, self.spec.sizes.heads);
        let prefix = 3 * usize::from(spec.prefix.cls);
        let entries = |[rows, cols]: [usize; 2]| (2 * rows - 1) * (2 * cols - 1) + prefix;
        let name = names::relative_slot(spec.relative, block)?;
        if spec.relative.of_blocks() {
            let native = entries([spec.native_grid(); 2]);
            self.bias_table(&names::block_bias(""), native, heads);
        }
        let table = self.shared(&name, [entries([rows, cols]), heads]);
        let tokens = spec.prefix_tokens() + rows * cols;
        Some(ScoreBias { table, index: self.shared(names::RELATIVE_INDEX, [tokens, tokens]) })
    }

    /// The last hidden state, after a final norm where all tokens have it.
    fn finish(&mut self, x: SlotId) -> SlotId {
        match self.spec.final_norm {
            FinalNorm::None | FinalNorm::Pooled => x,
            FinalNorm::Tokens => self.norm(x, "layernorm"),
        }
    }

    pub(super) fn norm(&mut self, x: SlotId, name: &str) -> SlotId {
        self.r.norm(x, name, self.spec.norm.kind, self.spec.norm.eps)
    }

    fn tap(&mut self, x: SlotId, layer: usize, taps: &[usize]) {
        if taps.contains(&layer) {
            self.r.plan.output(&format!("hidden_states.{layer}"), x);
        }
    }

    /// One row of each picture.
    pub(super) fn token(&mut self, x: SlotId, first: usize, name: &str) -> SlotId {
        let c = self.r.cols(x);
        self.r.push(name, [1, c], Op::Slice(Slice { x, first }))
    }
}
