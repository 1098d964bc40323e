//! CLIP models as open_clip writes them: `open_clip_config.json`, with a tower of its own or one of timm's.
//!
//! Source: open_clip's `model.py`, `transformer.py` and `timm_model.py`.

use serde_json::{Map, Value};

use super::{Dialect, clip, text_tower, timm};
use crate::Result;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, elsewhere, same, turned, whole};
use crate::model::spec::*;
use crate::model::{Activation, Joint, TextHead, TextPool, TextSpec};

/// As open_clip writes them.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &[],
    claims: |fields| fields.get("model_cfg").is_some_and(Value::is_object),
    spec,
    settle,
    text,
    write: |_, _: &mut Map<String, Value>| {},
    schemes: &[NAMES, timm::TRUNK],
};

/// The tower's keys.
fn tower<'a>(fields: &Fields<'a>) -> Fields<'a> {
    fields.within("model_cfg").within("vision_cfg")
}

/// The architecture of a tower of timm's.
fn of_timm<'a>(tower: &Fields<'a>) -> Option<&'a str> {
    tower.get("timm_model_name")?.as_str()?.split('.').next()
}

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let (model, tower) = (fields.within("model_cfg"), tower(fields));
    let width = model.size("embed_dim", 512)?;
    if let Some(name) = of_timm(&tower) {
        let mut arguments = Map::new();
        if let Some(image) = tower.get("image_size") {
            arguments.insert("img_size".into(), image.clone());
        }
        if let Some(pool) = tower.get("timm_pool") {
            arguments.insert("global_pool".into(), pool.clone());
        }
        let arguments = Fields { map: &arguments, ..*fields };
        let mut spec = timm::named(fields, name, &arguments)?;
        let projected = tower.get("timm_proj").is_none_or(|proj| proj != "none");
        if projected && spec.pool != Pool::Map {
            spec.classifier = Classifier::Projection { width, bias: true };
        }
        return Ok(spec);
    }
    if tower.map.is_empty() || tower.get("layers").is_some_and(Value::is_array) {
        return Err(fields.error("model_cfg.vision_cfg: expected a vision transformer"));
    }
    tower.only("attentional_pool", false.into())?;
    let hidden = tower.size("width", 768)?;
    let head = tower.size("head_width", 64)?;
    let sizes = Sizes {
        hidden,
        layers: tower.size("layers", 12)?,
        heads: (hidden / head).max(1),
        mlp: (hidden as f64 * tower.number("mlp_ratio", 4.0, [0.1, 64.0])?) as usize,
        patch: tower.side("patch_size", 16)?,
        channels: 3,
        image: tower.side("image_size", 224)?,
    };
    let mean = tower.word("pool_type", "tok", &[("tok", false), ("avg", true)])?;
    let after = tower.flag("final_ln_after_pool", false)?;
    let mut spec = Spec {
        stem_norm: !tower.flag("no_ln_pre", false)?,
        layer_scale: tower.get("ls_init_value").is_some(),
        // Of one token alone it is the same before and after.
        final_norm: if mean && !after { FinalNorm::Tokens } else { FinalNorm::Pooled },
        pool: if mean { Pool::Mean } else { Pool::Cls },
        classifier: Classifier::Projection { width, bias: false },
        ..clip::tower(Spec::plain(sizes))
    };
    spec.position = Position::Table { prefix: 1, resample: Resample::BicubicAntialiased };
    spec.norm.eps = tower.within("norm_kwargs").eps("eps", 1e-5)?;
    spec.mlp.activation = activation(&model, &tower)?;
    Ok(spec)
}

/// Of a tower of timm's the configuration has only the name, and that may be of another size.
fn settle(fields: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if of_timm(&tower(fields)).is_none() {
        return Ok(());
    }
    let width = found.size("embeddings.patch_embedding.weight", 0);
    if let Some(hidden) = width.filter(|hidden| *hidden != spec.sizes.hidden) {
        // All published ones have heads of 64 channels.
        (spec.sizes.hidden, spec.sizes.heads) = (hidden, (hidden / 64).max(1));
    }
    spec.sizes.layers = found.count("encoder.layers.*.norm1.weight").max(1);
    if let Some(patch) = found.size("embeddings.patch_embedding.weight", 2) {
        spec.sizes.patch = patch;
    }
    if let Some(inner) = found.size("encoder.layers.0.mlp.fc2.weight", 1) {
        spec.sizes.mlp = inner;
    }
    let projection = spec.classifier;
    timm::settle(fields, spec, found)?;
    spec.classifier = match (projection, found.size("projection.weight", 0)) {
        (Classifier::Projection { width, .. }, _) | (_, Some(width)) => {
            Classifier::Projection { width, bias: found.has("projection.bias") }
        }
        _ => Classifier::None,
    };
    Ok(())
}

fn text(fields: &Fields<'_>, found: &Found) -> Result<Option<TextSpec>> {
    let model = fields.within("model_cfg");
    let keys = model.within("text_cfg");
    // A text tower of another library's is none of these.
    if keys.map.is_empty() || keys.get("hf_model_name").is_some() {
        return Ok(None);
    }
    let hidden = keys.size("width", 512)?;
    let ratio = keys.number("mlp_ratio", 4.0, [0.1, 64.0])?;
    let mut tower = text_tower(
        hidden,
        keys.size("layers", 12)?,
        keys.size("heads", 8)?,
        (hidden as f64 * ratio) as usize,
    );
    tower.norm.eps = keys.within("norm_kwargs").eps("eps", 1e-5)?;
    tower.mlp.activation = activation(&model, &keys)?;
    tower.layer_scale = keys.get("ls_init_value").is_some();
    let pools = [("argmax", TextPool::LargestId), ("last", TextPool::Last)];
    let (width, bias) = (model.size("embed_dim", 512)?, keys.flag("proj_bias", false)?);
    let sigmoid = found.has("logit_bias");
    Ok(Some(TextSpec {
        tower,
        vocabulary: keys.size("vocab_size", 49408)?,
        length: keys.size("context_length", 77)?,
        causal: !keys.flag("no_causal_mask", false)?,
        pool: keys.word("pool_type", "argmax", &pools)?,
        head: if bias { TextHead::Pooler(width) } else { TextHead::Projection(width) },
        padding: keys.tally("pad_id", 0)? as u32,
        joint: if sigmoid { Joint::Sigmoid } else { Joint::Softmax },
        repairs: true,
    }))
}

/// That of a tower.
fn activation(model: &Fields<'_>, tower: &Fields<'_>) -> Result<Activation> {
    let tanh = tower.within("act_kwargs").get("approximate").is_some_and(|how| how == "tanh");
    Ok(match model.flag("quick_gelu", false)? {
        true => Activation::Quick,
        false if tanh => Activation::Tanh,
        false => Activation::Erf,
    })
}

/// The tower for texts: beside that for pictures, or in a part of its own.
pub(super) const TEXT_NAMES: Scheme = Scheme {
    tokens: &["token_embedding.weight"],
    patches: "token_embedding.weight",
    behind: "",
    rules: &[
        &[
            whole("token_embedding.weight", "embeddings.token_embedding.weight"),
            whole("ln_final.", "layernorm."),
            turned("text_projection", "projection.weight"),
            whole("text_projection.", "projection."),
            elsewhere("attn_mask"),
        ],
        &RULES,
    ],
    beside: &[same("logit_scale"), same("logit_bias")],
    elsewhere: &["visual."],
};

const NAMES: Scheme = Scheme {
    tokens: &["class_embedding"],
    patches: "conv1.weight",
    behind: "",
    rules: &[&RULES],
    beside: &[],
    elsewhere: &[],
};

const RULES: [Rule; 15] = [
    whole("class_embedding", "embeddings.class_embedding"),
    whole("positional_embedding", "embeddings.position_embedding"),
    whole("conv1.", "embeddings.patch_embedding."),
    whole("ln_pre.", "embeddings.norm."),
    whole("ln_post.", "layernorm."),
    turned("proj", "projection.weight"),
    whole("transformer.resblocks.*.ln_1.", "encoder.layers.*.norm1."),
    whole("transformer.resblocks.*.ln_2.", "encoder.layers.*.norm2."),
    whole("transformer.resblocks.*.attn.in_proj_weight", "encoder.layers.*.attn.qkv.weight"),
    whole("transformer.resblocks.*.attn.in_proj_bias", "encoder.layers.*.attn.qkv.bias"),
    whole("transformer.resblocks.*.attn.out_proj.", "encoder.layers.*.attn.proj."),
    whole("transformer.resblocks.*.ls_1.gamma", "encoder.layers.*.ls1"),
    whole("transformer.resblocks.*.ls_2.gamma", "encoder.layers.*.ls2"),
    whole("transformer.resblocks.*.mlp.c_fc.", "encoder.layers.*.mlp.fc1."),
    whole("transformer.resblocks.*.mlp.c_proj.", "encoder.layers.*.mlp.fc2."),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::{Activation, Classifier, FinalNorm, Pool, parse_config};

    /// LAION's and OpenAI's towers: open_clip's own configurations.
    #[test]
    fn published_shapes() {
        let config = |model: &str| {
            parse_config("c", &format!(r#"{{"model_cfg": {model}, "preprocess_cfg": {{}}}}"#))
        };
        let b = config(
            r#"{"embed_dim": 512, "quick_gelu": true, "text_cfg": {},
                "vision_cfg": {"image_size": 224, "layers": 12, "width": 768, "patch_size": 32}}"#,
        );
        let b = b.unwrap();
        let s = b.sizes;
        assert_eq!([s.hidden, s.layers, s.heads, s.mlp, s.patch], [768, 12, 12, 3072, 32]);
        assert_eq!((b.mlp.activation, b.norm.eps), (Activation::Quick, 1e-5));
        assert_eq!(b.classifier, Classifier::Projection { width: 512, bias: false });
        assert_eq!((b.final_norm, b.pool, b.patch_bias), (FinalNorm::Pooled, Pool::Cls, false));
        let g = config(
            r#"{"embed_dim": 1280, "vision_cfg": {"image_size": 224, "layers": 48, "width": 1664,
                "head_width": 104, "mlp_ratio": 4.9231, "patch_size": 14}}"#,
        );
        let g = g.unwrap();
        assert_eq!((g.sizes.heads, g.sizes.mlp, g.mlp.activation), (16, 8192, Activation::Erf));
        let siglip = config(
            r#"{"embed_dim": 768, "vision_cfg": {"image_size": 224, "timm_pool": "map",
                "timm_model_name": "vit_base_patch16_siglip_224", "timm_proj": "none"}}"#,
        );
        let siglip = siglip.unwrap();
        assert_eq!((siglip.pool, siglip.classifier), (Pool::Map, Classifier::None));
        let resnet = config(r#"{"embed_dim": 1024, "vision_cfg": {"layers": [3, 4, 6, 3]}}"#);
        let error = resnet.unwrap_err().to_string();
        assert!(error.contains("expected a vision transformer"), "{error}");
    }
}
