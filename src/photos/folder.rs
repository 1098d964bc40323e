//! The photographs in a folder and below.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use super::is_picture;
use crate::error::{counted, list};
use crate::files::kind;
use crate::{Error, Result};

/// Endings of files that are taken for photographs whatever is in them, so that a damaged one is told.
const ENDINGS: [&str; 12] =
    ["apng", "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// What a folder holds.
#[derive(Debug)]
pub struct Found {
    /// Photographs by the order of their paths' bytes. A folder that cannot be read stands among
    /// them, so that reading it gives the reason.
    pub photos: Vec<PathBuf>,
    /// What is left out, a sentence each: folders that cannot be read with the reason, then all else
    /// counted by its kind.
    pub left_out: Vec<String>,
}

/// The photographs in a folder and below. What a file holds decides, and the ending of its name where
/// that is a photograph's, so that a damaged one is told. Hidden files and folders are left out, and
/// links to folders are not followed.
///
/// # Errors
/// [`Error::Io`] where the folder cannot be read, [`Error::Image`] where it has no photographs.
pub fn folder(path: &Path) -> Result<Found> {
    fs::read_dir(path).map_err(|e| Error::io(path.display(), e))?;
    let mut walk = Walk::default();
    walk.folder(path);
    let counts = walk.counts();
    if walk.photos.is_empty() {
        let but = if counts.is_empty() { String::new() } else { format!("; left out {counts}") };
        let reason = format!("no photographs in this folder ({}){but}", ENDINGS.join(", "));
        return Err(Error::image(path.display(), reason));
    }
    walk.photos.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    let mut left_out = walk.unreadable;
    if !counts.is_empty() {
        left_out.push(format!("{}: left out {counts}", path.display()));
    }
    Ok(Found { photos: walk.photos, left_out })
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

/// Whether a name ends as photographs' names do.
pub fn has_ending(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    ending.as_deref().is_some_and(|e| ENDINGS.contains(&e))
}

/// What was found so far.
#[derive(Default)]
struct Walk {
    photos: Vec<PathBuf>,
    /// Files that are no photographs, counted by their endings.
    others: BTreeMap<String, u64>,
    /// What else is left out, counted by what it is.
    rest: BTreeMap<&'static str, u64>,
    /// Folders that cannot be read, a sentence each.
    unreadable: Vec<String>,
}

impl Walk {
    /// What is left out, counted by its kinds.
    fn counts(&self) -> String {
        let mut parts = Vec::new();
        let others: u64 = self.others.values().sum();
        if others > 0 {
            let kinds = list(self.others.iter().map(|(kind, n)| format!("{kind} {n}")));
            let files = counted(others, "file");
            let what = if others == 1 { "is no photograph" } else { "are no photographs" };
            parts.push(format!("{files} that {what} this program reads ({kinds})"));
        }
        parts.extend(self.rest.iter().map(|(kind, n)| counted(*n, kind)));
        parts.join(", ")
    }

    fn leave_out(&mut self, kind: &'static str) {
        *self.rest.entry(kind).or_default() += 1;
    }

    /// A file of a folder.
    fn file(&mut self, path: PathBuf) {
        if has_ending(&path) {
            return self.photos.push(path);
        }
        match is_picture(&path) {
            Ok(true) => self.photos.push(path),
            Ok(false) => {
                let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
                let kind = ending.map_or("without an ending".into(), |ending| format!(".{ending}"));
                *self.others.entry(kind).or_default() += 1;
            }
            Err(_) => self.leave_out("unreadable file"),
        }
    }

    /// Something in a folder.
    fn entry(&mut self, entry: &DirEntry) {
        let path = entry.path();
        let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let there = fs::metadata(&path);
        let found = there.as_ref().map(kind);
        match (found, is_link) {
            _ if is_hidden && is_folder => self.leave_out("hidden folder"),
            _ if is_hidden => self.leave_out("hidden file"),
            (Ok("a file"), _) => self.file(path),
            (Ok("a folder"), true) => self.leave_out("linked folder"),
            (Ok("a folder"), false) => self.folder(&path),
            (Ok(other), _) => self.leave_out(other.trim_start_matches("a ")),
            (Err(_), true) => self.leave_out("dangling link"),
            (Err(_), false) => self.leave_out("unreadable file"),
        }
    }

    fn folder(&mut self, folder: &Path) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.unreadable.push(format!("{}: {error}; it is left out", folder.display()));
                return self.photos.push(folder.into());
            }
        };
        for entry in entries {
            match entry {
                Ok(entry) => self.entry(&entry),
                Err(_) => self.leave_out("unreadable file"),
            }
        }
    }
}
