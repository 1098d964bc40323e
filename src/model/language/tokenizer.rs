//! Tokenizers of bytes merged in pairs, as a `tokenizer.json`: of the files of Qwen's vocabulary, and of a GGUF's keys.
//!
//! Source: `tokenizer.json` of the models that are named; `llama-vocab.cpp` of llama.cpp has their names in GGUF.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

use serde_json::{Map, Value, json};

use super::GgufKeys;
use crate::model::clip_tokenizer::{numbered, pairs, wrong_merge};
use crate::{Error, Result};

/// How Qwen's texts are cut before pairs of bytes are merged.
const QWEN: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How Llama 3's are, whose numbers have three digits.
const LLAMA_3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// How a tokenizer cuts texts.
struct Cuts {
    /// What GGUF calls it.
    names: &'static [&'static str],
    cut: Cut,
    /// Whether texts are brought to their composed form.
    composed: bool,
    /// Whether a piece that is a token needs no merging.
    whole: bool,
}

enum Cut {
    /// At what a pattern finds.
    Pattern(&'static str),
    /// As GPT-2's, where digits are first cut from each other.
    Digits,
    /// As GPT-2's.
    Plain,
}

/// Every one that is read from a GGUF; the first is that of the files of a vocabulary.
const KNOWN: [Cuts; 4] = [
    Cuts {
        names: &["qwen2", "deepseek-r1-qwen"],
        cut: Cut::Pattern(QWEN),
        composed: true,
        whole: false,
    },
    Cuts {
        names: &["llama-bpe", "llama3", "llama-v3"],
        cut: Cut::Pattern(LLAMA_3),
        composed: false,
        whole: true,
    },
    Cuts { names: &["smollm"], cut: Cut::Digits, composed: false, whole: false },
    Cuts { names: &["gpt-2"], cut: Cut::Plain, composed: false, whole: false },
];

const VOCABULARY: &str = "vocab.json";
const ADDED: &str = "added_tokens.json";
const CONFIG: &str = "tokenizer_config.json";

/// A `tokenizer.json` of the texts of `vocab.json`, `merges.txt`, and where they are there `added_tokens.json` and
/// `tokenizer_config.json`; `named` names each of these in errors.
///
/// # Errors
/// [`Error::Config`] where one of them is damaged.
pub fn qwen_tokenizer(
    [vocab, merges, added, config]: [&str; 4],
    named: &dyn Fn(&str) -> String,
) -> Result<Value> {
    let bad = |file: &str, reason: &dyn Display| Error::config(named(file), reason);
    let object = |file: &str, text: &str| match serde_json::from_str(text) {
        Ok(found @ (Value::Object(_) | Value::Null)) => Ok(found),
        Ok(_) => Err(bad(file, &"expected an object")),
        Err(error) => Err(bad(file, &error)),
    };
    let vocab = object(VOCABULARY, vocab)?;
    let Some(own) = numbered(&vocab) else {
        return Err(bad(VOCABULARY, &"expected an object of tokens and their numbers"));
    };
    if let Some(reason) = wrong_merge(&vocab, merges) {
        return Err(bad("merges.txt", &reason));
    }
    let (added, config) = (object(ADDED, added)?, object(CONFIG, config)?);
    let none = Map::new();
    let mut tokens: BTreeMap<u64, (&str, &str, bool)> = BTreeMap::new();
    for (content, id) in added.as_object().unwrap_or(&none) {
        let Some(number) = id.as_u64().filter(|id| u32::try_from(*id).is_ok()) else {
            let reason = format!("{content:?}: expected a token's number, found {id}");
            return Err(bad(ADDED, &reason));
        };
        tokens.insert(number, (ADDED, content, true));
    }
    let decoder = &config["added_tokens_decoder"];
    if !decoder.is_null() && !decoder.is_object() {
        let reason = format!("added_tokens_decoder: expected an object, found {decoder}");
        return Err(bad(CONFIG, &reason));
    }
    for (id, token) in decoder.as_object().unwrap_or(&none) {
        let (content, special) = (token["content"].as_str(), &token["special"]);
        let (Ok(number), Some(content), true) =
            (id.parse::<u32>(), content, special.is_null() || special.is_boolean())
        else {
            let found = json!({ id: token });
            let reason = format!(
                "added_tokens_decoder: expected a token's number and its \"content\", found {found}"
            );
            return Err(bad(CONFIG, &reason));
        };
        tokens.insert(number.into(), (CONFIG, content, special != false));
    }
    let owners: HashMap<u64, &str> =
        own.iter().filter_map(|(text, id)| Some((id.as_u64()?, text.as_str()))).collect();
    for (id, (file, content, _)) in &tokens {
        let other = own.get(*content).is_some_and(|number| number.as_u64() != Some(*id));
        if other || owners.get(id).is_some_and(|owner| owner != content) {
            let reason = format!("{content:?} has the number {id}, which is not its own");
            return Err(bad(file, &reason));
        }
    }
    let token = |(id, (_, content, special))| added_token(id, content, special);
    let (merges, tokens) = (pairs(merges).collect(), tokens.into_iter().map(token).collect());
    Ok(described(&KNOWN[0], vocab, merges, tokens))
}

/// The `tokenizer.json` of a language model's GGUF; what is missing, or not known, where there is none.
///
/// # Errors
/// A sentence on what is missing or not known.
pub fn gguf_tokenizer(keys: &GgufKeys) -> std::result::Result<Value, String> {
    let text = |key: &str| keys.get(key).and_then(Value::as_str);
    match text("tokenizer.ggml.model") {
        Some("gpt2") => {}
        found => {
            let found = found.unwrap_or("none");
            return Err(format!("tokenizer.ggml.model: expected \"gpt2\", found {found:?}"));
        }
    }
    let name = text("tokenizer.ggml.pre").unwrap_or("none");
    let cuts = KNOWN.iter().find(|cuts| cuts.names.contains(&name)).ok_or_else(|| {
        let known: Vec<&str> = KNOWN.iter().map(|cuts| cuts.names[0]).collect();
        format!("tokenizer.ggml.pre: expected {}, found {name:?}", known.join(", "))
    })?;
    if keys.get("tokenizer.ggml.add_bos_token") == Some(&Value::Bool(true)) {
        return Err("tokenizer.ggml.add_bos_token: expected false".into());
    }
    let list = |key: &str| {
        let list = keys.get(key).and_then(Value::as_array);
        list.ok_or_else(|| format!("{key}: expected a list"))
    };
    let (tokens, kinds) = (list("tokenizer.ggml.tokens")?, list("tokenizer.ggml.token_type")?);
    let merges = list("tokenizer.ggml.merges")?;
    if kinds.len() != tokens.len() {
        return Err(format!(
            "tokenizer.ggml.token_type: expected {} values, found {}",
            tokens.len(),
            kinds.len()
        ));
    }
    let (mut vocab, mut added) = (Map::new(), Vec::new());
    for (id, (token, kind)) in (0..).zip(tokens.iter().zip(kinds)) {
        let content = token.as_str().ok_or("tokenizer.ggml.tokens: expected texts")?;
        vocab.insert(content.into(), id.into());
        // Unknown, control and what its makers added; others are normal, unused, or bytes.
        if let Some(kind @ 2..=4) = kind.as_u64() {
            added.push(added_token(id, content, kind != 4));
        }
    }
    Ok(described(cuts, vocab.into(), merges.clone().into(), added))
}

/// A token that is cut out before anything else.
fn added_token(id: u64, content: &str, special: bool) -> Value {
    json!({ "id": id, "content": content, "special": special, "single_word": false, "lstrip": false,
        "rstrip": false, "normalized": false })
}

fn described(cuts: &Cuts, vocab: Value, merges: Value, added: Vec<Value>) -> Value {
    let bytes = |cut: bool| json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false, "use_regex": cut });
    let steps = match cuts.cut {
        Cut::Pattern(pattern) => json!([
            { "type": "Split", "pattern": { "Regex": pattern }, "behavior": "Isolated", "invert": false },
            bytes(false),
        ]),
        Cut::Digits => json!([{ "type": "Digits", "individual_digits": true }, bytes(true)]),
        Cut::Plain => json!([bytes(true)]),
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": cuts.composed.then(|| json!({ "type": "NFC" })),
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": steps },
        "post_processor": null,
        "decoder": bytes(false),
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": cuts.whole,
            "vocab": vocab, "merges": merges },
    })
}
