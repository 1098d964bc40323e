//! Visual tokens: what a language model is given of a picture.
//!
//! Source: `modeling_internvl_chat.py` of OpenGVLab's repositories on the hub; `InternVLConfig` of transformers.

use super::inner;
use crate::Result;
use crate::model::config::with_fields;
use crate::model::fields::Fields;
use crate::model::names::{Key, Rule, read, whole};

/// Four patches of a square, side by side, through LayerNorm and two linear layers with GELU between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VisualSpec {
    /// The hidden state that is taken: 0 the embedding, i the output of block i.
    pub layer: usize,
    /// The order of the squares.
    pub order: Order,
    /// Channels of a visual token: those of the language model.
    pub width: usize,
}

/// The order of the squares of four patches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Row after row: `ps_version` v2.
    Rows,
    /// Column after column: v1.
    Columns,
}

/// How visual tokens are made of a tower of `layers` blocks; `None` where a configuration is not of InternVL.
///
/// # Errors
/// [`crate::Error::Config`] where a value makes no sense, or nothing here can compute it.
pub fn parse_visual(file: &str, text: &str, layers: usize) -> Result<Option<VisualSpec>> {
    with_fields(file, text, |fields| {
        let whole = Fields { map: fields.top, ..*fields };
        let port = match whole.get("model_type").and_then(serde_json::Value::as_str) {
            Some("internvl_chat") => false,
            Some("internvl") => true,
            _ => return Ok(None),
        };
        let Some(language) = inner(fields) else { return Ok(None) };
        whole.only("downsample_ratio", 0.5.into())?;
        let key = if port { "vision_feature_layer" } else { "select_layer" };
        let layer = match whole.get(key) {
            None => Some(layers),
            Some(value) => value.as_i64().and_then(|at| {
                // From the last one, -1, or from the embedding, 0.
                let at = if at < 0 { layers as i64 + 1 + at } else { at };
                usize::try_from(at).ok().filter(|at| *at <= layers)
            }),
        };
        let layer = layer.ok_or_else(|| {
            whole.error(format_args!("{key}: expected a hidden state of {layers} blocks"))
        })?;
        let order = match port {
            true => {
                whole.only("vision_feature_select_strategy", "default".into())?;
                whole.word("projector_hidden_act", "gelu", &[("gelu", Order::Rows)])?
            }
            false => {
                whole.word("ps_version", "v1", &[("v1", Order::Columns), ("v2", Order::Rows)])?
            }
        };
        Ok(Some(VisualSpec { layer, order, width: language.size("hidden_size", 4096)? }))
    })
}

impl VisualSpec {
    /// The canonical meaning of a checkpoint's key.
    pub fn read(key: &str) -> Key {
        let starts = ["", "model."].into_iter();
        let rests = starts.filter_map(|start| key.strip_prefix(start));
        rests.into_iter().find_map(|rest| read(&RULES, rest)).unwrap_or(Key::Elsewhere)
    }
}

const RULES: [Rule; 9] = [
    whole("mlp1.0.", "visual.norm."),
    whole("mlp1.1.", "visual.fc1."),
    whole("mlp1.3.", "visual.fc2."),
    whole("multi_modal_projector.layer_norm.", "visual.norm."),
    whole("multi_modal_projector.linear_1.", "visual.fc1."),
    whole("multi_modal_projector.linear_2.", "visual.fc2."),
    whole("mm.model.mlp.0.", "visual.norm."),
    whole("mm.model.mlp.1.", "visual.fc1."),
    whole("mm.model.mlp.3.", "visual.fc2."),
];
