//! Models by name, from the Hugging Face hub: whole repositories into the standard cache, which
//! other programs share, and of larger models the vision tensors alone.
//!
//! `HF_HOME`, `HF_HUB_CACHE`, `HF_TOKEN`, `HF_TOKEN_PATH`, `HF_ENDPOINT` and `HF_HUB_OFFLINE` mean
//! what they mean to the hub's own client.
//!
//! Names and places in the cache are those of the crate `hf-hub`. Its transfer compares no digests,
//! cannot be cancelled and fetches no ranges, so requests are made here; and as it empties a
//! reference before it writes it again, references are written here too.

mod address;
mod cache;
mod gguf;
mod http;
mod name;
mod pace;
mod pasted;
mod proof;
mod refused;
mod repository;
mod settings;
mod vision;
mod web;
mod whole;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use cache::{Cache, variable};
use http::{Fault, Http, Tried};
use repository::{Remote, Repository};

use crate::budget::{MAX_CONFIG, MAX_LIST};
use crate::files::read_text;
use crate::model::{parse_config, parse_head};
use crate::weights::{SETTINGS, Source, TOKENIZERS, all_shards, shards, usual_files};
use crate::{Checkpoint, Error, Result};

pub use name::Name;
pub use web::Web;

/// How far a fetch is.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A file begins, from its start: it is fetched, or read to be compared with its digest.
    File {
        /// Its name.
        name: &'a str,
        /// Bytes in all.
        bytes: u64,
    },
    /// A number of further bytes is there.
    Bytes(u64),
    /// What someone who waits should know.
    Note(&'a str),
}

/// A model of the hub on this machine.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The folder of its files.
    pub folder: PathBuf,
    /// Its files of GGUF, the projector last; none of other models.
    pub gguf: Vec<PathBuf>,
}

impl Fetched {
    /// Opens it, with the prefix of the encoder's tensors where the files hold several encoders.
    ///
    /// # Errors
    /// As [`Checkpoint::open_path_with`] and [`Checkpoint::open_gguf`].
    pub async fn open(&self, prefix: Option<&str>) -> Result<Checkpoint> {
        #[cfg(feature = "language")]
        if let Some(first) = self.gguf.first() {
            let files = self.gguf.iter().map(|file| Source::file(file)).collect::<Result<_>>()?;
            return Checkpoint::open_gguf(&first.display().to_string(), files).await;
        }
        Checkpoint::open_path_with(&self.folder, prefix).await
    }
}

/// Who is told of each step, and may stop.
pub type Tell<'a> = dyn FnMut(Step<'_>) -> ControlFlow<()> + 'a;

fn report(tell: &mut Tell<'_>, step: Step<'_>) -> Result<()> {
    match tell(step) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Cancelled),
    }
}

/// The hub, and what of it is on this machine.
pub struct Hub {
    cache: Cache,
    http: Http,
    /// Why nothing is asked of the hub.
    offline: Option<&'static str>,
    /// Whether what reads texts is wanted too.
    texts: bool,
}

impl Hub {
    /// As the environment says; `offline` never asks the hub anything.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no folder for the cache, [`Error::Hub`] where the hub's
    /// address is none.
    pub fn from_env(offline: bool) -> Result<Self> {
        let cache = Cache::from_env()?;
        let says_offline = variable("HF_HUB_OFFLINE")
            .is_some_and(|v| ["1", "true", "yes", "on"].contains(&v.to_lowercase().as_str()));
        let offline = match (offline, says_offline) {
            (true, _) => Some("a request to stay offline"),
            (_, true) => Some("HF_HUB_OFFLINE"),
            _ => None,
        };
        let endpoint = variable("HF_ENDPOINT").unwrap_or("https://huggingface.co".into());
        let http = Http::new(endpoint.trim_end_matches('/').into(), cache.token())?;
        Ok(Self { cache, http, offline, texts: false })
    }

    /// Whether models are fetched with their towers for texts and tokenizers; if not called, of a larger
    /// model the vision tensors alone.
    pub fn with_texts(self, texts: bool) -> Self {
        Self { texts, ..self }
    }

    /// The folder of a model that is on this machine, complete, as it was last fetched.
    pub async fn cached(&self, model: &Name) -> Option<PathBuf> {
        let commit = self.cache.commit(model)?;
        let whole = self.cache.snapshot(model, &commit);
        let part = (!self.texts).then(|| self.cache.vision(model, &commit));
        for folder in [whole].into_iter().chain(part) {
            if complete(&folder).await {
                return Some(folder);
            }
        }
        None
    }

    /// The larger models whose vision tensors are on this machine: name and folder of each.
    pub fn larger(&self) -> Vec<(String, PathBuf)> {
        self.cache.visions()
    }

    /// A model, with `config.json` and safetensors or in GGUF; what is not there is fetched.
    ///
    /// # Errors
    ///
    /// Says what is wrong with the name, the repository, its files, the connection or the disk.
    /// What arrived stays, and the next call goes on from there.
    pub async fn fetch(&self, model: &Name, tell: &mut Tell<'_>) -> Result<Fetched> {
        let cached = match model.choice() {
            None => self.cached(model).await,
            Some(_) => None,
        };
        let kept = match &cached {
            None => self.kept_gguf(model, tell)?,
            Some(_) => None,
        };
        if let Some(kept) =
            kept.clone().filter(|_| self.offline.is_some() || model.commit().is_some())
        {
            return Ok(kept);
        }
        let mut damaged = None;
        // A commit never changes; what reads texts may not have been wanted before.
        let reads = |folder: &PathBuf| TOKENIZERS.iter().any(|name| folder.join(name).is_file());
        let enough = !self.texts || cached.as_ref().is_none_or(reads);
        if self.offline.is_some() || (model.commit().is_some() && enough) {
            damaged = match &cached {
                Some(folder) => self.damaged(folder, tell).await?,
                None => None,
            };
            match (&cached, &damaged, self.offline) {
                (Some(folder), None, _) => {
                    self.ask_settings(model, folder, tell)?;
                    return Ok(Fetched { folder: folder.clone(), gguf: Vec::new() });
                }
                (None, _, Some(offline)) => return Err(self.missing(model, offline)),
                (_, Some(reason), Some(offline)) => {
                    let reason = format!(
                        "{reason}, and {offline} forbids to fetch it again: fetch it once without"
                    );
                    return Err(Error::hub(model, reason));
                }
                _ => {}
            }
        }
        let here = cached.is_some() || kept.is_some();
        let fault = match self.repository(model, here, tell) {
            Ok(repository) if model.choice().is_some() || gguf::is_all(&repository) => {
                return self.bring_gguf(model, &repository, tell);
            }
            Ok(repository) => match self.bring(model, &repository, tell).await {
                Ok(folder) => return Ok(Fetched { folder, gguf: Vec::new() }),
                Err(error) => Fault::Final(error),
            },
            Err(fault) => fault,
        };
        match (cached, fault) {
            (_, Fault::Final(Error::Cancelled)) => Err(Error::Cancelled),
            (Some(folder), fault) => {
                let folder = self.fall_back(model, (folder, damaged), fault, tell).await?;
                Ok(Fetched { folder, gguf: Vec::new() })
            }
            (None, fault) => match kept {
                None => Err(fault.error(model)),
                Some(kept) => {
                    let error = fault.error(model);
                    report(tell, Step::Note(&format!("{error}; using what was fetched before")))?;
                    Ok(kept)
                }
            },
        }
    }

    /// Whatever the hub, or a proxy before it, answers: the model is here, where it is not damaged.
    async fn fall_back(
        &self,
        model: &Name,
        (folder, damaged): (PathBuf, Option<String>),
        fault: Fault,
        tell: &mut Tell<'_>,
    ) -> Result<PathBuf> {
        let damaged = match damaged {
            None => self.damaged(&folder, tell).await?,
            known => known,
        };
        let why = match fault {
            Fault::Passing { reason, .. } => format!("{model}: {reason}"),
            Fault::Final(error) => error.to_string(),
        };
        if let Some(reason) = damaged {
            let reason = format!("{reason}, and it cannot be fetched again: {why}");
            return Err(Error::hub(model, reason));
        }
        let settings = match self.lacks_settings(model, &folder) {
            true => ", and no settings of preprocessing, which were not",
            false => "",
        };
        report(tell, Step::Note(&format!("{why}; using what was fetched before{settings}")))?;
        Ok(folder)
    }

    fn missing(&self, model: &Name, offline: &str) -> Error {
        let what = match self.cache.commit(model) {
            Some(_) => "only a part of it is",
            None => "it is not",
        };
        let home = self.cache.home.display();
        Error::hub(
            model,
            format!(
                "{what} on this machine ({home}), and {offline} forbids to fetch it: fetch \
                 it once without"
            ),
        )
    }

    /// What the hub lists; not waited for long where the model is cached.
    fn repository(&self, model: &Name, cached: bool, tell: &mut Tell<'_>) -> Tried<Repository> {
        let (repository, revision) = (model.repository(), model.revision().replace('/', "%2F"));
        let path = format!("/api/models/{repository}/revision/{revision}?blobs=true");
        let text = self.http.text(model, &path, cached, tell)?;
        Repository::parse(model, &text).map_err(Fault::Final)
    }

    /// Fetches what is missing of a repository, and remembers its commit.
    async fn bring(
        &self,
        model: &Name,
        repository: &Repository,
        tell: &mut Tell<'_>,
    ) -> Result<PathBuf> {
        let commit = repository.commit.as_str();
        let config = repository.need(model, "config.json")?;
        let single = repository.find("model.safetensors");
        let index = repository.find("model.safetensors.index.json");
        if single.is_none() && index.is_none() {
            repository.need(model, "model.safetensors")?;
        }
        let texts = settings(repository).chain([config]).map(|file| (file, MAX_CONFIG));
        for (file, most) in texts.chain(index.map(|file| (file, MAX_LIST))) {
            if file.size > most {
                let (name, size) = (&file.name, file.size);
                let reason = format!("{name}: {size} bytes, expected at most {most}");
                return Err(Error::hub(model, reason));
            }
        }
        let config = self.whole(model, commit, config, tell)?;
        let text = read_text(&config, MAX_CONFIG)?;
        let file = format!("{model}: config.json");
        let spec = parse_config(&file, &text)?;
        let files = match (single, index) {
            (None, Some(index)) => {
                let index = self.whole(model, commit, index, tell)?;
                let index = Source::file(&index)?;
                // What a language model beside the encoder is asked for is the whole model.
                let names = match self.texts && speaks(&text) {
                    true => all_shards(&index).await?,
                    false => shards(&index).await?,
                };
                names.iter().map(|name| repository.need(model, name)).collect::<Result<_>>()?
            }
            (single, _) => Vec::from_iter(single),
        };
        let mut here = true;
        for file in &files {
            here = here && self.cache.find(model, commit, file, tell)?.is_some();
        }
        // A segmentation head belongs to what is wanted.
        let larger = is_larger(&text) && parse_head(&file, &text, &spec)?.is_none();
        let folder = if larger && !here && !self.texts {
            // The weights come last: where they stand, all stands.
            for file in settings(repository) {
                let path = self.whole(model, commit, file, tell)?;
                let text = std::fs::read(&path).map_err(|e| Error::io(path.display(), e))?;
                vision::keep_text(&self.cache.vision(model, commit).join(&file.name), &text)?;
            }
            self.extract((model, commit), (&spec, &text), &files, tell)?
        } else {
            self.settings(model, repository, here, tell)?;
            let tokenizers = TOKENIZERS.iter().filter(|_| self.texts);
            for file in tokenizers.filter_map(|name| repository.find(name)) {
                self.whole(model, commit, file, tell)?;
            }
            for file in files {
                self.whole(model, commit, file, tell)?;
            }
            self.cache.snapshot(model, commit)
        };
        // A cache that cannot be written says so where something is to be fetched.
        self.cache.keep_commit(model, commit).or_else(|e| if here { Ok(()) } else { Err(e) })?;
        Ok(folder)
    }

    /// Fetches the settings of preprocessing. Where all else was here before, as in a cache that can
    /// only be read, the model is used as it was.
    fn settings(
        &self,
        model: &Name,
        repository: &Repository,
        here: bool,
        tell: &mut Tell<'_>,
    ) -> Result<()> {
        for file in SETTINGS.iter().filter(|file| !here && repository.find(file).is_none()) {
            self.cache.note_missing(model, &repository.commit, file);
        }
        for file in settings(repository) {
            match self.whole(model, &repository.commit, file, tell) {
                Err(error @ (Error::Hub { .. } | Error::Io { .. })) if here => {
                    report(tell, Step::Note(&format!("{error}; going on without {}", file.name)))?;
                }
                fetched => drop(fetched?),
            }
        }
        Ok(())
    }
}

/// The files that say how photographs become the model's pixels.
fn settings(repository: &Repository) -> impl Iterator<Item = &Remote> {
    SETTINGS.iter().filter_map(|name| repository.find(name))
}

/// Whether a configuration is of a model in which the encoder is a part.
fn is_larger(config: &str) -> bool {
    crate::json::value(config).is_ok_and(|config| config.get("vision_config").is_some())
}

/// Whether a configuration is of an encoder with a language model.
fn speaks(config: &str) -> bool {
    let kind = crate::json::value(config).ok().and_then(|config| config.get("model_type").cloned());
    kind.is_some_and(|kind| kind == "internvl_chat" || kind == "internvl")
}

async fn complete(folder: &Path) -> bool {
    folder.join("config.json").is_file() && matches!(usual_files(folder).await, Ok(Some(_)))
}
