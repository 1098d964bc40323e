//! A model in files of GGUF: what its `config.json` and the files beside that would say.

use std::collections::HashMap;

use serde_json::Value;

use super::{Gguf as File, read};
use crate::error::list;
use crate::model::{Gguf, gguf_config, gguf_preprocessor, gguf_tokenizer};
use crate::order::sort_by_key;
use crate::weights::{Checkpoint, Source, foreign};
use crate::{Error, Result};

/// What the files of a model say, as the texts of JSON that other models have.
pub struct GgufModel {
    /// Its `config.json`.
    pub config: String,
    /// Its `preprocessor_config.json`, where the files say anything of that.
    pub preprocessor: Option<String>,
    /// Its `tokenizer.json`, or why there is none.
    pub tokenizer: std::result::Result<String, String>,
}

impl GgufModel {
    /// Of a language model's file or all its parts, of a projector's (`mmproj`), or of both, in any order.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where a file is damaged or no GGUF; [`Error::Input`] where there are two of a kind, or not all
    /// parts;
    /// [`Error::Config`] where nothing here computes what they describe, or they are not of one model.
    pub async fn read(files: &[Source]) -> Result<Self> {
        let mut all = Vec::new();
        for file in files {
            let Some(found) = read(file).await? else {
                let none = "no GGUF, expected one as the model's other files";
                return Err(foreign::name(file, Error::checkpoint(file.name(), none)).await?);
            };
            all.push((file.name(), found));
        }
        let all = joined(all)?;
        let shapes: Vec<HashMap<&str, &[usize]>> = all
            .iter()
            .map(|(_, file)| {
                file.tensors.iter().map(|t| (t.key.as_str(), t.shape.as_slice())).collect()
            })
            .collect();
        let lookups: Vec<_> =
            shapes.iter().map(|shapes| |name: &str| shapes.get(name).copied()).collect();
        let described = all.iter().zip(&lookups).map(|((file, found), shape)| Gguf {
            file,
            keys: &found.keys,
            shape,
        });
        let (projectors, models): (Vec<_>, Vec<_>) = described.partition(Gguf::is_projector);
        for (what, list) in [("language model", &models), ("projector", &projectors)] {
            if let [one, other, ..] = list.as_slice() {
                return Err(Error::input(format!(
                    "{} and {}: expected one {what}, found two: name the file itself",
                    one.file, other.file
                )));
            }
        }
        let (model, projector) = (models.first(), projectors.first());
        let config = gguf_config(model, projector)?.to_string();
        let preprocessor = projector.and_then(gguf_preprocessor).map(|value| value.to_string());
        let tokenizer = match model {
            Some(model) => gguf_tokenizer(model.keys).map(|value| value.to_string()),
            None => Err("a projector has no tokenizer".into()),
        };
        Ok(Self { config, preprocessor, tokenizer })
    }
}

/// The keys of a file in parts: how many there are, and which one it is.
const PARTS: [&str; 2] = ["split.count", "split.no"];

/// Files, with those that are parts of one model as one: the first has its keys, all have tensors.
fn joined(files: Vec<(&str, File)>) -> Result<Vec<(&str, File)>> {
    let count = |file: &File| file.keys.get(PARTS[0]).and_then(Value::as_u64).filter(|n| *n > 1);
    let (mut parts, mut all): (Vec<_>, Vec<_>) =
        files.into_iter().partition(|(_, file)| count(file).is_some());
    let number = |file: &File| file.keys.get(PARTS[1]).and_then(Value::as_u64);
    sort_by_key(&mut parts, |(_, file)| number(file));
    let Some((name, first)) = parts.first() else { return Ok(all) };
    let (name, count) = (*name, count(first).unwrap_or_default());
    let here: Vec<_> = parts.iter().map(|(_, file)| number(file)).collect();
    if !(0..count).map(Some).eq(here.iter().copied()) {
        let numbers =
            here.iter().map(|at| at.map_or("none".into(), |at| at.saturating_add(1).to_string()));
        return Err(Error::input(format!(
            "{name}: expected the parts 1 to {count} of one model, found {}: name them together, or the folder",
            list(numbers)
        )));
    }
    let mut whole: Option<File> = None;
    for (_, part) in parts {
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => whole.tensors.extend(part.tensors),
        }
    }
    all.extend(whole.map(|whole| (name, whole)));
    Ok(all)
}

impl Checkpoint {
    /// Opens a model in files of GGUF: a language model in one or in parts, its projector (`mmproj`), or both, in any order.
    ///
    /// # Errors
    /// As [`GgufModel::read`], and as [`Checkpoint::open`].
    pub async fn open_gguf(name: &str, files: Vec<Source>) -> Result<Self> {
        let GgufModel { config, preprocessor, tokenizer } = GgufModel::read(&files).await?;
        let mut opened = Self::open(name, &config, files).await?;
        opened.spoken.tokenizer = Some(tokenizer);
        match preprocessor {
            Some(text) => opened.preprocess_as(&text),
            None => Ok(opened),
        }
    }
}
