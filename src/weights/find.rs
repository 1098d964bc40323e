//! Which files of a folder are the model's weights.

use std::path::{Path, PathBuf};

#[cfg(feature = "language")]
use super::gguf_names::Named;
use super::gguf_names::gguf_parts;
use super::{Source, shards};
use crate::error::list;
use crate::files::read_line;
use crate::order::sort_by;
use crate::{Error, Result};

/// Endings of files that may hold weights; what is in them is told when they are read.
const ENDINGS: [&str; 9] =
    [".safetensors", ".bin", ".pth", ".pt", ".ckpt", ".pth.tar", ".h5", ".npz", ".gguf"];

/// Beginnings of files that training leaves beside the weights.
const NO_WEIGHTS: [&str; 5] = ["training_args", "optimizer", "scheduler", "rng_state", "scaler"];

/// The names under which programs look for weights first.
const USUAL: [&str; 4] = [
    "model.safetensors",
    "pytorch_model.bin",
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.bin",
];

/// The names of configurations, the first that is there before the other.
const CONFIGURATIONS: [&str; 2] = ["config.json", "open_clip_config.json"];

/// What makes tokens of texts: a tokenizer, the two files of CLIP's or Qwen's vocabulary, or the one of open_clip's;
/// then the control tokens of Qwen's.
pub const TOKENIZERS: [&str; 6] = [
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "bpe_simple_vocab_16e6.txt.gz",
    "added_tokens.json",
    "tokenizer_config.json",
];

/// A folder's configuration; what is missing where there is none.
pub(crate) fn configuration(folder: &Path) -> PathBuf {
    let all = CONFIGURATIONS.map(|name| folder.join(name));
    let [first, ..] = &all;
    all.iter().find(|path| path.is_file()).unwrap_or(first).clone()
}

/// The folder of a checkpoint, and its files of weights, all of which are there.
pub(crate) async fn find_files(path: &Path) -> Result<(PathBuf, Vec<PathBuf>)> {
    if path.is_file() {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
        return Ok((folder.unwrap_or(Path::new(".")).to_path_buf(), gguf_parts(path)?));
    }
    if !path.is_dir() {
        return Err(Error::input(format!("{}: no such file or folder", path.display())));
    }
    let path = &snapshot(path);
    let files = match usual_files(path).await? {
        Some(files) => files,
        None => other_files(path)?,
    };
    Ok((path.to_path_buf(), files))
}

/// Of a model's folder in the hub's cache, of that of its snapshots, or of a vision part, the snapshot
/// that `main` is, or the newest; any other folder itself.
fn snapshot(folder: &Path) -> PathBuf {
    if configuration(folder).exists() {
        return folder.to_path_buf();
    }
    let inside = folder.join("snapshots");
    let (model, snapshots) = match inside.is_dir() {
        true => (Some(folder), inside.as_path()),
        false => (folder.parent(), folder),
    };
    let named = snapshots.file_name().is_some_and(|name| name == "snapshots");
    let whole = |path: &Path| configuration(path).exists();
    let main = model.filter(|_| named).and_then(|m| read_line(&m.join("refs/main")));
    let main = main.filter(|commit| is_plain(commit));
    if let Some(path) = main.map(|commit| snapshots.join(commit)).filter(|path| whole(path)) {
        return path;
    }
    let dated = |entry: std::fs::DirEntry| {
        let date = entry.metadata().and_then(|there| there.modified()).ok()?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let commit = named || (name.len() == 40 && is_plain(&name));
        (commit && whole(&entry.path())).then(|| (date, entry.path()))
    };
    let entries = std::fs::read_dir(snapshots).into_iter().flatten().flatten();
    entries.filter_map(dated).max().map_or_else(|| folder.to_path_buf(), |(_, path)| path)
}

/// Whether a text is a name as commits have.
fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// The weights of a folder by their usual names, a whole file or an index and its shards, all of which
/// are there; `None` where there is neither.
pub(crate) async fn usual_files(folder: &Path) -> Result<Option<Vec<PathBuf>>> {
    let there = |name: &str| Some(folder.join(name)).filter(|file| file.is_file());
    // A whole file counts before an index, which an earlier form of the model may have left.
    for name in USUAL {
        if let Some(file) = there(name) {
            return Ok(Some(vec![file]));
        }
        let Some(index) = there(&format!("{name}.index.json")) else { continue };
        let names = shards(&Source::file(&index)?).await?;
        if let Some(name) = names.iter().find(|name| !folder.join(name).is_file()) {
            return Err(missing(folder, name));
        }
        return Ok(Some(names.into_iter().map(|name| folder.join(name)).collect()));
    }
    Ok(None)
}

fn missing(folder: &Path, name: &str) -> Error {
    Error::checkpoint(folder.display(), format!("{name}: missing"))
}

/// The weights of a folder that has none of the usual names: one file of any name, or the shards of
/// one model.
fn other_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(|e| Error::io(folder.display(), e))?;
    let weights = |name: &String| {
        let name = name.to_ascii_lowercase();
        ENDINGS.iter().any(|ending| name.ends_with(ending))
            && !NO_WEIGHTS.iter().any(|start| name.starts_with(start))
    };
    let mut names: Vec<String> = entries
        .flatten()
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(weights)
        .collect();
    sort_by(&mut names, Ord::cmp);
    #[cfg(feature = "language")]
    if let Some(files) = gguf_files(folder, &names)? {
        return Ok(files);
    }
    let list = |names: &[String]| names.iter().map(|name| folder.join(name)).collect();
    match (names.as_slice(), shard(names.first().map_or("", String::as_str))) {
        ([], _) => Err(missing(folder, USUAL[0])),
        (names, Some((stem, count, ending))) => {
            let name = |number| format!("{stem}-{number:05}-of-{count:05}{ending}");
            let expected: Vec<String> = (1..=count).map(name).collect();
            if let Some(name) = expected.iter().find(|name| !names.contains(name)) {
                return Err(missing(folder, name));
            }
            if names.len() != expected.len() {
                return Err(several(folder, names));
            }
            Ok(list(&expected))
        }
        ([_], _) => Ok(list(&names)),
        (names, _) => Err(several(folder, names)),
    }
}

/// A language model and its projector, where all files are GGUF and there is no more than one of each.
#[cfg(feature = "language")]
fn gguf_files(folder: &Path, names: &[String]) -> Result<Option<Vec<PathBuf>>> {
    if names.is_empty() || !names.iter().all(|name| is_gguf(Path::new(name))) {
        return Ok(None);
    }
    let all = Named::among(names.iter().map(String::as_str));
    let (projectors, models): (Vec<_>, Vec<_>) = all.into_iter().partition(Named::is_projector);
    for (what, found) in [("language model", &models), ("projector (mmproj)", &projectors)] {
        if found.len() > 1 {
            let firsts = found.iter().map(|one| &one.files[0]);
            let reason = format!(
                "expected one {what}, found several: {}; name the file itself",
                list(firsts)
            );
            return Err(Error::checkpoint(folder.display(), reason));
        }
    }
    let files = models.iter().chain(&projectors).map(|one| one.within(folder));
    Ok(Some(files.collect::<Result<Vec<_>>>()?.concat()))
}

/// Whether a file is called as a GGUF.
pub(crate) fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

fn several(folder: &Path, names: &[String]) -> Error {
    let list = list(names);
    let reason =
        format!("expected one model, found several files of weights: {list}; name the file itself");
    Error::checkpoint(folder.display(), reason)
}

/// Shards of one model at most.
const MAX_SHARDS: usize = 9999;

/// What stands before a shard's number, the number of shards, and the ending.
pub(super) fn shard(name: &str) -> Option<(&str, usize, &str)> {
    let at = name.find("-of-")?;
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|b| b.is_ascii_digit());
    let (before, after) = (&name[..at], &name[at + 4..]);
    let (stem, number) = before.rsplit_once('-')?;
    let (count, ending) = after.split_at_checked(5)?;
    if !digits(number) || !digits(count) {
        return None;
    }
    let count = count.parse().ok().filter(|count| (1..=MAX_SHARDS).contains(count))?;
    Some((stem, count, ending))
}
