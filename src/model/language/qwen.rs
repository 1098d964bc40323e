//! Qwen2, Qwen2.5, Qwen3 and Llama's form, as transformers writes them.
//!
//! Source: `Qwen2Config`, `Qwen3Config`, `LlamaConfig` of transformers, and their models.

use super::{Family, LanguageSpec};
use crate::Result;
use crate::model::fields::Fields;
use crate::model::names::{Rule, elsewhere, part, whole};

pub(super) const QWEN2: Family = Family {
    names: &["Qwen2ForCausalLM", "qwen2"],
    read: |_, spec| {
        spec.qkv_bias = true;
        Ok(())
    },
    rules: &RULES,
    embedding: EMBEDDING,
    head: HEAD,
    neighbours: false,
};

pub(super) const QWEN3: Family = Family {
    names: &["Qwen3ForCausalLM", "qwen3"],
    read: |keys, spec| {
        spec.head_dim = keys.size("head_dim", 128)?;
        spec.qk_norm = true;
        biases(keys, spec)
    },
    ..QWEN2
};

pub(super) const LLAMA: Family = Family {
    names: &["LlamaForCausalLM", "llama"],
    read: |keys, spec| {
        keys.only("mlp_bias", false.into())?;
        biases(keys, spec)
    },
    neighbours: true,
    ..QWEN2
};

/// One key says that all four products of attention have a bias.
fn biases(keys: &Fields<'_>, spec: &mut LanguageSpec) -> Result<()> {
    spec.qkv_bias = keys.flag("attention_bias", false)?;
    spec.out_bias = spec.qkv_bias;
    Ok(())
}

const EMBEDDING: &str = "embed_tokens.weight";

const HEAD: &str = "lm_head.weight";

const RULES: [Rule; 14] = [
    whole(EMBEDDING, "embeddings.token_embedding.weight"),
    whole("norm.", "layernorm."),
    whole("layers.*.input_layernorm.", "encoder.layers.*.norm1."),
    whole("layers.*.post_attention_layernorm.", "encoder.layers.*.norm2."),
    whole("layers.*.self_attn.q_proj.", "encoder.layers.*.attn.q."),
    whole("layers.*.self_attn.k_proj.", "encoder.layers.*.attn.k."),
    whole("layers.*.self_attn.v_proj.", "encoder.layers.*.attn.v."),
    whole("layers.*.self_attn.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("layers.*.self_attn.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("layers.*.self_attn.o_proj.", "encoder.layers.*.attn.proj."),
    part("layers.*.mlp.gate_proj.weight", "encoder.layers.*.mlp.fc1.weight", [0, 2]),
    part("layers.*.mlp.up_proj.weight", "encoder.layers.*.mlp.fc1.weight", [1, 2]),
    whole("layers.*.mlp.down_proj.", "encoder.layers.*.mlp.fc2."),
    elsewhere("layers.*.self_attn.rotary_emb.inv_freq"),
];
