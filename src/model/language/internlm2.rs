//! InternLM2 and 2.5, as their remote code writes them.
//!
//! Source: `configuration_internlm2.py` and `modeling_internlm2.py` of InternLM's repositories on the hub.

use super::Family;
use crate::model::names::{Rule, elsewhere, part, whole};

pub(super) const INTERNLM2: Family = Family {
    names: &["InternLM2ForCausalLM", "internlm2"],
    read: |keys, _| keys.only("bias", false.into()),
    rules: &RULES,
    embedding: EMBEDDING,
    head: "output.weight",
    neighbours: true,
};

const EMBEDDING: &str = "tok_embeddings.weight";

const RULES: [Rule; 10] = [
    whole(EMBEDDING, "embeddings.token_embedding.weight"),
    whole("norm.", "layernorm."),
    whole("layers.*.attention_norm.", "encoder.layers.*.norm1."),
    whole("layers.*.ffn_norm.", "encoder.layers.*.norm2."),
    whole("layers.*.attention.wqkv.weight", "encoder.layers.*.attn.qkv.weight"),
    whole("layers.*.attention.wo.", "encoder.layers.*.attn.proj."),
    part("layers.*.feed_forward.w1.weight", "encoder.layers.*.mlp.fc1.weight", [0, 2]),
    part("layers.*.feed_forward.w3.weight", "encoder.layers.*.mlp.fc1.weight", [1, 2]),
    whole("layers.*.feed_forward.w2.", "encoder.layers.*.mlp.fc2."),
    elsewhere("layers.*.attention.rotary_emb.inv_freq"),
];
