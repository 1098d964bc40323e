//! What a checkpoint has beside the encoder: the language model, and what makes visual tokens for it.

use std::path::{Path, PathBuf};

use super::index::{has_shard, is_index, missing_shard};
use super::{Checkpoint, Manifest, Source, Stored, Tensor, all_shards, read_header};
use crate::model::{
    LanguageNaming, LanguageSpec, Sizes, Spec, VisualSpec, no_language, parse_language,
    parse_visual,
};
use crate::plan::{
    LANGUAGE_HEAD, LANGUAGE_QKV, LANGUAGE_TABLE, TensorSpec, language_tensors, visual_tensors,
};
use crate::{Error, Result};

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub(super) struct Spoken {
    visual: Option<VisualSpec>,
    language: Option<LanguageSpec>,
    /// Where the files lie, if in a folder.
    pub(super) folder: Option<PathBuf>,
    /// Whether there is no tower.
    alone: bool,
    /// All shards that the index names.
    shards: Vec<String>,
    /// The text of a `tokenizer.json` where the files hold one, or why they do not.
    pub(super) tokenizer: Option<std::result::Result<String, String>>,
}

impl Spoken {
    /// Of the index, where there is one.
    pub(super) async fn of(index: Option<&Source>) -> Result<Self> {
        let shards = match index {
            Some(index) => all_shards(index).await?,
            None => Vec::new(),
        };
        Ok(Self { shards, ..Self::default() })
    }
}

/// What is expected with a language model alone, to see pictures.
pub const PROJECTED: &str = "in GGUF the language model and its projector (mmproj-….gguf), opened together or in one folder";

impl Checkpoint {
    /// A language model without a tower, of which nothing is taken yet.
    pub(super) async fn alone(name: &str, config: &str, files: Vec<Source>) -> Result<Self> {
        let (index, files): (Vec<_>, Vec<_>) = files.into_iter().partition(is_index);
        let spoken = Spoken { alone: true, ..Spoken::of(index.first()).await? };
        // Nothing is ever computed by it.
        let none =
            Sizes { hidden: 1, layers: 1, heads: 1, mlp: 1, patch: 1, channels: 3, image: 1 };
        Ok(Self {
            spec: Spec::plain(none),
            manifest: Manifest { tensors: Default::default(), left_out: Vec::new() },
            head: None,
            config: config.into(),
            preprocessor: None,
            notes: Vec::new(),
            name: name.into(),
            files,
            text: None,
            spoken,
        })
    }

    /// An error where this is a language model without a tower, which sees no pictures.
    ///
    /// # Errors
    /// [`Error::Input`].
    pub fn sees(&self) -> Result<()> {
        match self.spoken.alone {
            false => Ok(()),
            true => Err(Error::input(format!(
                "{}: a language model without a tower, which sees no pictures: expected an InternVL, {PROJECTED}",
                self.name()
            ))),
        }
    }

    /// The text of the `tokenizer.json` that a GGUF holds, or why there is none; `None` for other files.
    ///
    /// # Errors
    /// A sentence on why there is none.
    pub fn own_tokenizer(&self) -> Option<std::result::Result<&str, &str>> {
        self.spoken.tokenizer.as_ref().map(|found| found.as_deref().map_err(String::as_str))
    }

    /// Takes what makes visual tokens, whose tensors are called `visual.…`.
    ///
    /// # Errors
    /// [`Error::Input`] where the model is no InternVL, or the checkpoint has its vision tower alone;
    /// [`Error::Checkpoint`] where a tensor is missing or of another shape.
    pub async fn with_visual(mut self) -> Result<Self> {
        let headers = self.named_headers().await?;
        self.add_visual(&headers)?;
        Ok(self)
    }

    /// Takes the language model too, whose tensors are called `language.…`.
    ///
    /// # Errors
    /// As [`Checkpoint::with_visual`].
    pub async fn with_language(mut self) -> Result<Self> {
        let headers = self.named_headers().await?;
        let mut shards = self.spoken.shards.iter();
        if let Some(shard) = shards.find(|shard| !has_shard(&self.files, shard)) {
            return Err(missing_shard(self.name(), shard));
        }
        if !self.spoken.alone {
            self.add_visual(&headers)?;
        }
        let file = format!("{}/config.json", self.name());
        let none = || no_language(self.name());
        let spec = parse_language(&file, &self.config)?.ok_or_else(none)?;
        let keys: Vec<&str> =
            headers.iter().flat_map(|(_, list)| list).map(|stored| stored.key.as_str()).collect();
        let naming = LanguageNaming::detect(&spec, &keys).ok_or_else(none)?;
        let mut tensors = language_tensors(&spec);
        // Without a matrix of its own the head is the table of tokens.
        let tied = !keys.iter().any(|key| naming.is_head(key));
        tensors.retain(|tensor| !tied || tensor.name != LANGUAGE_HEAD);
        let name = self.name().to_string();
        let packed: Vec<TensorSpec> =
            tensors.extract_if(.., |tensor| tensor.name.contains(LANGUAGE_QKV)).collect();
        tensors.extend(packed.iter().flat_map(|tensor| apart(&spec, tensor)));
        self.manifest.add(tensors, &name, &headers, &|key| naming.read(key))?;
        for tensor in packed {
            self.pack(tensor)?;
        }
        if tied && let Some(table) = self.manifest.tensors.get(LANGUAGE_TABLE).cloned() {
            self.manifest.tensors.insert(LANGUAGE_HEAD.into(), table);
        }
        self.spoken.language = Some(spec);
        Ok(self)
    }

    /// Puts queries, keys and values, which are three tensors, behind each other as one.
    fn pack(&mut self, packed: TensorSpec) -> Result<()> {
        let (mut parts, mut first) = (Vec::new(), None);
        for name in names(&packed.name) {
            let Some(own) = self.manifest.tensors.remove(&name) else { continue };
            if own.quantized.is_some() {
                return Err(Error::checkpoint(
                    self.name(),
                    format!(
                        "{name}: expected F32, F16 or BF16 in a language model, found few bits"
                    ),
                ));
            }
            parts.extend(own.parts.iter().cloned());
            first.get_or_insert(own);
        }
        if let Some(first) = first {
            let packed_tensor = Tensor { shape: packed.shape, parts, ..first };
            self.manifest.tensors.insert(packed.name, packed_tensor);
        }
        Ok(())
    }

    fn add_visual(&mut self, headers: &[(String, Vec<Stored>)]) -> Result<()> {
        self.sees()?;
        let (file, sizes) = (format!("{}/config.json", self.name()), self.spec.sizes);
        let name = self.name().to_string();
        let Some(visual) = parse_visual(&file, &self.config, sizes.layers)? else {
            return Err(Error::input(format!(
                "{name}: this model makes no visual tokens: expected the whole model of an InternVL"
            )));
        };
        let tensors = visual_tensors(&visual, sizes.hidden);
        let mut keys = headers.iter().flat_map(|(_, list)| list);
        if !keys.any(|stored| matches!(VisualSpec::read(&stored.key), crate::model::Key::Whole(_)))
        {
            return Err(no_language(&name));
        }
        self.manifest.add(tensors, &name, headers, &VisualSpec::read)?;
        self.spoken.visual = Some(visual);
        Ok(())
    }

    /// Names and headers of all files.
    async fn named_headers(&mut self) -> Result<Vec<(String, Vec<Stored>)>> {
        self.take_shards().await?;
        let mut headers = Vec::new();
        for file in &self.files {
            headers.push((file.name().to_string(), read_header(file).await?));
        }
        Ok(headers)
    }

    /// How visual tokens are made, where that was asked for.
    pub fn visual(&self) -> Option<&VisualSpec> {
        self.spoken.visual.as_ref()
    }

    /// The language model, where it was asked for.
    pub fn language(&self) -> Option<&LanguageSpec> {
        self.spoken.language.as_ref()
    }

    /// Whether the matrix that makes logits is the table of tokens.
    pub fn head_is_table(&self) -> bool {
        let stored = |name| self.manifest.tensors.get(name).map(|tensor| tensor.keys());
        match (stored(LANGUAGE_HEAD), stored(LANGUAGE_TABLE)) {
            (Some(head), Some(table)) => head.eq(table),
            _ => false,
        }
    }

    /// Takes the shards that hold nothing of the encoder too.
    async fn take_shards(&mut self) -> Result<()> {
        let Some(folder) = self.spoken.folder.take() else { return Ok(()) };
        let index = folder.join("model.safetensors.index.json");
        if folder.join("model.safetensors").is_file() || !index.is_file() {
            return Ok(());
        }
        for name in all_shards(&Source::file(&index)?).await? {
            let path = folder.join(&name);
            if self.files.iter().any(|file| Path::new(file.name()) == path) {
                continue;
            }
            if !path.is_file() {
                return Err(missing_shard(self.name(), &name));
            }
            self.files.push(Source::file(&path)?);
        }
        Ok(())
    }
}

/// The names of queries, keys and values of which one tensor is made.
fn names(packed: &str) -> [String; 3] {
    ["attn.q", "attn.k", "attn.v"].map(|part| packed.replacen(LANGUAGE_QKV, part, 1))
}

/// The three tensors that one is made of.
fn apart(spec: &LanguageSpec, packed: &TensorSpec) -> Vec<TensorSpec> {
    let heads = [spec.heads, spec.key_heads, spec.key_heads];
    let own = names(&packed.name).into_iter().zip(heads);
    own.map(|(name, heads)| {
        let shape = [&[heads * spec.head_dim], &packed.shape[1..]].concat();
        TensorSpec { name, shape, ..packed.clone() }
    })
    .collect()
}
