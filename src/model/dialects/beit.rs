//! BEiT as transformers writes it (`beit`): relative positions, no bias of the keys, the mean pooled.
//!
//! Source: `BeitConfig` of transformers and its models.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, BASE, Dialect, HALF, classes, no_text, sizes, squashed, vit, write_all};
use crate::Result;
use crate::image::Filter;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Scheme, elsewhere, same};
use crate::model::spec::*;

/// As transformers writes it.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["beit"],
    claims: |_| false,
    spec,
    settle,
    text: no_text,
    write: |spec, map: &mut Map<String, Value>| write_all("beit", spec, map),
    schemes: &[NAMES],
};

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let table = fields.flag("use_absolute_position_embeddings", false)?;
    let flags = ["use_relative_position_bias", "use_shared_relative_position_bias"];
    let relative = match [fields.flag(flags[0], false)?, fields.flag(flags[1], false)?] {
        [false, false] => Relative::None,
        [true, false] => Relative::Blocks,
        [false, true] => Relative::Shared,
        [true, true] => Relative::Both,
    };
    let mean = fields.flag("use_mean_pooling", true)?;
    let plain = Spec::plain(sizes(fields, BASE)?);
    let mut spec = Spec {
        position: if table { plain.position } else { Position::None },
        relative,
        layer_scale: fields.number("layer_scale_init_value", 0.1, [0.0, 1e3])? > 0.0,
        key_bias: false,
        final_norm: if mean { FinalNorm::Pooled } else { FinalNorm::Tokens },
        pool: if mean { Pool::Mean } else { Pool::Cls },
        preprocessing: squashed(Filter::Bicubic, HALF, HALF),
        ..plain
    };
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-12)?;
    spec.mlp.activation = fields.word("hidden_act", "gelu", &ACTIVATIONS)?;
    Ok(spec)
}

/// What was pretrained on masked pictures alone has no pooler.
fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if spec.final_norm == FinalNorm::Pooled && !found.has("layernorm.weight") {
        spec.final_norm = FinalNorm::None;
    }
    spec.classifier = classes(found);
    Ok(())
}

const NAMES: Scheme = Scheme {
    tokens: &["embeddings.cls_token"],
    patches: "embeddings.patch_embeddings.projection.weight",
    behind: "",
    rules: &[&[elsewhere(INDEX), elsewhere(SHARED_INDEX)], &vit::RULES],
    beside: &[same("classifier.")],
    elsewhere: &["embeddings.mask_token", "lm_head.", "decode_head.", "auxiliary_head.", "fpn"],
};

const INDEX: &str =
    "encoder.layer.*.attention.attention.relative_position_bias.relative_position_index";

const SHARED_INDEX: &str = "encoder.relative_position_bias.relative_position_index";

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::{FinalNorm, Pool, Position, Relative, parse_config};

    #[test]
    fn flags() {
        let cases = [
            ("", Relative::None, false),
            (r#", "use_relative_position_bias": true"#, Relative::Blocks, false),
            (r#", "use_shared_relative_position_bias": true"#, Relative::Shared, false),
            (
                r#", "use_relative_position_bias": true, "use_shared_relative_position_bias": true"#,
                Relative::Both,
                false,
            ),
            (r#", "use_absolute_position_embeddings": true"#, Relative::None, true),
        ];
        for (keys, relative, table) in cases {
            let spec = parse_config("c", &format!(r#"{{"model_type": "beit"{keys}}}"#)).unwrap();
            assert_eq!((spec.relative, spec.position != Position::None), (relative, table));
            assert_eq!((spec.final_norm, spec.pool), (FinalNorm::Pooled, Pool::Mean));
            assert!(spec.layer_scale && spec.qkv_bias && !spec.key_bias);
        }
        let cls = r#"{"model_type": "beit", "use_mean_pooling": false}"#;
        let spec = parse_config("c", cls).unwrap();
        assert_eq!((spec.final_norm, spec.pool), (FinalNorm::Tokens, Pool::Cls));
    }
}
