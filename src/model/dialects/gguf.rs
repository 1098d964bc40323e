//! InternViT in a projector's GGUF.
//!
//! Source: `tensor_mapping.py` of the package `gguf`.

use crate::model::names::{Rule, Scheme, part, whole};

pub(super) const SCHEME: Scheme = Scheme {
    tokens: &["v.class_embd"],
    patches: "v.patch_embd.weight",
    behind: "",
    rules: &[&RULES],
    beside: &[],
    elsewhere: &["mm.", "blk.", "token_embd.", "output.", "output_norm."],
};

const RULES: [Rule; 16] = [
    whole("v.class_embd", "embeddings.class_embedding"),
    whole("v.position_embd.weight", "embeddings.position_embedding"),
    whole("v.patch_embd.", "embeddings.patch_embedding."),
    whole("v.blk.*.ln1.", "encoder.layers.*.norm1."),
    whole("v.blk.*.ln2.", "encoder.layers.*.norm2."),
    part("v.blk.*.attn_q.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("v.blk.*.attn_k.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("v.blk.*.attn_v.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("v.blk.*.attn_q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("v.blk.*.attn_k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("v.blk.*.attn_out.", "encoder.layers.*.attn.proj."),
    whole("v.blk.*.ls1.weight", "encoder.layers.*.ls1"),
    whole("v.blk.*.ls2.weight", "encoder.layers.*.ls2"),
    whole("v.blk.*.ffn_up.", "encoder.layers.*.mlp.fc1."),
    whole("v.blk.*.ffn_down.", "encoder.layers.*.mlp.fc2."),
    whole("v.post_ln.", "layernorm."),
];
