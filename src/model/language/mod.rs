//! The language model of a vision-language model, and what joins it with the tower: sizes, names, and how
//! `config.json` says them. A family is a file here and a line in [`FAMILIES`].

mod gguf;
mod internlm2;
mod qwen;
mod tokenizer;
mod visual;

pub use gguf::{Gguf, GgufKeys, gguf_config, gguf_preprocessor};
pub use tokenizer::{gguf_tokenizer, qwen_tokenizer};
pub use visual::{Order, VisualSpec, parse_visual};

use serde_json::Value;

use super::config::with_fields;
use super::fields::Fields;
use super::names::{Key, Rule, read};
use crate::{Error, Result};

/// A language model, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct LanguageSpec {
    /// Channels of a token, `C`.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values; each serves `heads / key_heads` heads of queries.
    pub key_heads: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Width of the MLP's hidden layer.
    pub mlp: usize,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Tokens of a conversation at most.
    pub length: usize,
    /// What a norm adds to the mean square before the root.
    pub eps: f32,
    /// Angle i of n turns by `theta^(-i/n)` a token.
    pub theta: f64,
    /// Whether queries, keys and values have a bias.
    pub qkv_bias: bool,
    /// Whether attention's projection has one.
    pub out_bias: bool,
    /// Whether queries and keys are normed head by head.
    pub qk_norm: bool,
    /// Which family names its tensors.
    family: usize,
}

/// One family of language models.
struct Family {
    /// What `architectures` or `model_type` says.
    names: &'static [&'static str],
    /// Reads the configuration, but for what all families say alike.
    read: fn(&Fields<'_>, &mut LanguageSpec) -> Result<()>,
    /// The tensors behind the body's prefix.
    rules: &'static [Rule],
    /// The table of what each number of a token stands for, behind the body's prefix.
    embedding: &'static str,
    /// The matrix that makes logits, beside the body.
    head: &'static str,
    /// Whether llama.cpp rotates neighbours: its files have the rows of queries and keys in that order.
    neighbours: bool,
}

/// Every family that is read.
const FAMILIES: [&Family; 4] = [&qwen::QWEN2, &qwen::QWEN3, &qwen::LLAMA, &internlm2::INTERNLM2];

/// What the names of a body's tensors begin with.
const BODIES: [&str; 3] = ["language_model.model.", "model.language_model.", "model."];

/// What a head's name may begin with.
const BESIDE: [&str; 2] = ["language_model.", ""];

/// The rotary positions that are computed: the second is the same within the length that the configuration names.
const ROTATIONS: [&str; 2] = ["default", "dynamic"];

/// The language model that a configuration describes; `None` where there is none.
///
/// # Errors
/// [`Error::Config`] where no family knows it, a value makes no sense, or nothing here can compute it.
pub fn parse_language(file: &str, text: &str) -> Result<Option<LanguageSpec>> {
    with_fields(file, text, |fields| {
        let Some(keys) = inner(fields) else { return Ok(None) };
        let [listed, kind] = kinds(&keys);
        let Some(name) = listed.or(kind) else { return Ok(None) };
        let family = family(&keys).ok_or_else(|| {
            keys.error(format_args!(
                "the language model is {name}: expected Qwen2, Qwen3, InternLM2 or Llama"
            ))
        })?;
        let mut spec = shared(&keys, family)?;
        (FAMILIES[family].read)(&keys, &mut spec)?;
        check(&keys, &spec)?;
        Ok(Some(spec))
    })
}

/// The part of a configuration that is of the language model; all of one that describes nothing else.
fn inner<'a>(fields: &Fields<'a>) -> Option<Fields<'a>> {
    let whole = Fields { map: fields.top, ..*fields };
    match ["llm_config", "text_config"].into_iter().find(|key| whole.get(key).is_some()) {
        Some(key) => Some(whole.within(key)),
        None => Some(whole)
            .filter(|whole| whole.get("vision_config").is_none() && family(whole).is_some()),
    }
}

/// What a language model calls itself.
fn kinds<'a>(keys: &Fields<'a>) -> [Option<&'a str>; 2] {
    let listed = keys.get("architectures").and_then(|list| list.get(0)).and_then(Value::as_str);
    [listed, keys.get("model_type").and_then(Value::as_str)]
}

fn family(keys: &Fields<'_>) -> Option<usize> {
    let known = |name: &str| FAMILIES.iter().position(|family| family.names.contains(&name));
    kinds(keys).into_iter().flatten().find_map(known)
}

/// Whether a configuration describes a language model without a tower.
pub fn sees_nothing(text: &str) -> bool {
    let alone = with_fields("", text, |fields| {
        let whole = Fields { map: fields.top, ..*fields };
        Ok(inner(fields).is_some_and(|keys| std::ptr::eq(keys.map, whole.top)))
    });
    alone.unwrap_or(false)
}

/// The keys that all families have.
fn shared(keys: &Fields<'_>, family: usize) -> Result<LanguageSpec> {
    let needed = |key: &str| match keys.get(key) {
        Some(_) => keys.size(key, 1),
        None => Err(keys.error(format_args!("{key}: expected in the language model's part"))),
    };
    keys.word("hidden_act", "silu", &[("silu", ())])?;
    keys.only("use_sliding_window", false.into())?;
    let rope = keys.within("rope_parameters");
    let scaling = keys.within("rope_scaling");
    for part in [&rope, &scaling] {
        let kind = part.get("rope_type").or_else(|| part.get("type")).and_then(Value::as_str);
        if let Some(kind) = kind.filter(|kind| !ROTATIONS.contains(kind)) {
            return Err(keys
                .error(format_args!("rope_scaling: expected default or dynamic, found {kind:?}")));
        }
    }
    let (hidden, heads) = (needed("hidden_size")?, needed("num_attention_heads")?);
    let bounds = [1.0, 1e12];
    Ok(LanguageSpec {
        hidden,
        layers: needed("num_hidden_layers")?,
        heads,
        key_heads: keys.size("num_key_value_heads", heads)?,
        head_dim: keys.size("head_dim", (hidden / heads).max(1))?,
        mlp: needed("intermediate_size")?,
        vocabulary: needed("vocab_size")?,
        length: keys.size("max_position_embeddings", 32768)?,
        eps: keys.eps("rms_norm_eps", 1e-6)?,
        theta: rope.number("rope_theta", keys.number("rope_theta", 1e4, bounds)?, bounds)?,
        qkv_bias: false,
        out_bias: false,
        qk_norm: false,
        family,
    })
}

/// Refuses sizes that make no sense together.
fn check(keys: &Fields<'_>, spec: &LanguageSpec) -> Result<()> {
    if !spec.heads.is_multiple_of(spec.key_heads) {
        return Err(keys.error(format_args!(
            "num_key_value_heads: expected a divisor of {} heads, found {}",
            spec.heads, spec.key_heads
        )));
    }
    if !spec.head_dim.is_multiple_of(2) {
        return Err(keys.error(format_args!(
            "head_dim: expected an even number to rotate, found {}",
            spec.head_dim
        )));
    }
    Ok(())
}

/// How a checkpoint names the tensors of its language model.
#[derive(Clone, Debug)]
pub struct LanguageNaming {
    body: &'static str,
    rules: &'static [Rule],
    head: &'static str,
    /// Heads of keys, by which packed queries, keys and values are cut.
    groups: usize,
    /// Rows of a head, where those of queries and keys are neighbours that rotate together.
    neighbours: Option<usize>,
    /// Whether the names are a GGUF's.
    gguf: bool,
}

impl LanguageNaming {
    /// Finds the table of tokens among a checkpoint's keys.
    pub fn detect(spec: &LanguageSpec, keys: &[&str]) -> Option<Self> {
        let family = FAMILIES[spec.family];
        let named = Self {
            body: "",
            rules: family.rules,
            head: family.head,
            groups: spec.key_heads,
            neighbours: None,
            gguf: false,
        };
        if keys.contains(&gguf::EMBEDDING) {
            let neighbours = family.neighbours.then_some(spec.head_dim);
            return Some(Self {
                rules: &gguf::RULES,
                head: gguf::HEAD,
                neighbours,
                gguf: true,
                ..named
            });
        }
        let table = family.embedding;
        let body =
            BODIES.into_iter().find(|body| keys.contains(&format!("{body}{table}").as_str()));
        Some(Self { body: body?, ..named })
    }

    /// The canonical meaning of a checkpoint's key.
    pub fn read(&self, key: &str) -> Key {
        if let Some(rest) = key.strip_prefix(self.body)
            && let Some(found) = read(self.rules, rest)
        {
            return self.named(found);
        }
        if self.is_head(key) {
            return Key::Whole(format!("{LANGUAGE}head.weight"));
        }
        let own = match self.gguf {
            true => !gguf::PROJECTOR.iter().any(|start| key.starts_with(start)),
            false => key.starts_with(self.body) && self.body.contains("language_model"),
        };
        if own { Key::Unknown } else { Key::Elsewhere }
    }

    /// Whether a checkpoint's key is the matrix that makes logits.
    pub fn is_head(&self, key: &str) -> bool {
        BESIDE.iter().any(|start| key.strip_prefix(start) == Some(self.head))
    }

    fn named(&self, key: Key) -> Key {
        let full = |name: String| format!("{LANGUAGE}{name}");
        match key {
            Key::Whole(name) => match name.strip_suffix(PACKED) {
                Some(block) => Key::Grouped {
                    names: ["q", "k", "v"].map(|part| full(format!("{block}attn.{part}.weight"))),
                    groups: self.groups,
                },
                None => {
                    match self.neighbours.filter(|_| ROTATED.iter().any(|part| name.contains(part)))
                    {
                        Some(head) => Key::Neighbours { name: full(name), head },
                        None => Key::Whole(full(name)),
                    }
                }
            },
            Key::Part { name, index, of } => Key::Part { name: full(name), index, of },
            other => other,
        }
    }
}

/// What the names of a language model's tensors begin with.
pub const LANGUAGE: &str = "language.";

/// What the names of queries and keys contain.
const ROTATED: [&str; 2] = [".attn.q.", ".attn.k."];

/// How the name of packed queries, keys and values ends.
const PACKED: &str = "attn.qkv.weight";

/// An error where a checkpoint has no language model.
pub fn no_language(name: &str) -> Error {
    Error::input(format!(
        "{name}: no language model here, the vision tower alone: give the folder of the whole model"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(inner: &str) -> Result<Option<LanguageSpec>> {
        let text = format!(
            r#"{{"model_type": "internvl_chat", "vision_config": {{"hidden_size": 8}}, "llm_config": {inner}}}"#
        );
        parse_language("config.json", &text)
    }

    /// The sizes of InternVL3.5-1B's.
    #[test]
    fn the_width_of_a_head_is_a_key() {
        let spec = parse(
            r#"{"architectures": ["Qwen3ForCausalLM"], "hidden_size": 1024, "num_hidden_layers": 28,
            "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "intermediate_size": 3072,
            "vocab_size": 151936, "rope_parameters": {"rope_theta": 1000000, "rope_type": "default"}}"#,
        );
        let spec = spec.expect("reads").expect("has one");
        assert_eq!([spec.heads, spec.key_heads, spec.head_dim], [16, 8, 128]);
        assert!(spec.qk_norm && !spec.qkv_bias);
        assert_eq!(spec.theta, 1e6);
    }

    #[test]
    fn others_are_refused() {
        for (inner, expected) in [
            (r#"{"architectures": ["Phi3ForCausalLM"]}"#, "Phi3ForCausalLM"),
            (r#"{"model_type": "qwen2"}"#, "hidden_size: expected"),
            (
                r#"{"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4,
                "num_hidden_layers": 1, "intermediate_size": 8, "vocab_size": 8,
                "rope_scaling": {"rope_type": "llama3"}}"#,
                "llama3",
            ),
        ] {
            let error = parse(inner).expect_err(inner).to_string();
            assert!(error.contains(expected), "{error}");
        }
        assert_eq!(parse_language("c", r#"{"hidden_size": 8}"#).expect("reads"), None);
    }
}
