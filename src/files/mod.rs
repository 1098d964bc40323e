//! Files that appear whole: written beside their place under a name of their own, then renamed.

mod lock;
mod own;
mod read;

pub use read::{kind, open_file, read_line, read_text};

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tempfile::{Builder, NamedTempFile, TempDir};

use crate::{Error, Result};

pub use lock::{Lock, open_lock};
pub use own::{beside_name, exchange, is_at, is_own, open_part, open_plain};

/// What the names of unfinished files begin and end with. They are short whatever the target's name.
const PREFIX: &str = ".internvit-";
const SUFFIX: &str = ".part";

/// Unfinished files and folders of this process.
static UNFINISHED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Folders in which this process has looked for what killed processes left.
static CLEARED: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

fn lock(set: &Mutex<BTreeSet<PathBuf>>) -> MutexGuard<'_, BTreeSet<PathBuf>> {
    set.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A file that is being written. It takes its place in [`NewFile::finish`]; dropped before that, it
/// leaves nothing, and what was in its place stays.
pub struct NewFile {
    target: PathBuf,
    writer: BufWriter<Target>,
}

/// Where the bytes go.
enum Target {
    /// A new file beside the target, locked as long as it is written.
    Beside(NamedTempFile, Noted),
    /// The target itself, where it is no regular file: a pipe, a terminal, `/dev/null`.
    Device(File),
}

impl NewFile {
    /// Begins the file that is to be at `path`. A link there is replaced, and not followed.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder is missing or cannot be written, or `path` is a folder.
    pub fn create(path: &Path) -> Result<Self> {
        let target = open(path).map_err(|e| Error::io(path.display(), e))?;
        Ok(Self { target: path.into(), writer: BufWriter::new(target) })
    }

    /// Puts the file in its place when all its bytes are on the disk.
    ///
    /// # Errors
    /// [`Error::Io`]; what was there before is still there.
    pub fn finish(mut self) -> Result<()> {
        let failed = |e| Error::io(self.target.display(), e);
        self.writer.flush().map_err(failed)?;
        let (target, _) = self.writer.into_parts();
        match target {
            Target::Device(_) => Ok(()),
            Target::Beside(file, _noted) => {
                file.as_file().sync_all().map_err(failed)?;
                file.persist(&self.target).map_err(|e| failed(e.error)).map(|_| ())
            }
        }
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Seek for NewFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.writer.seek(to)
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file, _) => file.write(bytes),
            Self::Device(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file, _) => file.flush(),
            Self::Device(file) => file.flush(),
        }
    }
}

impl Seek for Target {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::Beside(file, _) => file.seek(to),
            Self::Device(file) => file.seek(to),
        }
    }
}

/// A path in the list of unfinished files and folders, as long as it lives.
pub(crate) struct Noted(PathBuf);

/// The list of unfinished files and folders, while a handler of signals must wait for it.
pub(crate) struct Unfinished(MutexGuard<'static, BTreeSet<PathBuf>>);

impl Unfinished {
    /// Adds what was just made.
    pub(crate) fn note(&mut self, path: &Path) -> Noted {
        self.0.insert(path.into());
        Noted(path.into())
    }
}

/// Does something to an unfinished file or folder that a handler of signals must not disturb. A
/// [`Noted`] must not be dropped meanwhile.
pub(crate) fn undisturbed<T>(work: impl FnOnce(&mut Unfinished) -> T) -> T {
    work(&mut Unfinished(lock(&UNFINISHED)))
}

impl Noted {
    /// Ends the note with what makes it needless, both in one step.
    fn end(&mut self, work: impl FnOnce(&Path)) {
        undisturbed(|list| {
            work(&self.0);
            list.0.remove(&std::mem::take(&mut self.0));
        });
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        lock(&UNFINISHED).remove(&self.0);
    }
}

/// A folder among the system's temporary ones. It is removed with what is in it when this is dropped, or
/// when a signal ends the process.
pub struct Temporary {
    folder: TempDir,
    _noted: Noted,
}

impl Temporary {
    /// Makes an empty one.
    ///
    /// # Errors
    /// The system's reason where none can be made.
    pub fn new() -> io::Result<Self> {
        undisturbed(|list| {
            let folder = Builder::new().prefix("internvit-").tempdir()?;
            let noted = list.note(folder.path());
            Ok(Self { folder, _noted: noted })
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// The folder of a file that may not be there yet.
pub fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn open(path: &Path) -> io::Result<Target> {
    match fs::metadata(path) {
        Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
        Ok(there) if !there.is_file() => {
            return File::options().write(true).open(path).map(Target::Device);
        }
        _ => {}
    }
    if path.file_name().is_none() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "expected the name of a file"));
    }
    let (file, noted) = beside(folder_of(path))?;
    Ok(Target::Beside(file, noted))
}

/// A builder of new files or folders with the rights `mode`, of which the user's mask takes its part.
pub(crate) fn builder(mode: u32) -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX).rand_bytes(12);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    let _ = mode;
    builder
}

/// A new file in `folder`, locked, with the rights that any new file gets.
pub(crate) fn beside(folder: &Path) -> io::Result<(NamedTempFile, Noted)> {
    clear(folder);
    undisturbed(|list| {
        let file = locked(folder)?;
        let noted = list.note(file.path());
        Ok((file, noted))
    })
}

/// A new file in `folder` that is not cleared away, as it is locked.
fn locked(folder: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = builder(0o666).tempfile_in(folder)?;
        // A file system without locks is no reason to fail: then leftovers stay.
        let cleared = matches!(file.as_file().try_lock(), Err(fs::TryLockError::WouldBlock));
        // Another run that clears up may have met it before it was locked.
        if !cleared && is_at(file.as_file(), file.path()) {
            return Ok(file);
        }
    }
}

/// Removes what killed processes of this user left in `folder`: unfinished files that no process holds
/// locked. Done once a process.
pub fn clear(folder: &Path) {
    let key = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    if !lock(&CLEARED).insert(key) {
        return;
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|n| n.starts_with(PREFIX) && n.ends_with(SUFFIX));
        let Ok(there) = entry.metadata() else { continue };
        if !ours || !is_own(&there) {
            continue;
        }
        if there.is_file() {
            remove_abandoned(&entry.path());
        } else if there.is_symlink() && is_old(&there) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Whether a link, which cannot be locked, is left over: it takes a moment to be renamed.
fn is_old(there: &fs::Metadata) -> bool {
    let age = there.modified().ok().and_then(|time| time.elapsed().ok());
    age.is_some_and(|age| age > std::time::Duration::from_secs(60))
}

/// Removes a file while it is locked, where no other process holds it.
fn remove_abandoned(path: &Path) {
    if lock(&UNFINISHED).contains(path) {
        return;
    }
    let Ok(file) = open_plain(File::options().read(true), path) else { return };
    if file.try_lock().is_ok() && is_at(&file, path) {
        let _ = fs::remove_file(path);
    }
}

/// Removes this process' unfinished files and folders: for a handler of signals that ends it. No other
/// thread of it can finish a file from now on, or say that one is gone.
pub fn remove_unfinished() {
    let list = lock(&UNFINISHED);
    for path in list.iter() {
        // A thread may still be adding to a folder.
        for _ in 0..10 {
            let folder = fs::symlink_metadata(path).is_ok_and(|there| there.is_dir());
            let gone = if folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            if gone.is_ok() || gone.is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
                break;
            }
        }
    }
    std::mem::forget(list);
}

/// Whether a file can be made in `folder`, and whether its disk takes `a` and `A` for one name.
///
/// # Errors
/// The system's reason where no file can be made.
pub fn probe(folder: &Path) -> io::Result<bool> {
    let (file, _noted) = beside(folder)?;
    let name = file.path().file_name().unwrap_or_default().to_string_lossy().to_uppercase();
    let folds = fs::symlink_metadata(folder.join(name)).is_ok();
    file.close()?;
    Ok(folds)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x".repeat(255));
        fs::write(&path, "old").unwrap();
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()).len(), 1);
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(folder.path()).len(), 1);
    }

    /// Errors of the last bytes count too: a small file is written when it is finished.
    #[cfg(target_os = "linux")]
    #[test]
    fn errors_at_the_end_are_errors() {
        let mut file = NewFile::create(Path::new("/dev/full")).unwrap();
        file.write_all(b"a few bytes").unwrap();
        assert!(file.finish().unwrap_err().to_string().starts_with("/dev/full: "));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (link, victim) = (folder.path().join("link"), folder.path().join("victim"));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        let mut file = NewFile::create(&link).unwrap();
        file.write_all(b"new").unwrap();
        file.finish().unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::read(&link).unwrap(), b"new");
    }

    /// What a killed process left is removed, what another one holds stays.
    #[test]
    fn leftovers_are_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let [left, held] = ["left", "held"].map(|name| {
            let path = folder.path().join(format!("{PREFIX}{name}{SUFFIX}"));
            let file = File::create(&path).unwrap();
            (path, file)
        });
        held.1.lock().unwrap();
        NewFile::create(&folder.path().join("new")).unwrap().finish().unwrap();
        assert!(!left.0.exists() && held.0.exists());
    }
}
