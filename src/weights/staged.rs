//! A folder that appears whole: its files are written beside it, and renamed to it when all are there.
//!
//! For `DIR` these are `.DIR.part`, what is being written; `.DIR.old`, what it replaces while the two
//! are exchanged; and `.DIR.lock`, which two processes cannot hold. Whatever a process leaves that was
//! ended in the middle, the next one clears away or puts back. Only files that a conversion writes are
//! ever removed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::{Error, Result};

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
    lock: PathBuf,
    // Held as long as this lives.
    _locked: File,
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
        let name = out.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| {
            Error::input(format!("{}: expected the name of a folder", out.display()))
        })?;
        // A link stays, and what it leads to is written.
        let out = &out.canonicalize().unwrap_or_else(|_| out.to_path_buf());
        let parent = out.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent).map_err(failed(parent))?;
        let beside = |ending: &str| parent.join(format!(".{name}.{ending}"));
        let (part, old, lock) = (beside("part"), beside("old"), beside("lock"));
        let locked = File::create(&lock).map_err(failed(&lock))?;
        if matches!(locked.try_lock(), Err(std::fs::TryLockError::WouldBlock)) {
            return Err(Error::input(format!("{}: another process is writing it", out.display())));
        }
        let staged = Self { out: out.clone(), part, old, lock, _locked: locked };
        if staged.old.exists() {
            if staged.out.exists() {
                remove(&staged.old)?;
            } else {
                std::fs::rename(&staged.old, &staged.out).map_err(failed(&staged.out))?;
            }
        }
        remove(&staged.part)?;
        staged.check(overwrite)?;
        std::fs::create_dir(&staged.part).map_err(failed(&staged.part))?;
        Ok(staged)
    }

    fn check(&self, overwrite: bool) -> Result<()> {
        if !self.out.exists() {
            return Ok(());
        }
        let names = names(&self.out)?;
        let bad = |reason: String| Error::input(format!("{}: {reason}", self.out.display()));
        match names.iter().find(|name| !is_ours(name)) {
            _ if names.is_empty() => Ok(()),
            _ if !overwrite => {
                Err(bad("not empty; a model in it is replaced only where overwriting is asked for"
                    .into()))
            }
            Some(name) => Err(bad(format!("{name}: no file of a model, so it is not replaced"))),
            None => Ok(()),
        }
    }

    /// The folder in which it will be.
    pub(super) fn parent(&self) -> &Path {
        self.part.parent().unwrap_or(Path::new("."))
    }

    /// Begins a file.
    pub(super) fn create(&self, name: &str) -> Result<StagedFile> {
        assert!(is_ours(name), "a name by which it is known again");
        let path = self.part.join(name);
        let file = File::create(&path).map_err(failed(&path))?;
        Ok(StagedFile { name: name.into(), path, file, size: 0, digest: Sha256::new() })
    }

    /// Puts the folder in its place.
    pub(super) fn finish(self) -> Result<()> {
        if self.out.exists() && std::fs::remove_dir(&self.out).is_err() {
            std::fs::rename(&self.out, &self.old).map_err(failed(&self.out))?;
        }
        if let Err(error) = std::fs::rename(&self.part, &self.out) {
            let _ = std::fs::rename(&self.old, &self.out);
            return Err(failed(&self.out)(error));
        }
        remove(&self.old)
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // What cannot be removed now, the next conversion removes.
        let _ = remove(&self.part);
        let _ = std::fs::remove_file(&self.lock);
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
    ours.contains(&name) || middle.and_then(shard).unwrap_or(false)
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
    if !folder.exists() {
        return Ok(());
    }
    for name in names(folder)?.iter().filter(|name| is_ours(name)) {
        let path = folder.join(name);
        std::fs::remove_file(&path).map_err(failed(&path))?;
    }
    std::fs::remove_dir(folder).map_err(failed(folder))
}
