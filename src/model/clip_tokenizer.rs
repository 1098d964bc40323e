//! CLIP's tokenizer, of its vocabulary: pairs of bytes as they stand in words, in small letters.

use serde_json::{Map, Value};

/// Begins and ends a text.
const ENDS: [&str; 2] = ["<|startoftext|>", "<|endoftext|>"];

/// Pairs that are joined: all tokens but single bytes, those that end words, and the two ends.
const PAIRS: usize = 49408 - 2 * 256 - 2;

/// Such a `tokenizer.json`, without vocabulary and pairs.
const EMPTY: &str = include_str!("clip_tokenizer.json");

/// The pairs of a `merges.txt`, without the line that says its version.
pub(super) fn pairs(merges: &str) -> impl Iterator<Item = &str> {
    merges.lines().filter(|line| !line.starts_with("#version") && !line.is_empty())
}

/// The tokens of a `vocab.json` and their numbers; none where it holds something else.
pub fn numbered(vocabulary: &Value) -> Option<&Map<String, Value>> {
    let is_number = |id: &Value| id.as_u64().is_some_and(|id| u32::try_from(id).is_ok());
    vocabulary.as_object().filter(|list| !list.is_empty() && list.values().all(is_number))
}

/// What is wrong with a `merges.txt`: a line that is no pair of tokens which a token of the vocabulary is made of.
pub fn wrong_merge(vocabulary: &Value, merges: &str) -> Option<String> {
    const EXPECTED: &str =
        "expected two tokens of vocab.json a line, which are one together, found";
    let vocabulary = vocabulary.as_object()?;
    let known = |token: &str| vocabulary.contains_key(token);
    let is_pair = |line: &str| {
        let parts = line.split_once(' ');
        parts.is_some_and(|(a, b)| known(a) && known(b) && known(&format!("{a}{b}")))
    };
    if pairs(merges).next().is_none() {
        return Some(format!("{EXPECTED} none"));
    }
    let wrong = pairs(merges).find(|line| !is_pair(line))?;
    Some(format!("{EXPECTED} {wrong:?}"))
}

/// A `tokenizer.json` of `vocab.json` and `merges.txt`.
pub fn clip_tokenizer(vocabulary: Value, merges: &str) -> Value {
    let pairs: Value = pairs(merges).map(Value::from).collect();
    let mut json: Value = serde_json::from_str(EMPTY).unwrap_or_default();
    for (at, (part, text)) in ["cls", "sep"].into_iter().zip(ENDS).enumerate() {
        let id = vocabulary.get(text).cloned().unwrap_or_default();
        json["added_tokens"][at]["id"] = id.clone();
        json["post_processor"][part][1] = id;
    }
    json["model"]["merges"] = pairs;
    json["model"]["vocab"] = vocabulary;
    json
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
