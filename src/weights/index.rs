//! The index of shards: which file holds which tensor.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Source;
use super::foreign::in_place_of_json;
use super::head::is_head;
use crate::budget::MAX_LIST;
use crate::json::{twice, value_of_bytes};
use crate::model::{Key, Naming};
use crate::order::sort_by;
use crate::{Error, Result};

/// What an index says, as slices of its text: values of JSON would take many times as much.
#[derive(Default, serde::Deserialize)]
struct Index<'a> {
    #[serde(borrow, default, deserialize_with = "entries")]
    weight_map: Option<Vec<(Cow<'a, str>, &'a RawValue)>>,
}

type Entries<'a> = Option<Vec<(Cow<'a, str>, &'a RawValue)>>;

fn entries<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Entries<'de>, D::Error> {
    struct Reader;

    impl<'de> Visitor<'de> for Reader {
        type Value = Entries<'de>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object weight_map")
        }

        fn visit_map<A: MapAccess<'de>>(
            self,
            mut map: A,
        ) -> std::result::Result<Self::Value, A::Error> {
            let mut list = Vec::new();
            while let Some(entry) = map.next_entry::<Name<'de>, &'de RawValue>()? {
                list.push((entry.0.0, entry.1));
            }
            Ok(Some(list))
        }
    }

    from.deserialize_map(Reader)
}

/// A key, borrowed where nothing in it is escaped.
#[derive(serde::Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

/// The names of the shards that hold the vision tensors, a head's, or those of a tower for texts beside them, of
/// `model.safetensors.index.json`.
///
/// # Errors
/// [`Error::Io`] where the index cannot be read, [`Error::Checkpoint`] where it is damaged, or
/// names no such shard.
pub async fn shards(index: &Source) -> Result<Vec<String>> {
    named(index, &read(index).await?, false)
}

/// The names of all shards, whatever they hold.
///
/// # Errors
/// As [`shards`].
pub async fn all_shards(index: &Source) -> Result<Vec<String>> {
    named(index, &read(index).await?, true)
}

/// Whether a file is the index of shards.
pub(super) fn is_index(file: &Source) -> bool {
    file.name().ends_with(".index.json")
}

/// Whether a shard is among files.
pub(super) fn has_shard(files: &[Source], shard: &str) -> bool {
    files.iter().any(|f| f.name() == shard || f.name().ends_with(&format!("/{shard}")))
}

pub(super) fn missing_shard(name: &str, shard: &str) -> Error {
    Error::checkpoint(name, format!("{shard}: missing shard"))
}

async fn read(index: &Source) -> Result<Vec<u8>> {
    let size = index.size();
    if size > MAX_LIST {
        let reason = format!("an index of {size} bytes, expected at most {MAX_LIST}");
        return Err(Error::checkpoint(index.name(), reason));
    }
    index.read(0..size).await
}

fn named(index: &Source, bytes: &[u8], all: bool) -> Result<Vec<String>> {
    let bad = |reason: String| Error::checkpoint(index.name(), reason);
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(what) = in_place_of_json(&String::from_utf8_lossy(&text[..text.len().min(512)])) {
        return Err(bad(what.into()));
    }
    let none = || bad("expected an object weight_map, found none".into());
    let broken = |e| bad(format!("not an index: {e}"));
    if text.trim_ascii_start().first() == Some(&b'[') {
        // A list would be taken for a structure's fields in their order.
        let start = &text[..text.len().min(1 << 16)];
        return Err(value_of_bytes(start)
            .map_or_else(|e| if e.is_eof() { none() } else { broken(e) }, |_| none()));
    }
    let read: Index<'_> = serde_json::from_slice(text).map_err(broken)?;
    let map = read.weight_map.ok_or_else(none)?;
    // A vision-language model's other shards need not be there.
    let names = || map.iter().map(|(key, _)| key.as_ref());
    let (naming, text) = (Naming::detect(names()), Naming::text(names()));
    let mut shards: Vec<String> = Vec::new();
    let mut keys: HashSet<&str> = HashSet::with_capacity(map.len());
    for (key, file) in &map {
        if !keys.insert(key) {
            return Err(broken(twice(key)));
        }
        let elsewhere = |naming: &Naming| naming.read(key) == Key::Elsewhere;
        let head = is_head(key.strip_prefix("backbone.").unwrap_or(key));
        let other =
            naming.as_ref().is_some_and(elsewhere) && text.as_ref().is_none_or(elsewhere) && !head;
        if other && !all {
            continue;
        }
        let name = serde_json::from_str::<Cow<'_, str>>(file.get())
            .ok()
            .filter(|name| !name.contains(['/', '\\', ':']) && is_weights(index.name(), name));
        match name {
            Some(name) if shards.last().is_some_and(|last| *last == name) => {}
            Some(name) => shards.push(name.into_owned()),
            None => {
                return Err(bad(format!("{key}: expected the name of a shard, found {file}")));
            }
        }
    }
    sort_by(&mut shards, Ord::cmp);
    shards.dedup();
    Ok(shards)
}

/// Whether an index may name a file: one of safetensors names such files only, for other programs run
/// what lies in PyTorch's.
fn is_weights(index: &str, file: &str) -> bool {
    let endings: &[&str] =
        if index.contains("safetensors") { &[".safetensors"] } else { &[".bin", ".pth", ".pt"] };
    endings.iter().any(|ending| file.ends_with(ending))
}
