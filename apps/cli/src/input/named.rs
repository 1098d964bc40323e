//! The photographs that paths, folders and patterns stand for.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use internvit::error::list;
use internvit::{Error, Result};

use super::STDIN;

/// Endings of files that are taken for photographs whatever is in them, so that a damaged one is told.
const ENDINGS: [&str; 9] = ["bmp", "gif", "jfif", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// What was found in folders.
#[derive(Default)]
struct Found {
    photos: Vec<PathBuf>,
    /// Files of other kinds, counted by their endings.
    others: BTreeMap<String, usize>,
}

/// The photographs that `named` stands for: a file for itself, a folder for those in it and below,
/// in the order of their paths' bytes, a pattern such as `*.jpg` for what it matches. In folders the
/// content counts. Hidden files and folders are left out, and links to folders are not followed. What
/// else is left out, and folders that cannot be read, are told in a note; the latter stand in the
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
    if !found.others.is_empty() {
        let count: usize = found.others.values().sum();
        let kinds = list(found.others.iter().map(|(kind, n)| format!("{kind} {n}")));
        let path = path.display();
        note!(
            "{path}: left out {count} files that are no photographs this program reads ({kinds})"
        );
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

fn walk(folder: &Path, found: &mut Found) {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            note!("{}: {error}; it is left out", folder.display());
            found.photos.push(folder.into());
            return;
        }
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            walk(&path, found);
        } else if path.is_file() {
            let ending = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
            if ending.as_deref().is_some_and(|e| ENDINGS.contains(&e)) || is_picture(&path) {
                found.photos.push(path);
            } else {
                let kind = ending.map_or("without an ending".into(), |ending| format!(".{ending}"));
                *found.others.entry(kind).or_default() += 1;
            }
        }
    }
}

/// Whether a file begins as a picture does that can be read here.
fn is_picture(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(64).read_to_end(&mut head));
    read.is_ok() && internvit::image::is_known(&head)
}
