//! ViT, DeiT and MAE's encoder as transformers writes them (`vit`, `deit`, `vit_mae`); DINO's first models
//! are `vit` too.
//!
//! Source: `ViTConfig`, `DeiTConfig` and `ViTMAEConfig` of transformers, and their models.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, BASE, Dialect, HALF, classes, no_text, sizes, squashed, write_all};
use crate::Result;
use crate::image::Filter;
use crate::image::Normal;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, part, same, whole};
use crate::model::spec::*;

/// As transformers writes them.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["vit", DEIT, MAE],
    claims: |_| false,
    spec,
    settle,
    text: no_text,
    write,
    schemes: &[NAMES],
};

/// The `model_type` of the variant with a second token.
const DEIT: &str = "deit";

/// That of the masked autoencoder, whose encoder pools nothing.
const MAE: &str = "vit_mae";

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let [_, kind] = fields.kinds();
    let sizes = sizes(fields, BASE)?;
    let distillation = kind == Some(DEIT);
    let mae = kind == Some(MAE);
    let imagenet = Normal::default();
    let mut spec = Spec {
        prefix: Prefix { cls: true, distillation, registers: 0 },
        position: Position::Table {
            prefix: if distillation { 2 } else { 1 },
            resample: Resample::Bicubic,
        },
        qkv_bias: fields.flag("qkv_bias", true)?,
        pool: if mae { Pool::None } else { Pool::Cls },
        preprocessing: match (distillation, mae) {
            (true, _) => squashed(Filter::Bicubic, imagenet.mean, imagenet.std),
            (_, true) => squashed(Filter::Bilinear, imagenet.mean, imagenet.std),
            _ => squashed(Filter::Bilinear, HALF, HALF),
        },
        ..Spec::plain(sizes)
    };
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-12)?;
    spec.mlp.activation = fields.word("hidden_act", "gelu", &ACTIVATIONS)?;
    fields.only("pooler_act", "tanh".into())?;
    fields.only("pooler_output_size", sizes.hidden.into())?;
    Ok(spec)
}

/// The pooler and the heads are often left out of a file.
fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if spec.pool == Pool::None {
        return Ok(());
    }
    spec.dense = found.has("pooler.dense.weight");
    spec.classifier = match classes(found) {
        Classifier::Classes(classes) if found.has("distillation_classifier.weight") => {
            Classifier::Distilled(classes)
        }
        other => other,
    };
    Ok(())
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    write_all("vit", spec, map);
    map.insert("qkv_bias".into(), spec.qkv_bias.into());
}

const NAMES: Scheme = Scheme {
    tokens: &["embeddings.cls_token"],
    patches: "embeddings.patch_embeddings.projection.weight",
    behind: "",
    rules: &[&RULES],
    beside: &[
        same("classifier."),
        whole("cls_classifier.", "classifier."),
        same("distillation_classifier."),
    ],
    elsewhere: &[
        "embeddings.mask_token",
        "decoder.",
        "lm_head.",
        "decode_head.",
        "auxiliary_head.",
    ],
};

/// Names that BEiT has too.
pub(super) const RULES: [Rule; 19] = [
    whole("embeddings.cls_token", "embeddings.class_embedding"),
    same("embeddings.distillation_token"),
    whole("embeddings.position_embeddings", "embeddings.position_embedding"),
    whole("embeddings.patch_embeddings.projection.", "embeddings.patch_embedding."),
    same("layernorm."),
    same("pooler.dense."),
    whole("encoder.layer.*.layernorm_before.", "encoder.layers.*.norm1."),
    whole("encoder.layer.*.layernorm_after.", "encoder.layers.*.norm2."),
    part("encoder.layer.*.attention.attention.query.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("encoder.layer.*.attention.attention.key.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("encoder.layer.*.attention.attention.value.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("encoder.layer.*.attention.output.dense.", "encoder.layers.*.attn.proj."),
    whole("encoder.layer.*.intermediate.dense.", "encoder.layers.*.mlp.fc1."),
    whole("encoder.layer.*.output.dense.", "encoder.layers.*.mlp.fc2."),
    whole("encoder.layer.*.lambda_1", "encoder.layers.*.ls1"),
    whole("encoder.layer.*.lambda_2", "encoder.layers.*.ls2"),
    whole("pooler.layernorm.", "layernorm."),
    whole(
        "encoder.layer.*.attention.attention.relative_position_bias.relative_position_bias_table",
        "encoder.layers.*.attn.relative_position_bias_table",
    ),
    whole(
        "encoder.relative_position_bias.relative_position_bias_table",
        "encoder.relative_position_bias_table",
    ),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::dialects::tests::published;
    use crate::model::{Pool, Position, Resample, parse_config};

    /// Absent keys are those of the class.
    #[test]
    fn defaults() {
        for (kind, prefix, pool) in
            [("vit", 1, Pool::Cls), ("deit", 2, Pool::Cls), ("vit_mae", 1, Pool::None)]
        {
            let spec = parse_config("c", &format!(r#"{{"model_type": "{kind}"}}"#)).unwrap();
            let s = spec.sizes;
            assert_eq!([s.hidden, s.layers, s.heads, s.mlp], [768, 12, 12, 3072], "{kind}");
            assert_eq!((s.patch, s.image, spec.norm.eps), (16, 224, 1e-12), "{kind}");
            assert_eq!((spec.prefix_tokens(), spec.pool), (prefix, pool), "{kind}");
            let table = Position::Table { prefix, resample: Resample::Bicubic };
            assert_eq!(spec.position, table, "{kind}");
        }
    }

    /// The published sizes, without heads.
    #[test]
    fn published_shapes() {
        let cases = [
            (192, 12, 3, 768, 16, "5.5"),
            (384, 12, 6, 1536, 16, "21.7"),
            (768, 12, 12, 3072, 8, "85.8"),
            (768, 12, 12, 3072, 32, "87.5"),
            (1024, 24, 16, 4096, 16, "303.3"),
            (1280, 32, 16, 5120, 14, "630.8"),
        ];
        for (hidden, layers, heads, mlp, patch, millions) in cases {
            let config = serde_json::json!({
                "model_type": "vit", "hidden_size": hidden, "num_hidden_layers": layers,
                "num_attention_heads": heads, "intermediate_size": mlp, "patch_size": patch,
            });
            published(&config.to_string(), millions, 0);
        }
    }
}
