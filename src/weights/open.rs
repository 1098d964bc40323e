//! Opening a checkpoint of this machine.

use std::path::Path;

use super::{Checkpoint, Source, Stored, find_files, foreign, read_header};
use crate::budget::MAX_CONFIG;
use crate::files::read_text;
use crate::model::image_processor;
use crate::{Error, Result};

/// Where the settings of preprocessing may be, the first that counts before the others.
pub(crate) const SETTINGS: [&str; 2] = ["processor_config.json", "preprocessor_config.json"];

impl Checkpoint {
    /// Opens a folder with `config.json` and `model.safetensors` or `pytorch_model.bin`, or with
    /// shards and their index; or a `.safetensors`, `.pth` or `.bin` file with `config.json` beside it.
    pub async fn open_path(path: &Path) -> Result<Self> {
        Self::open_path_with(path, None).await
    }

    /// As [`Checkpoint::open_path`], with the prefix of the encoder's tensors where the files hold
    /// several encoders.
    pub async fn open_path_with(path: &Path, prefix: Option<&str>) -> Result<Self> {
        let (folder, files) = find_files(path).await?;
        let text = read_text(&folder.join("config.json"), MAX_CONFIG)?;
        let settings = settings(&folder)?;
        let files = files.iter().map(|f| Source::file(f)).collect::<Result<_>>()?;
        // "." and "" have no name of their own.
        let named = match folder.file_name() {
            Some(_) => folder,
            None => folder.canonicalize().unwrap_or(folder),
        };
        let opened = Self::open_with(&named.display().to_string(), &text, files, prefix).await?;
        match settings {
            Some((file, text)) => opened.preprocess_by(file, &text),
            None => Ok(opened),
        }
    }

    /// What each file holds, the encoder's and all else.
    pub(super) async fn headers(&self) -> Result<Vec<Vec<Stored>>> {
        let mut headers = Vec::new();
        for file in &self.files {
            headers.push(read_header(file).await?);
        }
        Ok(headers)
    }
}

/// The file with the settings of preprocessing, and its text.
fn settings(folder: &Path) -> Result<Option<(&'static str, String)>> {
    for file in SETTINGS {
        let path = folder.join(file);
        if !path.exists() {
            continue;
        }
        let text = read_text(&path, MAX_CONFIG)?;
        if let Some(what) = foreign::in_place_of_json(&text) {
            return Err(Error::config(path.display(), what));
        }
        // The first may be of a tokenizer alone.
        if file != SETTINGS[0] || image_processor(&path.display().to_string(), &text)?.is_some() {
            return Ok(Some((file, text)));
        }
    }
    Ok(None)
}
