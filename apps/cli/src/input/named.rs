//! The photographs that paths, folders and patterns stand for.

use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use internvit::error::{counted, list};
use internvit::files::kind;
use internvit::photos::is_picture;
use internvit::{Error, Result};

use super::STDIN;

/// Endings of files that are taken for photographs whatever is in them, so that a damaged one is told.
const ENDINGS: [&str; 12] =
    ["apng", "bmp", "dib", "gif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// What was found in folders.
#[derive(Default)]
struct Found {
    photos: Vec<PathBuf>,
    /// Files that are no photographs, counted by their endings.
    others: BTreeMap<String, u64>,
    /// What else is left out, counted by what it is.
    rest: BTreeMap<&'static str, u64>,
}

/// The photographs that `named` stands for: a file for itself, a folder for those in it and below,
/// in the order of their paths' bytes, a pattern such as `*.jpg` for what it matches. In folders the
/// content counts. Hidden files and folders are left out, and links to folders are not followed. All
/// that is left out, and folders that cannot be read, are told in a note; the latter stand in the
/// list, so that reading them gives the reason.
pub(crate) fn photographs(named: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for path in named {
        if path == Path::new(STDIN) {
            list.push(path.clone());
            continue;
        }
        let file = match fs::metadata(path) {
            Ok(file) => file,
            Err(error) => {
                let matches = matches(path);
                if matches.is_empty() {
                    return Err(Error::io(path.display(), error));
                }
                list.append(&mut photographs(&matches)?);
                continue;
            }
        };
        if !file.is_dir() {
            list.push(path.clone());
            continue;
        }
        list.append(&mut folder(path)?);
    }
    Ok(list)
}

/// What a pattern matches: a shell has done so before, where there is one.
fn matches(path: &Path) -> Vec<PathBuf> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let found = pattern.and_then(|pattern| glob::glob(pattern).ok());
    found.into_iter().flatten().flatten().collect()
}

fn folder(path: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Found::default();
    fs::read_dir(path).map_err(|e| Error::io(path.display(), e))?;
    walk(path, &mut found);
    let left_out = found.left_out();
    if !left_out.is_empty() {
        note!("{}: left out {left_out}", path.display());
    }
    if found.photos.is_empty() {
        let reason = format!("no photographs in this folder ({})", ENDINGS.join(", "));
        return Err(Error::image(path.display(), reason));
    }
    found.photos.sort_by(|a, b| bytes(a).cmp(bytes(b)));
    Ok(found.photos)
}

fn bytes(path: &Path) -> &[u8] {
    path.as_os_str().as_encoded_bytes()
}

impl Found {
    /// What is left out, by its kinds.
    fn left_out(&self) -> String {
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
        let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
        if ending.as_deref().is_some_and(|e| ENDINGS.contains(&e)) {
            return self.photos.push(path);
        }
        match is_picture(&path) {
            Ok(true) => self.photos.push(path),
            Ok(false) => {
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
            (Ok("a folder"), false) => walk(&path, self),
            (Ok(other), _) => self.leave_out(other.trim_start_matches("a ")),
            (Err(_), true) => self.leave_out("dangling link"),
            (Err(_), false) => self.leave_out("unreadable file"),
        }
    }
}

fn walk(folder: &Path, found: &mut Found) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            note!("{}: {error}; it is left out", folder.display());
            found.photos.push(folder.into());
            return;
        }
    };
    for entry in entries {
        match entry {
            Ok(entry) => found.entry(&entry),
            Err(_) => found.leave_out("unreadable file"),
        }
    }
}
