//! Texts as a model's tokens: `tokenizer.json` beside it, or the vocabulary of CLIP's.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use serde_json::Value;
use tokenizers::{Tokenizer as Inner, TruncationParams};

use crate::files::{folder_of, open_file, read_text};
use crate::model::{TextSpec, clip_tokenizer, clip_tokenizer_of_pairs, numbered, wrong_merge};
use crate::pointer::{POINTER, is_pointer};
use crate::session::Words;
use crate::weights::TOKENIZERS;
use crate::{Checkpoint, Error, Result};

/// The most bytes of a vocabulary; the largest of the models here has 34 MB.
pub const MOST: u64 = 1 << 27;

/// What makes tokens of texts.
pub struct Tokenizer {
    inner: Inner,
    spec: TextSpec,
}

impl Tokenizer {
    /// That of a checkpoint whose tower for texts was asked for.
    ///
    /// # Errors
    /// [`Error::Input`] where the model reads no texts, or no tokenizer lies beside it; [`Error::Config`] where that is
    /// damaged.
    pub fn beside(checkpoint: &Checkpoint) -> Result<Self> {
        let name = checkpoint.name();
        let none = || Error::input(format!("{name}: this model reads no texts"));
        let text = checkpoint.text().ok_or_else(none)?;
        let file = checkpoint.file_names().next().unwrap_or_default();
        let folder = folder_of(Path::new(file)).to_path_buf();
        let there = |names: &[&str]| {
            let paths: Vec<PathBuf> = names.iter().map(|name| folder.join(name)).collect();
            paths.iter().all(|path| path.is_file()).then_some(paths)
        };
        let [whole, vocabulary, merges, pairs, ..] = TOKENIZERS;
        let (path, json) = if let Some(paths) = there(&[whole]) {
            (paths[0].clone(), read_text(&paths[0], MOST)?)
        } else if let Some(paths) = there(&[vocabulary, merges]) {
            let (numbers, merges) = (json_of(&paths[0])?, read_text(&paths[1], MOST)?);
            if numbered(&numbers).is_none() {
                let reason = "expected an object of tokens and their numbers";
                return Err(Error::config(paths[0].display(), reason));
            }
            if let Some(reason) = wrong_merge(&numbers, &merges) {
                return Err(Error::config(paths[1].display(), reason));
            }
            (paths[0].clone(), clip_tokenizer(numbers, &merges).to_string())
        } else if let Some(paths) = there(&[pairs]) {
            (paths[0].clone(), clip_tokenizer_of_pairs(&unpacked(&paths[0])?).to_string())
        } else {
            return Err(Error::input(format!(
                "{name}: expected {whole} beside the model, or {vocabulary} and {merges}, or {pairs}: \
                 texts cannot be read without; copy it from where the model comes from"
            )));
        };
        Self::new(&json, text).map_err(|reason| Error::config(path.display(), reason))
    }

    /// By the text of a `tokenizer.json`.
    fn new(json: &str, text: &TextSpec) -> std::result::Result<Self, String> {
        // The library trusts a file's numbers.
        let read = catch_unwind(|| Inner::from_bytes(json));
        let mut inner = read.map_err(|_| "no tokenizer: damaged")?.map_err(|e| e.to_string())?;
        let truncation =
            TruncationParams { max_length: text.length, ..TruncationParams::default() };
        inner.with_truncation(Some(truncation)).map_err(|e| e.to_string())?;
        inner.with_padding(None);
        Ok(Self { inner, spec: text.clone() })
    }

    /// The tokens of a text.
    ///
    /// # Errors
    /// [`Error::Input`] where the tokenizer fails at it.
    pub fn read(&self, text: &str) -> Result<Words> {
        let bad = |reason: &str| Error::input(format!("the text {text:?}: {reason}"));
        let encode = || self.inner.encode(self.spec.plain(text).to_lowercase(), true);
        let tokens = catch_unwind(AssertUnwindSafe(encode)).map_err(|_| bad("no tokens"))?;
        let ids = tokens.map_err(|e| bad(&e.to_string()))?.get_ids().to_vec();
        Ok(Words { ids: self.spec.fitted(ids, 0), attended: None })
    }
}

fn json_of(path: &Path) -> Result<Value> {
    let text = read_text(path, MOST)?;
    serde_json::from_str(&text).map_err(|e| Error::config(path.display(), e))
}

/// The text of a packed file.
fn unpacked(path: &Path) -> Result<String> {
    let (unread, mut text) = (|e| Error::io(path.display(), e), String::new());
    let mut file: BufReader<File> = BufReader::new(open_file(path).map_err(unread)?);
    if is_pointer(file.fill_buf().map_err(unread)?) {
        return Err(Error::config(path.display(), POINTER));
    }
    let read = GzDecoder::new(file).take(MOST).read_to_string(&mut text);
    read.map(|_| text).map_err(unread)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
