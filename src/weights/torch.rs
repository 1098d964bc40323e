//! PyTorch's files: what they hold, as [`read_header`](super::read_header) gives it, without running
//! what a pickle asks for.
//!
//! Since torch 1.6 a file is a zip archive of a pickle, `data.pkl`, and one stored file a storage,
//! `data/{key}`. The older format is a row of pickles, the fourth of which is the checkpoint and the
//! fifth the keys of the storages, which follow, each behind its length. The state dict is the
//! checkpoint, or lies in it under any name (`state_dict`, `model`, `teacher`, …). Where there are
//! several, each tensor's name begins with the names under which its state dict lies.

mod pickle;
mod sums;
mod value;
mod zip;

use std::collections::{HashMap, HashSet};
use std::ops::Range;

pub(super) use self::sums::Sums;
use self::sums::{Summed, sum};
use self::value::{Element, Fault, Global, Pickle, Storage, Value};
use self::zip::Archive;
use super::{Source, Stored};
use crate::{Error, Result};

/// How a file of the older format begins: a pickle of torch's magic number.
const OLDER: [u8; 15] = *b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e";

/// A pickle longer than this is refused.
const MAX_PICKLE: u64 = 64 << 20;

/// The most dimensions of a tensor.
const MAX_RANK: usize = 16;

/// State dicts lie at most so deep in a checkpoint.
const MAX_NESTING: usize = 4;

/// The longest name of the place of a state dict.
const MAX_PLACE: usize = 200;

/// The tensors of a file that torch wrote, in the order of their bytes; `None` for any other file.
pub(super) async fn read(source: &Source) -> Result<Option<Vec<Stored>>> {
    let start = source.read(0..source.size().min(OLDER.len() as u64)).await?;
    let mut list = if start.starts_with(b"PK\x03\x04") {
        read_zip(source).await?
    } else if start == OLDER {
        read_older(source).await?
    } else {
        return Ok(None);
    };
    list.sort_by(|a, b| (a.range.start, &a.key).cmp(&(b.range.start, &b.key)));
    Ok(Some(list))
}

async fn read_zip(source: &Source) -> Result<Vec<Stored>> {
    let bad = |reason: String| Error::checkpoint(source.name(), reason);
    let archive = Archive::open(source).await?;
    let mut folders = archive.names().filter_map(|name| name.strip_suffix("data.pkl"));
    let folder = match (folders.next(), folders.next()) {
        (Some(folder), None) => folder.to_string(),
        _ => return Err(bad(other_archive(&archive).into())),
    };
    if archive.names().any(is_program) {
        return Err(bad(PROGRAM.into()));
    }
    let order = format!("{folder}byteorder");
    if archive.names().any(|name| name == order) {
        let range = archive.range(&order).await?;
        let order = source.read(range.start..range.end.min(range.start + 16)).await?;
        if order != b"little" {
            let found = String::from_utf8_lossy(&order).into_owned();
            return Err(bad(format!("expected byte order little, found {}", found.escape_debug())));
        }
    }
    let range = archive.range(&format!("{folder}data.pkl")).await?;
    if range.end - range.start > MAX_PICKLE {
        return Err(bad(format!("data.pkl: more than {MAX_PICKLE} bytes")));
    }
    let bytes = source.read(range).await?;
    let summed = has_sums(source, &archive, &folder, &bytes).await?;
    let (pickle, root, _) = pickle::read(&bytes, 0).map_err(|f| refuse(source, "data.pkl: ", f))?;
    let (mut places, mut sums) = (HashMap::new(), HashMap::new());
    let tensors = tensors(source, &pickle, root)?;
    for tensor in &tensors {
        let storage = &pickle.storages[tensor.storage];
        if !places.contains_key(storage.key) {
            let name = format!("{folder}data/{}", storage.key);
            let range = archive.range(&name).await?;
            // Nothing stands for a sum that was not made.
            if let Some(sum @ 1..) = archive.sum(&name).filter(|_| summed) {
                sums.insert(range.start, Summed { name, end: range.end, sum });
            }
            places.insert(storage.key, range);
        }
    }
    source.compare(Sums::new(sums));
    tensors.into_iter().map(|tensor| tensor.place(source, &pickle, &places)).collect()
}

/// Whether the archive has checksums, which torch leaves out where it is asked to: then none is right.
/// Where it has them, that of the pickle must be.
async fn has_sums(
    source: &Source,
    archive: &Archive<'_>,
    folder: &str,
    pickle: &[u8],
) -> Result<bool> {
    let [name, other] = ["data.pkl", "version"].map(|name| format!("{folder}{name}"));
    if archive.sum(&name) == Some(sum(pickle)) {
        return Ok(true);
    }
    let Some(said) = archive.sum(&other) else { return Ok(false) };
    let range = archive.range(&other).await?;
    let version = source.read(range.start..range.end.min(range.start + 64)).await?;
    match sum(&version) == said {
        true => Err(Error::checkpoint(
            source.name(),
            "data.pkl: damaged: its checksum is another: download the file again",
        )),
        false => Ok(false),
    }
}

/// What to do about TorchScript's files, which hold code and no state dict.
const PROGRAM: &str = "a TorchScript program, expected a state dict: save it by \
                       torch.save(torch.jit.load(FILE).state_dict(), \"model.pth\")";

/// Whether a file of an archive is one of TorchScript's.
fn is_program(name: &str) -> bool {
    name.ends_with("/constants.pkl") || name.contains("/code/")
}

/// What an archive without torch's pickle is.
fn other_archive(archive: &Archive<'_>) -> &'static str {
    if archive.names().any(is_program) {
        PROGRAM
    } else if archive.names().next().is_some_and(|name| name.ends_with(".npy")) {
        "an archive of NumPy's arrays, expected safetensors or a file of PyTorch's"
    } else {
        "a ZIP archive that is not PyTorch's: expected one data.pkl in it; unpack it first"
    }
}

async fn read_older(source: &Source) -> Result<Vec<Stored>> {
    let bad = |reason: String| Error::checkpoint(source.name(), reason);
    // Nothing says how long the pickles are: they are read again with more bytes until they end.
    let mut length = source.size().min(1 << 20);
    loop {
        let bytes = source.read(0..length).await?;
        match older_pickles(&bytes) {
            Err(Fault::CutShort) if length < source.size().min(MAX_PICKLE) => {
                length = source.size().min(MAX_PICKLE).min(length * 4);
            }
            Err(fault) => return Err(refuse(source, "", fault)),
            Ok(Older { pickle, root, little_endian, keys, end }) => {
                if !little_endian {
                    return Err(bad("expected byte order little, found big".into()));
                }
                let tensors = tensors(source, &pickle, root)?;
                let places = older_places(source, &pickle, &keys, end as u64).await?;
                let placed = tensors.into_iter().map(|t| t.place(source, &pickle, &places));
                return placed.collect();
            }
        }
    }
}

struct Older<'a> {
    pickle: Pickle<'a>,
    root: Value,
    little_endian: bool,
    keys: Vec<&'a str>,
    end: usize,
}

fn older_pickles(bytes: &[u8]) -> std::result::Result<Older<'_>, Fault> {
    let (_, _, at) = pickle::read(bytes, OLDER.len())?;
    let (system, root, at) = pickle::read(bytes, at)?;
    let said = system.dict(root).unwrap_or_default().iter();
    let little_endian = said
        .filter(|[key, _]| system.text(*key) == Some("little_endian"))
        .all(|[_, value]| *value == Value::Bool(true));
    let (pickle, root, at) = pickle::read(bytes, at)?;
    let (last, keys, end) = pickle::read(bytes, at)?;
    let keys = last
        .values(keys)
        .and_then(|keys| keys.iter().map(|key| last.text(*key)).collect::<Option<Vec<_>>>());
    let keys = keys.ok_or_else(|| Fault::Refused(at, "expected a list of storages".into()))?;
    Ok(Older { pickle, root, little_endian, keys, end })
}

/// Where the storages are that follow the pickles.
async fn older_places<'a>(
    source: &Source,
    pickle: &Pickle<'_>,
    keys: &[&'a str],
    mut at: u64,
) -> Result<HashMap<&'a str, Range<u64>>> {
    let known: HashMap<&str, &Storage<'_>> =
        pickle.storages.iter().map(|storage| (storage.key, storage)).collect();
    let mut places = HashMap::new();
    for key in keys {
        let bad =
            |reason: &str| Error::checkpoint(source.name(), format!("storage {key}: {reason}"));
        let storage = known.get(key).ok_or_else(|| bad("no tensor names it"))?;
        let start = at + 8;
        if start > source.size() {
            return Err(bad("cut short"));
        }
        let mut length = [0; 8];
        length.copy_from_slice(&source.read(at..start).await?);
        if u64::from_le_bytes(length) != storage.len {
            return Err(bad("another length than its tensors say"));
        }
        let end = storage.len.checked_mul(storage.element.bytes).and_then(|n| start.checked_add(n));
        at = end.filter(|end| *end <= source.size()).ok_or_else(|| bad("cut short"))?;
        places.insert(*key, start..at);
    }
    Ok(places)
}

fn refuse(source: &Source, place: &str, fault: Fault) -> Error {
    let reason = match fault {
        Fault::CutShort => format!("{place}the pickle is cut short or too long"),
        Fault::Refused(at, reason) => format!("{place}byte {at} of the pickle: {reason}"),
    };
    Error::checkpoint(source.name(), reason)
}

/// A tensor of the state dict, as the pickle describes it.
struct Described {
    key: String,
    storage: usize,
    element: &'static Element,
    /// Values of the storage before the first.
    offset: u64,
    shape: Vec<usize>,
    strides: Vec<u64>,
}

/// Dictionaries that hold tensors by name, each with the place where it lies: `""` or `model.`.
fn state_dicts(pickle: &Pickle<'_>, root: Value) -> Vec<(String, Value)> {
    let (mut found, mut seen) = (Vec::new(), HashSet::new());
    let mut waiting = vec![(String::new(), root, 0)];
    // In the order of the file, a dictionary before those that lie in it.
    while let Some((place, value, depth)) = waiting.pop() {
        let Value::Dict(number) = value else { continue };
        if !seen.insert(number) {
            continue;
        }
        let items = pickle.dict(value).unwrap_or_default();
        if items.iter().any(|[_, value]| matches!(value, Value::Call(..))) {
            found.push((place.clone(), value));
        }
        let inner = items.iter().rev().filter_map(|[key, value]| {
            let name = pickle.text(*key).filter(|_| matches!(value, Value::Dict(_)))?;
            let place = format!("{place}{name}.");
            (place.len() <= MAX_PLACE).then_some((place, *value, depth + 1))
        });
        if depth < MAX_NESTING {
            waiting.extend(inner);
        }
    }
    found
}

/// The tensors of the checkpoint `root`'s state dicts.
fn tensors(source: &Source, pickle: &Pickle<'_>, root: Value) -> Result<Vec<Described>> {
    let bad = |reason: String| Error::checkpoint(source.name(), reason);
    let dicts = state_dicts(pickle, root);
    // Names are copied: each once, so that they cannot outgrow the file.
    let (mut list, mut names) = (Vec::new(), HashSet::new());
    for (place, dict) in &dicts {
        let place = if dicts.len() > 1 { place.as_str() } else { "" };
        for [key, value] in pickle.dict(*dict).unwrap_or_default() {
            let foreign = pickle.foreign_name(*value).filter(|name| is_tensors(name));
            if foreign.is_none() && !matches!(value, Value::Call(..)) {
                continue;
            }
            let name = pickle.text(*key).ok_or_else(|| {
                bad("a tensor of the state dict has no name, or one that is too long".into())
            })?;
            if !names.insert((place, name)) {
                return Err(bad(format!("{place}{name}: present twice")));
            }
            if let Some(kind) = foreign {
                let reason = "expected a plain tensor; save it as one (.detach().contiguous())";
                return Err(bad(format!("{place}{name}: made by {kind}: {reason}")));
            }
            list.push(
                describe(pickle, format!("{place}{name}"), *value).ok_or_else(|| {
                    bad(format!("{place}{name}: no tensor is described like this"))
                })?,
            );
        }
    }
    match list.is_empty() {
        false => Ok(list),
        true => Err(bad(nothing(pickle, root))),
    }
}

/// Whether a global of torch's makes a tensor of some other kind: quantised, sparse, a subclass.
fn is_tensors(name: &str) -> bool {
    name.starts_with("torch._utils._rebuild_") || name.starts_with("torch._tensor._rebuild_")
}

/// Why a file has no tensors.
fn nothing(pickle: &Pickle<'_>, root: Value) -> String {
    let expected = "expected a state dict: tensors by name, or such under state_dict, model, …";
    let foreign = pickle.foreign_name(root).or_else(|| {
        let last = pickle.foreign.len().checked_sub(1)?;
        pickle.foreign_name(Value::Foreign(last))
    });
    match foreign {
        Some(name) => format!(
            "no state dict: {name} is not allowed in a checkpoint; nothing was run; {expected}; save \
             the state dict alone: torch.save(model.state_dict(), \"model.pth\")"
        ),
        None => format!("no state dict: {expected}"),
    }
}

/// What the arguments of torch's functions say; `None` where they are not as torch writes them.
fn describe(pickle: &Pickle<'_>, key: String, value: Value) -> Option<Described> {
    let mut value = value;
    if let Value::Call(Global::RebuildParameter, _) = value {
        value = *pickle.values(value)?.first()?;
    }
    let Value::Call(function, _) = value else { return None };
    let arguments = pickle.values(value)?;
    let [Value::Storage(storage), Value::Int(offset), shape, strides, rest @ ..] = arguments else {
        return None;
    };
    let element = match (function, rest) {
        (Global::RebuildTensorV2, _) => pickle.storages[*storage].element,
        (Global::RebuildTensorV3, [_, _, Value::Global(Global::Dtype(element)), ..]) => element,
        _ => return None,
    };
    let numbers = |value: Value| -> Option<Vec<u64>> {
        let values = pickle.values(value).filter(|values| values.len() <= MAX_RANK)?;
        let number = |value: &Value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            _ => None,
        };
        values.iter().map(number).collect()
    };
    let (shape, strides) = (numbers(*shape)?, numbers(*strides)?);
    let shape: Option<Vec<usize>> = shape.into_iter().map(|d| usize::try_from(d).ok()).collect();
    let shape = shape.filter(|shape| shape.len() == strides.len())?;
    let offset = u64::try_from(*offset).ok()?;
    Some(Described { key, storage: *storage, element, offset, shape, strides })
}

impl Described {
    /// The tensor in the file, where storages are at `places`. One whose values do not lie row by
    /// row is no weight as it stands.
    fn place(
        self,
        source: &Source,
        pickle: &Pickle<'_>,
        places: &HashMap<&str, Range<u64>>,
    ) -> Result<Stored> {
        let Self { key, storage, element, offset, shape, strides } = self;
        let storage = &pickle.storages[storage];
        let outside = || {
            let reason = format!("{key}: shape {shape:?} reaches beyond its storage");
            Error::checkpoint(source.name(), reason)
        };
        let place = places.get(storage.key).ok_or_else(outside)?;
        let held = storage.len.checked_mul(storage.element.bytes).ok_or_else(outside)?;
        if held > place.end - place.start {
            return Err(outside());
        }
        let (mut length, mut last, mut in_rows) = (1u64, offset, true);
        for (size, stride) in shape.iter().zip(&strides).rev() {
            let size = *size as u64;
            in_rows &= size == 1 || *stride == length;
            length = length.checked_mul(size).ok_or_else(outside)?;
            let steps = size.saturating_sub(1).checked_mul(*stride);
            last = steps.and_then(|steps| last.checked_add(steps)).ok_or_else(outside)?;
        }
        let beyond = if length == 0 { offset } else { last.checked_add(1).ok_or_else(outside)? };
        let reach = beyond.checked_mul(element.bytes).ok_or_else(outside)?;
        if reach > held {
            return Err(outside());
        }
        let start = place.start + offset * element.bytes;
        let (dtype, dtype_name, bytes) = match in_rows || length == 0 {
            true => (element.stored, element.name.to_string(), length * element.bytes),
            false => {
                let reason = "not row by row: save it with .contiguous()";
                (None, format!("{} with strides {strides:?}, {reason}", element.name), 0)
            }
        };
        Ok(Stored { key, dtype, dtype_name, shape, range: start..start + bytes })
    }
}
