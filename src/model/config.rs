//! `config.json`, in the dialect of its author.

use serde_json::{Map, Value};

use super::dialects::{DIALECTS, Dialect};
use super::fields::Fields;
use super::found::Found;
use super::spec::*;
use super::text::TextSpec;
use crate::{Error, Result, json};

/// Reads a `Spec` from the text of a `config.json`; `file` names it in errors.
///
/// A vision-language model's configuration is accepted: its `vision_config` is taken. Absent keys
/// have the defaults of the configuration class that wrote the file.
///
/// # Errors
/// [`Error::Config`] where no dialect knows it, a value makes no sense, or nothing here can compute it.
pub fn parse_config(file: &str, text: &str) -> Result<Spec> {
    let spec = with_fields(file, text, |fields| (dialect(fields)?.spec)(fields))?;
    check(file, &spec)?;
    Ok(spec)
}

/// Completes a spec by what only a checkpoint's tensors tell: heads, and biases that a configuration does
/// not mention. `config` is the name and text of the configuration that the spec was read from.
///
/// # Errors
/// [`Error::Config`] where both contradict each other.
pub fn settle(config: (&str, &str), spec: &mut Spec, found: &Found) -> Result<()> {
    let (file, text) = config;
    with_fields(file, text, |fields| (dialect(fields)?.settle)(fields, spec, found))?;
    check(file, spec)
}

/// The tower for texts that stands beside the encoder, where the configuration describes one; `found` are
/// its tensors.
///
/// # Errors
/// As [`parse_config`].
pub fn parse_text(file: &str, text: &str, found: &Found) -> Result<Option<TextSpec>> {
    let read = with_fields(file, text, |fields| (dialect(fields)?.text)(fields, found))?;
    if let Some(text) = &read {
        check(file, &text.tower)?;
    }
    Ok(read)
}

/// Calls `work` with the keys of a configuration: of a vision-language model's with the encoder's.
pub(super) fn with_fields<T>(
    file: &str,
    text: &str,
    work: impl FnOnce(&Fields<'_>) -> Result<T>,
) -> Result<T> {
    let value = json::value(text).map_err(|e| Error::config(file, &e).caused_by(e))?;
    let top = value.as_object().ok_or_else(|| Error::config(file, "expected an object"))?;
    let map = match top.get("vision_config") {
        Some(inner) => inner.as_object().ok_or_else(|| {
            Error::config(file, "vision_config: expected an object, found something else")
        })?,
        None => top,
    };
    work(&Fields { file, map, top })
}

/// The dialect that a configuration is written in: by its `model_type`, else by its keys.
fn dialect(fields: &Fields<'_>) -> Result<&'static Dialect> {
    let known = |kind: &str| DIALECTS.into_iter().find(|dialect| dialect.types.contains(&kind));
    let [of_all, of_encoder] = fields.kinds();
    // An encoder's part that does not say what it is, is what the whole is made of.
    if let Some(dialect) = of_encoder.or(of_all).and_then(known) {
        return Ok(dialect);
    }
    if let Some(kind) = of_encoder {
        return Err(
            fields.error(format_args!("model_type: expected {}, found {kind:?}", known_types()))
        );
    }
    let claimed = DIALECTS.into_iter().find(|dialect| (dialect.claims)(fields));
    claimed.ok_or_else(|| {
        let names = ["architecture", "architectures", "_class_name", "model_name", "pipeline_tag"];
        let found = names.iter().find_map(|key| Some(format!("{key} is {}", fields.get(key)?)));
        let found = found.unwrap_or_else(|| fields.keys());
        let types = known_types();
        fields.error(format_args!(
            "describes no encoder that is known here: {found}; missing: model_type, hidden_size, \
             num_hidden_layers, num_attention_heads, intermediate_size; a model_type would be {types}"
        ))
    })
}

/// Every `model_type` that is read, for errors.
fn known_types() -> String {
    let types: Vec<&str> = DIALECTS.iter().flat_map(|dialect| dialect.types).copied().collect();
    match types.split_last() {
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

/// The configuration `text` with every key that [`parse_config`] reads, and all else that it says. Of a
/// vision-language model's the encoder's part is taken, with `segmentation` and `random_weights`; with
/// `texts` it stays within the whole, which describes the tower for texts too.
/// InternViT's is in OpenGVLab's dialect, unless it has a norm that only the port's can say. `dtype`
/// is the weights' type as PyTorch names it; `spec` is the checkpoint's, where there is one: its tensors
/// may have told more than the text.
///
/// # Errors
/// As [`parse_config`].
pub fn canonical_config(
    file: &str,
    text: &str,
    spec: Option<&Spec>,
    dtype: Option<&str>,
    texts: bool,
) -> Result<Value> {
    let read = parse_config(file, text)?;
    let spec = spec.unwrap_or(&read);
    let mut top = json::value(text).map_err(|e| Error::config(file, &e).caused_by(e))?;
    let mut map = match top.get("vision_config") {
        Some(Value::Object(inner)) => inner.clone(),
        _ => top.as_object().cloned().unwrap_or_default(),
    };
    // One within the other would be taken for the encoder's.
    map.remove("vision_config");
    let kept = ["segmentation", "random_weights"].into_iter();
    map.extend(kept.filter_map(|key| Some((key.to_string(), top.get(key)?.clone()))));
    let write = with_fields(file, text, |fields| Ok(dialect(fields)?.write))?;
    write(spec, &mut map);
    let typed = |map: &mut Map<String, Value>| {
        let Some(dtype) = dtype else { return };
        if map.contains_key("dtype") {
            map.insert("dtype".into(), dtype.into());
        }
        map.insert("torch_dtype".into(), dtype.into());
    };
    typed(&mut map);
    let whole = top.as_object_mut().filter(|top| texts && top.contains_key("vision_config"));
    Ok(Value::Object(match whole {
        None => map,
        Some(top) => {
            top.insert("vision_config".into(), map.into());
            typed(top);
            std::mem::take(top)
        }
    }))
}

/// Refuses sizes that make no sense together, and those beyond any model. What a device cannot compute
/// it refuses itself.
fn check(file: &str, spec: &Spec) -> Result<()> {
    let s = &spec.sizes;
    let rules = [
        (s.channels == 3, format!("num_channels: expected 3, found {}", s.channels)),
        (
            s.image >= s.patch,
            format!("image_size: expected at least the patch size {}, found {}", s.patch, s.image),
        ),
        (
            s.hidden.is_multiple_of(s.heads),
            format!(
                "num_attention_heads: expected a divisor of hidden_size {}, found {}",
                s.hidden, s.heads
            ),
        ),
        (
            spec.windows.as_ref().is_none_or(|w| {
                w.depths.len() == w.heads.len()
                    && w.depths.len() == s.layers
                    && w.heads.iter().rev().zip(0..).all(|(heads, stage)| {
                        let width = s.hidden >> stage;
                        width << stage == s.hidden && width.is_multiple_of(*heads)
                    })
            }),
            "depths and num_heads: expected one of each a stage, and widths that heads divide"
                .into(),
        ),
        (
            spec.rope == Rope::None || (s.hidden / s.heads).is_multiple_of(4),
            format!(
                "num_attention_heads: expected heads of a multiple of 4 channels to rotate, found {}",
                s.hidden / s.heads
            ),
        ),
        (
            s.hidden <= 1 << 15 && s.mlp <= 1 << 17 && s.layers <= 1 << 10 && s.image <= 1 << 14,
            format!(
                "expected at most 32768 channels, 131072 MLP channels, 1024 layers, 16384 px; \
                 found {}, {}, {}, {}",
                s.hidden, s.mlp, s.layers, s.image
            ),
        ),
    ];
    match rules.into_iter().find(|(holds, _)| !holds) {
        Some((_, reason)) => Err(Error::config(file, reason)),
        None => Ok(()),
    }
}
