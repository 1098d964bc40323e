//! The Parquet file that many photographs go to, and the parts of it that are there.
//!
//! A part is a small Parquet file in a folder beside the target, renamed into place when it is
//! complete. When all are there, they are joined to a file that takes the target's place. Where none
//! takes a minute, what a part holds depends on the photographs alone, so the file is the same
//! wherever a run was stopped. The folder is made with the first part and has a mark in it: another
//! folder of its name is the user's own. Who writes holds a lock beside the target.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use internvit::files::{self, Lock, NewFile, beside_name, is_own, open_plain};
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

/// The file that says whose the parts' folder is, and what is in it.
const MARK: (&str, &str) = ("internvit", "parts of a table\n");

/// The parts' folder, held by one process at a time.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: Lock,
}

impl Folder {
    fn claim(out: &Path) -> Result<Self> {
        let lock = beside_name(out, ".", ".lock");
        let held = Lock::try_hold(&lock).map_err(|e| Error::io(lock.display(), e))?;
        let held = held
            .ok_or_else(|| Error::input(format!("{}: another run is writing it", out.display())))?;
        let path = beside_name(out, "", ".parts");
        if fs::symlink_metadata(&path).is_ok() && !is_known(&path) {
            return Err(Error::input(format!(
                "{}: expected the parts that a stopped run left, found something else: move it \
                 away, or choose another --out",
                path.display()
            )));
        }
        Ok(Self { path, _lock: held })
    }

    /// The complete parts as (addition, number, file), in order.
    fn parts(&self) -> Result<Vec<(u32, usize, PathBuf)>> {
        let failed = |e| Error::io(self.path.display(), e);
        let mut parts = Vec::new();
        if !self.path.exists() {
            return Ok(parts);
        }
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if !entry.file_type().map_err(failed)?.is_file() {
                continue;
            }
            let path = entry.path();
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
        if self.parts().is_ok_and(|parts| parts.is_empty()) {
            let _ = fs::remove_file(self.path.join(MARK.0));
            let _ = fs::remove_dir(&self.path);
        }
    }
}

/// Makes the parts' folder, if it is not there. Its lock is held.
pub(super) fn prepare(folder: &Path) -> Result<()> {
    let mark = folder.join(MARK.0);
    if mark.exists() {
        return Ok(());
    }
    match fs::create_dir(folder) {
        Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::io(folder.display(), e));
        }
        _ => {}
    }
    let mut file = NewFile::create(&mark)?;
    file.write_all(MARK.1.as_bytes()).map_err(|e| Error::io(mark.display(), e))?;
    file.finish()
}

/// Whether a folder is one of this user's that a run made: its mark is in it, or nothing yet but
/// what was to become the mark.
fn is_known(folder: &Path) -> bool {
    let own = |there: fs::Metadata| there.is_dir() && is_own(&there);
    if !fs::symlink_metadata(folder).is_ok_and(own) {
        return false;
    }
    files::clear(folder);
    let mut text = String::new();
    match open_plain(File::options().read(true), &folder.join(MARK.0)) {
        Ok(file) => {
            let read = file.take(MARK.1.len() as u64 + 1).read_to_string(&mut text);
            read.is_ok() && text == MARK.1
        }
        Err(_) => fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none()),
    }
}

impl Store {
    /// Takes up what is there; refuses rows with other settings.
    pub(super) fn open(out: &Path, about: About) -> Result<Self> {
        let folder = Folder::claim(out)?;
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
        let failures: Vec<Failure> = std::mem::take(&mut self.failures).into_values().collect();
        table::write(&self.out, &self.about, &self.files, &[], &failures)?;
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
