//! Photographs, and models, that were opened before: a file in the user's configuration folder.

use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::{BaseStrategy, choose_base_strategy};
use internvit::files::{NewFile, folder_of, read_text};
use internvit::{Error, Result};
use serde::{Deserialize, Serialize};

/// This number of each kind is kept.
const MOST: usize = 12;
/// Bytes of the file at most.
const MOST_BYTES: u64 = 1 << 20;

/// What was opened before, the last first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recent {
    pub(crate) photographs: Vec<PathBuf>,
    pub(crate) models: Vec<String>,
}

/// Where the list is kept.
pub(crate) fn place() -> Option<PathBuf> {
    let base = choose_base_strategy().ok()?;
    Some(base.config_dir().join("internvit").join("recent.json"))
}

impl Recent {
    /// The list in a file; an empty one where there is none, or it is damaged: nothing is lost by that.
    pub(crate) fn read(path: &Path) -> Self {
        let text = read_text(path, MOST_BYTES).unwrap_or_default();
        let mut read: Self = serde_json::from_str(&text).unwrap_or_default();
        read.photographs.truncate(MOST);
        read.models.truncate(MOST);
        read
    }

    /// Writes the list, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let failed = |e| Error::io(path.display(), e);
        std::fs::create_dir_all(folder_of(path)).map_err(failed)?;
        let mut file = NewFile::create(path)?;
        serde_json::to_writer_pretty(&mut file, self).map_err(|e| failed(e.into()))?;
        file.write_all(b"\n").map_err(failed)?;
        file.finish()
    }

    /// A photograph was opened; false where it was the last one anyway.
    pub(crate) fn photograph(&mut self, path: &Path) -> bool {
        // What is given relative to this folder is meant from any.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        first(&mut self.photographs, path)
    }

    /// A model was opened; false where it was the last one anyway.
    pub(crate) fn model(&mut self, name: &str) -> bool {
        first(&mut self.models, name.to_string())
    }
}

/// Puts something first.
fn first<T: PartialEq>(list: &mut Vec<T>, one: T) -> bool {
    if list.first() == Some(&one) {
        return false;
    }
    list.retain(|other| *other != one);
    list.insert(0, one);
    list.truncate(MOST);
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_last_is_first_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below").join("recent.json");
        let mut recent = Recent::read(&path);
        assert_eq!(recent, Recent::default());
        for n in 0..20 {
            recent.photograph(Path::new(&format!("/photos/{n}.jpg")));
        }
        assert!(recent.photograph(Path::new("/photos/12.jpg")));
        assert!(!recent.photograph(Path::new("/photos/12.jpg")));
        recent.model("internvit-tiny");
        assert_eq!(recent.photographs.len(), MOST);
        assert_eq!(recent.photographs[0], Path::new("/photos/12.jpg"));
        assert_eq!(recent.photographs[1], Path::new("/photos/19.jpg"));
        recent.write(&path).unwrap();
        assert_eq!(Recent::read(&path), recent);
    }

    #[test]
    fn a_damaged_list_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recent.json");
        for text in ["", "{", "[1, 2]", "{\"photographs\": 7}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(Recent::read(&path), Recent::default(), "{text}");
        }
    }
}
