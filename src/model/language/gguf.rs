//! What the keys of a GGUF say, in the words of `config.json`, and how one names a language model's tensors.
//!
//! Source: `conversion/` of llama.cpp (`intern_vision.py`, `llama.py`, `internlm.py`) and `constants.py`,
//! `tensor_mapping.py` of the package `gguf`.

use serde_json::{Map, Value, json};

use crate::model::names::{Rule, part, whole};
use crate::{Error, Result};

/// The keys of a file, with their values.
pub type GgufKeys = Map<String, Value>;

/// A file: its name for errors, its keys, and the shapes of its tensors, outermost dimension first.
pub struct Gguf<'a> {
    /// The file's name.
    pub file: &'a str,
    /// Its keys.
    pub keys: &'a GgufKeys,
    /// The shape of the tensor of a name; `None` where there is none.
    pub shape: &'a dyn Fn(&str) -> Option<&'a [usize]>,
}

/// Language models that are read, by `general.architecture`, which is what `config.json` calls them too.
const KNOWN: [&str; 4] = ["qwen2", "qwen3", "llama", "internlm2"];

pub(super) const EMBEDDING: &str = "token_embd.weight";

pub(super) const HEAD: &str = "output.weight";

/// What the names of a tower and of its projector begin with.
pub(super) const PROJECTOR: [&str; 2] = ["v.", "mm."];

/// The names of a language model's tensors.
pub(super) const RULES: [Rule; 13] = [
    whole(EMBEDDING, "embeddings.token_embedding.weight"),
    whole("output_norm.", "layernorm."),
    whole("blk.*.attn_norm.", "encoder.layers.*.norm1."),
    whole("blk.*.ffn_norm.", "encoder.layers.*.norm2."),
    whole("blk.*.attn_q.", "encoder.layers.*.attn.q."),
    whole("blk.*.attn_k.", "encoder.layers.*.attn.k."),
    whole("blk.*.attn_v.", "encoder.layers.*.attn.v."),
    whole("blk.*.attn_q_norm.", "encoder.layers.*.attn.q_norm."),
    whole("blk.*.attn_k_norm.", "encoder.layers.*.attn.k_norm."),
    whole("blk.*.attn_output.", "encoder.layers.*.attn.proj."),
    part("blk.*.ffn_gate.weight", "encoder.layers.*.mlp.fc1.weight", [0, 2]),
    part("blk.*.ffn_up.weight", "encoder.layers.*.mlp.fc1.weight", [1, 2]),
    whole("blk.*.ffn_down.", "encoder.layers.*.mlp.fc2."),
];

impl Gguf<'_> {
    /// Whether it is a tower with what makes tokens of its pictures, and no language model.
    pub fn is_projector(&self) -> bool {
        self.text("general.architecture") == Some("clip")
    }

    fn text(&self, key: &str) -> Option<&str> {
        self.keys.get(key).and_then(Value::as_str)
    }

    fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::config(self.file, reason)
    }

    fn has(&self, tensor: &str) -> bool {
        (self.shape)(tensor).is_some()
    }

    /// A whole number; `None` where the key is not there.
    fn count(&self, key: &str) -> Result<Option<u64>> {
        let Some(value) = self.keys.get(key) else { return Ok(None) };
        match value.as_u64() {
            Some(count) => Ok(Some(count)),
            None => Err(self.error(format_args!("{key}: expected a whole number, found {value}"))),
        }
    }

    fn needed(&self, key: &str) -> Result<u64> {
        self.count(key)?.ok_or_else(|| self.error(format_args!("{key}: missing")))
    }

    /// A value as it stands.
    fn value(&self, key: &str) -> Result<&Value> {
        self.keys.get(key).ok_or_else(|| self.error(format_args!("{key}: missing")))
    }

    /// Rows of a tensor.
    fn rows(&self, tensor: &str) -> Result<usize> {
        let rows = (self.shape)(tensor).and_then(|shape| shape.first().copied());
        rows.ok_or_else(|| self.error(format_args!("{tensor}: missing")))
    }
}

/// The `config.json` of a language model, of a tower with its projector, or of both together: an InternVL, which is taken
/// for one of 2.5 or later.
///
/// # Errors
/// [`Error::Config`] where a key is missing or makes no sense, where nothing here computes what is described, or where
/// the two are not of one model.
pub fn gguf_config(model: Option<&Gguf<'_>>, projector: Option<&Gguf<'_>>) -> Result<Value> {
    let language = model.map(language).transpose()?;
    let Some(projector) = projector else { return Ok(language.unwrap_or_default()) };
    let vision = tower(projector)?;
    let width = projector.rows("mm.model.mlp.3.weight")?;
    let language = match (model, language) {
        (Some(model), Some(language)) if language["hidden_size"] != width => {
            return Err(projector.error(format_args!(
                "makes tokens of {width} channels, but those of {} have {}: expected the projector of the same model",
                model.file, language["hidden_size"]
            )));
        }
        (_, language) => language.unwrap_or_else(|| json!({ "hidden_size": width })),
    };
    Ok(json!({
        "model_type": "internvl_chat", "template": "internvl2_5", "ps_version": "v2", "select_layer": -1,
        "downsample_ratio": 0.5, "vision_config": vision, "llm_config": language,
    }))
}

fn language(model: &Gguf<'_>) -> Result<Value> {
    let kind = model.text("general.architecture").unwrap_or_default();
    if !KNOWN.contains(&kind) {
        let known = KNOWN.join(", ");
        return Err(model.error(format_args!(
            "general.architecture: expected {known} or clip, found {kind:?}"
        )));
    }
    let named = |key: &str| format!("{kind}.{key}");
    let needed = |key: &str| model.needed(&named(key));
    let (hidden, heads) = (needed("embedding_length")?, needed("attention.head_count")?.max(1));
    let width = model.count(&named("attention.key_length"))?.unwrap_or(hidden / heads);
    for key in ["attention.value_length", "rope.dimension_count"] {
        let found = model.count(&named(key))?.unwrap_or(width);
        if found != width {
            let key = named(key);
            return Err(model.error(format_args!("{key}: expected {width}, found {found}")));
        }
    }
    let length = needed("context_length")?;
    let window = model.count(&named("attention.sliding_window"))?;
    if let Some(window) = window.filter(|window| (1..length).contains(window)) {
        let key = named("attention.sliding_window");
        return Err(model.error(format_args!("{key}: expected none, found {window}")));
    }
    let scaling = model.text(&named("rope.scaling.type")).filter(|kind| *kind != "none");
    let theta = model.keys.get(&named("rope.freq_base")).cloned();
    Ok(json!({
        "model_type": kind,
        "hidden_size": hidden,
        "num_hidden_layers": needed("block_count")?,
        "num_attention_heads": heads,
        "num_key_value_heads": model.count(&named("attention.head_count_kv"))?.unwrap_or(heads),
        "head_dim": width,
        "intermediate_size": needed("feed_forward_length")?,
        "vocab_size": model.rows(EMBEDDING)?,
        "max_position_embeddings": length,
        "rms_norm_eps": model.value(&named("attention.layer_norm_rms_epsilon"))?,
        "rope_theta": theta.unwrap_or_else(|| 10000.into()),
        "rope_scaling": scaling.map(|kind| json!({ "rope_type": kind })),
        "attention_bias": kind != "qwen2" && model.has("blk.0.attn_q.bias"),
    }))
}

fn tower(projector: &Gguf<'_>) -> Result<Value> {
    let kinds = ["clip.projector_type", "clip.vision.projector_type"];
    let kind = kinds.into_iter().find_map(|key| projector.text(key)).unwrap_or_default();
    if kind != "internvl" {
        return Err(projector.error(format_args!(
            "{}: expected \"internvl\", found {kind:?}: other models' pictures are not read",
            kinds[0]
        )));
    }
    let scale = projector.count("clip.vision.projector.scale_factor")?.unwrap_or(2);
    if scale != 2 {
        return Err(projector
            .error(format_args!("clip.vision.projector.scale_factor: expected 2, found {scale}")));
    }
    if projector.keys.get("clip.use_silu") == Some(&Value::Bool(true)) {
        return Err(projector.error("clip.use_silu: expected false"));
    }
    let needed = |key: &str| projector.needed(&format!("clip.vision.{key}"));
    let layered = projector.has("v.blk.0.ln1.bias");
    Ok(json!({
        "model_type": "intern_vit_6b",
        "hidden_size": needed("embedding_length")?,
        "num_hidden_layers": needed("block_count")?,
        "num_attention_heads": needed("attention.head_count")?,
        "intermediate_size": needed("feed_forward_length")?,
        "image_size": needed("image_size")?,
        "patch_size": needed("patch_size")?,
        "layer_norm_eps": projector.value("clip.vision.attention.layer_norm_epsilon")?,
        "norm_type": if layered { "layer_norm" } else { "rms_norm" },
        "qkv_bias": projector.has("v.blk.0.attn_q.bias"),
        "qk_normalization": projector.has("v.blk.0.attn_q_norm.weight"),
        "hidden_act": "gelu",
    }))
}

/// The `preprocessor_config.json` of a tower, where its file says anything of that.
pub fn gguf_preprocessor(projector: &Gguf<'_>) -> Option<Value> {
    let [mean, std] =
        ["mean", "std"].map(|key| projector.keys.get(&format!("clip.vision.image_{key}")));
    Some(json!({ "image_mean": mean?, "image_std": std? }))
}
