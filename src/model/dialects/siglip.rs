//! SigLIP and SigLIP 2 as transformers writes them (`siglip_vision_model`, `siglip2_vision_model`), alone,
//! beside a text tower, or as the tower of PaliGemma and TokenFlow.
//!
//! Source: `SiglipVisionConfig`, `Siglip2VisionConfig` and `PaliGemmaConfig` of transformers, and their
//! models; `ByteFlow-AI/TokenFlow`.

use serde_json::{Map, Value};

use super::{ACTIVATIONS, BASE, Dialect, HALF, clip, sizes, squashed, text_tower, write_all};
use crate::Result;
use crate::image::Filter;
use crate::model::fields::Fields;
use crate::model::found::Found;
use crate::model::names::{Rule, Scheme, cut, elsewhere, whole};
use crate::model::spec::*;
use crate::model::{Activation, Joint, TextHead, TextPool, TextSpec};

/// As transformers writes them.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["siglip_vision_model", "siglip", FLEXIBLE, "siglip2", PALIGEMMA],
    claims: |_| false,
    spec,
    settle,
    text,
    write,
    schemes: &[TOKENFLOW_NAMES, NAMES],
};

/// The `model_type` of the variant that takes pictures of any aspect ratio.
const FLEXIBLE: &str = "siglip2_vision_model";

/// That of the language model whose tower has a projector and no head.
const PALIGEMMA: &str = "paligemma";

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let [of_all, kind] = fields.kinds();
    let flexible = [of_all, kind].iter().flatten().any(|kind| kind.starts_with("siglip2"));
    let paligemma = of_all == Some(PALIGEMMA);
    let mut sizes = sizes(fields, BASE)?;
    if flexible {
        let patches = fields.size("num_patches", 256)?;
        let side = patches.isqrt();
        if side * side != patches {
            return Err(fields
                .error(format_args!("num_patches: expected those of a square, found {patches}")));
        }
        sizes.image = side * sizes.patch;
    }
    let unused = fields.tally(UNUSED, 0)?;
    let head = fields.flag("vision_use_head", !paligemma)?;
    let resample = if flexible { Resample::BilinearAntialiased } else { Resample::Bicubic };
    let filter = if flexible { Filter::Bilinear } else { Filter::Bicubic };
    let mut spec = Spec {
        prefix: Prefix { cls: false, distillation: false, registers: 0 },
        position: Position::Table { prefix: 0, resample },
        unused,
        final_norm: if unused > 0 { FinalNorm::None } else { FinalNorm::Tokens },
        pool: if head && unused == 0 { Pool::Map } else { Pool::None },
        projector: projector(fields)?,
        preprocessing: squashed(filter, HALF, HALF),
        ..Spec::plain(sizes)
    };
    if paligemma {
        let width = Fields { map: fields.top, ..*fields }.size("projection_dim", 2048)?;
        let width = fields.size("projection_dim", width)?;
        spec.projector = Some(projects("projector_output", vec![width], Activation::Erf));
    }
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-6)?;
    spec.mlp.activation = fields.word("hidden_act", "gelu_pytorch_tanh", &ACTIVATIONS)?;
    Ok(spec)
}

/// The key of ours for blocks that the last hidden state leaves out.
const UNUSED: &str = "unused_layers";

/// The key of ours for a projector.
const PROJECTOR: &str = "projector";

/// A projector that a converted configuration describes.
pub(super) fn projector(fields: &Fields<'_>) -> Result<Option<Projector>> {
    let Some(value) = fields.get(PROJECTOR) else { return Ok(None) };
    let read = serde_json::from_value::<Projector>(value.clone());
    let read = read.ok().filter(|projector| {
        let sound = |width: &usize| (1..=1 << 15).contains(width);
        (1..=4).contains(&projector.widths.len()) && projector.widths.iter().all(sound)
    });
    read.map(Some).ok_or_else(|| {
        fields.error(format_args!(
            "{PROJECTOR}: expected output, widths and activation, found {value}"
        ))
    })
}

/// Linear layers of these widths on every token.
pub(super) fn projects(output: &str, widths: Vec<usize>, activation: Activation) -> Projector {
    Projector { output: output.into(), widths, activation }
}

/// TokenFlow's configuration is that of the tower alone.
fn settle(_: &Fields<'_>, spec: &mut Spec, found: &Found) -> Result<()> {
    if !found.is_behind(TOKENFLOW) {
        return Ok(());
    }
    (spec.unused, spec.final_norm, spec.pool) = (1, FinalNorm::None, Pool::None);
    let widths = (0..found.count("projector.*.weight"))
        .filter_map(|layer| found.size(&format!("projector.{layer}.weight"), 0))
        .collect::<Vec<_>>();
    let projector = projects("semantic_features", widths, Activation::HyperbolicTangent);
    spec.projector = Some(projector).filter(|projector| !projector.widths.is_empty());
    Ok(())
}

/// The configuration class's defaults. SigLIP 2's larger vocabulary has another token for padding.
fn text(fields: &Fields<'_>, _: &Found) -> Result<Option<TextSpec>> {
    let whole = Fields { map: fields.top, ..*fields };
    let kind = whole.get("model_type").and_then(Value::as_str);
    if !kind.is_some_and(|kind| ["siglip", "siglip2"].contains(&kind)) {
        return Ok(None);
    }
    let keys = whole.within("text_config");
    let hidden = keys.size("hidden_size", 768)?;
    let mut tower = text_tower(
        hidden,
        keys.size("num_hidden_layers", 12)?,
        keys.size("num_attention_heads", 12)?,
        keys.size("intermediate_size", 3072)?,
    );
    tower.norm.eps = keys.eps("layer_norm_eps", 1e-6)?;
    tower.mlp.activation = keys.word("hidden_act", "gelu_pytorch_tanh", &ACTIVATIONS)?;
    let vocabulary = keys.size("vocab_size", 32000)?;
    Ok(Some(TextSpec {
        tower,
        vocabulary,
        length: keys.size("max_position_embeddings", 64)?,
        causal: false,
        pool: TextPool::Last,
        head: TextHead::Pooler(keys.size("projection_size", hidden)?),
        padding: u32::from(vocabulary < 100_000),
        joint: Joint::Sigmoid,
        repairs: false,
    }))
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    write_all("siglip_vision_model", spec, map);
    if map.get("model_type").is_some_and(|kind| kind == PALIGEMMA) {
        map.insert("model_type".into(), "siglip_vision_model".into());
    }
    map.insert("vision_use_head".into(), (spec.pool == Pool::Map).into());
    if spec.unused > 0 {
        map.insert(UNUSED.into(), spec.unused.into());
    }
    write_projector(spec, map);
}

/// Writes the projector that [`projector`] reads.
pub(super) fn write_projector(spec: &Spec, map: &mut Map<String, Value>) {
    if let Some(value) = spec.projector.as_ref().and_then(|p| serde_json::to_value(p).ok()) {
        map.insert(PROJECTOR.into(), value);
    }
}

const PATCHES: &str = "embeddings.patch_embedding.weight";

const NAMES: Scheme = Scheme {
    tokens: &[PATCHES],
    patches: PATCHES,
    behind: "",
    rules: &[&HEAD, &clip::RULES],
    beside: &[
        whole("multi_modal_projector.linear.", "projector.0."),
        whole("aligner.fc1.", "projector.0."),
        whole("aligner.hidden_layers.0.", "projector.1."),
    ],
    elsewhere: &[],
};

/// What stands before the names of TokenFlow's tower.
const TOKENFLOW: &str = "encoder_vqkd.vision_model.";

const TOKENFLOW_NAMES: Scheme = Scheme {
    behind: TOKENFLOW,
    rules: &[&[elsewhere("post_layernorm."), elsewhere("head.")], &clip::RULES],
    beside: &[
        whole("encode_task_layer.0.", "projector.0."),
        whole("encode_task_layer.2.", "projector.1."),
    ],
    ..NAMES
};

const HEAD: [Rule; 7] = [
    whole("head.probe", "pool.probe"),
    cut("head.attention.in_proj_weight", &["pool.q.weight", "pool.kv.weight"]),
    cut("head.attention.in_proj_bias", &["pool.q.bias", "pool.kv.bias"]),
    whole("head.attention.out_proj.", "pool.proj."),
    whole("head.layernorm.", "pool.norm."),
    whole("head.mlp.fc1.", "pool.mlp.fc1."),
    whole("head.mlp.fc2.", "pool.mlp.fc2."),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::dialects::tests::published;
    use crate::model::{Activation, Pool, Position, Resample, parse_config};

    /// The hub's files name few keys; the head counts.
    #[test]
    fn published_shapes() {
        let so400m = r#""hidden_size": 1152, "num_hidden_layers": 27, "num_attention_heads": 16,
            "intermediate_size": 4304, "patch_size": 14, "image_size": 384, "#;
        let giant = r#""hidden_size": 1536, "num_hidden_layers": 40, "num_attention_heads": 16,
            "intermediate_size": 6144, "image_size": 384, "#;
        for (keys, head_dim, millions) in
            [("", 64, "92.9"), (so400m, 72, "428"), (giant, 96, "1164")]
        {
            let text = format!(
                r#"{{"model_type": "siglip",
                "vision_config": {{{keys} "model_type": "siglip_vision_model"}}}}"#
            );
            let spec = published(&text, millions, 0);
            assert_eq!(
                (spec.head_dim(), spec.prefix_tokens(), spec.pool),
                (head_dim, 0, Pool::Map)
            );
            assert_eq!((spec.mlp.activation, spec.norm.eps), (Activation::Tanh, 1e-6));
        }
    }

    #[test]
    fn any_aspect_ratio() {
        let text = r#"{"model_type": "siglip2", "vision_config": {"num_patches": 256}}"#;
        let spec = parse_config("c", text).unwrap();
        assert_eq!((spec.sizes.image, spec.native_grid()), (256, 16));
        let resample = Resample::BilinearAntialiased;
        assert_eq!(spec.position, Position::Table { prefix: 0, resample });
        assert!(parse_config("c", &text.replace("256", "250")).is_err());
    }

    #[test]
    fn paligemma() {
        let text = r#"{"model_type": "paligemma", "projection_dim": 2304, "vision_config":
            {"model_type": "siglip_vision_model", "patch_size": 14}}"#;
        let spec = parse_config("c", text).unwrap();
        let projector = spec.projector.unwrap();
        assert_eq!((projector.output.as_str(), projector.widths), ("projector_output", vec![2304]));
        assert_eq!(spec.pool, Pool::None);
    }
}
