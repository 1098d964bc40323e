//! timm's names of tensors, and those of the original code of DINOv2, DINOv3 and EVA.

use crate::model::names::{Rule, Scheme, cut, elsewhere, part, same, whole};

pub(super) const NAMES: Scheme = Scheme {
    tokens: &["cls_token", "patch_embed.proj.weight"],
    patches: "patch_embed.proj.weight",
    behind: "",
    rules: &[&RULES, &BLOCK_RULES],
    beside: &[],
    elsewhere: &[
        "mask_token",
        "rope.",
        "rope_embed.",
        "local_cls_norm.",
        "decode_head.",
        "auxiliary_head.",
    ],
};

/// The same as the trunk of open_clip's towers, where the head is the projection.
pub(in crate::model::dialects) const TRUNK: Scheme = Scheme {
    behind: "trunk.",
    rules: &[&[whole("head.", "projection.")], &RULES, &BLOCK_RULES],
    beside: &[whole("head.proj.", "projection.")],
    ..NAMES
};

const RULES: [Rule; 20] = [
    whole("cls_token", "embeddings.class_embedding"),
    whole("dist_token", "embeddings.distillation_token"),
    whole("reg_token", "embeddings.register_tokens"),
    whole("register_tokens", "embeddings.register_tokens"),
    whole("storage_tokens", "embeddings.register_tokens"),
    whole("pos_embed", "embeddings.position_embedding"),
    whole("patch_embed.proj.", "embeddings.patch_embedding."),
    whole("norm_pre.", "embeddings.norm."),
    whole("norm.", "layernorm."),
    whole("fc_norm.", "layernorm."),
    whole("attn_pool.latent", "pool.probe"),
    whole("attn_pool.q.", "pool.q."),
    whole("attn_pool.kv.", "pool.kv."),
    whole("attn_pool.proj.", "pool.proj."),
    whole("attn_pool.norm.", "pool.norm."),
    whole("attn_pool.mlp.fc1.", "pool.mlp.fc1."),
    whole("attn_pool.mlp.fc2.", "pool.mlp.fc2."),
    whole("head.", "classifier."),
    whole("head_dist.", "distillation_classifier."),
    same("classifier."),
];

const BLOCK_RULES: [Rule; 38] = [
    elsewhere("blocks.*.attn.qkv.bias_mask"),
    elsewhere("blocks.*.attn.rope."),
    whole("blocks.*.norm1.", "encoder.layers.*.norm1."),
    whole("blocks.*.norm2.", "encoder.layers.*.norm2."),
    whole("blocks.*.attn.qkv.", "encoder.layers.*.attn.qkv."),
    part("blocks.*.attn.q_bias", "encoder.layers.*.attn.qkv.bias", [0, 3]),
    part("blocks.*.attn.k_bias", "encoder.layers.*.attn.qkv.bias", [1, 3]),
    part("blocks.*.attn.v_bias", "encoder.layers.*.attn.qkv.bias", [2, 3]),
    part("blocks.*.attn.q_proj.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("blocks.*.attn.k_proj.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("blocks.*.attn.v_proj.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("blocks.*.attn.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("blocks.*.attn.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("blocks.*.attn.norm.", "encoder.layers.*.attn.norm."),
    whole("blocks.*.attn.inner_attn_ln.", "encoder.layers.*.attn.norm."),
    whole("blocks.*.attn.proj.", "encoder.layers.*.attn.proj."),
    whole("blocks.*.ls1.gamma", "encoder.layers.*.ls1"),
    whole("blocks.*.ls2.gamma", "encoder.layers.*.ls2"),
    whole("blocks.*.gamma_1", "encoder.layers.*.ls1"),
    whole("blocks.*.gamma_2", "encoder.layers.*.ls2"),
    whole("blocks.*.mlp.fc1.", "encoder.layers.*.mlp.fc1."),
    part("blocks.*.mlp.fc1_g.", "encoder.layers.*.mlp.fc1.", [0, 2]),
    part("blocks.*.mlp.fc1_x.", "encoder.layers.*.mlp.fc1.", [1, 2]),
    whole("blocks.*.mlp.norm.", "encoder.layers.*.mlp.norm."),
    whole("blocks.*.mlp.ffn_ln.", "encoder.layers.*.mlp.norm."),
    whole("blocks.*.mlp.fc2.", "encoder.layers.*.mlp.fc2."),
    // The original code of DINOv2 and v3, and EVA's.
    whole("blocks.*.mlp.w12.", "encoder.layers.*.mlp.fc1."),
    part("blocks.*.mlp.w1.", "encoder.layers.*.mlp.fc1.", [0, 2]),
    part("blocks.*.mlp.w2.", "encoder.layers.*.mlp.fc1.", [1, 2]),
    whole("blocks.*.mlp.w3.", "encoder.layers.*.mlp.fc2."),
    // A block whose two branches have one norm, and one matrix before them.
    whole("blocks.*.in_norm.", "encoder.layers.*.norm1."),
    cut(
        "blocks.*.in_proj.weight",
        &["encoder.layers.*.mlp.fc1.weight", "encoder.layers.*.attn.qkv.weight"],
    ),
    whole("blocks.*.mlp_bias", "encoder.layers.*.mlp.fc1.bias"),
    whole("blocks.*.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("blocks.*.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("blocks.*.attn_out_proj.", "encoder.layers.*.attn.proj."),
    whole("blocks.*.mlp_out_proj.", "encoder.layers.*.mlp.fc2."),
    elsewhere("blocks.*.attn.relative_position_index"),
];
