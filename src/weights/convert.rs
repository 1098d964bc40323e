//! Any checkpoint as safetensors with canonical names, in shards, with a manifest. The same source
//! gives the same bytes; a few megabytes are in memory at a time, however large it is.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::{Map, json};

use super::pieces::SCALES;
use super::staged::{Staged, StagedFile, WrittenFile};
use super::{Checkpoint, QuantFormat, StoredType, TOKENIZERS, Tensor};
use crate::files::{folder_of, open_file};
use crate::model::canonical_config;
use crate::plan::{TEXT, tensors, text_tensors};
use crate::{Error, Result};

/// What a conversion is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Conversion {
    /// Number type of the weights; as stored if left out.
    pub dtype: Option<StoredType>,
    /// Bits of the matrices of blocks; of the number type, or as stored, if left out.
    pub quant: Option<QuantFormat>,
    /// Bytes of a shard at most. A larger tensor is a shard of its own.
    pub shard_bytes: u64,
    /// Whether a model that is in the folder is replaced.
    pub overwrite: bool,
}

/// What a conversion wrote.
#[derive(Clone, Debug)]
pub struct Converted {
    /// Every file but `manifest.json`, which lists them.
    pub files: Vec<WrittenFile>,
    /// Number of tensors.
    pub tensors: usize,
    /// Bytes of all tensors.
    pub bytes: u64,
    /// Tensors of the source that are neither the encoder's, its head's nor of the tower for texts, counted by
    /// the first part of their names.
    pub left_out: BTreeMap<String, usize>,
}

/// Bytes that are read at a time, about.
const PIECE: usize = 8 << 20;

/// Of a shard, what its header may need besides names.
const HEADER: u64 = 128;

/// One tensor of the output, and where its values come from.
struct Written<'a> {
    name: String,
    shape: Vec<usize>,
    tensor: &'a Tensor,
    kind: Kind,
}

/// What is written of a tensor.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Values(StoredType),
    Codes(QuantFormat),
    Scales(QuantFormat),
}

impl Kind {
    fn dtype(self) -> Dtype {
        let stored = match self {
            Self::Values(dtype) => dtype,
            Self::Codes(QuantFormat::Int8) => return Dtype::I8,
            Self::Codes(QuantFormat::Int4) => return Dtype::U8,
            Self::Scales(quant) => quant.scales_type(),
        };
        match stored {
            StoredType::F32 => Dtype::F32,
            StoredType::F16 => Dtype::F16,
            StoredType::Bf16 => Dtype::BF16,
        }
    }
}

/// What is written of a tensor: itself, or codes and scales. What is stored in few bits stays so
/// unless another type is asked for.
fn written<'a>(name: &'a str, tensor: &'a Tensor, conversion: &Conversion) -> Vec<Written<'a>> {
    let shape = &tensor.shape;
    let stored = tensor
        .quantized
        .as_ref()
        .map(|quantized| quantized.quant)
        .filter(|_| conversion.dtype.is_none());
    // What has these bits already keeps them.
    let of = |quant: QuantFormat| if stored == Some(quant) { quant } else { quant.of(name) };
    let wanted = conversion.quant.map(of).filter(|quant| tensor.takes(*quant));
    let one = |name: String, shape: Vec<usize>, kind| Written { name, shape, tensor, kind };
    let Some(quant) = wanted.or(stored) else {
        let dtype = conversion.dtype.unwrap_or_else(|| tensor.stored_type());
        return vec![one(name.into(), shape.clone(), Kind::Values(dtype))];
    };
    vec![
        one(name.into(), quant.codes_shape(shape), Kind::Codes(quant)),
        one(format!("{name}{SCALES}"), quant.scales_shape(shape), Kind::Scales(quant)),
    ]
}

impl Written<'_> {
    fn bytes(&self) -> u64 {
        (self.shape.iter().product::<usize>() * self.kind.dtype().bitsize() / 8) as u64
    }

    /// The bytes of some rows, along the first dimension.
    async fn rows(&self, checkpoint: &Checkpoint, rows: Range<usize>) -> Result<Vec<u8>> {
        let wanted = match self.kind {
            Kind::Values(dtype) => dtype,
            Kind::Codes(quant) | Kind::Scales(quant) => {
                let values = checkpoint.values(self.tensor, rows).await?;
                let name = format!("{}: {}", checkpoint.name(), self.name);
                if values.iter().any(|value| !value.is_finite()) {
                    return Err(Error::checkpoint(name, "a value is not finite"));
                }
                let quantized = quant.quantise(&values, self.tensor.shape[1]);
                return Ok(match self.kind {
                    Kind::Codes(_) => quant.encode(&quantized.codes),
                    _ => quant.scales_type().encode(&quantized.scales),
                });
            }
        };
        if self.tensor.quantized.is_some() {
            return Ok(wanted.encode(&checkpoint.values(self.tensor, rows).await?));
        }
        let mut bytes = Vec::new();
        for (dtype, stored) in checkpoint.stored_rows(self.tensor, rows).await? {
            if dtype == wanted {
                bytes.extend(stored);
                continue;
            }
            let values = dtype.decode(&stored);
            let limit = limit(wanted);
            if let Some(value) = values.iter().find(|v| v.is_finite() && v.abs() >= limit) {
                return Err(Error::checkpoint(
                    checkpoint.name(),
                    format!("{}: {value} is beyond the range of {wanted:?}", self.name),
                ));
            }
            bytes.extend(wanted.encode(&values));
        }
        Ok(bytes)
    }
}

/// The least number that a type rounds to infinity.
fn limit(dtype: StoredType) -> f32 {
    match dtype {
        StoredType::F32 => f32::INFINITY,
        StoredType::F16 => 65520.0,
        StoredType::Bf16 => f32::from_bits(0x7f7f_8000),
    }
}

/// Writes `checkpoint`, with the head that its configuration describes, into the folder `out`:
/// `model.safetensors`, or shards with their index, `config.json` and `manifest.json` with the size
/// and SHA-256 of each. A tower for texts that was asked for ([`Checkpoint::with_text`]) is written with it, and
/// what makes tokens of texts, as it lies beside the source. The folder appears when all of it is there, and not before. `progress` is
/// told bytes of tensors and their total.
///
/// # Errors
/// [`Error::Input`] where `out` is not empty or there is too little space; [`Error::Checkpoint`] for
/// a value that the number type cannot hold; [`Error::Io`].
pub async fn convert(
    checkpoint: &Checkpoint,
    out: &Path,
    conversion: &Conversion,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Converted> {
    let left_out = left_out(checkpoint).await?;
    keeps_source(checkpoint, out)?;
    let staged = Staged::claim(out, conversion.overwrite)?;

    let texts = checkpoint.text().map(text_tensors).unwrap_or_default();
    let names = tensors(&checkpoint.spec).into_iter().map(|want| (want.name.clone(), want.name));
    // What joins texts with pictures is written beside their tower.
    let own =
        |name: &str| if name.starts_with(TEXT) { name.into() } else { format!("{TEXT}{name}") };
    let names = names.chain(texts.into_iter().map(|want| (own(&want.name), want.name)));
    let names: Vec<(String, String)> = names.collect();
    let body = names.iter().map(|(name, known)| (name, &checkpoint.manifest.tensors[known]));
    let head = checkpoint.head.iter().flat_map(|head| &head.tensors);
    let list: Vec<Written<'_>> =
        body.chain(head).flat_map(|(name, t)| written(name, t, conversion)).collect();
    let (tensors, bytes) = (list.len(), list.iter().map(Written::bytes).sum());
    let tokenizers = tokenizers(checkpoint);
    let beside = tokenizers.iter().filter_map(|path| Some(path.metadata().ok()?.len()));
    enough_space(&staged, bytes + beside.sum::<u64>())?;
    let config = config(checkpoint, &list)?;

    let mut files = vec![whole(&staged, "config.json", &config)?];
    if let Some(text) = &checkpoint.preprocessor {
        let mut file = staged.create("preprocessor_config.json")?;
        file.write(text.as_bytes())?;
        files.push(file.finish()?);
    }
    for path in &tokenizers {
        files.push(copied(&staged, path)?);
    }
    let mut done = 0;
    let mut more = |written: usize| {
        done += written as u64;
        progress(done, bytes);
    };
    let shards = shards(list, conversion.shard_bytes);
    let count = shards.len();
    let mut map = Map::new();
    for (number, shard) in shards.iter().enumerate() {
        let name = match count {
            1 => "model.safetensors".to_string(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        map.extend(shard.iter().map(|w| (w.name.clone(), name.clone().into())));
        let mut file = staged.create(&name)?;
        write_shard(checkpoint, shard, &mut file, &mut more).await?;
        files.push(file.finish()?);
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": bytes }, "weight_map": map });
        files.push(whole(&staged, "model.safetensors.index.json", &index)?);
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let entry = |f: &WrittenFile| (f.name.clone(), json!({ "size": f.size, "sha256": f.sha256 }));
    let entries: Map<_, _> = files.iter().map(entry).collect();
    whole(&staged, "manifest.json", &json!({ "files": entries }))?;
    staged.finish()?;
    Ok(Converted { files, tensors, bytes, left_out })
}

/// A file of JSON.
fn whole(staged: &Staged, name: &str, value: &serde_json::Value) -> Result<WrittenFile> {
    let mut file = staged.create(name)?;
    file.write(format!("{value:#}\n").as_bytes())?;
    file.finish()
}

/// What makes tokens of texts, beside a source whose texts are wanted.
fn tokenizers(checkpoint: &Checkpoint) -> Vec<PathBuf> {
    let file = checkpoint.file_names().next().filter(|_| checkpoint.text().is_some());
    let folder = file.map(|file| folder_of(Path::new(file)));
    let all = folder.into_iter().flat_map(|folder| TOKENIZERS.map(|name| folder.join(name)));
    all.filter(|path| path.is_file()).collect()
}

/// A file as it is, under its name.
fn copied(staged: &Staged, path: &Path) -> Result<WrittenFile> {
    let unread = |e| Error::io(path.display(), e);
    let mut from = open_file(path).map_err(unread)?;
    let mut file = staged.create(&path.file_name().unwrap_or_default().to_string_lossy())?;
    let mut piece = vec![0; PIECE];
    loop {
        match from.read(&mut piece).map_err(unread)? {
            0 => return file.finish(),
            read => file.write(&piece[..read])?,
        }
    }
}

/// Tensors in their order, as many in a shard as fit; wide types first, so that all are aligned.
fn shards(list: Vec<Written<'_>>, limit: u64) -> Vec<Vec<Written<'_>>> {
    let mut shards: Vec<Vec<Written<'_>>> = Vec::new();
    let mut room = 0;
    for tensor in list {
        let size = tensor.bytes() + tensor.name.len() as u64 + HEADER;
        match shards.last_mut().filter(|_| size <= room) {
            Some(shard) => {
                room -= size;
                shard.push(tensor);
            }
            None => {
                room = limit.saturating_sub(size + HEADER);
                shards.push(vec![tensor]);
            }
        }
    }
    for shard in &mut shards {
        shard.sort_by_key(|tensor| std::cmp::Reverse(tensor.kind.dtype().bitsize()));
    }
    shards
}

async fn write_shard(
    checkpoint: &Checkpoint,
    shard: &[Written<'_>],
    file: &mut StagedFile,
    progress: &mut dyn FnMut(usize),
) -> Result<()> {
    let mut at = 0;
    let infos = shard.iter().map(|w| {
        let start = at;
        at += w.bytes() as usize;
        let (dtype, shape) = (w.kind.dtype(), w.shape.clone());
        (w.name.clone(), TensorInfo { dtype, shape, data_offsets: (start, at) })
    });
    // Transformers wants to be told whose tensors they are.
    let format = HashMap::from([("format".to_string(), "pt".to_string())]);
    let broken = |e: &dyn std::fmt::Display| Error::checkpoint(checkpoint.name(), e);
    let header = Metadata::new(Some(format), infos.collect()).map_err(|e| broken(&e))?;
    let mut header = serde_json::to_string(&header).map_err(|e| broken(&e))?;
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    file.write(&(header.len() as u64).to_le_bytes())?;
    file.write(header.as_bytes())?;
    for tensor in shard {
        let rows = tensor.shape.first().copied().unwrap_or(1);
        let step = (PIECE / (4 * tensor.tensor.len() / rows.max(1)).max(1)).max(1);
        for first in (0..rows).step_by(step) {
            let bytes = tensor.rows(checkpoint, first..rows.min(first + step)).await?;
            file.write(&bytes)?;
            progress(bytes.len());
        }
    }
    Ok(())
}

/// The configuration; it says the weights' type where all have one.
fn config(checkpoint: &Checkpoint, list: &[Written<'_>]) -> Result<serde_json::Value> {
    let first = list.first().map(|w| w.kind);
    let one = first.filter(|first| list.iter().all(|w| w.kind == *first));
    let dtype = one.and_then(|kind| match kind {
        Kind::Values(StoredType::F32) => Some("float32"),
        Kind::Values(StoredType::F16) => Some("float16"),
        Kind::Values(StoredType::Bf16) => Some("bfloat16"),
        Kind::Codes(_) | Kind::Scales(_) => None,
    });
    let file = format!("{}/config.json", checkpoint.name());
    let texts = checkpoint.text().is_some();
    canonical_config(&file, &checkpoint.config, Some(&checkpoint.spec), dtype, texts)
}

/// What the files hold besides.
async fn left_out(checkpoint: &Checkpoint) -> Result<BTreeMap<String, usize>> {
    let head = checkpoint.head.iter().flat_map(|head| head.tensors.values());
    let tensors = checkpoint.manifest.tensors.values().chain(head);
    let taken: HashSet<_> = tensors.flat_map(Tensor::keys).collect();
    let mut left_out = BTreeMap::new();
    for (file, list) in checkpoint.headers().await?.iter().enumerate() {
        for stored in list.iter().filter(|stored| !taken.contains(&(file, stored.key.as_str()))) {
            let first = stored.key.split('.').next().unwrap_or_default();
            *left_out.entry(first.to_string()).or_insert(0) += 1;
        }
    }
    Ok(left_out)
}

/// Refuses to write over what is read.
fn keeps_source(checkpoint: &Checkpoint, out: &Path) -> Result<()> {
    let Ok(folder) = out.canonicalize() else { return Ok(()) };
    let inside = |file: &str| Path::new(file).canonicalize().is_ok_and(|f| f.starts_with(&folder));
    match checkpoint.file_names().any(inside) {
        false => Ok(()),
        true => Err(Error::input(format!("{}: the source is in this folder", out.display()))),
    }
}

/// Refuses to begin what the disk has no room for, where the system says how much there is.
fn enough_space(staged: &Staged, bytes: u64) -> Result<()> {
    let needed = bytes + (1 << 20);
    match fs4::available_space(staged.parent()) {
        Ok(free) if free < needed => Err(Error::input(format!(
            "{}: needs {} MB, {} MB are free",
            staged.parent().display(),
            needed.div_ceil(1_000_000),
            free / 1_000_000
        ))),
        _ => Ok(()),
    }
}
