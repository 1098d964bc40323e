//! Tokenizers of bytes merged in pairs, as a `tokenizer.json`: of the files of Qwen's vocabulary, and of a GGUF's keys.
//!
//! Source: `tokenizer.json` of the models that are named; `llama-vocab.cpp` of llama.cpp has their names in GGUF.

use serde_json::{Map, Value, json};

use super::GgufKeys;

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

/// A `tokenizer.json` of `vocab.json`, the text of `merges.txt`, `added_tokens.json` and `tokenizer_config.json`.
pub fn qwen_tokenizer(vocab: Value, merges: &str, added: &Value, config: &Value) -> Value {
    let merges: Vec<&str> =
        merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty()).collect();
    let none = Map::new();
    let decoder = config["added_tokens_decoder"].as_object().unwrap_or(&none);
    let mut tokens: Vec<(u64, Value)> = Vec::new();
    for (id, token) in decoder {
        if let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str()) {
            tokens.push((id, added_token(id, content, token["special"] != false)));
        }
    }
    for (content, id) in added.as_object().unwrap_or(&none) {
        let id = id.as_u64().unwrap_or_default();
        if !decoder.contains_key(&id.to_string()) {
            tokens.push((id, added_token(id, content, true)));
        }
    }
    tokens.sort_by_key(|(id, _)| *id);
    let tokens = tokens.into_iter().map(|(_, token)| token).collect();
    described(&KNOWN[0], vocab, merges.into(), tokens)
}

/// The `tokenizer.json` of a language model's GGUF; what is missing, or not known, where there is none.
///
/// # Errors
/// A sentence on what is missing or not known.
pub fn gguf_tokenizer(keys: &GgufKeys) -> Result<Value, String> {
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
