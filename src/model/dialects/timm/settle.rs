//! What the tensors tell of timm's encoders.

use crate::Result;
use crate::model::dialects::classes;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::spec::*;

/// Takes from the tensors what a name does not tell.
pub(in crate::model::dialects) fn settle(
    _: &Fields<'_>,
    spec: &mut Spec,
    found: &Found,
) -> Result<()> {
    let first = if spec.windows.is_some() { "blocks.0." } else { "" };
    let block = |name: &str| format!("encoder.layers.0.{first}{name}");
    let has = |name: &str| found.has(&block(name));
    spec.patch_bias = found.has("embeddings.patch_embedding.bias");
    spec.stem_norm = found.has("embeddings.norm.weight");
    spec.layer_scale = has("ls1");
    spec.qkv_bias = has("attn.qkv.bias");
    spec.key_bias = !spec.qkv_bias || found.has_third(&block("attn.qkv.bias"), 1);
    spec.sub_norm = SubNorm { attention: has("attn.norm.weight"), mlp: has("mlp.norm.weight") };
    spec.classifier = match classes(found) {
        Classifier::Classes(classes) if found.has("distillation_classifier.weight") => {
            Classifier::Distilled(classes)
        }
        other => other,
    };
    if spec.windows.is_none() {
        spec.prefix = Prefix {
            cls: found.has("embeddings.class_embedding"),
            distillation: found.has("embeddings.distillation_token"),
            registers: registers(found),
        };
        settle_position(spec, found);
    }
    // What a converted file no longer tells is as the configuration says.
    if found.has_key("fc_norm.weight") {
        spec.final_norm = FinalNorm::Pooled;
    } else if found.has_key("norm.weight") {
        spec.final_norm = FinalNorm::Tokens;
    }
    Ok(())
}

fn registers(found: &Found) -> usize {
    let name = "embeddings.register_tokens";
    if found.has(name) { found.size(name, 1).unwrap_or(0) } else { 0 }
}

/// How many prefix tokens have a row in the table: of the others it is in the token itself.
fn settle_position(spec: &mut Spec, found: &Found) {
    let name = "embeddings.position_embedding";
    let rows = found.size(name, 1).filter(|_| found.size(name, 2).is_some());
    let rows = rows.or_else(|| found.size(name, 0));
    match (rows, &mut spec.position) {
        (None, position) => *position = Position::None,
        (Some(rows), Position::Table { prefix, .. }) => {
            let native = (spec.sizes.image / spec.sizes.patch).pow(2);
            *prefix = rows.checked_sub(native).filter(|rows| *rows <= 2).unwrap_or(*prefix);
        }
        // The manifest tells of a table that the architecture has not.
        (Some(_), Position::None) => {}
    }
}
