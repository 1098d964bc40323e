//! The vision tower of Janus and Janus-Pro as transformers writes it (`janus_vision_model`): SigLIP's with
//! another activation, and an aligner in place of the head.
//!
//! Source: `JanusVisionConfig` of transformers and its models.

use serde_json::{Map, Value};

use super::siglip::{projector, projects, write_projector};
use super::{ACTIVATIONS, BASE, Dialect, HALF, no_text, settled, sizes, squashed, write_all};
use crate::Result;
use crate::image::Filter;
use crate::model::Activation;
use crate::model::fields::Fields;
use crate::model::spec::*;

/// As transformers writes it. Its names are SigLIP's.
pub(in crate::model) const DIALECT: Dialect = Dialect {
    types: &["janus_vision_model", "janus"],
    claims: |_| false,
    spec,
    settle: settled,
    text: no_text,
    write,
    schemes: &[],
};

fn spec(fields: &Fields<'_>) -> Result<Spec> {
    let default = Sizes { hidden: 1024, layers: 24, heads: 16, mlp: 4096, image: 384, ..BASE };
    let mut sizes = sizes(fields, default)?;
    let ratio = fields.number("mlp_ratio", 4.0, [0.1, 64.0])?;
    sizes.mlp = (sizes.hidden as f64 * ratio) as usize;
    fields.only("use_qk_norm", false.into())?;
    let [of_all, _] = fields.kinds();
    let aligner = match of_all == Some("janus") {
        false => projector(fields)?,
        true => {
            let (width, depth) = (fields.size("projection_dim", 2048)?, fields.size("depth", 2)?);
            if depth > 2 {
                return Err(fields.error(format_args!("depth: expected 1 or 2, found {depth}")));
            }
            Some(projects("aligner_output", vec![width; depth], Activation::Erf))
        }
    };
    let mut spec = Spec {
        prefix: Prefix { cls: false, distillation: false, registers: 0 },
        position: Position::Table { prefix: 0, resample: Resample::Bicubic },
        qkv_bias: fields.flag("attention_bias", true)?,
        pool: Pool::None,
        projector: aligner,
        preprocessing: squashed(Filter::Bicubic, HALF, HALF),
        ..Spec::plain(sizes)
    };
    spec.norm.eps = fields.eps("layer_norm_eps", 1e-6)?;
    spec.mlp.activation = fields.word("hidden_act", "gelu", &ACTIVATIONS)?;
    Ok(spec)
}

fn write(spec: &Spec, map: &mut Map<String, Value>) {
    write_all("janus_vision_model", spec, map);
    map.insert("mlp_ratio".into(), (spec.sizes.mlp as f64 / spec.sizes.hidden as f64).into());
    map.insert("attention_bias".into(), spec.qkv_bias.into());
    write_projector(spec, map);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use crate::model::{Activation, Pool, parse_config};

    #[test]
    fn published_shape() {
        let text = r#"{"model_type": "janus", "vision_config": {"projection_dim": 4096}}"#;
        let spec = parse_config("c", text).unwrap();
        assert_eq!((spec.sizes.hidden, spec.sizes.layers, spec.sizes.mlp), (1024, 24, 4096));
        assert_eq!((spec.native_grid(), spec.pool), (24, Pool::None));
        assert_eq!(spec.mlp.activation, Activation::Erf);
        let aligner = spec.projector.unwrap();
        assert_eq!((aligner.output.as_str(), aligner.widths), ("aligner_output", vec![4096; 2]));
    }
}
