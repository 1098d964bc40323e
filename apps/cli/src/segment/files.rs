//! Where the maps of photographs are written.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use internvit::{Error, Result};

use super::Args;

/// What is written of one photograph.
#[derive(Default)]
pub(super) struct Files {
    pub(super) out: Option<PathBuf>,
    pub(super) picture: Option<PathBuf>,
    pub(super) labels: Option<PathBuf>,
    pub(super) probabilities: Option<PathBuf>,
    pub(super) unsure: Option<PathBuf>,
    pub(super) cut_out: Option<PathBuf>,
    /// The photograph's place below the folder that all share.
    pub(super) name: PathBuf,
}

impl Files {
    /// The files of each photograph, of pixel values as if they were one; `one` where a single file
    /// was named.
    pub(super) fn of(args: &Args, photos: &[PathBuf], one: bool) -> Result<Vec<Self>> {
        let source = args.pixel_values.iter().chain(photos).cloned().collect::<Vec<_>>();
        let mut list: Vec<Self> = source.iter().map(|_| Self::default()).collect();
        let names = names(&source);
        list.iter_mut().zip(&names).for_each(|(files, name)| files.name.clone_from(name));
        for (option, given, ending) in [
            ("--out", &args.out, "safetensors"),
            ("--picture", &args.picture, "png"),
            ("--labels", &args.labels, "png"),
            ("--probabilities", &args.probabilities, "npy"),
            ("--unsure", &args.unsure, "png"),
            ("--cut-out", &args.cut_out, "png"),
        ] {
            let Some(given) = given else { continue };
            let is_file = is_file(option, given, ending, one)?;
            for (files, name) in list.iter_mut().zip(&names) {
                let mut file = given.join(name).into_os_string();
                file.push(format!(".{ending}"));
                let path = if is_file { given.clone() } else { file.into() };
                match option {
                    "--out" => files.out = Some(path),
                    "--picture" => files.picture = Some(path),
                    "--labels" => files.labels = Some(path),
                    "--probabilities" => files.probabilities = Some(path),
                    "--unsure" => files.unsure = Some(path),
                    _ => files.cut_out = Some(path),
                }
            }
        }
        Ok(list)
    }

    /// All that are wanted.
    pub(super) fn all(&self) -> Vec<&Path> {
        let first = [&self.out, &self.picture, &self.labels];
        let soft = [&self.probabilities, &self.unsure, &self.cut_out];
        first.into_iter().chain(soft).flatten().map(PathBuf::as_path).collect()
    }
}

/// Endings of files that no folder has.
const OTHERS: [&str; 12] = [
    "bmp",
    "gif",
    "jpeg",
    "jpg",
    "json",
    "npy",
    "npz",
    "png",
    "safetensors",
    "tif",
    "tiff",
    "webp",
];

/// Whether an option names a file, and not a folder.
fn is_file(option: &str, path: &Path, ending: &str, one: bool) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    let found = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    let path = path.display();
    match found.as_deref() {
        Some(found) if found == ending && one => Ok(true),
        Some(found) if found == ending => Err(Error::input(format!(
            "{option} {path}: one file, but several photographs: expected the name of a folder"
        ))),
        Some(found) if OTHERS.contains(&found) => {
            Err(Error::input(format!("{path}: expected a name ending in .{ending}, or a folder")))
        }
        _ => Ok(false),
    }
}

/// The photographs' names below the folder that all share, without their endings; with them where
/// two would be the same.
fn names(photos: &[PathBuf]) -> Vec<PathBuf> {
    let full: Vec<PathBuf> = photos.iter().map(|path| normal(path)).collect();
    let mut common = full.first().and_then(|path| path.parent()).unwrap_or(Path::new(""));
    for path in &full {
        while !path.parent().unwrap_or(path).starts_with(common) {
            common = common.parent().unwrap_or(Path::new(""));
        }
    }
    let below = |path: &PathBuf| path.strip_prefix(common).unwrap_or(path).to_path_buf();
    let below: Vec<PathBuf> = full.iter().map(below).collect();
    let stem = |path: &PathBuf| path.with_extension("");
    let key = |path: &PathBuf| stem(path).to_string_lossy().to_lowercase();
    let mut count: HashMap<String, usize> = HashMap::new();
    for path in &below {
        *count.entry(key(path)).or_default() += 1;
    }
    let name = |path: &PathBuf| if count[&key(path)] > 1 { path.clone() } else { stem(path) };
    below.iter().map(name).collect()
}

/// A path from the root, without `.` and `..`.
fn normal(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut normal = PathBuf::new();
    for part in full.components() {
        match part {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_photographs_apart() {
        let names = |list: &[&str]| {
            let list: Vec<PathBuf> = list.iter().map(PathBuf::from).collect();
            let names = super::names(&list);
            names.iter().map(|name| name.to_string_lossy().replace('\\', "/")).collect::<Vec<_>>()
        };
        assert_eq!(names(&["photos/cat.jpg"]), ["cat"]);
        assert_eq!(names(&["dog/000.png", "cat/000.png"]), ["dog/000", "cat/000"]);
        assert_eq!(names(&["s1.png", "s1.jpg", "x/../s2.png"]), ["s1.png", "s1.jpg", "s2"]);
        assert_eq!(names(&["a/b/1.png", "a/2.png"]), ["b/1", "2"]);
    }
}
