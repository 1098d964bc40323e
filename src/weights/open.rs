//! Opening a checkpoint of this machine.

use std::path::Path;

use super::find::configuration;
#[cfg(feature = "language")]
use super::find::is_gguf;
use super::{Checkpoint, Source, Stored, find_files, read_header};
use crate::Result;
use crate::budget::MAX_CONFIG;
use crate::files::read_text;

impl Checkpoint {
    /// Opens a folder with `config.json`, or open_clip's `open_clip_config.json`, and `model.safetensors` or `pytorch_model.bin`, or with
    /// shards and their index; or a `.safetensors`, `.pth` or `.bin` file with `config.json` beside it; or a `.gguf`, or
    /// a folder of a language model and its projector in that format.
    ///
    /// # Errors
    /// [`crate::Error::Io`] where a file is missing or cannot be read; as [`Checkpoint::open`].
    pub async fn open_path(path: &Path) -> Result<Self> {
        Self::open_path_with(path, None).await
    }

    /// As [`Checkpoint::open_path`], with the prefix of the encoder's tensors where the files hold
    /// several encoders.
    ///
    /// # Errors
    /// As [`Checkpoint::open_path`].
    pub async fn open_path_with(path: &Path, prefix: Option<&str>) -> Result<Self> {
        let (folder, files) = find_files(path).await?;
        #[cfg(feature = "language")]
        if files.iter().all(|file| is_gguf(file)) {
            let files = files.iter().map(|f| Source::file(f)).collect::<Result<_>>()?;
            return Self::open_gguf(&path.display().to_string(), files).await;
        }
        let text = read_text(&configuration(&folder), MAX_CONFIG)?;
        let files = files.iter().map(|f| Source::file(f)).collect::<Result<_>>()?;
        // "." and "" have no name of their own.
        let named = match folder.file_name() {
            Some(_) => folder.clone(),
            None => folder.canonicalize().unwrap_or_else(|_| folder.clone()),
        };
        let name = named.display().to_string();
        #[cfg_attr(not(feature = "language"), expect(unused_mut, reason = "changed below"))]
        let mut opened = Self::open_with(&name, &text, files, prefix).await?;
        #[cfg(feature = "language")]
        {
            opened.spoken.folder = Some(folder.clone());
        }
        opened.preprocess_from(|file| {
            let path = folder.join(file);
            path.exists().then(|| read_text(&path, MAX_CONFIG)).transpose()
        })
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
