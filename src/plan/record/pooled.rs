//! What is computed of the last hidden state: the pooled token, classes, embeddings, features for others.

use super::encoder::EncoderRecorder;
use crate::model::{Activation, Classifier, FinalNorm, Mlp, NormKind, Pool, WeightKind};
use crate::plan::{self, Attention, Concat, Gather, Map, Op, Plane, PoolKind, Slice, SlotId};

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
        let (c, heads) = (self.r.cols(last), self.spec.sizes.heads);
        self.r.weight("pool.probe", [1, 1, c], &[1, 1, c], WeightKind::Table);
        let (probe, row) = (self.shared("probe", [1, c]), self.shared("probe.row", [1, 1]));
        let gather = Gather { x: probe, index: row, residual: None };
        let probe = self.r.push("pool.probe", [1, c], Op::Gather(gather));
        let q = self.r.linear(probe, "pool.q", c).biased("pool.q");
        let kv = self.r.linear(last, "pool.kv", c).planes(2).biased("pool.kv");
        let [k, v] = [0, 1].map(|plane| Plane { slot: kv, plane });
        let attention = Op::Attention(Attention::new([q.into(), k, v], heads));
        let a = self.r.push("pool.attention", [1, c], attention);
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
        let [q, k, v] = [("q", mean), ("k", last), ("v", last)].map(|(name, x)| {
            let norm = format!("pool.norm_{name}");
            let x = self.r.norm(x, &norm, NormKind::Layer, MEAN_QUERY_EPS);
            let name = format!("pool.{name}");
            self.r.linear(x, &name, c).biased(&name)
        });
        let attention = Op::Attention(Attention::new([q.into(), k.into(), v.into()], heads));
        let a = self.r.push("pool.attention", [1, c], attention);
        self.r.linear(a, "pool.proj", width).biased("image_features")
    }
}
