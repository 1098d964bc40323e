//! What files of GGUF are by their names: `NAME.gguf`, `NAME-00001-of-00003.gguf` of a model in parts, a projector.

use std::path::{Path, PathBuf};

use super::find::{is_gguf, shard};
use crate::{Error, Result};

/// A file of GGUF, or all the parts of one model, by their names.
#[derive(Debug, PartialEq)]
pub(crate) struct Named {
    /// In order.
    pub(crate) files: Vec<String>,
    /// The last part of the first one's name, without its number and ending.
    stem: String,
}

impl Named {
    /// What a file belongs to; `None` where it is no GGUF.
    fn of(file: &str) -> Option<Self> {
        let name = file.rsplit('/').next().unwrap_or(file);
        if !is_gguf(Path::new(name)) {
            return None;
        }
        let Some((stem, count, ending)) = shard(name) else {
            let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
            return Some(Self { files: vec![file.into()], stem: stem.into() });
        };
        let folder = &file[..file.len() - name.len()];
        let part = |number| format!("{folder}{stem}-{number:05}-of-{count:05}{ending}");
        Some(Self { files: (1..=count).map(part).collect(), stem: stem.into() })
    }

    /// Those of some files, in order.
    #[cfg(any(feature = "hub", feature = "language"))]
    pub(crate) fn among<'a>(files: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        for found in files.into_iter().filter_map(Self::of) {
            if !all.contains(&found) {
                all.push(found);
            }
        }
        all
    }

    /// Whether it is a tower with its projector, as far as names tell.
    #[cfg(any(feature = "hub", feature = "language"))]
    pub(crate) fn is_projector(&self) -> bool {
        self.stem.to_ascii_lowercase().contains("mmproj")
    }

    /// Whether it is called so: by the name of a file, or by what its name ends with, a quantisation.
    #[cfg(feature = "hub")]
    pub(crate) fn is_called(&self, choice: &str) -> bool {
        let named = |file: &String| file == choice || file.ends_with(&format!("/{choice}"));
        self.files.iter().any(named) || self.is_quantised(choice)
    }

    /// Whether it is in these types, as far as its name tells: `Q4_K_M` of `name-Q4_K_M.gguf` or `name.q4_k_m.gguf`.
    #[cfg(feature = "hub")]
    pub(crate) fn is_quantised(&self, kind: &str) -> bool {
        let from = self.stem.len().checked_sub(kind.len());
        let Some((before, end)) = from.and_then(|at| self.stem.split_at_checked(at)) else {
            return false;
        };
        end.eq_ignore_ascii_case(kind) && before.ends_with(['-', '.'])
    }
}

/// The files of a model of which one is named: all its parts, where it is one of them.
///
/// # Errors
/// [`Error::Checkpoint`] where a part is missing.
pub fn gguf_parts(file: &Path) -> Result<Vec<PathBuf>> {
    let parts = file.file_name().and_then(|name| Named::of(name.to_str()?));
    match parts {
        Some(parts) if parts.files.len() > 1 => {
            parts.within(file.parent().unwrap_or(Path::new("")))
        }
        _ => Ok(vec![file.to_path_buf()]),
    }
}

impl Named {
    /// Its files in a folder, all of which are there.
    pub(crate) fn within(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let all: Vec<PathBuf> = self.files.iter().map(|name| folder.join(name)).collect();
        match self.files.iter().zip(&all).find(|(_, path)| !path.is_file()) {
            None => Ok(all),
            Some((name, _)) => {
                let count = all.len();
                let reason = format!("{name}: missing, one of {count} parts of a model");
                Err(Error::checkpoint(folder.display(), reason))
            }
        }
    }
}

#[cfg(all(test, feature = "hub", feature = "language"))]
mod tests {
    use super::*;

    #[test]
    fn parts_belong_together() {
        let names = [
            "b-Q8_0-00002-of-00003.gguf",
            "config.json",
            "b-Q4_K_M.gguf",
            "b-Q8_0-00001-of-00003.gguf",
            "sub/b-Q8_0-00002-of-00002.GGUF",
            "mmproj-b-F16.gguf",
        ];
        let all = Named::among(names);
        let firsts: Vec<_> =
            all.iter().map(|one| (one.files[0].as_str(), one.files.len())).collect();
        assert_eq!(
            firsts,
            [
                ("b-Q8_0-00001-of-00003.gguf", 3),
                ("b-Q4_K_M.gguf", 1),
                ("sub/b-Q8_0-00001-of-00002.GGUF", 2),
                ("mmproj-b-F16.gguf", 1),
            ]
        );
        assert_eq!(
            all.iter().map(Named::is_projector).collect::<Vec<_>>(),
            [false, false, false, true]
        );
    }

    #[test]
    fn a_quantisation_is_the_end_of_a_name() {
        for (file, choice, expected) in [
            ("b-Q4_K_M.gguf", "Q4_K_M", true),
            ("b.q4_k_m.gguf", "Q4_K_M", true),
            ("b-Q4_K_M-00001-of-00002.gguf", "q4_k_m", true),
            ("b-Q4_K_M-00001-of-00002.gguf", "b-Q4_K_M-00002-of-00002.gguf", true),
            ("sub/b-F16.gguf", "b-F16.gguf", true),
            ("sub/b-F16.gguf", "sub/b-F16.gguf", true),
            ("b-BF16.gguf", "F16", false),
            ("b-Q4_K_M.gguf", "M", false),
            ("ü.gguf", "12", false),
        ] {
            let named = Named::of(file).map(|named| named.is_called(choice));
            assert_eq!(named, Some(expected), "{file} {choice}");
        }
        assert!(Named::of("b-Q4_K_M.safetensors").is_none());
    }
}
