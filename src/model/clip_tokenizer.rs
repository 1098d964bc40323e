//! CLIP's tokenizer, of its vocabulary: pairs of bytes as they stand in words, in small letters.

use serde_json::{Map, Value, json};

/// Begins and ends a text.
const ENDS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// Words, as they are cut before pairs are joined.
const CUT: &str = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";

/// Pairs that are joined: all tokens but single bytes, those that end words, and the two ends.
const PAIRS: usize = 49408 - 2 * 256 - 2;

/// A `tokenizer.json` of `vocab.json` and `merges.txt`.
pub fn clip_tokenizer(vocabulary: Value, merges: &str) -> Value {
    let pairs: Vec<&str> =
        merges.lines().filter(|line| !line.starts_with("#version") && line.contains(' ')).collect();
    let end = |text: &str| vocabulary.get(text).cloned().unwrap_or(Value::Null);
    let added = ENDS.map(|text| {
        json!({
            "id": end(text), "content": text, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true,
        })
    });
    let [start, end] = ENDS.map(|text| json!([text, end(text)]));
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": { "type": "Sequence", "normalizers": [
            { "type": "NFC" },
            { "type": "Replace", "pattern": { "Regex": r"\s+" }, "content": " " },
            { "type": "Lowercase" },
        ]},
        "pre_tokenizer": { "type": "Sequence", "pretokenizers": [
            { "type": "Split", "pattern": { "Regex": CUT }, "behavior": "Removed", "invert": true },
            { "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false },
        ]},
        "post_processor": {
            "type": "RobertaProcessing", "sep": end, "cls": start, "trim_offsets": false,
            "add_prefix_space": false,
        },
        "decoder": null,
        "model": {
            "type": "BPE", "dropout": null, "unk_token": ENDS[1], "continuing_subword_prefix": "",
            "end_of_word_suffix": "</w>", "fuse_unk": false, "vocab": vocabulary, "merges": pairs,
        },
    })
}

/// The same of open_clip's list of pairs, which numbers tokens by their order.
pub fn clip_tokenizer_of_pairs(list: &str) -> Value {
    let pairs: Vec<&str> = list.lines().skip(1).take(PAIRS).collect();
    let single: Vec<String> = bytes().map(String::from).collect();
    let last = single.iter().map(|byte| format!("{byte}</w>"));
    let joined = pairs.iter().map(|pair| pair.replace(' ', ""));
    let tokens = single.iter().cloned().chain(last).chain(joined).chain(ENDS.map(String::from));
    let vocabulary: Map<String, Value> =
        tokens.zip(0..).map(|(token, id): (String, u32)| (token, id.into())).collect();
    clip_tokenizer(Value::Object(vocabulary), &pairs.join("\n"))
}

/// A character for each byte: itself where it is seen, else one from 256 on; those that are seen first.
fn bytes() -> impl Iterator<Item = char> {
    let seen = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let others = (0..256u32).filter(move |byte| !seen(byte)).zip(256..).map(|(_, code)| code);
    (0..256u32).filter(seen).chain(others).filter_map(char::from_u32)
}
