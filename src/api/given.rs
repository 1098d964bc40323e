//! A photograph as a program has it.

use std::io::Cursor;
use std::path::PathBuf;
use std::sync::Arc;

use crate::budget::Budget;
use crate::image::{Picture, decode};
use crate::photos::{called, piped, read};
use crate::{Error, Result};

/// A photograph as a program has it.
#[derive(Clone)]
#[non_exhaustive]
pub enum PhotoSource {
    /// Its file.
    File(PathBuf),
    /// What it is called in place of its path, and its file.
    Called(String, PathBuf),
    /// The bytes of its file, and what it is called.
    Bytes(String, Vec<u8>),
    /// Its pixels, upright, and what it is called.
    Picture(String, Picture),
    /// What it is called, and why the program has none: among others it costs only itself.
    Failed(String, Error),
}

impl PhotoSource {
    /// The file's path, or what it is called.
    pub fn name(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Called(name, _)
            | Self::Bytes(name, _)
            | Self::Picture(name, _)
            | Self::Failed(name, _) => name.clone(),
        }
    }

    /// Its pixels, upright.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Image`] where it is no picture, too large or damaged; that of [`PhotoSource::Failed`].
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
            Self::Called(name, path) => called(name, path, budget)?,
            Self::Bytes(name, bytes) => piped(name, Cursor::new(bytes), budget)?,
            Self::Picture(_, picture) => {
                picture.check()?;
                return work(picture);
            }
            Self::Failed(_, error) => return Err(error.clone()),
        };
        work(&decode(&self.name(), &bytes)?)
    }
}
