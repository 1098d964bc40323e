//! Prompts as tokens, and tokens as text: by the files beside the model.

use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use internvit::files::{folder_of, read_text};
use internvit::language::{PICTURE, Piece, Template};
use internvit::model::qwen_tokenizer;
use internvit::weights::TOKENIZERS;
use internvit::words::MOST;
use internvit::{Checkpoint, Error, Result};
use serde_json::{Value, json};
use tokenizers::Tokenizer;

/// What makes tokens of prompts.
pub(super) struct Tokens {
    inner: Tokenizer,
    name: String,
    /// The tokens with which a conversation begins, before its prompt.
    pub(super) begin: Vec<u32>,
    /// The tokens that end an answer, the template's own first.
    pub(super) stops: Vec<u32>,
}

impl Tokens {
    /// That of a checkpoint.
    pub(super) fn beside(checkpoint: &Checkpoint, template: &Template) -> Result<Self> {
        let file = checkpoint.file_names().next().unwrap_or_default();
        let inner = match checkpoint.own_tokenizer() {
            Some(Ok(json)) => tokenizer(Path::new(file), json.into())?,
            own => {
                read(checkpoint.name(), folder_of(Path::new(file)), own.and_then(|own| own.err()))?
            }
        };
        let begin = before(&inner);
        let this = Self { inner, name: checkpoint.name().to_string(), begin, stops: Vec::new() };
        let first = this.id(template.stops[0])?;
        let other = this.inner.token_to_id(template.stops[1]);
        Ok(Self { stops: [first].into_iter().chain(other).collect(), ..this })
    }

    fn id(&self, control: &str) -> Result<u32> {
        self.inner.token_to_id(control).ok_or_else(|| {
            let name = &self.name;
            Error::input(format!(
                "{name}: the tokenizer has no {control}: expected that of the whole model, with its added tokens"
            ))
        })
    }

    /// The token that stands where visual tokens are.
    pub(super) fn picture(&self) -> Option<u32> {
        self.inner.token_to_id(PICTURE[1])
    }

    /// The tokens of a prompt, with as many visual tokens for each picture.
    pub(super) fn read(&self, pieces: &[Piece], tokens: &[usize]) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Control(name) => ids.push(self.id(name)?),
                Piece::Picture(number) => {
                    let [before, token, behind] = PICTURE;
                    ids.push(self.id(before)?);
                    ids.extend(std::iter::repeat_n(self.id(token)?, tokens[*number]));
                    ids.push(self.id(behind)?);
                }
                Piece::Text(text) => {
                    let bad = |reason: &str| Error::input(format!("the text {text:?}: {reason}"));
                    let encode = || self.inner.encode(text.as_str(), false);
                    let found =
                        catch_unwind(AssertUnwindSafe(encode)).map_err(|_| bad("no tokens"))?;
                    ids.extend(found.map_err(|e| bad(&e.to_string()))?.get_ids());
                }
            }
        }
        Ok(ids)
    }

    /// The text of tokens, without those that are control tokens.
    pub(super) fn text(&self, ids: &[u32]) -> String {
        let decode = || self.inner.decode(ids, true).unwrap_or_default();
        catch_unwind(AssertUnwindSafe(decode)).unwrap_or_default()
    }
}

/// The tokenizer of a folder: `tokenizer.json`, or the files of Qwen's vocabulary. `why` says why the model itself has
/// none.
fn read(name: &str, folder: &Path, why: Option<&str>) -> Result<Tokenizer> {
    let there = |name: &str| folder.join(name).is_file();
    let text = |name: &str| read_text(&folder.join(name), MOST);
    let other = |name: &str| if there(name) { text(name) } else { Ok("null".into()) };
    let [whole, vocabulary, merges, _, added, config] = TOKENIZERS;
    if there(whole) {
        tokenizer(&folder.join(whole), text(whole)?)
    } else if there(vocabulary) && there(merges) {
        let texts = [text(vocabulary)?, text(merges)?, other(added)?, other(config)?];
        let named = |file: &str| folder.join(file).display().to_string();
        let made = qwen_tokenizer(texts.each_ref().map(String::as_str), &named)?;
        tokenizer(&folder.join(vocabulary), made.to_string())
    } else {
        let why = why.map_or_else(String::new, |why| format!("{why}, and "));
        Err(Error::input(format!(
            "{name}: {why}no tokenizer beside the model: expected {whole}, or {vocabulary} and {merges}; copy it from \
             where the model comes from"
        )))
    }
}

/// What a tokenizer puts before every text.
fn before(inner: &Tokenizer) -> Vec<u32> {
    let ids = |special: bool| {
        let encode = || inner.encode("a", special).map(|found| found.get_ids().to_vec());
        catch_unwind(AssertUnwindSafe(encode)).ok().and_then(|found| found.ok())
    };
    let (Some(plain), Some(whole)) = (ids(false), ids(true)) else { return Vec::new() };
    let at = whole.windows(plain.len().max(1)).position(|part| part == plain);
    whole[..at.unwrap_or(0)].to_vec()
}

/// Whether the library has taken the numbers of added tokens: it counts on from the vocabulary's last one.
fn obeyed(inner: &Tokenizer, json: &Value) -> bool {
    let mut added = json["added_tokens"].as_array().into_iter().flatten();
    added.all(|token| match (token["content"].as_str(), token["id"].as_u64()) {
        (Some(content), Some(id)) => inner.token_to_id(content).map(u64::from) == Some(id),
        _ => true,
    })
}

/// The most numbers that are passed over behind a vocabulary that is a list; `web/worker/talk-tokens.ts` says the same.
const MOST_PASSED: u64 = 1 << 16;

/// The same `tokenizer.json` so that the library takes its numbers as they are: with the added tokens in the vocabulary too,
/// or, where that is a list, with a token that is in no text for every number that has none.
fn numbered(mut json: Value) -> std::result::Result<String, String> {
    let mut added: Vec<(u64, String, Value)> = Vec::new();
    for token in json["added_tokens"].as_array().into_iter().flatten() {
        if let (Some(id), Some(content)) = (token["id"].as_u64(), token["content"].as_str()) {
            added.push((id, content.into(), token.clone()));
        }
    }
    added.sort_by_key(|(id, ..)| *id);
    let mut own = numbers(&json["model"]["vocab"]);
    let behind = own.len() as u64;
    let mut owners: HashMap<u64, String> =
        own.iter().map(|(text, id)| (*id, text.clone())).collect();
    for (id, content, _) in &added {
        let owner = owners.entry(*id).or_insert_with(|| content.clone());
        if owner != content || own.entry(content.clone()).or_insert(*id) != id {
            return Err(format!(
                "added_tokens: {content:?} has the number {id}, which is not its own"
            ));
        }
    }
    if let Some(vocab) = json["model"]["vocab"].as_object_mut() {
        added.into_iter().for_each(|(id, content, _)| drop(vocab.insert(content, id.into())));
        return Ok(json.to_string());
    }
    let last = added.last().map_or(0, |(id, ..)| *id);
    if last > behind + MOST_PASSED {
        return Err(format!(
            "added_tokens: the number {last}, behind a vocabulary of {behind}: expected at most {}",
            behind + MOST_PASSED
        ));
    }
    let none = |id: u64| {
        json!({ "id": id, "content": format!("\u{10ffff}{id}"), "special": true, "single_word": false, "lstrip": false,
            "rstrip": false, "normalized": false })
    };
    let mut tokens: BTreeMap<u64, Value> = (behind..last).map(|id| (id, none(id))).collect();
    tokens.extend(added.into_iter().map(|(id, _, token)| (id, token)));
    json["added_tokens"] = tokens.into_values().collect();
    Ok(json.to_string())
}

/// The tokens of a vocabulary, which is an object or a list, by their numbers.
fn numbers(vocab: &Value) -> HashMap<String, u64> {
    let list = vocab.as_array().into_iter().flatten().zip(0..);
    let listed = list.filter_map(|(token, id)| Some((token[0].as_str()?.to_string(), id)));
    let object = vocab.as_object().into_iter().flatten();
    object.filter_map(|(text, id)| Some((text.clone(), id.as_u64()?))).chain(listed).collect()
}

/// By the text of a `tokenizer.json`, which is of a file.
fn tokenizer(file: &Path, text: String) -> Result<Tokenizer> {
    let bad = |reason: String| Error::config(file.display(), reason);
    let json: Value = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
    // The library trusts a file's numbers.
    let read = |text: String| match catch_unwind(|| Tokenizer::from_bytes(text)) {
        Ok(read) => read.map_err(|e| bad(e.to_string())),
        Err(_) => Err(bad("no tokenizer: damaged".into())),
    };
    let mut inner = read(text)?;
    if !obeyed(&inner, &json) {
        inner = read(numbered(json).map_err(bad)?)?;
    }
    // What somebody types is text, whatever it looks like.
    inner.set_encode_special_tokens(true);
    inner.with_padding(None);
    inner.with_truncation(None).map_err(|e| bad(e.to_string()))?;
    Ok(inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn golden() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/internvl/tokenizer_tiny")
    }

    /// By `tokenizer.json`, and by the files of which the published models have that instead.
    #[test]
    fn texts_are_the_references_tokens() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["vocab.json", "merges.txt", "added_tokens.json"] {
            std::fs::copy(golden().join(name), folder.path().join(name)).unwrap();
        }
        let cases = std::fs::read_to_string(golden().join("cases.json")).unwrap();
        let cases: Vec<Value> = serde_json::from_str(&cases).unwrap();
        assert!(cases.len() > 40);
        for folder in [golden(), folder.path().to_path_buf()] {
            let mut inner = read("tiny", &folder, None).unwrap();
            for case in &cases {
                let text = case["text"].as_str().unwrap();
                let ids: Vec<u32> = serde_json::from_value(case["ids"].clone()).unwrap();
                // The reference takes what looks like a control token for one.
                inner.set_encode_special_tokens(false);
                assert_eq!(inner.encode(text, false).unwrap().get_ids(), ids, "{text:?}");
                assert_eq!(inner.decode(&ids, false).unwrap(), case["decoded"].as_str().unwrap());
                inner.set_encode_special_tokens(true);
                let own = inner.encode(text, false).unwrap();
                let control = inner.token_to_id("<|im_start|>").unwrap();
                assert!(!own.get_ids().contains(&control), "{text:?}");
            }
        }
    }

    #[test]
    fn control_tokens_are_not_told() {
        let inner = read("tiny", &golden(), None).unwrap();
        let ids: Vec<u32> =
            ["<|im_start|>", "<think>"].map(|name| inner.token_to_id(name).unwrap()).into();
        let tokens = Tokens { inner, name: "tiny".into(), begin: Vec::new(), stops: Vec::new() };
        assert_eq!(tokens.text(&ids), "<think>");
        let pieces =
            [Piece::Control("<|im_end|>"), Piece::Text("<|im_end|>".into()), Piece::Picture(0)];
        let found = tokens.read(&pieces, &[2]).unwrap();
        let id = |name: &str| tokens.inner.token_to_id(name).unwrap();
        assert_eq!(found.iter().filter(|found| **found == id("<|im_end|>")).count(), 1);
        assert_eq!(found.iter().filter(|found| **found == id("<IMG_CONTEXT>")).count(), 2);
        assert!(
            tokens
                .read(&[Piece::Control("<|end|>")], &[])
                .unwrap_err()
                .to_string()
                .contains("<|end|>")
        );
    }

    /// A vocabulary that is a list: the numbers behind it may have gaps, of which no text is made.
    #[test]
    fn numbers_behind_a_list_may_have_gaps() {
        let file = Path::new("tokenizer.json");
        let token = |id: u32, content: &str| {
            json!({ "id": id, "content": content, "special": true, "single_word": false, "lstrip": false,
                "rstrip": false, "normalized": false })
        };
        let made = |ids: [u32; 3]| {
            let [known, first, last] = ids;
            json!({
                "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
                "added_tokens": [token(last, "<b>"), token(known, "<unk>"), token(first, "<a>")],
                "pre_tokenizer": null, "post_processor": null, "decoder": null,
                "model": { "type": "Unigram", "unk_id": 0, "byte_fallback": false,
                    "vocab": [["<unk>", 0.0], ["a", -1.0], ["b", -2.0], ["ab", -1.5]] },
            })
        };
        for ids in [[0, 4, 5], [0, 5, 4], [0, 9, 300], [0, 300, 9]] {
            let inner = tokenizer(file, made(ids).to_string()).unwrap();
            let found = ["<unk>", "<a>", "<b>"].map(|name| inner.token_to_id(name));
            assert_eq!(found, ids.map(Some));
            assert_eq!(inner.encode("abb<a>", false).unwrap().get_ids()[..2], [3, 2]);
            let said = inner.encode("<b>\u{10ffff}8", false).unwrap();
            assert!(said.get_ids().iter().all(|id| *id < 4), "{said:?}");
            assert_eq!(
                inner.decode(&[3, 8, 200, ids[1], 2], true).unwrap().replace(' ', ""),
                "abb"
            );
        }
        for (ids, reason) in [
            ([1, 4, 5], "added_tokens: \"<unk>\" has the number 1, which is not its own"),
            ([0, 4, 4], "has the number 4, which is not its own"),
            ([0, 3, 4], "added_tokens: \"<a>\" has the number 3, which is not its own"),
            (
                [0, 4, 65_541],
                "added_tokens: the number 65541, behind a vocabulary of 4: expected at most 65540",
            ),
        ] {
            let error = tokenizer(file, made(ids).to_string()).unwrap_err().to_string();
            assert!(error.starts_with("tokenizer.json: ") && error.contains(reason), "{error}");
        }
    }

    /// A tokenizer that begins every text begins the conversation; numbers may have gaps, and are of one token each.
    #[test]
    fn a_tokenizers_beginning_and_numbers_are_obeyed() {
        let text = std::fs::read_to_string(golden().join("tokenizer.json")).unwrap();
        let mut json: Value = serde_json::from_str(&text).unwrap();
        let file = Path::new("tokenizer.json");
        assert!(before(&tokenizer(file, text).unwrap()).is_empty());
        let name = "<|im_start|>";
        let added = json["added_tokens"].as_array_mut().unwrap();
        let id = added.iter().find(|token| token["content"] == name).unwrap()["id"].clone();
        json["post_processor"] = serde_json::json!({
            "type": "TemplateProcessing", "pair": [],
            "single": [{ "SpecialToken": { "id": name, "type_id": 0 } }, { "Sequence": { "id": "A", "type_id": 0 } }],
            "special_tokens": { name: { "id": name, "ids": [id], "tokens": [name] } },
        });
        let begun = tokenizer(file, json.to_string()).unwrap();
        assert_eq!(before(&begun), [id.as_u64().unwrap() as u32]);
        // Behind the vocabulary's last one with a gap, as published files have them where a table was padded.
        for token in json["added_tokens"].as_array_mut().unwrap() {
            token["id"] = (token["id"].as_u64().unwrap() + 1000).into();
        }
        let (far, id) = (tokenizer(file, json.to_string()).unwrap(), id.as_u64().unwrap() + 1000);
        assert_eq!(far.token_to_id(name), Some(id as u32));
        assert!(!far.encode(name, false).unwrap().get_ids().contains(&(id as u32)));
        assert_eq!(far.decode(&[id as u32, 70], true).unwrap(), far.decode(&[70], true).unwrap());
        // Two of one number.
        json["added_tokens"][0]["id"] = 70.into();
        let error = tokenizer(file, json.to_string()).unwrap_err().to_string();
        let said = "tokenizer.json: added_tokens: ";
        assert!(
            error.contains(said) && error.contains("number 70, which is not its own"),
            "{error}"
        );
    }
}
