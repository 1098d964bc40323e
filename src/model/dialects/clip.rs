//! CLIP's vision tower as transformers writes it (`clip_vision_model`, within `clip` and others).
//!
//! Source: `CLIPVisionConfig` and `CLIPConfig` of transformers, and their models.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, BASE, Dialect, sizes, text_tower, write_all};
use crate::Result;
use crate::image::{Normal, Resize};
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, elsewhere, part, same, whole};
use crate::model::spec::*;
use crate::model::{Joint, Preprocessing, TextHead, TextPool, TextSpec};

/// As transformers writes it.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["clip_vision_model", "clip"],
    claims: |_| false,
    spec,
    settle,
    text,
    write,
    schemes: &[NAMES],
};

/// The class whose configuration says that there is a projection.
const PROJECTED: &str = "CLIPVisionModelWithProjection";

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let plain = Spec::plain(sizes(fields, Sizes { patch: 32, ..BASE })?);
    let [of_all, _] = fields.kinds();
    let both = Fields { map: fields.top, ..*fields };
    let named = both.get("architectures").is_some_and(|list| list.to_string().contains(PROJECTED));
    // Of both towers' configuration the encoder's own number means nothing.
    let width = both.size("projection_dim", 512)?;
    let classifier = match of_all == Some("clip") || named {
        true => Classifier::Projection { width, bias: false },
        false => Classifier::None,
    };
    let mut spec = Spec { classifier, ..tower(plain) };
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-5)?;
    spec.mlp.activation = fields.word("hidden_act", "quick_gelu", &ACTIVATIONS)?;
    Ok(spec)
}

/// What the towers have in common, as transformers, open_clip and timm write them.
pub(super) fn tower(spec: Spec) -> Spec {
    Spec {
        patch_bias: false,
        stem_norm: true,
        norm: Norm { eps: 1e-5, ..spec.norm },
        final_norm: FinalNorm::Pooled,
        preprocessing: cropped(),
        ..spec
    }
}

/// The short side to the model's, a square cut out of it.
pub(super) fn cropped() -> Preprocessing {
    let (resize, normal) = (Resize::Crop, Normal::clip());
    Preprocessing { resize, normal, ..Preprocessing::default() }
}

/// A tower alone may have been stored with its projection.
fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if let Some(width) = found.size("projection.weight", 0)
        && spec.classifier == Classifier::None
    {
        spec.classifier = Classifier::Projection { width, bias: false };
    }
    Ok(())
}

/// The configuration class's defaults.
fn text(fields: &Fields<'_>, _: &Found) -> Result<Option<TextSpec>> {
    let whole = Fields { map: fields.top, ..*fields };
    if whole.get("model_type").is_none_or(|kind| kind != "clip") {
        return Ok(None);
    }
    let keys = whole.within("text_config");
    let length = keys.size("max_position_embeddings", 77)?;
    let mut tower = text_tower(
        keys.size("hidden_size", 512)?,
        keys.size("num_hidden_layers", 12)?,
        keys.size("num_attention_heads", 8)?,
        keys.size("intermediate_size", 2048)?,
    );
    tower.norm.eps = keys.eps("layer_norm_eps", 1e-5)?;
    tower.mlp.activation = keys.word("hidden_act", "quick_gelu", &ACTIVATIONS)?;
    let vocabulary = keys.size("vocab_size", 49408)?;
    // The first files have a number that is no token's: the last of the vocabulary ends a text.
    let end = keys.tally("eos_token_id", 49407)? as u32;
    Ok(Some(TextSpec {
        tower,
        vocabulary,
        length,
        causal: true,
        pool: if end == 2 { TextPool::LargestId } else { TextPool::FirstOf(end) },
        head: TextHead::Projection(whole.size("projection_dim", 512)?),
        padding: vocabulary.saturating_sub(1) as u32,
        joint: Joint::Softmax,
        repairs: false,
    }))
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    write_all("clip_vision_model", spec, map);
    map.remove("architectures");
    if let Classifier::Projection { width, .. } = spec.classifier {
        map.insert("projection_dim".into(), width.into());
        map.insert("architectures".into(), vec![PROJECTED].into());
    }
}

const NAMES: Scheme = Scheme {
    tokens: &["embeddings.class_embedding"],
    patches: "embeddings.patch_embedding.weight",
    behind: "",
    rules: &[&[same("embeddings.class_embedding")], &RULES],
    beside: &[whole("visual_projection.", "projection.")],
    elsewhere: &[],
};

/// The table of what each number of a token stands for.
pub(super) const TOKENS: &str = "embeddings.token_embedding.weight";

/// The tower for texts, of SigLIP too.
pub(super) const TEXT_NAMES: Scheme = Scheme {
    tokens: &[TOKENS],
    patches: TOKENS,
    behind: "",
    rules: &[
        &[same(TOKENS), whole("final_layer_norm.", "layernorm."), whole("head.", "projection.")],
        &RULES,
    ],
    beside: &[whole("text_projection.", "projection."), same("logit_scale"), same("logit_bias")],
    elsewhere: &[],
};

/// Names that SigLIP and Janus have too.
pub(super) const RULES: [Rule; 14] = [
    elsewhere("embeddings.position_ids"),
    whole("embeddings.position_embedding.weight", "embeddings.position_embedding"),
    same("embeddings.patch_embedding."),
    whole("pre_layrnorm.", "embeddings.norm."),
    whole("post_layernorm.", "layernorm."),
    whole("encoder.layers.*.layer_norm1.", "encoder.layers.*.norm1."),
    whole("encoder.layers.*.layer_norm2.", "encoder.layers.*.norm2."),
    part("encoder.layers.*.self_attn.q_proj.", "encoder.layers.*.attn.qkv.", [0, 3]),
    part("encoder.layers.*.self_attn.k_proj.", "encoder.layers.*.attn.qkv.", [1, 3]),
    part("encoder.layers.*.self_attn.v_proj.", "encoder.layers.*.attn.qkv.", [2, 3]),
    whole("encoder.layers.*.self_attn.out_proj.", "encoder.layers.*.attn.proj."),
    whole("encoder.layers.*.self_attn.projection_layer.", "encoder.layers.*.attn.proj."),
    same("encoder.layers.*.mlp.fc1."),
    same("encoder.layers.*.mlp.fc2."),
];

#[cfg(test)]
mod tests {
    use crate::model::dialects::tests::published;
    use crate::model::{Activation, Classifier, FinalNorm};

    /// OpenAI's and LAION's towers: sizes as `config.json` has them.
    #[test]
    fn published_shapes() {
        let cases = [
            (r#"{}"#, 512, [768, 12, 12, 3072, 32], Activation::Quick, "87.5"),
            (r#"{"patch_size": 16}"#, 512, [768, 12, 12, 3072, 16], Activation::Quick, "85.8"),
            (
                r#"{"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16,
                    "intermediate_size": 4096, "patch_size": 14}"#,
                768,
                [1024, 24, 16, 4096, 14],
                Activation::Quick,
                "303.2",
            ),
            (
                r#"{"hidden_size": 1664, "num_hidden_layers": 48, "num_attention_heads": 16,
                    "intermediate_size": 8192, "patch_size": 14, "hidden_act": "gelu"}"#,
                1280,
                [1664, 48, 16, 8192, 14],
                Activation::Erf,
                "1843",
            ),
        ];
        for (inner, width, sizes, activation, millions) in cases {
            let text = format!(
                r#"{{"model_type": "clip", "projection_dim": {width}, "vision_config": {inner}}}"#
            );
            let spec = published(&text, millions, sizes[0] * width);
            let s = spec.sizes;
            assert_eq!([s.hidden, s.layers, s.heads, s.mlp, s.patch], sizes);
            assert_eq!((spec.mlp.activation, spec.norm.eps), (activation, 1e-5));
            assert!(spec.stem_norm && !spec.patch_bias && spec.final_norm == FinalNorm::Pooled);
            assert_eq!(spec.classifier, Classifier::Projection { width, bias: false });
        }
    }
}
