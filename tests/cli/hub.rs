//! Models by name, against a hub on this machine that fails on demand.
#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod cache;
mod gguf;
mod larger;
mod many;
mod texts;
mod trust;

use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{config, scratch, tensors};
use crate::served::Hub;
use internvit::weights::{StoredType, Values, init_checkpoint, write_safetensors};
use serde_json::{Value, json};

pub(crate) const TOWER: &str = "acme/tower";

pub(crate) const WEIGHTS: &str = "model.safetensors";

/// A hub with a small random tower, 1.1 MB.
pub(crate) fn start(test: &str) -> Hub {
    let hub = Hub::start(&scratch(&format!("hub-{test}")));
    tower(&hub.repository(TOWER), 1);
    hub
}

pub(crate) fn tower(folder: &Path, seed: u64) {
    let config = config(96, 3, 192, 3, "");
    let _ = std::fs::remove_dir_all(folder);
    init_checkpoint("config.json", &config, seed, StoredType::F32, folder, &|_, _| ()).unwrap();
    fs::write(folder.join("preprocessor_config.json"), "{}").unwrap();
}

pub(crate) fn cache(hub: &Hub) -> PathBuf {
    hub.home.join("hub/models--acme--tower")
}

/// Files that are no whole model: what broke off, what is damaged.
pub(crate) fn parts(hub: &Hub) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(cache(hub).join("blobs")) else { return Vec::new() };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|e| e == "incomplete")).collect()
}

pub(crate) fn same(a: &Path, b: &Path) -> bool {
    fs::read(a).unwrap() == fs::read(b).unwrap()
}

/// A model whose language part dominates: `keys` names a vision tensor; two shards of three hold
/// vision tensors. Returns all its bytes.
pub(crate) fn larger(
    folder: &Path,
    vision: &Path,
    kind: &str,
    keys: impl Fn(&str) -> String,
) -> u64 {
    let text = fs::read_to_string(vision.join("config.json")).unwrap();
    let inner: Value = serde_json::from_str(&text).unwrap();
    let config = json!({ "model_type": kind, "vision_config": inner });
    fs::write(folder.join("config.json"), config.to_string()).unwrap();
    let mut list: Vec<_> = tensors(&vision.join(WEIGHTS)).into_iter().collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    let (language, mut shards) = (vec![0.5; 2_000_000], [const { Vec::new() }; 3]);
    for (i, shard) in shards.iter_mut().enumerate() {
        let name = format!("language_model.model.layers.{i}.weight");
        shard.push((name, vec![1000, 2000], Values::F32(&language)));
    }
    for (i, (key, tensor)) in list.iter().enumerate() {
        shards[i % 2].push((keys(key), tensor.shape.clone(), Values::F32(&tensor.values)));
    }
    let (mut map, mut total) = (serde_json::Map::new(), 0);
    for (i, shard) in shards.iter().enumerate() {
        let file = format!("model-{}-of-00003.safetensors", i + 1);
        write_safetensors(&folder.join(&file), shard).unwrap();
        total += fs::metadata(folder.join(&file)).unwrap().len();
        map.extend(shard.iter().map(|(key, ..)| (key.clone(), json!(file))));
    }
    let index = json!({ "metadata": {}, "weight_map": map }).to_string();
    fs::write(folder.join("model.safetensors.index.json"), index).unwrap();
    total
}

/// Changes one byte of a file, as a disk or somebody does; with `hidden` its date stays.
pub(crate) fn spoil(path: &Path, hidden: bool) {
    let path = fs::canonicalize(path).unwrap();
    let date = fs::metadata(&path).unwrap().modified().unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    if hidden {
        fs::File::options().write(true).open(&path).unwrap().set_modified(date).unwrap();
    }
}
