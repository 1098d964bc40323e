//! The photographs that paths, folders and patterns stand for.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use internvit::files::open_file;
use internvit::{Error, Result, photos};

use super::STDIN;

/// Bytes of a list at most: some ten million paths.
const MOST: u64 = 1 << 30;

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

/// The photographs that a list names, one path a line, or, as `find -print0` writes them, ended by zero
/// bytes; `-` is standard input. A folder stands for those in it and below; whether a file is there shows
/// when it is read.
pub(crate) fn listed(list: &Path) -> Result<Vec<PathBuf>> {
    let mut bytes = Vec::new();
    let mut fill = |reader: &mut dyn Read| reader.take(MOST + 1).read_to_end(&mut bytes);
    let read = match list == Path::new(STDIN) {
        true => fill(&mut io::stdin().lock()),
        false => open_file(list).and_then(|mut file| fill(&mut file)),
    };
    read.map_err(|e| Error::io(list.display(), e))?;
    if bytes.len() as u64 > MOST {
        let what = format!("{}: a list of at most {MOST} bytes is expected", list.display());
        return Err(Error::input(what));
    }
    let zero = bytes.contains(&0);
    let lines = bytes.split(|byte| if zero { *byte == 0 } else { *byte == b'\n' });
    let lines =
        lines.map(|line| if zero { line } else { line.strip_suffix(b"\r").unwrap_or(line) });
    let mut paths = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let path = path_of(line)
            .map_err(|reason| Error::input(format!("{}: {reason}", list.display())))?;
        match path.is_dir() {
            true => paths.append(&mut photographs(&[path])?),
            false => paths.push(path),
        }
    }
    if paths.is_empty() {
        return Err(Error::input(format!("{}: it names no photographs", list.display())));
    }
    Ok(paths)
}

#[cfg(unix)]
fn path_of(line: &[u8]) -> std::result::Result<PathBuf, String> {
    use std::os::unix::ffi::OsStrExt;
    Ok(std::ffi::OsStr::from_bytes(line).into())
}

#[cfg(not(unix))]
fn path_of(line: &[u8]) -> std::result::Result<PathBuf, String> {
    let text = str::from_utf8(line);
    text.map(PathBuf::from).map_err(|_| "expected paths in UTF-8".into())
}

/// What a pattern matches: a shell has done so before, where there is one.
fn matches(path: &Path) -> Vec<PathBuf> {
    let pattern = path.to_str().filter(|text| text.contains(['*', '?', '[']));
    let found = pattern.and_then(|pattern| glob::glob(pattern).ok());
    found.into_iter().flatten().flatten().collect()
}
