//! Writing safetensors, one tensor in memory at a time.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, View, serialize_to_file};
use serde_json::json;

use super::{StoredType, random_tensor};
use crate::model::{parse_config, wanted};
use crate::{Error, Result};

/// Values to be written.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// IEEE single.
    F32(&'a [f32]),
    /// 32-bit integers, such as labels.
    I32(&'a [i32]),
}

/// Writes tensors (name, shape, values) to `path`, whole or not at all.
pub fn write_safetensors(path: &Path, tensors: &[(String, Vec<usize>, Values<'_>)]) -> Result<()> {
    let views = tensors.iter().map(|(name, shape, values)| {
        let dtype = match values {
            Values::F32(_) => Dtype::F32,
            Values::I32(_) => Dtype::I32,
        };
        let bytes = || match values {
            Values::F32(values) => StoredType::F32.encode(values),
            Values::I32(values) => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
        };
        (name, Lazy { dtype, shape, bytes })
    });
    save(path, views, None)
}

/// Writes a random checkpoint (`config.json`, `model.safetensors`) of the configuration `config`
/// into `folder`; `progress` is told the bytes written and their total.
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

/// As [`init_checkpoint`], in shards of at most so many bytes of tensors, with their index, where one
/// would be larger. A larger tensor is a shard of its own.
pub fn init_shards(
    file: &str,
    config: &str,
    seed: u64,
    dtype: StoredType,
    shard_bytes: u64,
    folder: &Path,
    progress: &dyn Fn(u64, u64),
) -> Result<()> {
    let spec = parse_config(file, config)?;
    let mut value: serde_json::Value =
        serde_json::from_str(config).map_err(|e| Error::config(file, e))?;
    value["random_weights"] = true.into();
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder.display(), e))?;
    let text = |name: &str, value: &serde_json::Value| {
        let path = folder.join(name);
        std::fs::write(&path, format!("{value:#}\n")).map_err(|e| Error::io(path.display(), e))
    };
    text("config.json", &value)?;

    let list = wanted(&spec);
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
        let views = shard.iter().map(|w| {
            let done = &done;
            let bytes = move || {
                let bytes = dtype.encode(&random_tensor(seed, &w.name, &w.shape));
                done.set(done.get() + bytes.len() as u64);
                progress(done.get(), total);
                bytes
            };
            (&w.name, Lazy { dtype: stored, shape: &w.shape, bytes })
        });
        save(&folder.join(name), views, None)?;
    }
    // A checkpoint that was there before would be taken in place of this one.
    let index = "model.safetensors.index.json";
    match count {
        1 => match std::fs::remove_file(folder.join(index)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io(folder.join(index).display(), e))
            }
            _ => Ok(()),
        },
        _ => text(index, &json!({ "metadata": { "total_size": total }, "weight_map": map })),
    }
}

/// Writes to a temporary file beside `path` and renames it, with an ordinary new file's rights.
fn save<'a, V: View>(
    path: &Path,
    views: impl Iterator<Item = (&'a String, V)>,
    metadata: Option<HashMap<String, String>>,
) -> Result<()> {
    let io = |e| Error::io(path.display(), e);
    let probe = path.with_extension(format!("{}.part", std::process::id()));
    let rights = std::fs::File::create(&probe).and_then(|f| f.metadata()).map_err(io)?;
    std::fs::remove_file(&probe).map_err(io)?;
    serialize_to_file(views, metadata, path).map_err(|e| failed(path, e))?;
    std::fs::set_permissions(path, rights.permissions()).map_err(io)
}

fn failed(path: &Path, error: safetensors::SafeTensorError) -> Error {
    match error {
        safetensors::SafeTensorError::IoError(e) => Error::io(path.display(), e),
        other => Error::checkpoint(path.display(), other),
    }
}

/// A tensor whose bytes are made when they are written.
struct Lazy<'a, F> {
    dtype: Dtype,
    shape: &'a [usize],
    bytes: F,
}

impl<F: Fn() -> Vec<u8>> View for Lazy<'_, F> {
    fn dtype(&self) -> Dtype {
        self.dtype
    }
    fn shape(&self) -> &[usize] {
        self.shape
    }
    fn data(&self) -> Cow<'_, [u8]> {
        Cow::Owned((self.bytes)())
    }
    fn data_len(&self) -> usize {
        self.shape.iter().product::<usize>() * self.dtype.bitsize() / 8
    }
}
