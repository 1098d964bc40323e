//! DINOv3 as transformers writes it (`dinov3_vit`): rotated queries and keys, registers, no table.
//!
//! Source: `DINOv3ViTConfig` of transformers and its model.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, BASE, Dialect, no_text, settled, sizes, squashed, write_all};
use crate::Result;
use crate::image::{Filter, Normal};
use crate::model::Preprocessing;
use crate::model::fields::Fields;
use crate::model::names::{Rule, Scheme, elsewhere, part, same, whole};
use crate::model::spec::*;

/// As transformers writes it.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["dinov3_vit"],
    claims: |_| false,
    spec,
    settle: settled,
    text: no_text,
    write: |spec, map: &mut Map<String, Value>| write_all("dinov3_vit", spec, map),
    schemes: &[NAMES, GATED_NAMES],
};

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let default = Sizes { hidden: 384, heads: 6, mlp: 1536, ..BASE };
    let sizes = sizes(fields, default)?;
    let [query, key, value] = [("query_bias", true), ("key_bias", false), ("value_bias", true)]
        .map(|(name, default)| fields.flag(name, default));
    let (query, key, value) = (query?, key?, value?);
    if query != value || key && !query {
        return Err(fields.error(format_args!(
            "query_bias, key_bias and value_bias: expected all, none, or those of queries and values; \
             found {query}, {key} and {value}"
        )));
    }
    fields.only("proj_bias", true.into())?;
    fields.only("mlp_bias", true.into())?;
    let theta = fields.within("rope_parameters").number("rope_theta", 100.0, [1.0, 1e9])?;
    let theta = fields.number("rope_theta", theta, [1.0, 1e9])? as f32;
    let gated = fields.flag("use_gated_mlp", false)?;
    let imagenet = Normal::default();
    let mut spec = Spec {
        qkv_bias: query,
        key_bias: key,
        preprocessing: Preprocessing {
            exact: true,
            ..squashed(Filter::Bilinear, imagenet.mean, imagenet.std)
        },
        ..encoder(sizes, theta)
    };
    spec.prefix.registers = fields.tally("num_register_tokens", 0)?;
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-5)?;
    let activation = fields.word("hidden_act", "gelu", &ACTIVATIONS)?;
    spec.mlp = Mlp { activation, gated };
    Ok(spec)
}

/// What transformers' and timm's have in common.
pub(super) fn encoder(sizes: Sizes, theta: f32) -> Spec {
    let plain = Spec::plain(sizes);
    Spec {
        position: Position::None,
        rope: Rope::Axial { theta, places: Places::Centred, pairs: Pairs::Halves },
        norm: Norm { eps: 1e-5, ..plain.norm },
        layer_scale: true,
        key_bias: false,
        ..plain
    }
}

const NAMES: Scheme = Scheme {
    tokens: &["embeddings.cls_token"],
    patches: "embeddings.patch_embeddings.weight",
    behind: "",
    rules: &[&[whole("layer.*.mlp.up_proj.", "encoder.layers.*.mlp.fc1.")], &RULES],
    beside: &[],
    elsewhere: &["embeddings.mask_token", "local_cls_norm.", "rope_embeddings."],
};

/// With a gate beside what goes up.
const GATED_NAMES: Scheme = Scheme {
    rules: &[
        &[
            part("layer.*.mlp.gate_proj.", "encoder.layers.*.mlp.fc1.", [0, 2]),
            part("layer.*.mlp.up_proj.", "encoder.layers.*.mlp.fc1.", [1, 2]),
        ],
        &RULES,
    ],
    ..NAMES
};

const RULES: [Rule; 14] = [
    whole("embeddings.cls_token", "embeddings.class_embedding"),
    same("embeddings.register_tokens"),
    whole("embeddings.patch_embeddings.", "embeddings.patch_embedding."),
    whole("norm.", "layernorm."),
    whole("layer.*.norm1.", "encoder.layers.*.norm1."),
    whole("layer.*.norm2.", "encoder.layers.*.norm2."),
    part("layer.*.attention.q_proj.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("layer.*.attention.k_proj.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("layer.*.attention.v_proj.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("layer.*.attention.o_proj.", "encoder.layers.*.attn.proj."),
    whole("layer.*.layer_scale1.lambda1", "encoder.layers.*.ls1"),
    whole("layer.*.layer_scale2.lambda1", "encoder.layers.*.ls2"),
    whole("layer.*.mlp.down_proj.", "encoder.layers.*.mlp.fc2."),
    elsewhere("rope_embeddings.inv_freq"),
];

#[cfg(test)]
mod tests {
    use crate::model::dialects::tests::published;
    use crate::model::{Places, Rope};

    #[test]
    fn published_shapes() {
        let cases = [
            (384, 12, 6, 1536, false, true, "21.6"),
            (384, 12, 6, 1536, true, true, "28.7"),
            (768, 12, 12, 3072, false, true, "85.7"),
            (1024, 24, 16, 4096, false, true, "303.1"),
            (1280, 32, 20, 5120, true, true, "840.6"),
            (4096, 40, 32, 8192, true, false, "6716"),
        ];
        for (hidden, layers, heads, mlp, gated, bias, millions) in cases {
            let config = serde_json::json!({
                "model_type": "dinov3_vit", "hidden_size": hidden, "num_hidden_layers": layers,
                "num_attention_heads": heads, "intermediate_size": mlp, "use_gated_mlp": gated,
                "query_bias": bias, "value_bias": bias, "num_register_tokens": 4,
                "hidden_act": if gated { "silu" } else { "gelu" },
            });
            // The plan counts the keys' bias, which is zero and nowhere stored.
            let keys = usize::from(bias) * layers * hidden;
            let spec = published(&config.to_string(), millions, keys);
            let Rope::Axial { theta, places, .. } = spec.rope else { panic!("no rotation") };
            assert_eq!((theta, places, spec.prefix_tokens()), (100.0, Places::Centred, 5));
            assert_eq!((spec.norm.eps, spec.qkv_bias, spec.key_bias), (1e-5, bias, false));
        }
    }
}
