//! Which model: a folder, one that comes with the program, or a name on the hub.

use std::ops::ControlFlow;
use std::path::PathBuf;

use internvit::error::list;
use internvit::files::folder_of;
use internvit::hub::{Fetched, Hub, Name, Step};
use internvit::model::Pool;
use internvit::weights::{Source, gguf_parts};
use internvit::{Checkpoint, Error, Result};

use super::progress;

/// Files of a model that have the same name everywhere.
const KNOWN: [&str; 7] = [
    "config.json",
    "processor_config.json",
    "preprocessor_config.json",
    "model.safetensors",
    "model.safetensors.index.json",
    "pytorch_model.bin",
    "pytorch_model.bin.index.json",
];

/// The environment's choice of a model, where the command line names none.
const VARIABLE: &str = "INTERNVIT_MODEL";

/// The model that serves where none is named, or `bundled`.
const DEFAULT: &str = Checkpoint::BUILT_IN[0];

#[derive(Clone, clap::Args)]
pub(super) struct Model {
    /// Folder with config.json and model.safetensors (or shards), or a language model's .gguf (or a folder with it and
    /// its projector), or owner/name[@revision] on the Hugging Face hub, for one of several models in GGUF
    /// owner/name:Q4_K_M or owner/name:FILE.gguf, or its address there, or a model that comes with the program: dinov2-small
    /// (or bundled; it serves if this is left out) or internvit-tiny (or INTERNVIT_MODEL)
    #[arg(long)]
    model: Option<PathBuf>,
    /// Of a model in GGUF, the file of its tower and projector (mmproj), where it is not in one folder with it
    #[arg(long, value_name = "FILE.gguf", requires = "model")]
    projector: Option<PathBuf>,
    /// Ask the hub nothing: take what was fetched before
    #[arg(long)]
    offline: bool,
    /// Which encoder, where a file holds several: what the names of its tensors begin with, as
    /// teacher in teacher.patch_embed.proj.weight
    #[arg(long, value_name = "NAME")]
    prefix: Option<String>,
}

impl Model {
    /// A folder of this machine.
    pub(super) fn folder(path: PathBuf) -> Self {
        Self::at(path, true)
    }

    /// A folder, or a name on the hub.
    pub(super) fn at(path: PathBuf, offline: bool) -> Self {
        Self { model: Some(path), projector: None, offline, prefix: None }
    }

    /// Files that opening a model of this machine reads, as far as their names are known before.
    pub(super) fn inputs(&self) -> Vec<PathBuf> {
        let path = self.chosen();
        if !path.exists() {
            return Vec::new();
        }
        let folder = if path.is_dir() { &path } else { folder_of(&path) };
        let mut files: Vec<PathBuf> = KNOWN.iter().map(|name| folder.join(name)).collect();
        files.push(path);
        files.extend(self.projector.clone());
        files
    }

    /// Opens the model, fetched where need be.
    pub(super) async fn open(&self) -> Result<Checkpoint> {
        self.open_as(false).await
    }

    /// The same with its tower for texts.
    pub(super) async fn open_with_text(&self) -> Result<Checkpoint> {
        self.open_as(true).await?.with_text().await
    }

    /// The model with its language model, and what that is given of pictures.
    pub(super) async fn open_speaking(&self) -> Result<Checkpoint> {
        self.opened(true).await?.with_language().await
    }

    /// The model with what makes visual tokens.
    pub(super) async fn open_visual(&self) -> Result<Checkpoint> {
        self.open_as(true).await?.with_visual().await
    }

    /// The model with all that it has: its tower for texts where it has one.
    pub(super) async fn open_whole(&self) -> Result<Checkpoint> {
        let mut checkpoint = self.open_as(true).await?;
        match checkpoint.add_text().await {
            // It reads none.
            Ok(()) | Err(Error::Input(_)) => Ok(checkpoint),
            Err(e) => Err(e),
        }
    }

    /// The model with what joins pictures and texts: its tower for texts, unless others read them for it.
    pub(super) async fn open_joint(&self) -> Result<Checkpoint> {
        let checkpoint = self.open_as(true).await?;
        match checkpoint.spec.pool {
            Pool::MeanQuery { .. } => Ok(checkpoint),
            _ => checkpoint.with_text().await,
        }
    }

    /// One that sees pictures.
    async fn open_as(&self, texts: bool) -> Result<Checkpoint> {
        let checkpoint = self.opened(texts).await?;
        checkpoint.sees()?;
        Ok(checkpoint)
    }

    async fn opened(&self, texts: bool) -> Result<Checkpoint> {
        let checkpoint = self.find(texts).await?;
        let left_out = &checkpoint.manifest.left_out;
        if !left_out.is_empty() {
            let name = checkpoint.name();
            note!("{name}: left out, as a classifier's on the encoder: {}", list(left_out));
        }
        for text in &checkpoint.notes {
            note!("{text}");
        }
        Ok(checkpoint)
    }

    /// What the command line names, else what the environment does, else the default.
    fn chosen(&self) -> PathBuf {
        let named = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
        let chosen = self.model.clone().or_else(|| named().map(PathBuf::from));
        let bundled = |path: &PathBuf| path.as_os_str() == "bundled" && !path.exists();
        chosen.filter(|path| !bundled(path)).unwrap_or_else(|| DEFAULT.into())
    }

    /// The name or path of the model, and whether the hub is asked nothing: for a window, which opens it by itself.
    #[cfg(feature = "window")]
    pub(super) fn named(&self) -> Result<(String, bool)> {
        if let Some(prefix) = &self.prefix {
            let text = format!(
                "--prefix {prefix}: a window opens the encoder that a file is known by alone"
            );
            return Err(Error::input(text));
        }
        if let Some(projector) = &self.projector {
            let file = projector.display();
            return Err(Error::input(format!(
                "--projector {file}: a window opens one file or folder"
            )));
        }
        Ok((self.chosen().to_string_lossy().into_owned(), self.offline))
    }

    /// What the model is called where its place on this machine is not told: the name as it was given, of a
    /// folder or file of this machine the last part of its path.
    #[cfg(feature = "serve")]
    pub(super) fn label(&self) -> String {
        let chosen = self.chosen();
        let there = chosen.canonicalize().unwrap_or_else(|_| chosen.clone());
        let last = there.file_name().filter(|_| chosen.exists());
        last.unwrap_or(chosen.as_os_str()).to_string_lossy().into_owned()
    }

    async fn find(&self, texts: bool) -> Result<Checkpoint> {
        let prefix = self.prefix.as_deref();
        let path = self.chosen();
        // Without its own name the current folder is not asked.
        let named = self.model.as_ref().is_some_and(|name| name.as_os_str() == DEFAULT);
        let default = path.as_os_str() == DEFAULT && !named;
        if let Some(projector) = &self.projector {
            let mut files = gguf_parts(&path)?;
            files.push(projector.clone());
            let files = files.iter().map(|file| Source::file(file)).collect::<Result<_>>()?;
            return Checkpoint::open_gguf(&path.display().to_string(), files).await;
        }
        if !default && path.exists() {
            return Checkpoint::open_path_with(&path, prefix).await;
        }
        let text = path.to_str().unwrap_or_default();
        if let Some(checkpoint) = Checkpoint::built_in(text).await {
            return checkpoint;
        }
        let name = Name::pasted(text).or_else(|| Name::parse(text).map(Ok)).unwrap_or_else(|| {
            Err(Error::input(format!(
                "{}: no such file or folder, none of the program's own models ({}), and no name on \
                 the hub, which would be owner/name, owner/name@revision or, in GGUF, owner/name:Q4_K_M (see `internvit \
                 models`)",
                path.display(),
                list(Checkpoint::BUILT_IN)
            )))
        })?;
        fetch(&name, self.offline, texts).await?.open(prefix).await
    }
}

/// A model of the hub, with a bar for each file that has to be fetched; with `texts` what reads them too.
async fn fetch(name: &Name, offline: bool, texts: bool) -> Result<Fetched> {
    let mut bar = progress::Bar::hidden();
    let fetched = Hub::from_env(offline)?
        .with_texts(texts)
        .fetch(name, &mut |step| {
            match step {
                Step::File { name, bytes } => {
                    bar.finish_and_clear();
                    bar = progress::bytes(name, bytes);
                }
                Step::Bytes(more) => bar.inc(more),
                Step::Note(note) => bar.suspend(|| note!("{note}")),
            }
            ControlFlow::Continue(())
        })
        .await;
    bar.finish_and_clear();
    fetched
}
