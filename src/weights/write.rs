//! Writing safetensors, one tensor in memory at a time.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use safetensors::tensor::{Dtype, Metadata, TensorInfo};
use serde_json::json;

use super::staged::Staged;
use super::{StoredType, random_tensor};
use crate::files::NewFile;
use crate::model::{HeadSpec, Spec, parse_config, parse_head};
use crate::order::sort_by_key;
use crate::plan::{TensorSpec, tensors};
use crate::{Error, Result};

/// Values to be written.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// IEEE single.
    F32(&'a [f32]),
    /// 32-bit integers, such as labels.
    I32(&'a [i32]),
    /// 64-bit integers, such as tokens.
    I64(&'a [i64]),
}

/// Writes tensors (name, shape, values) to `path`, whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_safetensors(path: &Path, tensors: &[(String, Vec<usize>, Values<'_>)]) -> Result<()> {
    write_safetensors_with(path, tensors, None)
}

/// As [`write_safetensors`], with metadata: names and texts.
///
/// # Errors
/// As [`write_safetensors`].
pub fn write_safetensors_with(
    path: &Path,
    tensors: &[(String, Vec<usize>, Values<'_>)],
    metadata: Option<HashMap<String, String>>,
) -> Result<()> {
    let list = tensors.iter().map(|(name, shape, values)| {
        let dtype = match values {
            Values::F32(_) => Dtype::F32,
            Values::I32(_) => Dtype::I32,
            Values::I64(_) => Dtype::I64,
        };
        let bytes = move || match values {
            Values::F32(values) => StoredType::F32.encode(values),
            Values::I32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Values::I64(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        Lazy { name, dtype, shape, bytes: Box::new(bytes) }
    });
    let mut file = NewFile::create(path)?;
    let failed = |e| Error::io(path.display(), e);
    write_tensors(&path.display().to_string(), list.collect(), metadata, &mut |bytes| {
        file.write_all(bytes).map_err(failed)
    })?;
    file.finish()
}

/// Writes a random checkpoint (`config.json`, `model.safetensors`) of the configuration `config`, with
/// the segmentation head that it describes, into `folder`; `progress` is told the bytes written and
/// their total.
///
/// # Errors
/// [`Error::Config`] for a configuration that is none, [`Error::Io`].
pub fn init_checkpoint(
    file: &str,
    config: &str,
    seed: u64,
    dtype: StoredType,
    folder: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<()> {
    init_shards(file, config, seed, dtype, u64::MAX, folder, progress)
}

/// As [`init_checkpoint`], in shards of at most this many bytes of tensors, with their index, where one
/// would be larger. A larger tensor is a shard of its own.
///
/// # Errors
/// As [`init_checkpoint`].
pub fn init_shards(
    file: &str,
    config: &str,
    seed: u64,
    dtype: StoredType,
    shard_bytes: u64,
    folder: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<()> {
    let config = config.trim_start_matches('\u{feff}');
    let spec = parse_config(file, config)?;
    let mut list = tensors(&spec);
    if let Some(head) = parse_head(file, config, &spec)? {
        list.extend(head_tensors(&head, &spec));
    }
    let mut value = crate::json::value(config).map_err(|e| Error::config(file, &e).caused_by(e))?;
    value["random_weights"] = true.into();
    let staged = Staged::claim(folder, true)?;
    let text = |name: &str, value: &serde_json::Value| {
        let mut file = staged.create(name)?;
        file.write(format!("{value:#}\n").as_bytes())?;
        file.finish()
    };
    text("config.json", &value)?;

    let size = |shape: &[usize]| (shape.iter().product::<usize>() * dtype.bytes()) as u64;
    let total = list.iter().map(|w| size(&w.shape)).sum();
    let done = std::cell::Cell::new(0);
    let stored = match dtype {
        StoredType::F32 => Dtype::F32,
        StoredType::F16 => Dtype::F16,
        StoredType::Bf16 => Dtype::BF16,
    };
    let mut shards = vec![Vec::new()];
    let mut room = shard_bytes;
    for tensor in &list {
        let bytes = size(&tensor.shape);
        match shards.last_mut().filter(|shard| bytes <= room || shard.is_empty()) {
            Some(shard) => shard.push(tensor),
            None => {
                shards.push(vec![tensor]);
                room = shard_bytes;
            }
        }
        room = room.saturating_sub(bytes);
    }
    let count = shards.len();
    let mut map = serde_json::Map::new();
    for (number, shard) in shards.iter().enumerate() {
        let name = match count {
            1 => "model.safetensors".to_string(),
            _ => format!("model-{:05}-of-{count:05}.safetensors", number + 1),
        };
        map.extend(shard.iter().map(|w| (w.name.clone(), name.clone().into())));
        let list = shard.iter().map(|w| {
            let done = &done;
            let bytes = move || {
                let bytes = dtype.encode(&random_tensor(seed, &w.name, &w.shape, w.kind));
                done.set(done.get() + bytes.len() as u64);
                progress(done.get(), total);
                bytes
            };
            Lazy { name: &w.name, dtype: stored, shape: &w.shape, bytes: Box::new(bytes) }
        });
        let mut out = staged.create(&name)?;
        write_tensors(&name, list.collect(), None, &mut |bytes| out.write(bytes))?;
        out.finish()?;
    }
    if count > 1 {
        let index = json!({ "metadata": { "total_size": total }, "weight_map": map });
        text("model.safetensors.index.json", &index)?;
    }
    staged.finish()
}

/// Channels of a random decoder at most: those of mmseg's heads where nothing else is said.
const DECODER: usize = 512;

/// The tensors of a segmentation head on `spec`, which say how wide its decoder is.
fn head_tensors(head: &HeadSpec, spec: &Spec) -> impl Iterator<Item = TensorSpec> {
    let width = spec.sizes.hidden;
    let list = head.wanted(width, width.min(DECODER), true);
    list.into_iter().map(|(name, shape, kind)| TensorSpec { name, shape, kind, block: None })
}

/// The header of a safetensors file: its length and its JSON, padded so that the values are aligned.
/// The infos come in the order of their values.
pub(super) fn header(
    name: &str,
    infos: Vec<(String, TensorInfo)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let broken = |e: &dyn std::fmt::Display| Error::checkpoint(name, e);
    let header = Metadata::new(metadata, infos).map_err(|e| broken(&e))?;
    let mut header = serde_json::to_vec(&header).map_err(|e| broken(&e))?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.append(&mut header);
    Ok(bytes)
}

/// A tensor to be written, whose bytes are made when their turn comes.
struct Lazy<'a> {
    name: &'a str,
    dtype: Dtype,
    shape: &'a [usize],
    bytes: Box<dyn Fn() -> Vec<u8> + 'a>,
}

impl Lazy<'_> {
    fn len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}

/// Writes tensors, wide types first and then by name, as the format's own library does.
fn write_tensors(
    file: &str,
    mut list: Vec<Lazy<'_>>,
    metadata: Option<HashMap<String, String>>,
    write: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = list.iter().find(|tensor| !names.insert(tensor.name)) {
        let reason = format!("{}: given twice, expected one tensor of a name", twice.name);
        return Err(Error::checkpoint(file, reason));
    }
    sort_by_key(&mut list, |tensor| (Reverse(tensor.dtype), tensor.name));
    let mut at = 0;
    let infos = list.iter().map(|tensor| {
        let start = at;
        at += tensor.len();
        let (dtype, shape) = (tensor.dtype, tensor.shape.to_vec());
        (tensor.name.to_string(), TensorInfo { dtype, shape, data_offsets: (start, at) })
    });
    write(&header(file, infos.collect(), metadata)?)?;
    for tensor in &list {
        write(&(tensor.bytes)())?;
    }
    Ok(())
}
