//! What a model is opened from.

use std::path::{Path, PathBuf};

use super::Cancel;
use crate::weights::Source;
use crate::{Checkpoint, Error, Result};

/// What a model is opened from.
#[non_exhaustive]
pub enum ModelSource {
    /// A folder or file; what does not exist as such is `owner/name[@revision]` on the hub, of several models in GGUF
    /// `owner/name:Q4_K_M` or `owner/name:FILE.gguf`, or its address there; `dinov2-small` and `internvit-tiny` are those that
    /// come as crates, by the features `dinov2-small` and `bundled`, and `bundled` is InternViT-Tiny, this library's default.
    Named(PathBuf),
    /// The text of a `config.json` and its files of weights, for example from memory
    /// ([`Source::memory`]) or from a source of one's own ([`Source::ranges`]).
    Files {
        /// What the model is called in errors.
        name: String,
        /// The text of `config.json`.
        config: String,
        /// safetensors files, and the index where there are several.
        files: Vec<Source>,
    },
    /// A checkpoint that is open, with what was asked for of it, or with preprocessing of the program's own.
    Checkpoint(Box<Checkpoint>),
}

/// How the hub is asked, and who is told of it.
#[cfg_attr(not(feature = "hub"), allow(dead_code, reason = "without the hub nothing is asked"))]
pub(super) struct HubUse<'a> {
    /// Whether nothing is asked at all.
    pub(super) offline: bool,
    /// Whether what reads texts is fetched too.
    pub(super) texts: bool,
    pub(super) cancel: &'a Cancel,
    pub(super) report: &'a mut dyn FnMut(u64, u64),
}

impl ModelSource {
    pub(super) async fn open(self, hub: HubUse<'_>, prefix: Option<&str>) -> Result<Checkpoint> {
        match self {
            Self::Checkpoint(checkpoint) => Ok(*checkpoint),
            Self::Files { name, config, files } => {
                Checkpoint::open_with(&name, &config, files, prefix).await
            }
            Self::Named(path) if path.exists() => Checkpoint::open_path_with(&path, prefix).await,
            Self::Named(path) => {
                let name = match path.to_str().unwrap_or_default() {
                    "bundled" => "internvit-tiny",
                    name => name,
                };
                match Checkpoint::built_in(name).await {
                    Some(checkpoint) => checkpoint,
                    None => fetched(&path, hub, prefix).await,
                }
            }
        }
    }
}

/// A model of the hub, fetched where need be.
#[cfg(feature = "hub")]
async fn fetched(path: &Path, hub: HubUse<'_>, prefix: Option<&str>) -> Result<Checkpoint> {
    use crate::hub::{Hub, Name, Step};
    let text = path.to_str().unwrap_or_default();
    let name = Name::pasted(text).or_else(|| Name::parse(text).map(Ok));
    let name = name.unwrap_or_else(|| Err(missing(path)))?;
    let client = Hub::from_env(hub.offline)?.with_texts(hub.texts);
    let (mut done, mut total) = (0, 0);
    let tell = &mut |step: Step<'_>| {
        match step {
            Step::File { bytes, .. } => (done, total) = (0, bytes),
            Step::Bytes(more) => done += more,
            Step::Note(_) => return hub.cancel.flow(),
        }
        (hub.report)(done, total);
        hub.cancel.flow()
    };
    client.fetch(&name, tell).await?.open(prefix).await
}

/// Without the hub only what is on this machine is found.
#[cfg(not(feature = "hub"))]
#[allow(clippy::unused_async, reason = "as with the hub")]
async fn fetched(path: &Path, _: HubUse<'_>, _: Option<&str>) -> Result<Checkpoint> {
    let text = path.display();
    Err(Error::input(format!(
        "{text}: no such file or folder; names on the hub want the crate's feature `hub`"
    )))
}

#[cfg(feature = "hub")]
fn missing(path: &Path) -> Error {
    Error::input(format!(
        "{}: no such file or folder, and no name on the hub, which would be owner/name or \
         owner/name@revision",
        path.display()
    ))
}

/// A name for errors, the text of `config.json`, and the files of weights.
impl From<(&str, String, Vec<Source>)> for ModelSource {
    fn from((name, config, files): (&str, String, Vec<Source>)) -> Self {
        Self::Files { name: name.into(), config, files }
    }
}

impl From<Checkpoint> for ModelSource {
    fn from(checkpoint: Checkpoint) -> Self {
        Self::Checkpoint(Box::new(checkpoint))
    }
}

impl From<&str> for ModelSource {
    fn from(name: &str) -> Self {
        Self::Named(name.into())
    }
}

impl From<String> for ModelSource {
    fn from(name: String) -> Self {
        Self::Named(name.into())
    }
}

impl From<&Path> for ModelSource {
    fn from(path: &Path) -> Self {
        Self::Named(path.into())
    }
}

impl From<PathBuf> for ModelSource {
    fn from(path: PathBuf) -> Self {
        Self::Named(path)
    }
}
