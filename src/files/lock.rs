//! Locks: a file beside what is written, held by one process at a time.
//!
//! Who held one removes it before letting go, so that nothing stays. Another may have opened the
//! removed file and get its lock next: the owner of a lock looks whether its file is still in place,
//! and begins again where it is not.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use super::own::{is_at, open_plain};
use super::{Noted, Unfinished, clear, folder_of, locked, undisturbed};

/// What a lock that this program made has in it. A file without it is the user's own: it may be
/// locked, but is neither changed nor removed.
const MARK: &[u8] = b"held by internvit while it writes\n";

/// A lock that is held as long as this lives.
pub struct Lock {
    file: File,
    made: Option<Noted>,
}

impl Lock {
    /// Takes the lock whose file is `path`; `None` where another process has it.
    ///
    /// # Errors
    /// The system's reason where there can be no such file; a link or a folder in its place.
    pub fn try_hold(path: &Path) -> io::Result<Option<Self>> {
        clear(folder_of(path));
        undisturbed(|list| Self::take(path, list))
    }

    fn take(path: &Path, list: &mut Unfinished) -> io::Result<Option<Self>> {
        // A file that vanishes meanwhile was the lock of a process that has ended.
        for _ in 0..1000 {
            let mut file = match open_lock(path, false) {
                Err(e) if e.kind() == io::ErrorKind::NotFound => {
                    make(path)?;
                    continue;
                }
                file => file?,
            };
            // A file system without locks: two may then write at once.
            if matches!(file.try_lock(), Err(TryLockError::WouldBlock)) {
                return Ok(None);
            }
            if is_at(&file, path) {
                let made = cfg!(unix) && is_marked(&mut file);
                return Ok(Some(Self { file, made: made.then(|| list.note(path)) }));
            }
        }
        Ok(None)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        if let Some(noted) = &mut self.made {
            // Somebody may have put something else in its place, or do so now.
            noted.end(|path| {
                if is_at(&self.file, path) {
                    let _ = std::fs::remove_file(path);
                }
            });
        }
        let _ = self.file.unlock();
    }
}

/// Opens a lock's file, which is never emptied; with `create` an empty one where there is none.
///
/// # Errors
/// The system's, or that something else than a file is there.
pub fn open_lock(path: &Path, create: bool) -> io::Result<File> {
    let mut options = File::options();
    match open_plain(options.read(true).write(true).create(create).truncate(false), path) {
        // Another user's: reading is enough for a lock on most file systems.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => {
            open_plain(File::options().read(true), path).map_err(|_| e)
        }
        file => file,
    }
}

/// Makes a lock's file, its mark in it from the beginning. Another process may have done so.
///
/// It was locked while it was unfinished. To close it may not be enough: a child that another thread
/// is starting has a copy of every open file until its own program begins.
fn make(path: &Path) -> io::Result<()> {
    let mut file = locked(folder_of(path))?;
    file.write_all(MARK)?;
    match file.persist_noclobber(path) {
        Ok(file) => {
            let _ = file.unlock();
            Ok(())
        }
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A file system without links.
        Err(_) => match File::options().write(true).create_new(true).open(path) {
            Ok(mut file) => file.write_all(MARK),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(e) => Err(e),
        },
    }
}

fn is_marked(file: &mut File) -> bool {
    let mut found = Vec::new();
    let read = file.take(MARK.len() as u64 + 1).read_to_end(&mut found);
    read.is_ok() && found == MARK
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::fs;

    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::try_hold(&path).unwrap().unwrap();
        assert!(Lock::try_hold(&path).unwrap().is_none());
        drop(held);
        assert!(!cfg!(unix) || !path.exists());
        // What a killed process left is taken, and removed.
        fs::write(&path, MARK).unwrap();
        drop(Lock::try_hold(&path).unwrap().unwrap());
        assert!(!cfg!(unix) || !path.exists());
    }

    #[test]
    fn a_file_of_somebodys_own_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        for own in ["", "precious"] {
            fs::write(&path, own).unwrap();
            drop(Lock::try_hold(&path).unwrap().unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), own);
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_pipes_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let [victim, link, dangling] =
            ["victim", "link", "dangling"].map(|n| folder.path().join(n));
        fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &link).unwrap();
        std::os::unix::fs::symlink(folder.path().join("none"), &dangling).unwrap();
        for path in [&link, &dangling] {
            let error = Lock::try_hold(path).err().unwrap().to_string();
            assert!(error.contains("a link, which is not followed"), "{error}");
        }
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert!(!folder.path().join("none").exists());
        assert!(Lock::try_hold(folder.path()).is_err());
    }

    /// Children that start meanwhile hold copies of open files for a moment.
    #[cfg(unix)]
    #[test]
    fn starting_children_hold_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        fs::write(&own, "precious").unwrap();
        let held = Lock::try_hold(&own).unwrap().unwrap();
        let copy = held.file.try_clone().unwrap();
        drop(held);
        assert!(Lock::try_hold(&own).unwrap().is_some());
        drop(copy);
        let ended = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(std::sync::atomic::Ordering::Relaxed) {
                    std::process::Command::new("true").status().unwrap();
                }
            });
            let path = folder.path().join("lock");
            let refused = (0..1000).filter(|_| Lock::try_hold(&path).unwrap().is_none()).count();
            ended.store(true, std::sync::atomic::Ordering::Relaxed);
            assert_eq!(refused, 0);
        });
    }

    /// The folder's lock is removed by its owner while others wait for it.
    #[test]
    fn nobody_holds_a_removed_lock() {
        let folder = tempfile::tempdir().unwrap();
        let (path, inside) = (folder.path().join("lock"), folder.path().join("inside"));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let Some(_lock) = Lock::try_hold(&path).unwrap() else { continue };
                        File::create_new(&inside).unwrap();
                        fs::remove_file(&inside).unwrap();
                    }
                });
            }
        });
    }
}
