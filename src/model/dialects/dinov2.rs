//! DINOv2, with and without registers: as transformers writes it (`dinov2`,
//! `dinov2_with_registers`), as timm does (`vit_small_patch14_dinov2`), and with the names of the
//! original code.
//!
//! Source: `Dinov2Config` and `Dinov2WithRegistersConfig` of transformers; timm's
//! `vision_transformer.py`; `facebookresearch/dinov2`.

use serde_json::{Map, Value};

use super::{Dialect, classes, decimal, no_text, settled, write_sizes};
use crate::Result;
use crate::image::Resize;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Scheme, part, same, whole};
use crate::model::spec::*;
use crate::model::{Activation, Preprocessing};

/// As transformers writes it.
pub(in crate::model) const HUGGING_FACE: Dialect = Dialect {
    types: &["dinov2", PLUS],
    claims: |fields| fields.map.contains_key("use_swiglu_ffn"),
    spec: hugging_face,
    settle,
    text: no_text,
    write,
    schemes: &[HUGGING_FACE_NAMES],
};

/// As timm writes it, and InternViT-300M: the name of an architecture, and what differs from it.
pub(in crate::model) const TIMM: Dialect = Dialect {
    types: &[],
    claims: |fields| architecture(fields).is_some_and(|name| shape(name).is_some()),
    spec: timm,
    settle: settled,
    text: no_text,
    write: |_, _| {},
    schemes: &[],
};

/// The `model_type` of the variant with registers.
const PLUS: &str = "dinov2_with_registers";

fn hugging_face(fields: &Fields<'_>) -> Result<Spec> {
    let plus = fields.get("model_type").is_some_and(|kind| kind == PLUS);
    let hidden = fields.size("hidden_size", 768)?;
    let gated = fields.flag("use_swiglu_ffn", false)?;
    let ratio = fields.number("mlp_ratio", 4.0, [0.1, 64.0])?;
    let registers = if plus { fields.size("num_register_tokens", 4)? } else { 0 };
    let resample = if plus { Resample::BicubicAntialiased } else { Resample::Bicubic };
    fields.word("hidden_act", "gelu", &[("gelu", ())])?;
    let sizes = Sizes {
        hidden,
        layers: fields.size("num_hidden_layers", 12)?,
        heads: fields.size("num_attention_heads", 12)?,
        mlp: width(hidden, ratio, gated),
        patch: fields.side("patch_size", if plus { 16 } else { 14 })?,
        channels: fields.size("num_channels", 3)?,
        image: fields.side("image_size", 224)?,
    };
    let position = Position::Table { prefix: 1, resample };
    let mut spec = encoder(sizes, gated, registers, position);
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-6)?;
    spec.qkv_bias = fields.flag("qkv_bias", true)?;
    Ok(spec)
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    write_sizes(&spec.sizes, map);
    map.entry("model_type").or_insert("dinov2".into());
    map.entry("mlp_ratio").or_insert(4.into());
    map.entry("num_register_tokens").or_insert(spec.prefix.registers.into());
    let rest = [
        ("use_swiglu_ffn", spec.mlp.gated.into()),
        ("layer_norm_eps", decimal(spec.norm.eps)),
        ("qkv_bias", spec.qkv_bias.into()),
    ];
    map.extend(rest.map(|(key, value): (&str, Value)| (key.to_string(), value)));
}

fn timm(fields: &Fields<'_>) -> Result<Spec> {
    let own = architecture(fields).and_then(shape).unwrap_or(SHAPES[0].1);
    let arguments = fields.within("model_args");
    let trained = fields.within("pretrained_cfg");
    let name = architecture(fields).unwrap_or_default();
    let intern = name.starts_with(INTERN);
    let image = match trained.get("input_size") {
        Some(Value::Array(list)) if list.len() == 3 => trained.count("input_size", &list[2])?,
        _ if intern => 448,
        _ => 518,
    };
    let registers = if name.contains("_reg4_") { 4 } else { 0 };
    let hidden = arguments.size("embed_dim", own.hidden)?;
    let sizes = Sizes {
        hidden,
        layers: arguments.size("depth", own.layers)?,
        heads: arguments.size("num_heads", own.heads)?,
        mlp: match arguments.get("mlp_ratio") {
            None if hidden == own.hidden => own.mlp,
            _ => timm_width(hidden, arguments.number("mlp_ratio", 4.0, [0.1, 64.0])?, own.gated),
        },
        patch: arguments.side("patch_size", 14)?,
        channels: arguments.size("in_chans", 3)?,
        image: arguments.side("img_size", image)?,
    };
    // The position of the class token is in the token itself where there are registers.
    let prefix = usize::from(registers == 0);
    let position = Position::Table { prefix, resample: Resample::BicubicAntialiased };
    let spec = encoder(sizes, own.gated, registers, position);
    match intern {
        true => Ok(Spec {
            final_norm: FinalNorm::None,
            preprocessing: Preprocessing::default(),
            ..spec
        }),
        false => Ok(spec),
    }
}

/// How timm's name of InternViT-300M begins. It has no norm at its end, and takes whole photographs.
const INTERN: &str = "vit_intern300m_patch";

/// The name of timm's architecture.
fn architecture<'a>(fields: &Fields<'a>) -> Option<&'a str> {
    fields.get("architecture")?.as_str()
}

#[derive(Clone, Copy)]
struct Shape {
    hidden: usize,
    layers: usize,
    heads: usize,
    mlp: usize,
    gated: bool,
}

const fn plain(hidden: usize, layers: usize, heads: usize) -> Shape {
    Shape { hidden, layers, heads, mlp: 4 * hidden, gated: false }
}

const SHAPES: [(&str, Shape); 5] = [
    (INTERN, plain(1024, 24, 16)),
    ("vit_small_patch", plain(384, 12, 6)),
    ("vit_base_patch", plain(768, 12, 12)),
    ("vit_large_patch", plain(1024, 24, 16)),
    ("vit_giant_patch", Shape { mlp: 4096, gated: true, ..plain(1536, 40, 24) }),
];

/// The shape that a name of timm's stands for.
fn shape(name: &str) -> Option<Shape> {
    // What follows a dot tells the weights.
    let known = |name: &&str| name.ends_with("dinov2") || name.starts_with(INTERN);
    let name = name.split('.').next().filter(known)?;
    SHAPES.iter().find(|(start, _)| name.starts_with(start)).map(|(_, shape)| *shape)
}

/// Width of the MLP: a gated one has two thirds of it, rounded up to a multiple of 8.
fn width(hidden: usize, ratio: f64, gated: bool) -> usize {
    let plain = (hidden as f64 * ratio) as usize;
    if gated { (plain * 2 / 3).div_ceil(8) * 8 } else { plain }
}

/// The same of timm, whose ratio counts gate and values together.
fn timm_width(hidden: usize, ratio: f64, gated: bool) -> usize {
    let plain = (hidden as f64 * ratio) as usize;
    if gated { plain / 2 } else { plain }
}

fn encoder(sizes: Sizes, gated: bool, registers: usize, position: Position) -> Spec {
    // The gate's activation is SiLU whatever the configuration says of `hidden_act`.
    let activation = if gated { Activation::Silu } else { Activation::Erf };
    Spec {
        prefix: Prefix { cls: true, distillation: false, registers },
        position,
        layer_scale: true,
        mlp: Mlp { activation, gated },
        preprocessing: preprocessing(sizes.patch),
        ..Spec::plain(sizes)
    }
}

/// A classifier takes the class token and the mean of the patches.
fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    spec.classifier = match classes(found) {
        Classifier::Classes(classes) => Classifier::ClassesOfBoth(classes),
        other => other,
    };
    Ok(())
}

/// As the published `preprocessor_config.json` has it: 224 pixels cut out of 256, where patches fill
/// them; elsewhere a square of the model's own size.
fn preprocessing(patch: usize) -> Preprocessing {
    let fits = 224 % patch == 0;
    let [size, short] = [fits.then_some(224), fits.then_some(256)];
    Preprocessing { size, short, resize: Resize::Crop, ..Preprocessing::default() }
}

const HUGGING_FACE_NAMES: Scheme = Scheme {
    tokens: &["embeddings.cls_token"],
    patches: "embeddings.patch_embeddings.projection.weight",
    behind: "",
    rules: &[&[
        whole("embeddings.cls_token", "embeddings.class_embedding"),
        same("embeddings.register_tokens"),
        whole("embeddings.position_embeddings", "embeddings.position_embedding"),
        whole("embeddings.patch_embeddings.projection.", "embeddings.patch_embedding."),
        same("layernorm."),
        whole("encoder.layer.*.norm1.", "encoder.layers.*.norm1."),
        whole("encoder.layer.*.norm2.", "encoder.layers.*.norm2."),
        part("encoder.layer.*.attention.attention.query.", "encoder.layers.*.attn.qkv.", [0, 3]),
        part("encoder.layer.*.attention.attention.key.", "encoder.layers.*.attn.qkv.", [1, 3]),
        part("encoder.layer.*.attention.attention.value.", "encoder.layers.*.attn.qkv.", [2, 3]),
        whole("encoder.layer.*.attention.output.dense.", "encoder.layers.*.attn.proj."),
        whole("encoder.layer.*.layer_scale1.lambda1", "encoder.layers.*.ls1"),
        whole("encoder.layer.*.layer_scale2.lambda1", "encoder.layers.*.ls2"),
        whole("encoder.layer.*.mlp.fc1.", "encoder.layers.*.mlp.fc1."),
        whole("encoder.layer.*.mlp.fc2.", "encoder.layers.*.mlp.fc2."),
        whole("encoder.layer.*.mlp.weights_in.", "encoder.layers.*.mlp.fc1."),
        whole("encoder.layer.*.mlp.weights_out.", "encoder.layers.*.mlp.fc2."),
    ]],
    beside: &[same("classifier.")],
    elsewhere: &["embeddings.mask_token", "head.", "decode_head."],
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::{Activation, Mlp, Resample, Spec, parse_config};

    fn spec(text: &str) -> Spec {
        parse_config("c", text).unwrap()
    }

    /// Sizes of the published models (their `config.json`, and timm's architectures).
    #[test]
    fn published_shapes() {
        let g = r#"{"model_type": "dinov2", "hidden_size": 1536, "num_hidden_layers": 40,
            "num_attention_heads": 24, "use_swiglu_ffn": true, "image_size": 518}"#;
        let gated = Mlp { activation: Activation::Silu, gated: true };
        for text in [g, r#"{"architecture": "vit_giant_patch14_dinov2.lvd142m"}"#] {
            let spec = spec(text);
            assert_eq!((spec.sizes.layers, spec.sizes.heads, spec.sizes.mlp), (40, 24, 4096));
            assert_eq!((spec.mlp, spec.sizes.image, spec.prefix_tokens()), (gated, 518, 1));
        }
        let plus = r#"{"model_type": "dinov2_with_registers", "patch_size": 14}"#;
        for text in [plus, r#"{"architecture": "vit_base_patch14_reg4_dinov2.lvd142m"}"#] {
            let spec = spec(text);
            assert_eq!((spec.sizes.hidden, spec.sizes.mlp, spec.prefix_tokens()), (768, 3072, 5));
            let resample = Resample::BicubicAntialiased;
            let prefix = usize::from(text == plus);
            assert_eq!(spec.position, crate::model::Position::Table { prefix, resample });
            assert_eq!(spec.preprocessing.size, Some(224));
        }
    }

    #[test]
    fn timms_internvit() {
        let spec = spec(r#"{"architecture": "vit_intern300m_patch14_448.ogvl_dist"}"#);
        let own = crate::model::dialects::internvit_300m(448, 24);
        assert_eq!((spec.sizes, spec.final_norm), (own.sizes, own.final_norm));
        assert_eq!((spec.qk_norm, spec.qkv_bias, spec.norm), (own.qk_norm, own.qkv_bias, own.norm));
    }

    #[test]
    fn other_architectures_of_timm_are_not_claimed() {
        for name in ["resnet50.a1_in1k", "vit_relpos_base_patch16_224", "vit_huge_patch14_dinov2"] {
            assert!(parse_config("c", &format!(r#"{{"architecture": "{name}"}}"#)).is_err());
        }
    }
}
