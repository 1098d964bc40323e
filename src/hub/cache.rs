//! Where fetched files lie: in the hub's standard cache, which other programs share, and beside it
//! the vision parts of larger models.

use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use hf_hub::{Repo, RepoType};

use super::proof::Proofs;
use super::{Name, Remote, Step, Tell, report};
use crate::files::{self, is_at, open_lock, read_line};
use crate::{Error, Result};

pub(super) struct Cache {
    /// `HF_HOME`.
    pub(super) home: PathBuf,
    /// `HF_HUB_CACHE`.
    hub: hf_hub::Cache,
    pub(super) proofs: Proofs,
}

/// A variable of the environment that is not empty.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// A model as the crate for the cache calls it.
fn repo(model: &Name) -> Repo {
    Repo::with_revision(model.repository().into(), RepoType::Model, model.revision().into())
}

impl Cache {
    pub(super) fn from_env() -> Result<Self> {
        let home = match (variable("HF_HOME"), variable("XDG_CACHE_HOME")) {
            (Some(home), _) => PathBuf::from(home),
            (None, Some(cache)) => Path::new(&cache).join("huggingface"),
            (None, None) => std::env::home_dir()
                .ok_or_else(|| Error::input("no home directory for downloads: set HF_HOME"))?
                .join(".cache/huggingface"),
        };
        let hub = variable("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from);
        Ok(Self { home, hub: hf_hub::Cache::new(hub), proofs: Proofs::of_the_user() })
    }

    /// The token of the environment, or the one that a login left.
    pub(super) fn token(&self) -> Option<String> {
        let stored = || match variable("HF_TOKEN_PATH") {
            Some(file) => read_line(Path::new(&file)),
            // It lies in the home, wherever the cache is.
            None => read_line(&hf_hub::Cache::new(self.home.join("hub")).token_path()),
        };
        let token = variable("HF_TOKEN").or_else(stored)?;
        Some(token.trim().to_string()).filter(|token| !token.is_empty())
    }

    fn repository(&self, model: &Name) -> PathBuf {
        self.hub.path().join(repo(model).folder_name())
    }

    /// The commit that the revision was when it was last fetched.
    pub(super) fn commit(&self, model: &Name) -> Option<String> {
        if let Some(commit) = model.commit() {
            return Some(commit.into());
        }
        let commit = read_line(&self.reference(model))?;
        let whole = commit.bytes().all(|b| b.is_ascii_alphanumeric());
        let there = || self.snapshot(model, &commit).is_dir();
        (whole && there()).then_some(commit)
    }

    /// The file that says which commit a revision is.
    fn reference(&self, model: &Name) -> PathBuf {
        self.repository(model).join("refs").join(model.revision())
    }

    pub(super) fn keep_commit(&self, model: &Name, commit: &str) -> Result<()> {
        if model.commit().is_some() || self.commit(model).as_deref() == Some(commit) {
            return Ok(());
        }
        let file = self.reference(model);
        make_parent(&file)?;
        // Other programs list what is in `refs`.
        write_whole(&file, commit.as_bytes(), &self.repository(model))
    }

    /// Where a commit's files stand under their own names.
    pub(super) fn snapshot(&self, model: &Name, commit: &str) -> PathBuf {
        self.hub.repo(repo(model)).pointer_path(commit)
    }

    /// Whether a program of the cache has noted that a commit has no such file.
    pub(super) fn is_noted_missing(&self, model: &Name, commit: &str, file: &str) -> bool {
        self.missing(model, commit, file).exists()
    }

    /// Notes it, as the hub's own clients do. Where that fails the hub is asked again.
    pub(super) fn note_missing(&self, model: &Name, commit: &str, file: &str) {
        let mark = self.missing(model, commit, file);
        let _ = make_parent(&mark).and_then(|()| write_whole(&mark, b"", &self.repository(model)));
    }

    fn missing(&self, model: &Name, commit: &str, file: &str) -> PathBuf {
        self.repository(model).join(".no_exist").join(commit).join(file)
    }

    /// Where the vision part of a larger model stands.
    pub(super) fn vision(&self, model: &Name, commit: &str) -> PathBuf {
        let name = model.repository().replace('/', "--");
        self.visions_folder().join(name).join(commit)
    }

    /// Where the vision parts of larger models stand.
    pub(super) fn visions_folder(&self) -> PathBuf {
        self.home.join("internvit")
    }

    /// The larger models whose vision parts are there, each with its folder.
    pub(super) fn visions(&self) -> Vec<(String, PathBuf)> {
        let entries = |folder: &Path| {
            fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
        };
        let models = entries(&self.visions_folder());
        let mut found: Vec<_> = models
            .flat_map(|model| {
                let name = model.file_name().unwrap_or_default().to_string_lossy().into_owned();
                entries(&model).map(move |folder| (name.replacen("--", "/", 1), folder))
            })
            .filter(|(_, folder)| folder.join("model.safetensors").is_file())
            .collect();
        found.sort();
        found
    }

    /// A commit's file, where its bytes are those that the hub's digest is of.
    pub(super) fn find(
        &self,
        model: &Name,
        commit: &str,
        file: &Remote,
        tell: &mut Tell<'_>,
    ) -> Result<Option<PathBuf>> {
        let path = self.snapshot(model, commit).join(&file.name);
        // A link to other bytes is another hub's.
        let found = match Remote::linked(&path) {
            Some(other) => other.digest == file.digest,
            None => true,
        };
        Ok((found && self.proofs.holds(&path, file, tell)?).then_some(path))
    }

    /// Where a file's bytes stand, under their digest.
    pub(super) fn blob(&self, model: &Name, file: &Remote) -> PathBuf {
        self.repository(model).join("blobs").join(&file.digest)
    }

    /// Where programs that fetch the same bytes wait for one another.
    pub(super) fn lock(&self, model: &Name, file: &Remote) -> PathBuf {
        let locks = self.hub.path().join(".locks").join(repo(model).folder_name());
        locks.join(format!("{}.lock", file.digest))
    }

    /// Puts a blob under its file's name into the commit's folder: by a link, or where there are
    /// none by moving it, as the hub's other clients do. What was there is replaced in one step.
    pub(super) fn link(&self, model: &Name, commit: &str, file: &Remote) -> Result<PathBuf> {
        let path = self.snapshot(model, commit).join(&file.name);
        let io = |e| Error::io(path.display(), e);
        make_parent(&path)?;
        let depth = 2 + file.name.matches('/').count();
        let target = Path::new(&"../".repeat(depth)).join("blobs").join(&file.digest);
        if fs::read_link(&path).is_ok_and(|there| there == target) {
            return Ok(path);
        }
        let repository = self.repository(model);
        files::clear(&repository);
        let new = files::builder(0o666);
        files::undisturbed(|_| match new.make_in(&repository, |at| symlink(&target, at)) {
            Ok(link) => link.persist(&path).map_err(|e| io(e.error)),
            Err(_) => fs::rename(self.blob(model, file), &path).map_err(io),
        })?;
        Ok(path)
    }
}

#[cfg(unix)]
fn symlink(target: &Path, at: &Path) -> std::io::Result<()> {
    std::os::unix::fs::symlink(target, at)
}

#[cfg(windows)]
fn symlink(target: &Path, at: &Path) -> std::io::Result<()> {
    std::os::windows::fs::symlink_file(target, at)
}

pub(super) fn make_parent(path: &Path) -> Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(|e| Error::io(parent.display(), e))
}

/// Writes a small file, whole or not at all, by way of the folder `beside` on the same disk.
pub(super) fn write_whole(path: &Path, bytes: &[u8], beside: &Path) -> Result<()> {
    let write = || {
        let (mut file, _noted) = files::beside(beside)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path).map(|_| ()).map_err(|e| e.error)
    };
    write().map_err(|e| Error::io(path.display(), e))
}

/// Waits until no other program fetches the same; until the guard goes. The file stays: other
/// programs lock it too.
pub(super) fn wait_for(lock: &Path, what: &str, tell: &mut Tell<'_>) -> Result<File> {
    let io = |e| Error::io(lock.display(), e);
    make_parent(lock)?;
    loop {
        let file = open_lock(lock, true).map_err(io)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => {
                let note = format!("{what}: waiting for another program that fetches it");
                report(tell, Step::Note(&note))?;
                file.lock().map_err(io)?;
            }
            // A file system without locks: two programs may then fetch the same at once.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        // Another program may remove its lock when it lets go.
        if is_at(&file, lock) {
            return Ok(file);
        }
    }
}
