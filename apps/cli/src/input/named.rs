//! The photographs that paths, folders and patterns stand for.

use std::fs;
use std::path::{Path, PathBuf};

use internvit::{Error, Result, photos};

use super::STDIN;

/// The photographs that `named` stands for: a file for itself, a folder for those in it and below,
/// as [`photos::folder`] finds them, a pattern such as `*.jpg` for what it matches. A note says what
/// is left out.
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
        let mut found = photos::folder(path)?;
        found.left_out.iter().for_each(|sentence| note!("{sentence}"));
        list.append(&mut found.photos);
    }
    Ok(list)
}

/// What a pattern matches: a shell has done so before, where there is one.
fn matches(path: &Path) -> Vec<PathBuf> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let found = pattern.and_then(|pattern| glob::glob(pattern).ok());
    found.into_iter().flatten().flatten().collect()
}
