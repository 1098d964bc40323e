//! InternViT: OpenGVLab's remote code, the Hugging Face port (`internvl_vision`), and backbones as
//! mmsegmentation names them.
//!
//! Source: `configuration_intern_vit.py` and `modeling_intern_vit.py` of OpenGVLab's repositories on
//! the hub; `InternVLVisionConfig` of transformers.

use serde_json::{Map, Value};

use super::{Dialect, clip, decimal, no_text, settled, write_sizes};
use crate::Result;
use crate::model::Activation;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, part, same, whole};
use crate::model::spec::*;

/// OpenGVLab's remote code. Defaults are InternViT-6B's at 224 px.
pub(in crate::model) const REMOTE: Dialect = Dialect {
    types: &["intern_vit_6b", "intern_vit_300m"],
    claims: |fields| SIZES.iter().any(|key| fields.map.contains_key(*key)),
    spec: remote,
    settle,
    text: no_text,
    write,
    schemes: &[MMSEG],
};

/// The Hugging Face port. Defaults are InternViT-300M's.
pub(in crate::model) const PORT: Dialect = Dialect {
    types: &["internvl_vision"],
    claims: |fields| {
        let own = ["use_qk_norm", "attention_bias"];
        REMOTE_CLAIMS(fields) && own.iter().any(|key| fields.map.contains_key(*key))
    },
    spec: port,
    settle: settled,
    text: no_text,
    write,
    schemes: &[PORTED],
};

const REMOTE_CLAIMS: fn(&Fields<'_>) -> bool = REMOTE.claims;

/// Keys that only a configuration of an encoder has.
pub(in crate::model) const SIZES: [&str; 4] =
    ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"];

fn remote(fields: &Fields<'_>) -> Result<Spec> {
    let default = large(224, 48);
    Ok(Spec {
        qk_norm: qk_norm(fields, "qk_normalization", true)?,
        qkv_bias: fields.flag("qkv_bias", false)?,
        ..shared(fields, default, "rms_norm")?
    })
}

/// InternVL-14B's tower has a pooling beside it, and may be of larger pictures than it says.
fn settle(fields: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if !found.has("pool.norm_q.weight") {
        return Ok(());
    }
    // Where the tower stands alone the keys are its own.
    let whole = Fields { map: fields.top, ..*fields };
    let heads = whole.size("attn_pool_num_heads", 16)?;
    let width = found.size("pool.proj.weight", 0);
    let width = width.map_or_else(|| whole.size("clip_embed_dim", 768), Ok)?;
    if !spec.sizes.hidden.is_multiple_of(heads) {
        let c = spec.sizes.hidden;
        return Err(fields.error(format_args!(
            "attn_pool_num_heads: expected a divisor of {c} channels, found {heads}"
        )));
    }
    spec.pool = Pool::MeanQuery { heads, width };
    spec.sizes.image = whole.side("force_image_size", spec.sizes.image)?;
    Ok(())
}

fn port(fields: &Fields<'_>) -> Result<Spec> {
    let default = small(448, 24);
    let mean = fields.flag("use_mean_pooling", true)?;
    Ok(Spec {
        qk_norm: qk_norm(fields, "use_qk_norm", false)?,
        qkv_bias: fields.flag("attention_bias", false)?,
        final_norm: if mean { FinalNorm::None } else { FinalNorm::Tokens },
        ..shared(fields, default, "layer_norm")?
    })
}

/// The keys that both dialects have.
fn shared(fields: &Fields<'_>, default: Spec, norm: &str) -> Result<Spec> {
    let sizes = default.sizes;
    let norms = [("rms_norm", NormKind::Rms), ("layer_norm", NormKind::Layer)];
    let activation = fields.word("hidden_act", "gelu", &[("gelu", Activation::Erf)])?;
    Ok(Spec {
        sizes: Sizes {
            hidden: fields.size("hidden_size", sizes.hidden)?,
            layers: fields.size("num_hidden_layers", sizes.layers)?,
            heads: fields.size("num_attention_heads", sizes.heads)?,
            mlp: fields.size("intermediate_size", sizes.mlp)?,
            patch: fields.side("patch_size", sizes.patch)?,
            channels: fields.size("num_channels", sizes.channels)?,
            image: fields.side("image_size", sizes.image)?,
        },
        norm: Norm {
            kind: fields.word("norm_type", norm, &norms)?,
            eps: fields.eps("layer_norm_eps", 1e-6)?,
        },
        mlp: Mlp { activation, gated: false },
        ..default
    })
}

fn qk_norm(fields: &Fields<'_>, key: &str, default: bool) -> Result<QkNorm> {
    Ok(if fields.flag(key, default)? { QkNorm::FullWidth } else { QkNorm::None })
}

/// Writes OpenGVLab's keys, or the port's where the spec has a norm that only they can say.
fn write(spec: &Spec, map: &mut Map<String, Value>) {
    let port = spec.final_norm == FinalNorm::Tokens;
    if !port && map.get("model_type").is_none_or(|kind| kind == "internvl_vision") {
        for key in ["architectures", "attention_bias", "use_qk_norm", "use_mean_pooling"] {
            map.remove(key);
        }
    }
    write_sizes(&spec.sizes, map);
    let [bias, qk_norm, kind] = match port {
        true => ["attention_bias", "use_qk_norm", "internvl_vision"],
        false => ["qkv_bias", "qk_normalization", "intern_vit_6b"],
    };
    let norm = match spec.norm.kind {
        NormKind::Layer => "layer_norm",
        NormKind::Rms => "rms_norm",
    };
    let rest = [
        ("model_type", kind.into()),
        ("intermediate_size", spec.sizes.mlp.into()),
        ("norm_type", norm.into()),
        ("hidden_act", "gelu".into()),
        ("layer_norm_eps", decimal(spec.norm.eps)),
        (bias, spec.qkv_bias.into()),
        (qk_norm, (spec.qk_norm == QkNorm::FullWidth).into()),
    ];
    map.extend(rest.map(|(key, value): (&str, Value)| (key.to_string(), value)));
    if let Pool::MeanQuery { heads, width } = spec.pool {
        map.insert("attn_pool_num_heads".into(), heads.into());
        map.insert("clip_embed_dim".into(), width.into());
    }
}

/// InternViT-300M, of pictures of `image` pixels and with `layers` blocks.
pub(in crate::model) fn small(image: usize, layers: usize) -> Spec {
    let sizes = Sizes { hidden: 1024, layers, heads: 16, mlp: 4096, patch: 14, channels: 3, image };
    Spec { layer_scale: true, final_norm: FinalNorm::None, ..Spec::plain(sizes) }
}

/// InternViT-6B, of pictures of `image` pixels and with `layers` blocks.
pub(in crate::model) fn large(image: usize, layers: usize) -> Spec {
    let small = small(image, layers);
    Spec {
        sizes: Sizes { hidden: 3200, heads: 25, mlp: 12800, ..small.sizes },
        norm: Norm { kind: NormKind::Rms, eps: 1e-6 },
        qk_norm: QkNorm::FullWidth,
        qkv_bias: false,
        ..small
    }
}

/// Parts of larger models that may share the encoder's prefix.
const NEIGHBOURS: [&str; 14] = [
    TEXT,
    "up1.",
    "up2.",
    "up3.",
    "up4.",
    "clip_projector",
    "decode_head.",
    "auxiliary_head.",
    "mlp1.",
    "multi_modal_projector.",
    "language_model.",
    "lm_head.",
    "head.",
    "embeddings.mask_token",
];

/// OpenGVLab's names, which are the project's own too, of every family.
pub(super) const CANONICAL: &Scheme = &Scheme {
    tokens: &["embeddings.class_embedding", PATCHES],
    patches: PATCHES,
    behind: "",
    rules: &[&CANONICAL_RULES, &HEAD_RULES],
    beside: &POOL_RULES,
    elsewhere: &NEIGHBOURS,
};

/// The project's own names of a tower for texts, beside the encoder's, with what joins both.
pub(super) const CANONICAL_TEXT: Scheme = Scheme {
    tokens: &[clip::TOKENS],
    patches: clip::TOKENS,
    behind: TEXT,
    rules: &[&TEXT_RULES, &CANONICAL_RULES],
    beside: &[],
    elsewhere: &[],
};

/// What they begin with.
const TEXT: &str = "text.";

const TEXT_RULES: [Rule; 4] =
    [same(clip::TOKENS), same("projection."), same("logit_scale"), same("logit_bias")];

const PATCHES: &str = "embeddings.patch_embedding.weight";

const CANONICAL_RULES: [Rule; 43] = [
    same("embeddings.class_embedding"),
    same("embeddings.distillation_token"),
    same("embeddings.register_tokens"),
    same("embeddings.position_embedding"),
    same("embeddings.patch_embedding."),
    same("embeddings.norm."),
    same("encoder.relative_position_bias_table"),
    same("encoder.layers.*.norm1."),
    same("encoder.layers.*.norm2."),
    same("encoder.layers.*.attn.qkv."),
    same("encoder.layers.*.attn.q_norm."),
    same("encoder.layers.*.attn.k_norm."),
    same("encoder.layers.*.attn.norm."),
    same("encoder.layers.*.attn.proj."),
    same("encoder.layers.*.attn.relative_position_bias_table"),
    same("encoder.layers.*.ls1"),
    same("encoder.layers.*.ls2"),
    same("encoder.layers.*.mlp.fc1."),
    same("encoder.layers.*.mlp.norm."),
    same("encoder.layers.*.mlp.fc2."),
    same("encoder.layers.*.blocks.*.norm1."),
    same("encoder.layers.*.blocks.*.norm2."),
    same("encoder.layers.*.blocks.*.attn.qkv."),
    same("encoder.layers.*.blocks.*.attn.proj."),
    same("encoder.layers.*.blocks.*.attn.relative_position_bias_table"),
    same("encoder.layers.*.blocks.*.mlp.fc1."),
    same("encoder.layers.*.blocks.*.mlp.fc2."),
    same("encoder.layers.*.merge.norm."),
    same("encoder.layers.*.merge.reduction."),
    same("layernorm."),
    same("pool.probe"),
    same("pool.norm_q."),
    same("pool.norm_k."),
    same("pool.norm_v."),
    same("pool.q."),
    same("pool.k."),
    same("pool.v."),
    same("pool.kv."),
    same("pool.proj."),
    same("pool.norm."),
    same("pool.mlp.fc1."),
    same("pool.mlp.fc2."),
    same("pooler.dense."),
];

/// What is computed of the last hidden state.
const HEAD_RULES: [Rule; 4] = [
    same("classifier."),
    same("distillation_classifier."),
    same("projection."),
    same("projector.*."),
];

/// InternVL-14B's pooling stands beside the tower.
const POOL_RULES: [Rule; 11] = [
    whole("clip_projector.norm1_q.", "pool.norm_q."),
    whole("clip_projector.norm1_k.", "pool.norm_k."),
    whole("clip_projector.norm1_v.", "pool.norm_v."),
    whole("clip_projector.cross_attn.q.weight", "pool.q.weight"),
    whole("clip_projector.cross_attn.k.weight", "pool.k.weight"),
    whole("clip_projector.cross_attn.v.weight", "pool.v.weight"),
    whole("clip_projector.cross_attn.q_bias", "pool.q.bias"),
    whole("clip_projector.cross_attn.k_bias", "pool.k.bias"),
    whole("clip_projector.cross_attn.v_bias", "pool.v.bias"),
    whole("clip_projector.cross_attn.proj.", "pool.proj."),
    same("logit_scale"),
];

const PORTED: Scheme = Scheme {
    tokens: &["embeddings.cls_token"],
    patches: "embeddings.patch_embeddings.projection.weight",
    behind: "",
    rules: &[&PORT_RULES],
    beside: &[],
    elsewhere: &NEIGHBOURS,
};

const PORT_RULES: [Rule; 16] = [
    whole("embeddings.patch_embeddings.projection.", "embeddings.patch_embedding."),
    whole("embeddings.cls_token", "embeddings.class_embedding"),
    whole("embeddings.position_embeddings", "embeddings.position_embedding"),
    whole("layernorm.", "layernorm."),
    whole("encoder.layer.*.layernorm_before.", "encoder.layers.*.norm1."),
    whole("encoder.layer.*.layernorm_after.", "encoder.layers.*.norm2."),
    part("encoder.layer.*.attention.q_proj.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("encoder.layer.*.attention.k_proj.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("encoder.layer.*.attention.v_proj.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("encoder.layer.*.attention.q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("encoder.layer.*.attention.k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("encoder.layer.*.attention.projection_layer.", "encoder.layers.*.attn.proj."),
    whole("encoder.layer.*.lambda_1", "encoder.layers.*.ls1"),
    whole("encoder.layer.*.lambda_2", "encoder.layers.*.ls2"),
    whole("encoder.layer.*.mlp.fc1.", "encoder.layers.*.mlp.fc1."),
    whole("encoder.layer.*.mlp.fc2.", "encoder.layers.*.mlp.fc2."),
];

const MMSEG: Scheme = Scheme {
    tokens: &["cls_token"],
    patches: "patch_embed.proj.weight",
    behind: "",
    rules: &[&[
        whole("cls_token", "embeddings.class_embedding"),
        whole("pos_embed", "embeddings.position_embedding"),
        whole("patch_embed.proj.", "embeddings.patch_embedding."),
        whole("blocks.*.ls1.gamma", "encoder.layers.*.ls1"),
        whole("blocks.*.ls2.gamma", "encoder.layers.*.ls2"),
        whole("blocks.*.", "encoder.layers.*."),
    ]],
    beside: &[],
    elsewhere: &NEIGHBOURS,
};
