//! The Parquet file that many photographs go to, and the parts of it that are there.
//!
//! A part is a small Parquet file in a folder beside the target, renamed into place when it is
//! complete. When all are there, they are joined to a file that takes the target's place. Where
//! none takes a minute, what a part holds depends on the photographs alone, so the file is the same
//! wherever a run was stopped.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use internvit::{Error, Result};
use serde_json::{Value, json};

use super::path::key;
use super::table::{self, About, Failure, Known, Settings};

/// The target and the parts that wait to join it.
pub(super) struct Store {
    out: PathBuf,
    /// The rows' settings, and which addition to the target the parts are.
    pub(super) about: About,
    /// The target where it is there, then the parts.
    pub(super) files: Vec<PathBuf>,
    /// The number of the next part.
    pub(super) next: usize,
    /// Photographs with features, by their keys.
    pub(super) encoded: HashSet<String>,
    /// Photographs without, by their keys.
    failures: BTreeMap<String, Failure>,
    pub(super) folder: Folder,
}

/// The parts' folder, held by one process at a time.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: File,
}

impl Folder {
    fn hold(out: &Path) -> Result<Self> {
        let mut name = out.as_os_str().to_os_string();
        name.push(".parts");
        let path = PathBuf::from(name);
        let failed = |e| Error::io(out.display(), e);
        if !path.is_dir() {
            fs::create_dir(&path).map_err(failed)?;
        }
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path, _lock: lock }),
            Err(TryLockError::Error(e)) => Err(failed(e)),
            Err(TryLockError::WouldBlock) => {
                Err(Error::input(format!("{}: another run is writing it", out.display())))
            }
        }
    }

    /// The complete parts as (addition, number, file), in order.
    fn parts(&self) -> Result<Vec<(u32, usize, PathBuf)>> {
        let failed = |e| Error::io(self.path.display(), e);
        let mut parts = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str());
            let numbers = name.and_then(|n| n.strip_suffix(".parquet")?.split_once('-'));
            if let Some((addition, number)) = numbers
                && let (Ok(addition), Ok(number)) = (addition.parse(), number.parse())
            {
                parts.push((addition, number, path));
            }
        }
        parts.sort();
        Ok(parts)
    }
}

impl Drop for Folder {
    /// Leaves the folder only where there are parts.
    fn drop(&mut self) {
        let _ = fs::remove_file(self.path.join("lock"));
        let _ = fs::remove_dir(&self.path);
    }
}

impl Store {
    /// Takes up what is there; refuses rows with other settings.
    pub(super) fn open(out: &Path, about: About) -> Result<Self> {
        let folder = Folder::hold(out)?;
        let mut store = Self {
            out: out.into(),
            about,
            files: Vec::new(),
            next: 0,
            encoded: HashSet::new(),
            failures: BTreeMap::new(),
            folder,
        };
        if out.exists() {
            let known = table::read(out)?;
            store.about.additions = known.about.additions + 1;
            store.take(out.into(), known)?;
        }
        for (addition, number, path) in store.folder.parts()? {
            if addition < store.about.additions {
                // A run was stopped after it had joined the parts.
                fs::remove_file(&path).map_err(|e| Error::io(path.display(), e))?;
            } else if addition > store.about.additions {
                return Err(Error::input(format!(
                    "{}: what a stopped run left belongs to another {}; remove one of them",
                    store.folder.path.display(),
                    out.display()
                )));
            } else {
                store.next = number + 1;
                let known = table::read(&path)?;
                store.take(path, known)?;
            }
        }
        Ok(store)
    }

    fn take(&mut self, path: PathBuf, known: Known) -> Result<()> {
        check(&path, &known.about.settings, &self.about.settings)?;
        self.about.overflowed |= known.about.overflowed;
        self.note(known.paths, known.failures);
        self.files.push(path);
        Ok(())
    }

    pub(super) fn note(
        &mut self,
        encoded: impl IntoIterator<Item = String>,
        failures: impl IntoIterator<Item = Failure>,
    ) {
        for path in encoded {
            let key = key(Path::new(&path));
            self.failures.remove(&key);
            self.encoded.insert(key);
        }
        let known = |failure: Failure| (key(Path::new(&failure.path)), failure);
        self.failures.extend(failures.into_iter().map(known));
    }

    /// The photographs that have no row yet, or none with features if these are tried again.
    pub(super) fn missing(&self, images: &[&PathBuf], retry: bool) -> Vec<PathBuf> {
        let missing = |path: &&&PathBuf| {
            let key = key(path);
            !self.encoded.contains(&key) && (retry || !self.failures.contains_key(&key))
        };
        images.iter().filter(missing).map(|path| path.to_path_buf()).collect()
    }

    /// Puts the parts into the target.
    pub(super) fn finish(&mut self) -> Result<()> {
        if self.next == 0 {
            return Ok(());
        }
        let whole = self.folder.path.join("whole");
        let failures: Vec<Failure> = std::mem::take(&mut self.failures).into_values().collect();
        table::write(&whole, &self.about, &self.files, &[], &failures)?;
        fs::rename(&whole, &self.out).map_err(|e| Error::io(self.out.display(), e))?;
        for file in self.files.iter().filter(|file| **file != self.out) {
            fs::remove_file(file).map_err(|e| Error::io(file.display(), e))?;
        }
        Ok(())
    }
}

/// Rows of one file are of one kind: names the first setting that is another.
fn check(path: &Path, there: &Settings, now: &Settings) -> Result<()> {
    let (there, now) = (json!(there), json!(now));
    let settings = now.as_object().into_iter().flatten();
    let Some((name, value)) = settings.into_iter().find(|(name, v)| there[*name] != **v) else {
        return Ok(());
    };
    let plain = |value: &Value| value.as_str().map_or(value.to_string(), str::to_string);
    Err(Error::input(format!(
        "{}: written with {name} {}, now {}: choose another --out, or the settings of the file",
        path.display(),
        plain(&there[name]),
        plain(value)
    )))
}
