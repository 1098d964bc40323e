//! `config.json` in its two dialects: OpenGVLab's remote code and the Hugging Face port.

use serde_json::{Map, Value};

use super::Preprocessing;
use super::spec::*;
use crate::error::list;
use crate::{Error, Result, json};

/// Reads a `Spec` from the text of a `config.json`; `file` names it in errors.
///
/// A vision-language model's configuration is accepted: its `vision_config` is taken. Absent keys
/// have the defaults of the configuration class that wrote the file: InternViT-6B-224px for
/// OpenGVLab's `intern_vit_6b`, the 300M shape for the port's `internvl_vision`.
pub fn parse_config(file: &str, text: &str) -> Result<Spec> {
    let value = json::value(text).map_err(|e| Error::config(file, e))?;
    let top = value.as_object().ok_or_else(|| Error::config(file, "expected an object"))?;
    let map = match top.get("vision_config") {
        Some(inner) => inner.as_object().ok_or_else(|| {
            Error::config(file, "vision_config: expected an object, found something else")
        })?,
        None => top,
    };
    refuse_others(file, map)?;
    let spec = Reader { file, map, port: is_port(map) }.spec()?;
    check(file, &spec)?;
    Ok(spec)
}

/// Refuses a configuration that has neither a type of model nor any of an encoder's sizes: the
/// defaults would make InternViT-6B of it.
fn refuse_others(file: &str, map: &Map<String, Value>) -> Result<()> {
    let sizes = ["hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"];
    if map.contains_key("model_type") || sizes.iter().any(|key| map.contains_key(*key)) {
        return Ok(());
    }
    let names = ["architecture", "architectures", "_class_name", "model_name", "pipeline_tag"];
    let found = names.iter().find_map(|key| Some(format!(": {key} is {}", map.get(*key)?)));
    let found = found.unwrap_or_else(|| {
        let keys = map.keys();
        if map.is_empty() { ": it is empty".into() } else { format!(": it has {}", list(keys)) }
    });
    let missing = sizes.join(", ");
    Err(Error::config(
        file,
        format!("describes no InternViT{found}; missing: model_type, {missing}"),
    ))
}

/// The configuration `text` in OpenGVLab's dialect with every key that `parse_config` reads, and all
/// else that it says. Of a vision-language model's the encoder's part is taken, with `segmentation`
/// and `random_weights`. The port's dialect stays where it has a norm that the other cannot say.
/// `dtype` is the weights' type as PyTorch names it.
pub fn canonical_config(file: &str, text: &str, dtype: Option<&str>) -> Result<Value> {
    let spec = parse_config(file, text)?;
    let top = json::value(text).map_err(|e| Error::config(file, e))?;
    let mut map = match top.get("vision_config") {
        Some(Value::Object(inner)) => inner.clone(),
        _ => top.as_object().cloned().unwrap_or_default(),
    };
    // One within the other would be taken for the encoder's.
    map.remove("vision_config");
    let kept = ["segmentation", "random_weights"].into_iter();
    map.extend(kept.filter_map(|key| Some((key.to_string(), top.get(key)?.clone()))));
    let port = spec.final_norm == FinalNorm::Tokens;
    if is_port(&map) && !port {
        for key in ["architectures", "attention_bias", "use_qk_norm", "use_mean_pooling"] {
            map.remove(key);
        }
    }
    let s = &spec.sizes;
    let sizes = [
        ("hidden_size", s.hidden),
        ("num_hidden_layers", s.layers),
        ("num_attention_heads", s.heads),
        ("intermediate_size", s.mlp),
        ("patch_size", s.patch),
        ("num_channels", s.channels),
        ("image_size", s.image),
    ];
    map.extend(sizes.map(|(key, size)| (key.to_string(), size.into())));
    let [bias, qk_norm, kind] = match port {
        true => ["attention_bias", "use_qk_norm", "internvl_vision"],
        false => ["qkv_bias", "qk_normalization", "intern_vit_6b"],
    };
    let norm = match spec.norm.kind {
        NormKind::Layer => "layer_norm",
        NormKind::Rms => "rms_norm",
    };
    // The shortest decimal number that is this f32: 1e-6 and not 9.999999974752427e-7.
    let eps: f64 = spec.norm.eps.to_string().parse().unwrap_or(spec.norm.eps.into());
    let rest = [
        ("model_type", kind.into()),
        ("norm_type", norm.into()),
        ("hidden_act", "gelu".into()),
        ("layer_norm_eps", eps.into()),
        (bias, spec.qkv_bias.into()),
        (qk_norm, (spec.qk_norm == QkNorm::FullWidth).into()),
    ];
    map.extend(rest.map(|(key, value): (&str, Value)| (key.to_string(), value)));
    if let Some(dtype) = dtype {
        if map.contains_key("dtype") {
            map.insert("dtype".into(), dtype.into());
        }
        map.insert("torch_dtype".into(), dtype.into());
    }
    Ok(Value::Object(map))
}

fn is_port(map: &Map<String, Value>) -> bool {
    match map.get("model_type").and_then(Value::as_str) {
        Some(kind) => kind == "internvl_vision",
        None => map.contains_key("use_qk_norm") || map.contains_key("attention_bias"),
    }
}

struct Reader<'a> {
    file: &'a str,
    map: &'a Map<String, Value>,
    port: bool,
}

impl Reader<'_> {
    fn spec(&self) -> Result<Spec> {
        let port = self.port;
        let pick = |remote: usize, hf: usize| if port { hf } else { remote };
        if let Some(kind) = self.map.get("model_type").and_then(Value::as_str)
            && !matches!(kind, "intern_vit_6b" | "internvl_vision" | "intern_vit_300m")
        {
            return Err(self.error(format_args!(
                "model_type: expected intern_vit_6b or internvl_vision, found {kind:?}"
            )));
        }
        let norm = Norm { kind: self.norm_kind()?, eps: self.eps()? };
        self.activation()?;
        Ok(Spec {
            sizes: Sizes {
                hidden: self.size("hidden_size", pick(3200, 1024))?,
                layers: self.size("num_hidden_layers", pick(48, 24))?,
                heads: self.size("num_attention_heads", pick(25, 16))?,
                mlp: self.size("intermediate_size", pick(12800, 4096))?,
                patch: self.side("patch_size", 14)?,
                channels: self.size("num_channels", 3)?,
                image: self.side("image_size", pick(224, 448))?,
            },
            prefix: Prefix { cls: true, registers: 0 },
            position: Position::Table(Resample::Bicubic),
            norm,
            qk_norm: if self.flag(if port { "use_qk_norm" } else { "qk_normalization" }, !port)? {
                QkNorm::FullWidth
            } else {
                QkNorm::None
            },
            qkv_bias: self.flag(if port { "attention_bias" } else { "qkv_bias" }, false)?,
            activation: Activation::GeluErf,
            final_norm: if port && !self.flag("use_mean_pooling", true)? {
                FinalNorm::Tokens
            } else {
                FinalNorm::None
            },
            pool: Pool::Cls,
            preprocessing: Preprocessing::default(),
        })
    }

    fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::config(self.file, reason)
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|v| !v.is_null())
    }

    fn size(&self, key: &str, default: usize) -> Result<usize> {
        let Some(value) = self.get(key) else { return Ok(default) };
        self.count(key, value)
    }

    fn count(&self, key: &str, value: &Value) -> Result<usize> {
        match value.as_u64() {
            Some(n) if (1..=1 << 20).contains(&n) => Ok(n as usize),
            _ => Err(self.error(format_args!(
                "{key}: expected a whole number from 1 to 1048576, found {value}"
            ))),
        }
    }

    /// A square's side, written as a number or as a pair of equal numbers.
    fn side(&self, key: &str, default: usize) -> Result<usize> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Array(pair)) => match pair.as_slice() {
                [a, b] if a == b => self.count(key, a),
                _ => Err(self.error(format_args!(
                    "{key}: expected two equal numbers, found {}",
                    Value::Array(pair.clone())
                ))),
            },
            Some(value) => self.count(key, value),
        }
    }

    fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(b)) => Ok(*b),
            Some(v) => Err(self.error(format_args!("{key}: expected true or false, found {v}"))),
        }
    }

    fn norm_kind(&self) -> Result<NormKind> {
        let default = if self.port { "layer_norm" } else { "rms_norm" };
        match self.get("norm_type").map_or(Some(default), Value::as_str) {
            Some("rms_norm") => Ok(NormKind::Rms),
            Some("layer_norm") => Ok(NormKind::Layer),
            found => Err(self.error(format_args!(
                "norm_type: expected \"rms_norm\" or \"layer_norm\", found {found:?}"
            ))),
        }
    }

    fn eps(&self) -> Result<f32> {
        match self.get("layer_norm_eps").map_or(Some(1e-6), Value::as_f64) {
            Some(eps) if (0.0..1.0).contains(&eps) => Ok(eps as f32),
            _ => Err(self.error(format_args!(
                "layer_norm_eps: expected a number from 0 to 1, found {:?}",
                self.get("layer_norm_eps")
            ))),
        }
    }

    fn activation(&self) -> Result<()> {
        match self.get("hidden_act").map_or(Some("gelu"), Value::as_str) {
            Some("gelu") => Ok(()),
            found => {
                Err(self.error(format_args!("hidden_act: expected \"gelu\", found {found:?}")))
            }
        }
    }
}

/// Refuses what the kernels cannot compute exactly.
fn check(file: &str, spec: &Spec) -> Result<()> {
    let s = &spec.sizes;
    let rules = [
        (s.channels == 3, format!("num_channels: expected 3, found {}", s.channels)),
        (
            s.patch.is_multiple_of(2),
            format!("patch_size: expected an even number, found {}", s.patch),
        ),
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
            spec.head_dim().is_multiple_of(8) && spec.head_dim() <= 256,
            format!(
                "hidden_size / num_attention_heads: expected a multiple of 8 up to 256, found {}",
                spec.head_dim()
            ),
        ),
        (
            s.mlp.is_multiple_of(4),
            format!("intermediate_size: expected a multiple of 4, found {}", s.mlp),
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
