//! Swin as transformers writes it (`swin`): stages of windows, tokens merged between them. timm's and the
//! original names too.
//!
//! Source: `SwinConfig` of transformers and its model; timm's `swin_transformer.py`;
//! `microsoft/Swin-Transformer`.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, Dialect, classes, decimal, no_text, squashed};
use crate::Result;
use crate::image::{Filter, Normal};
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, after, elsewhere, part, same, whole};
use crate::model::spec::*;

/// As transformers writes it.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["swin"],
    claims: |_| false,
    spec,
    settle,
    text: no_text,
    write,
    schemes: &[NAMES, TIMM_NAMES, ORIGINAL_NAMES],
};

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let shape = Shape {
        width: fields.size("embed_dim", 96)?,
        depths: fields.counts("depths", &[2, 2, 6, 2])?,
        heads: fields.counts("num_heads", &[3, 6, 12, 24])?,
        window: fields.size("window_size", 7)?,
        ratio: fields.number("mlp_ratio", 4.0, [0.1, 64.0])?,
        patch: fields.side("patch_size", 4)?,
        channels: fields.size("num_channels", 3)?,
        image: fields.side("image_size", 224)?,
    };
    fields.only("use_absolute_embeddings", false.into())?;
    let mut spec = encoder(shape);
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-5)?;
    spec.mlp.activation = fields.word("hidden_act", "gelu", &ACTIVATIONS)?;
    spec.qkv_bias = fields.flag("qkv_bias", true)?;
    Ok(spec)
}

/// What a Swin is made of.
pub(super) struct Shape {
    /// Channels of the first stage.
    pub(super) width: usize,
    pub(super) depths: Vec<usize>,
    pub(super) heads: Vec<usize>,
    pub(super) window: usize,
    /// Of an MLP's width to that of its stage.
    pub(super) ratio: f64,
    pub(super) patch: usize,
    pub(super) channels: usize,
    pub(super) image: usize,
}

/// What transformers' and timm's have in common.
pub(super) fn encoder(shape: Shape) -> Spec {
    let stages = shape.depths.len();
    // More stages than any model has are refused by the widths' check.
    let hidden = shape.width << stages.saturating_sub(1).min(16);
    let sizes = Sizes {
        hidden,
        layers: stages,
        heads: shape.heads.last().copied().unwrap_or(1),
        mlp: (hidden as f64 * shape.ratio) as usize,
        patch: shape.patch,
        channels: shape.channels,
        image: shape.image,
    };
    let (plain, imagenet) = (Spec::plain(sizes), Normal::default());
    Spec {
        prefix: Prefix { cls: false, distillation: false, registers: 0 },
        position: Position::None,
        relative: Relative::Blocks,
        windows: Some(Windows { side: shape.window, depths: shape.depths, heads: shape.heads }),
        stem_norm: true,
        norm: Norm { eps: 1e-5, ..plain.norm },
        pool: Pool::Mean,
        preprocessing: squashed(Filter::Bicubic, imagenet.mean, imagenet.std),
        ..plain
    }
}

fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    spec.classifier = classes(found);
    Ok(())
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    let Some(windows) = &spec.windows else { return };
    let s = &spec.sizes;
    map.entry("model_type").or_insert("swin".into());
    let list = [
        ("embed_dim", (s.hidden >> (s.layers - 1)).into()),
        ("depths", windows.depths.clone().into()),
        ("num_heads", windows.heads.clone().into()),
        ("window_size", windows.side.into()),
        ("mlp_ratio", (s.mlp as f64 / s.hidden as f64).into()),
        ("patch_size", s.patch.into()),
        ("num_channels", s.channels.into()),
        ("image_size", s.image.into()),
        ("layer_norm_eps", decimal(spec.norm.eps)),
        ("qkv_bias", spec.qkv_bias.into()),
    ];
    map.extend(list.map(|(key, value): (&str, Value)| (key.to_string(), value)));
}

const PATCHES: &str = "embeddings.patch_embeddings.projection.weight";

const NAMES: Scheme = Scheme {
    tokens: &[PATCHES],
    patches: PATCHES,
    behind: "",
    rules: &[&RULES],
    beside: &[same("classifier.")],
    elsewhere: &["embeddings.mask_token", "decoder."],
};

const RULES: [Rule; 15] = [
    elsewhere("encoder.layers.*.blocks.*.attention.self.relative_position_index"),
    elsewhere("encoder.layers.*.blocks.*.attn_mask"),
    whole("embeddings.patch_embeddings.projection.", "embeddings.patch_embedding."),
    same("embeddings.norm."),
    same("layernorm."),
    whole("encoder.layers.*.blocks.*.layernorm_before.", "encoder.layers.*.blocks.*.norm1."),
    whole("encoder.layers.*.blocks.*.layernorm_after.", "encoder.layers.*.blocks.*.norm2."),
    part(
        "encoder.layers.*.blocks.*.attention.self.query.",
        "encoder.layers.*.blocks.*.attn.qkv.",
        [0, 3],
    ),
    part(
        "encoder.layers.*.blocks.*.attention.self.key.",
        "encoder.layers.*.blocks.*.attn.qkv.",
        [1, 3],
    ),
    part(
        "encoder.layers.*.blocks.*.attention.self.value.",
        "encoder.layers.*.blocks.*.attn.qkv.",
        [2, 3],
    ),
    whole(
        "encoder.layers.*.blocks.*.attention.self.relative_position_bias_table",
        "encoder.layers.*.blocks.*.attn.relative_position_bias_table",
    ),
    whole(
        "encoder.layers.*.blocks.*.attention.output.dense.",
        "encoder.layers.*.blocks.*.attn.proj.",
    ),
    whole("encoder.layers.*.blocks.*.intermediate.dense.", "encoder.layers.*.blocks.*.mlp.fc1."),
    whole("encoder.layers.*.blocks.*.output.dense.", "encoder.layers.*.blocks.*.mlp.fc2."),
    whole("encoder.layers.*.downsample.", "encoder.layers.*.merge."),
];

/// timm's names: what merges the tokens of a stage stands in the next.
const TIMM_NAMES: Scheme = Scheme {
    tokens: &["patch_embed.proj.weight"],
    patches: "patch_embed.proj.weight",
    behind: "",
    rules: &[&[after("layers.*.downsample.", "encoder.layers.*.merge.")], &OTHER_RULES],
    beside: &[],
    elsewhere: &["mask_token"],
};

/// The original's: it stands in its own.
const ORIGINAL_NAMES: Scheme = Scheme {
    rules: &[&[whole("layers.*.downsample.", "encoder.layers.*.merge.")], &OTHER_RULES],
    ..TIMM_NAMES
};

const OTHER_RULES: [Rule; 14] = [
    elsewhere("layers.*.blocks.*.attn.relative_position_index"),
    elsewhere("layers.*.blocks.*.attn_mask"),
    whole("patch_embed.proj.", "embeddings.patch_embedding."),
    whole("patch_embed.norm.", "embeddings.norm."),
    whole("norm.", "layernorm."),
    whole("head.fc.", "classifier."),
    whole("head.", "classifier."),
    whole("layers.*.blocks.*.norm1.", "encoder.layers.*.blocks.*.norm1."),
    whole("layers.*.blocks.*.norm2.", "encoder.layers.*.blocks.*.norm2."),
    whole("layers.*.blocks.*.attn.qkv.", "encoder.layers.*.blocks.*.attn.qkv."),
    whole("layers.*.blocks.*.attn.proj.", "encoder.layers.*.blocks.*.attn.proj."),
    whole(
        "layers.*.blocks.*.attn.relative_position_bias_table",
        "encoder.layers.*.blocks.*.attn.relative_position_bias_table",
    ),
    whole("layers.*.blocks.*.mlp.fc1.", "encoder.layers.*.blocks.*.mlp.fc1."),
    whole("layers.*.blocks.*.mlp.fc2.", "encoder.layers.*.blocks.*.mlp.fc2."),
];

#[cfg(test)]
mod tests {
    use crate::model::dialects::tests::published;
    use crate::model::parse_config;

    #[test]
    fn published_shapes() {
        let cases = [
            (r#"{"model_type": "swin"}"#, 768, "27.5"),
            (r#"{"model_type": "swin", "depths": [2, 2, 18, 2]}"#, 768, "48.8"),
            (
                r#"{"model_type": "swin", "embed_dim": 128, "depths": [2, 2, 18, 2],
                    "num_heads": [4, 8, 16, 32]}"#,
                1024,
                "86.7",
            ),
            (
                r#"{"model_type": "swin", "embed_dim": 192, "depths": [2, 2, 18, 2],
                    "num_heads": [6, 12, 24, 48], "window_size": 12, "image_size": 384}"#,
                1536,
                "195",
            ),
        ];
        for (text, hidden, millions) in cases {
            let spec = published(text, millions, 0);
            assert_eq!((spec.sizes.hidden, spec.sizes.layers, spec.head_dim()), (hidden, 4, 32));
            assert_eq!(spec.sizes.mlp, 4 * hidden);
        }
        assert!(parse_config("c", r#"{"model_type": "swin", "num_heads": [3, 6]}"#).is_err());
    }
}
