//! One block up to its queries and keys, recorded: what attention maps are made of.

use super::encoder::Recorder;
use super::op::*;
use crate::model::{NormKind, QkNorm, Spec};

/// Records norm, q/k/v product and q/k norms of block `layer` (from 1) for one picture of `tokens`
/// tokens (prefix included).
///
/// Input: `hidden_state` `[tokens, C]`, the output of the block before. Output: `{layer-1}.qkv`,
/// three planes `[tokens, C]`.
pub fn record_attention(spec: &Spec, tokens: usize, layer: usize) -> Plan {
    let plan = Plan { batch: 1, tokens, slots: Vec::new(), steps: Vec::new() };
    let mut r = Recorder { spec, plan, layer: 0 };
    let x = r.slot("hidden_state", tokens, spec.sizes.hidden, Role::Input);
    r.layer = layer;
    r.qkv(x, Role::Output);
    r.plan
}

impl Recorder<'_> {
    /// `norm1(x)` to q, k and v, q and k normed where the spec says so: planes `[N, C]`.
    pub(super) fn qkv(&mut self, x: SlotId, role: Role) -> SlotId {
        let block = format!("encoder.layers.{}", self.layer - 1);
        let a = self.norm(x, &format!("{block}.norm1"));
        let qkv = self.slot("qkv", self.plan.tokens, self.spec.sizes.hidden, role);
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
                    gelu: false,
                });
            }
        }
        qkv
    }
}
