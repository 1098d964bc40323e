//! A folder that appears whole: its files are written beside it, and renamed to it when all are there.
//!
//! For `DIR` these are `.DIR.RANDOM.part`, what is being written; `.DIR.RANDOM.old`, what it replaces,
//! where the system cannot exchange two folders in one step; and `.DIR.lock`, which two processes
//! cannot hold. Whatever a process leaves that was ended in the middle, the next one clears away or puts
//! back. Only files that a conversion writes are ever removed, and only the user's own.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::files::{self, Lock, Noted, beside_name, exchange, folder_of, is_own};
use crate::{Error, Result};

use super::TOKENIZERS;

/// What the names of folders that are being written end with, and of those put aside.
const PART: &str = ".part";
const OLD: &str = ".old";
/// Random characters in such a name.
const RANDOM: usize = 12;

/// A file that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrittenFile {
    /// Its name in the folder.
    pub name: String,
    /// Length in bytes.
    pub size: u64,
    /// SHA-256 of its bytes, in hexadecimal.
    pub sha256: String,
}

/// A folder that is being written.
pub(super) struct Staged {
    out: PathBuf,
    part: PathBuf,
    old: PathBuf,
    overwrite: bool,
    _noted: Noted,
    // DeviceFeatures as long as this lives.
    _lock: Lock,
}

/// One of its files.
pub(super) struct StagedFile {
    name: String,
    path: PathBuf,
    file: File,
    size: u64,
    digest: Sha256,
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> Error {
    let path = path.display().to_string();
    move |error| Error::io(&path, error)
}

impl Staged {
    /// Claims the folder `out`, which must be empty or not be there; or, with `overwrite`, hold
    /// nothing but what a conversion writes. It stays as it is until [`Staged::finish`].
    pub(super) fn claim(out: &Path, overwrite: bool) -> Result<Self> {
        if out.file_name().is_none() {
            return Err(Error::input(format!("{}: expected the name of a folder", out.display())));
        }
        // A link stays, and what it leads to is written.
        let out = out.canonicalize().unwrap_or_else(|_| out.to_path_buf());
        let parent = folder_of(&out);
        std::fs::create_dir_all(parent).map_err(failed(parent))?;
        let lock = beside_name(&out, ".", ".lock");
        let held = Lock::try_hold(&lock).map_err(failed(&lock))?;
        let held = held
            .ok_or_else(|| Error::input(format!("{}: another run is writing it", out.display())))?;
        clear(&out)?;
        check(&out, overwrite)?;
        let mut builder = files::builder(0o777);
        let before = before(&out);
        let part = builder.prefix(&before).suffix(PART).rand_bytes(RANDOM);
        let (part, noted) = files::undisturbed(|list| -> Result<_> {
            let part = part.tempdir_in(parent).map_err(failed(parent))?.keep();
            let noted = list.note(&part);
            Ok((part, noted))
        })?;
        let old = part.with_extension(&OLD[1..]);
        Ok(Self { out, part, old, overwrite, _noted: noted, _lock: held })
    }

    /// The folder in which it will be.
    pub(super) fn parent(&self) -> &Path {
        folder_of(&self.part)
    }

    /// Begins a file.
    pub(super) fn create(&self, name: &str) -> Result<StagedFile> {
        assert!(is_ours(name), "a name by which it is known again");
        let path = self.part.join(name);
        let file = File::create_new(&path).map_err(failed(&path))?;
        Ok(StagedFile { name: name.into(), path, file, size: 0, digest: Sha256::new() })
    }

    /// Puts the folder in its place. There is one at every moment, where the system can exchange two.
    pub(super) fn finish(self) -> Result<()> {
        check(&self.out, self.overwrite)?;
        files::undisturbed(|_| self.swap()).map_err(failed(&self.out))?;
        // What it replaces.
        remove(&self.part)?;
        remove(&self.old)
    }

    fn swap(&self) -> std::io::Result<()> {
        if !self.out.exists() {
            return std::fs::rename(&self.part, &self.out);
        }
        if exchange(&self.part, &self.out).is_ok() {
            return Ok(());
        }
        std::fs::rename(&self.out, &self.old)?;
        std::fs::rename(&self.part, &self.out).inspect_err(|_| {
            let _ = std::fs::rename(&self.old, &self.out);
        })
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed now, the next conversion removes.
        let _ = remove(&self.part);
    }
}

impl StagedFile {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(failed(&self.path))?;
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file when its bytes are on the disk.
    pub(super) fn finish(self) -> Result<WrittenFile> {
        self.file.sync_all().map_err(failed(&self.path))?;
        let sha256 = self.digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(WrittenFile { name: self.name, size: self.size, sha256 })
    }
}

/// Whether the folder may become what is written.
fn check(out: &Path, overwrite: bool) -> Result<()> {
    if !out.exists() {
        return Ok(());
    }
    let names = names(out)?;
    let bad = |reason: String| Error::input(format!("{}: {reason}", out.display()));
    match names.iter().find(|name| !is_ours(name)) {
        _ if names.is_empty() => Ok(()),
        _ if !overwrite => Err(bad(
            "not empty; a model in it is replaced only where overwriting is asked for".into(),
        )),
        Some(name) => Err(bad(format!("{name}: no file of a model, so it is not replaced"))),
        None => Ok(()),
    }
}

/// What the names of folders beside `out` begin with, before what is random.
fn before(out: &Path) -> String {
    let longest = beside_name(out, ".", ".000000000000.part");
    let name = longest.file_name().unwrap_or_default().to_string_lossy();
    name.trim_end_matches("000000000000.part").to_string()
}

/// What stopped runs left beside `out`, whose lock is held: the folder that one had put aside is put
/// back where there is none, all else is removed.
fn clear(out: &Path) -> Result<()> {
    let before = before(out);
    let random =
        |text: &str| text.len() == RANDOM && text.bytes().all(|b| b.is_ascii_alphanumeric());
    let is = |name: &str, ending: &str| {
        name.strip_prefix(&before).and_then(|n| n.strip_suffix(ending)).is_some_and(random)
    };
    let own = |path: &Path| {
        std::fs::symlink_metadata(path).is_ok_and(|there| there.is_dir() && is_own(&there))
            && names(path).is_ok_and(|names| names.iter().all(|name| is_ours(name)))
    };
    let parent = folder_of(out);
    // What cannot be listed stays.
    for name in names(parent).unwrap_or_default() {
        let path = parent.join(&name);
        if is(&name, OLD) && !out.exists() && own(&path) {
            std::fs::rename(&path, out).map_err(failed(out))?;
        } else if (is(&name, PART) || is(&name, OLD)) && own(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Whether a conversion writes files of this name.
fn is_ours(name: &str) -> bool {
    let shard = |name: &str| {
        let (number, count) = name.split_once("-of-")?;
        Some(number.len() == 5 && [number, count].concat().bytes().all(|b| b.is_ascii_digit()))
    };
    let middle = name.strip_prefix("model-").and_then(|name| name.strip_suffix(".safetensors"));
    let ours = [
        "config.json",
        "preprocessor_config.json",
        "manifest.json",
        "model.safetensors",
        "model.safetensors.index.json",
    ];
    ours.contains(&name) || TOKENIZERS.contains(&name) || middle.and_then(shard).unwrap_or(false)
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).map_err(failed(folder))?;
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.map(|entry| entry.file_name().to_string_lossy().into_owned())
    };
    entries.map(name).collect::<std::io::Result<_>>().map_err(failed(folder))
}

/// Removes a folder of ours, if it is there; one that holds anything else stays, and is an error.
fn remove(folder: &Path) -> Result<()> {
    if !std::fs::symlink_metadata(folder).is_ok_and(|there| there.is_dir()) {
        return Ok(());
    }
    for name in names(folder)?.iter().filter(|name| is_ours(name)) {
        let path = folder.join(name);
        std::fs::remove_file(&path).map_err(failed(&path))?;
    }
    std::fs::remove_dir(folder).map_err(failed(folder))
}
