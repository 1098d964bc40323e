//! A checkpoint: configuration, manifest, and its tensors one at a time.

use super::index::{has_shard, is_index, missing_shard};
use super::{
    Head, Manifest, QuantFormat, Source, Stored, StoredType, Tensor, foreign, read_header, shards,
};
use crate::budget::MAX_CONFIG;
#[cfg(feature = "language")]
use crate::model::sees_nothing;
use crate::model::{
    Found, HeadSpec, Naming, Spec, TextSpec, class_names, image_processor, parse_config,
    parse_head, parse_preprocessing, parse_pretrained, parse_text,
};
use crate::plan::{Host, host_inputs};
use crate::progress::LocalBoxFuture;
use crate::{Error, Result, json};

/// Where the settings of preprocessing may be, the first that counts before the others.
pub(crate) const SETTINGS: [&str; 2] = ["processor_config.json", "preprocessor_config.json"];

/// An opened checkpoint. No tensor is in memory; each is read when asked for.
pub struct Checkpoint {
    /// The encoder that the configuration describes.
    pub spec: Spec,
    /// Every tensor and where its bytes are.
    pub manifest: Manifest,
    /// The segmentation head, where the configuration describes one.
    pub head: Option<Head>,
    /// The text of `config.json`.
    pub config: String,
    /// The text of `preprocessor_config.json`, where there is one, or what stands for it in
    /// `processor_config.json`.
    pub preprocessor: Option<String>,
    /// What its files ask for that is not done, a sentence each.
    pub notes: Vec<String>,
    pub(super) name: String,
    pub(super) files: Vec<Source>,
    pub(super) text: Option<TextSpec>,
    #[cfg(feature = "language")]
    pub(super) spoken: super::language::Spoken,
}

impl Checkpoint {
    /// Opens a checkpoint from its configuration's text and its files: safetensors, and among them
    /// the index where there are several. Every header is checked against the configuration.
    ///
    /// # Errors
    /// [`Error::Config`] for a configuration that is none, or of no model that is known;
    /// [`Error::Checkpoint`] where tensors are missing, misshapen or left over; [`Error::Io`].
    pub fn open<'a>(
        name: &'a str,
        config: &'a str,
        files: Vec<Source>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Self::open_with(name, config, files, None)
    }

    /// As [`Checkpoint::open`], with the prefix of the encoder's tensors where the files hold several
    /// encoders.
    ///
    /// # Errors
    /// As [`Checkpoint::open`].
    pub fn open_with<'a>(
        name: &'a str,
        config: &'a str,
        files: Vec<Source>,
        prefix: Option<&'a str>,
    ) -> LocalBoxFuture<'a, Result<Self>> {
        Box::pin(async move {
            if let Some(what) = foreign::in_place_of_json(config) {
                return Err(Error::config(format!("{name}/config.json"), what));
            }
            // Some editors begin a file with a byte order mark.
            let config = config.trim_start_matches('\u{feff}');
            let file = format!("{name}/config.json");
            if config.len() as u64 > MAX_CONFIG {
                let reason = format!("{} bytes, expected at most {MAX_CONFIG}", config.len());
                return Err(Error::config(file, reason));
            }
            #[cfg(feature = "language")]
            if sees_nothing(config) {
                return Self::alone(name, config, files).await;
            }
            let mut spec = parse_config(&file, config)?;
            let mut notes = Vec::new();
            if let Some((read, note)) = parse_pretrained(&file, config, &spec.sizes)? {
                spec.preprocessing = read;
                notes.extend(note);
            }
            let (index, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_index);
            if let Some(index) = index.first() {
                for shard in shards(index).await? {
                    if !has_shard(&files, &shard) {
                        return Err(missing_shard(name, &shard));
                    }
                }
            }
            #[cfg(feature = "language")]
            let spoken = super::language::Spoken::of(index.first()).await?;
            if files.is_empty() {
                return Err(Error::checkpoint(name, "expected a .safetensors file, found none"));
            }
            let mut headers = Vec::new();
            for file in &files {
                headers.push((file.name().to_string(), read_header(file).await?));
            }
            let manifest = Manifest::settled((&file, config), &mut spec, name, &headers, prefix)?;
            let head = match parse_head(&file, config, &spec)? {
                Some(head) => Some(Head::new(head, spec.sizes.hidden, &headers, "backbone.")?),
                None => None,
            };
            let (name, config, preprocessor) = (name.into(), config.into(), None);
            Ok(Self {
                spec,
                manifest,
                head,
                config,
                preprocessor,
                notes,
                name,
                files,
                text: None,
                #[cfg(feature = "language")]
                spoken,
            })
        })
    }

    /// Takes the preprocessing that the text of the model's `preprocessor_config.json` describes, or of
    /// its `processor_config.json`, in which newer programs write the same as an object.
    ///
    /// # Errors
    /// [`Error::Config`] where it is none, or a value in it makes no sense.
    pub fn preprocess_as(self, text: &str) -> Result<Self> {
        self.preprocess_by("preprocessor_config.json", text)
    }

    /// Takes the preprocessing of the first of its settings files that has any; `read` answers with a file's
    /// text, `None` where there is no such file.
    ///
    /// # Errors
    /// As [`Checkpoint::preprocess_as`], and those of `read`.
    pub fn preprocess_from(
        self,
        mut read: impl FnMut(&str) -> Result<Option<String>>,
    ) -> Result<Self> {
        for file in SETTINGS {
            let Some(text) = read(file)? else { continue };
            // The first may be of a tokenizer alone.
            if file != SETTINGS[0] || self.has_image_processor(file, &text)? {
                return self.preprocess_by(file, &text);
            }
        }
        Ok(self)
    }

    fn has_image_processor(&self, file: &str, text: &str) -> Result<bool> {
        let file = format!("{}/{file}", self.name);
        if let Some(what) = foreign::in_place_of_json(text) {
            return Err(Error::config(file, what));
        }
        Ok(image_processor(&file, text)?.is_some())
    }

    /// The same, by a file of this name.
    fn preprocess_by(mut self, file: &str, text: &str) -> Result<Self> {
        let file = format!("{}/{file}", self.name);
        if let Some(what) = foreign::in_place_of_json(text) {
            return Err(Error::config(file, what));
        }
        let (read, note) = parse_preprocessing(&file, text, &self.spec.sizes)?;
        self.spec.preprocessing = read;
        let inner = image_processor(&file, text)?;
        self.preprocessor = Some(inner.unwrap_or_else(|| text.into()));
        self.notes = Vec::from_iter(note);
        Ok(self)
    }

    /// Takes the segmentation head `head` from a file of its own, in place of any other.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where the head is of a block that there is not, or a tensor of it is missing or of
    /// another shape; [`Error::Io`].
    pub async fn attach_head(&mut self, head: HeadSpec, file: Source) -> Result<()> {
        let layers = self.spec.sizes.layers;
        if let Some(index) = head.out_indices.iter().find(|index| **index >= layers) {
            let reason = format!("the output of block {index} counted from 0, of {layers}");
            return Err(Error::checkpoint(file.name(), reason));
        }
        let headers = read_header(&file).await?;
        let mut all: Vec<(String, Vec<Stored>)> =
            self.files.iter().map(|f| (f.name().to_string(), Vec::new())).collect();
        all.push((file.name().to_string(), headers));
        self.head = Some(Head::new(head, self.spec.sizes.hidden, &all, "backbone.")?);
        self.files.push(file);
        Ok(())
    }

    /// Takes the tower for texts too, whose tensors are called `text.…`.
    ///
    /// # Errors
    /// [`Error::Input`] where the model has none that is known here, and [`Error::Checkpoint`] where a tensor
    /// of it is missing or of another shape.
    pub async fn with_text(mut self) -> Result<Self> {
        self.add_text().await?;
        Ok(self)
    }

    /// As [`Checkpoint::with_text`]; where that fails the checkpoint is as it was.
    ///
    /// # Errors
    /// As [`Checkpoint::with_text`].
    pub fn add_text(&mut self) -> LocalBoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let mut headers = Vec::new();
            for file in &self.files {
                headers.push((file.name().to_string(), read_header(file).await?));
            }
            let stored = || headers.iter().flat_map(|(_, list)| list);
            let none = || Error::input(format!("{}: this model reads no texts", self.name));
            let naming = Naming::text(stored().map(|s| s.key.as_str())).ok_or_else(none)?;
            let found = Found::new(&naming, stored().map(|s| (s.key.as_str(), s.shape.as_slice())));
            let file = format!("{}/config.json", self.name);
            let text = parse_text(&file, &self.config, &found)?.ok_or_else(none)?;
            self.manifest.add_text(&text, &self.name, &headers, &naming)?;
            self.text = Some(text);
            Ok(())
        })
    }

    /// The tower that reads texts, where it was asked for.
    pub fn text(&self) -> Option<&TextSpec> {
        self.text.as_ref()
    }

    /// What the classes of the model's own classifier are called; none where it has none.
    pub fn class_names(&self) -> Option<Vec<String>> {
        self.spec.classes().map(|count| class_names(&self.config, count))
    }

    /// The folder, or another name for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The names of all files.
    pub fn file_names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(Source::name)
    }

    pub(super) fn files(&self) -> &[Source] {
        &self.files
    }

    /// The file that holds part of a tensor.
    pub fn file_name(&self, file: usize) -> &str {
        self.files[file].name()
    }

    /// Whether the configuration says that the weights were never trained.
    pub fn random_weights(&self) -> bool {
        json::value(&self.config).is_ok_and(|config| config["random_weights"] == true)
    }

    /// Bytes of all tensors as stored, the head's included.
    pub fn bytes(&self) -> u64 {
        self.manifest.bytes() + self.head.as_ref().map_or(0, Head::bytes)
    }

    /// Bytes of a tensor as stored; the head's are not counted one by one.
    pub fn stored_bytes(&self, name: &str) -> u64 {
        self.manifest.tensors.get(name).map_or(0, Tensor::bytes)
    }

    /// The type that holds every value of a tensor: its own, or f32 where parts differ or are folded.
    pub fn stored_type(&self, name: &str) -> StoredType {
        self.manifest.tensors.get(name).map_or(StoredType::F32, Tensor::stored_type)
    }

    /// How a matrix is stored in few bits, where it is.
    pub fn quant(&self, name: &str) -> Option<QuantFormat> {
        self.manifest.tensors.get(name)?.quantized.as_ref().map(|quantized| quantized.quant)
    }

    /// A tensor by canonical name as f32, row-major; a head's folded tensors begin with `head.`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where there is no such tensor, [`Error::Io`] where it cannot be read.
    pub async fn tensor(&self, name: &str) -> Result<Vec<f32>> {
        if let (Some(name), Some(head)) = (name.strip_prefix("head."), &self.head) {
            return head.tensor(&self.files, name).await;
        }
        let shape = &self.known(name)?.shape;
        self.rows(name, 0..shape.first().copied().unwrap_or(1)).await
    }

    /// What a plan of the encoder takes for a grid of patches beside the picture.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`].
    pub fn host_inputs(&self, grid: [usize; 2]) -> LocalBoxFuture<'_, Result<Vec<Host>>> {
        Box::pin(async move {
            host_inputs(&self.spec, grid, &mut async |name: &str| self.tensor(name).await).await
        })
    }

    pub(super) fn known(&self, name: &str) -> Result<&Tensor> {
        self.manifest.tensors.get(name).ok_or_else(|| {
            Error::checkpoint(&self.name, format!("{name}: not a tensor of this encoder"))
        })
    }
}
