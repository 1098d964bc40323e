//! What is computed of the last hidden state: the pooled token, classes, embeddings, features for others.

use super::encoder::EncoderRecorder;
use crate::model::{Activation, Classifier, FinalNorm, Mlp, NormKind, Pool, Spec, WeightKind};
use crate::plan::{
    self, Attention, Concat, Gather, Map, Op, Plan, Plane, PoolKind, Role, Slice, SlotId,
};

/// Records what texts are compared with, of every token by itself. In the last block attention is replaced by
/// its values (Zhou et al. 2022, arXiv:2112.01071); where a learned query gathers the tokens, that attention is.
///
/// Input: `hidden_state` `[tokens, C]`, that of [`dense_layer`]. Output: `dense` `[tokens, width]`, with the
/// width of [`Spec::image_features`].
pub fn record_dense(spec: &Spec, tokens: usize) -> Plan {
    let mut r = EncoderRecorder::within(spec, 1, "");
    let mut x = r.r.slot("hidden_state", [1, tokens, spec.sizes.hidden], Role::Input);
    if !gathers(spec) {
        x = r.block_of_values(x, dense_layer(spec));
    }
    if spec.final_norm != FinalNorm::None {
        x = r.norm(x, "layernorm");
    }
    if spec.pool == Pool::Map {
        let [k, v] = r.pool_keys(x);
        // Of one key softmax is 1, whatever the query.
        x = r.gathered([k, k, v], tokens);
    }
    if let Pool::MeanQuery { width, .. } = spec.pool {
        let v = r.pool_part(x, "v");
        x = r.r.linear(v, "pool.proj", width).biased("image_features");
    }
    if let Classifier::Projection { width, bias } = spec.classifier {
        x = r.r.linear(x, "projection", width).bias_if(bias).record("image_features");
    }
    r.r.plan.output("dense", x);
    r.r.plan
}

/// The hidden state that [`record_dense`] begins with.
pub fn dense_layer(spec: &Spec) -> usize {
    spec.sizes.layers - spec.unused - usize::from(!gathers(spec))
}

/// Whether an attention of its own gathers the tokens behind the last block.
fn gathers(spec: &Spec) -> bool {
    matches!(spec.pool, Pool::Map | Pool::MeanQuery { .. })
}

/// The outputs that have one row a picture.
pub const POOLED: [&str; 5] =
    ["pooler_output", "logits", "cls_logits", "distillation_logits", "image_features"];

/// What the norms before InternVL-C's pooling add to the variance.
const MEAN_QUERY_EPS: f32 = 1e-5;

impl EncoderRecorder<'_> {
    /// Records all that the spec computes of `last`, the last hidden state.
    pub(super) fn pooled(&mut self, last: SlotId) {
        if let Some(projector) = self.spec.projector.clone() {
            let mut x = last;
            let end = projector.widths.len().saturating_sub(1);
            for (layer, width) in projector.widths.iter().enumerate() {
                let name = format!("projector.{layer}");
                let linear = self.r.linear(x, &name, *width);
                let linear =
                    if layer < end { linear.activation(projector.activation) } else { linear };
                x = linear.biased(&name);
            }
            self.r.plan.output(&projector.output, x);
        }
        let (spec, c) = (self.spec, self.spec.sizes.hidden);
        // Token 0 as it is needs no step: whoever wants it reads it from the last hidden state.
        let plain = spec.pool == Pool::Cls && spec.final_norm != FinalNorm::Pooled && !spec.dense;
        if spec.pool == Pool::None || plain && spec.classifier == Classifier::None {
            return;
        }
        let mut x = match spec.pool {
            Pool::None | Pool::Cls => self.token(last, 0, "class_token"),
            Pool::Mean => self.mean(last, spec.prefix_tokens()),
            Pool::Map => self.attended(last),
            Pool::MeanQuery { heads, width } => {
                let features = self.attended_by_mean(last, heads, width);
                return self.r.plan.output("image_features", features);
            }
        };
        if spec.final_norm == FinalNorm::Pooled {
            x = self.norm(x, "layernorm");
        }
        let token = x;
        if spec.dense {
            let dense = self.r.linear(x, "pooler.dense", c);
            x = dense.activation(Activation::HyperbolicTangent).biased("pooler");
        }
        self.r.plan.output("pooler_output", x);
        match spec.classifier {
            Classifier::None => {}
            // The pooler's dense layer is for other uses.
            Classifier::Classes(classes) => self.logits(token, "classifier", classes, "logits"),
            Classifier::ClassesOfBoth(classes) => {
                let mean = self.mean(last, spec.prefix_tokens());
                let maps = [x, mean].map(|slot| Map { slot, size: [1, 1] }).to_vec();
                let both = Op::Concat(Concat { maps, to: [1, 1] });
                let both = self.r.push("class_and_mean", [1, 2 * c], both);
                self.logits(both, "classifier", classes, "logits");
            }
            Classifier::Distilled(classes) => {
                let teacher = self.token(last, 1, "distillation_token");
                self.logits(x, "classifier", classes, "cls_logits");
                self.logits(teacher, "distillation_classifier", classes, "distillation_logits");
            }
            Classifier::Projection { width, bias } => {
                let projection = self.r.linear(x, "projection", width);
                let features = projection.bias_if(bias).record("image_features");
                self.r.plan.output("image_features", features);
            }
        }
    }

    fn logits(&mut self, x: SlotId, name: &str, classes: usize, output: &str) {
        let slot = self.r.linear(x, name, classes).biased(output);
        self.r.plan.output(output, slot);
    }

    /// The mean of the tokens from `first` on.
    fn mean(&mut self, last: SlotId, first: usize) -> SlotId {
        let c = self.r.cols(last);
        let rows = self.r.rows(last) - first;
        let mut x = last;
        if first > 0 {
            x = self.r.push("patch_tokens", [rows, c], Op::Slice(Slice { x, first }));
        }
        let x = Map { slot: x, size: [rows, 1] };
        let pool = plan::Pool { x, to: [1, 1], kind: PoolKind::Mean };
        self.r.push("mean", [1, c], Op::Pool(pool))
    }

    /// A learned query attends to all tokens; `y = a + mlp(norm(a))` of what it gathers.
    fn attended(&mut self, last: SlotId) -> SlotId {
        let c = self.r.cols(last);
        self.r.weight("pool.probe", [1, 1, c], &[1, 1, c], WeightKind::Table);
        let (probe, row) = (self.shared("probe", [1, c]), self.shared("probe.row", [1, 1]));
        let gather = Gather { x: probe, index: row, residual: None };
        let probe = self.r.push("pool.probe", [1, c], Op::Gather(gather));
        let q = self.r.linear(probe, "pool.q", c).biased("pool.q");
        let [k, v] = self.pool_keys(last);
        self.gathered([q.into(), k, v], 1)
    }

    /// Keys and values of the tokens for the query that pools.
    fn pool_keys(&mut self, last: SlotId) -> [Plane; 2] {
        let c = self.r.cols(last);
        let slot = self.r.linear(last, "pool.kv", c).planes(2).biased("pool.kv");
        [0, 1].map(|plane| Plane { slot, plane })
    }

    /// What queries gather, one in each of `groups` of the keys.
    fn gathered(&mut self, qkv: [Plane; 3], groups: usize) -> SlotId {
        let (c, heads) = (self.spec.sizes.hidden, self.spec.sizes.heads);
        let attention = Op::Attention(Attention { groups, ..Attention::new(qkv, heads) });
        let a = self.r.push("pool.attention", [groups, c], attention);
        let a = self.r.linear(a, "pool.proj", c).biased("pool.proj");
        let m = self.norm(a, "pool.norm");
        let Mlp { activation, .. } = self.spec.mlp;
        let m = self.r.linear(m, "pool.mlp.fc1", self.spec.sizes.mlp).activation(activation);
        let m = m.biased("pool.mlp.fc1");
        self.r.linear(m, "pool.mlp.fc2", c).add(a).biased("pooler")
    }

    /// The mean of all tokens attends to them; there is no residual.
    fn attended_by_mean(&mut self, last: SlotId, heads: usize, width: usize) -> SlotId {
        let c = self.r.cols(last);
        let mean = self.mean(last, 0);
        let [q, k, v] =
            [("q", mean), ("k", last), ("v", last)].map(|(name, x)| self.pool_part(x, name));
        let attention = Op::Attention(Attention::new([q.into(), k.into(), v.into()], heads));
        let a = self.r.push("pool.attention", [1, c], attention);
        self.r.linear(a, "pool.proj", width).biased("image_features")
    }

    /// Queries, keys or values of InternVL-C's pooling, each behind a norm of its own.
    fn pool_part(&mut self, x: SlotId, name: &str) -> SlotId {
        let (c, norm) = (self.r.cols(x), format!("pool.norm_{name}"));
        let x = self.r.norm(x, &norm, NormKind::Layer, MEAN_QUERY_EPS);
        let name = format!("pool.{name}");
        self.r.linear(x, &name, c).biased(&name)
    }
}
