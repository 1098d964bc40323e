//! The tokenizer of Qwen and what is made of it, by the files of its vocabulary.

use serde_json::{Map, Value, json};

/// How texts are cut before pairs of bytes are merged.
const CUTS: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// A `tokenizer.json` of `vocab.json`, the text of `merges.txt`, `added_tokens.json` and `tokenizer_config.json`.
pub fn qwen_tokenizer(vocab: Value, merges: &str, added: &Value, config: &Value) -> Value {
    let merges: Vec<&str> =
        merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty()).collect();
    let none = Map::new();
    let decoder = config["added_tokens_decoder"].as_object().unwrap_or(&none);
    let mut tokens: Vec<(u64, Value)> = Vec::new();
    let mut add = |id: u64, content: &str, special: bool| {
        let token = json!({ "id": id, "content": content, "special": special, "single_word": false,
            "lstrip": false, "rstrip": false, "normalized": false });
        tokens.push((id, token));
    };
    for (id, token) in decoder {
        if let (Ok(id), Some(content)) = (id.parse(), token["content"].as_str()) {
            add(id, content, token["special"] != false);
        }
    }
    for (content, id) in added.as_object().unwrap_or(&none) {
        let id = id.as_u64().unwrap_or_default();
        if !decoder.contains_key(&id.to_string()) {
            add(id, content, true);
        }
    }
    tokens.sort_by_key(|(id, _)| *id);
    let tokens: Vec<Value> = tokens.into_iter().map(|(_, token)| token).collect();
    let bytes = json!({ "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": false,
        "use_regex": false });
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": tokens,
        "normalizer": { "type": "NFC" },
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": CUTS }, "behavior": "Isolated", "invert": false },
            bytes,
        ] },
        "post_processor": null,
        "decoder": bytes,
        "model": { "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
            "vocab": vocab, "merges": merges },
    })
}
