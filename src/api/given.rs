//! A photograph as a program has it.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use crate::Result;
use crate::budget::Budget;
use crate::image::{Picture, decode};
use crate::photos::{piped, read};

/// A photograph as a program has it.
#[derive(Clone)]
#[non_exhaustive]
pub enum PhotoSource {
    /// Its file.
    File(PathBuf),
    /// The bytes of its file, and what it is called.
    Bytes(String, Vec<u8>),
    /// Its pixels, upright, and what it is called.
    Picture(String, Picture),
}

impl PhotoSource {
    /// The file's path, or what it is called.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Bytes(name, _) | Self::Picture(name, _) => name.clone(),
        }
    }

    /// Its pixels, upright.
    ///
    /// # Errors
    /// [`crate::Error::Io`], and [`crate::Error::Image`] where it is no picture, too large or damaged.
    pub fn picture(&self) -> Result<Picture> {
        self.with(&Arc::new(Budget::of_machine()), |picture| Ok(picture.clone()))
    }

    /// Makes something of its pixels, which draw from a budget meanwhile.
    pub(super) fn with<T>(
        &self,
        budget: &Arc<Budget>,
        work: impl FnOnce(&Picture) -> Result<T>,
    ) -> Result<T> {
        let (bytes, _share) = match self {
            Self::File(path) => read(path, budget)?,
            Self::Bytes(name, bytes) => piped(name, Cursor::new(bytes), budget)?,
            Self::Picture(_, picture) => {
                picture.check()?;
                return work(picture);
            }
        };
        work(&decode(&self.name(), &bytes)?)
    }
}
