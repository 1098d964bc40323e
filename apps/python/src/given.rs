//! Photographs as Python gives them, and arrays as it takes them.

use std::ffi::OsString;
use std::path::PathBuf;

use internvit::{Error, PhotoSource, Picture, Result};
use numpy::{
    Element, PyArray1, PyArrayDyn, PyArrayMethods, PyReadonlyArray3, PyUntypedArrayMethods,
};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

use crate::error::OrRaise;

/// A photograph: pixels `[height, width, 3]`, the bytes of a file, its path, or why there is none.
#[derive(FromPyObject)]
pub(crate) enum Given<'py> {
    Pixels(PyReadonlyArray3<'py, u8>),
    Bytes(PyBackedBytes),
    Path(PathBuf),
    Failed {
        #[pyo3(attribute)]
        reason: String,
    },
}

impl Given<'_> {
    /// What the library takes, alone: a file is called by its path.
    pub(crate) fn alone(self) -> PhotoSource {
        match self {
            Self::Path(path) => PhotoSource::File(path),
            other => other.called("photo".into()),
        }
    }

    /// What the library takes, by what it is called.
    pub(crate) fn called(self, name: String) -> PhotoSource {
        match self {
            Self::Path(path) => PhotoSource::Called(name, path),
            Self::Bytes(bytes) => PhotoSource::Bytes(name, bytes.to_vec()),
            Self::Pixels(pixels) => match picture(&pixels) {
                Ok(picture) => PhotoSource::Picture(name, picture),
                Err(error) => PhotoSource::Failed(name, error),
            },
            Self::Failed { reason } => {
                let error = Error::image(&name, reason);
                PhotoSource::Failed(name, error)
            }
        }
    }
}

fn picture(pixels: &PyReadonlyArray3<'_, u8>) -> Result<Picture> {
    let [height, width, _] = [0, 1, 2].map(|axis| pixels.shape()[axis]);
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let rgb = pixels.as_array().iter().copied().collect();
    Picture::from_rgb(side(width), side(height), rgb)
}

/// Values as an array of a shape, without a copy.
pub(crate) fn array<'py, T: Element>(
    py: Python<'py>,
    values: Vec<T>,
    shape: &[usize],
) -> PyResult<Bound<'py, PyArrayDyn<T>>> {
    PyArray1::from_vec(py, values).reshape(shape)
}

/// A picture as an array `[height, width, 3]`.
pub(crate) fn pixels<'py>(
    py: Python<'py>,
    picture: Picture,
) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
    let shape = [picture.height as usize, picture.width as usize, 3];
    array(py, picture.rgb, &shape)
}

/// The photographs in a folder and below it, by the order of their paths, and what was left out, a sentence
/// each.
#[pyfunction]
pub(crate) fn folder(py: Python<'_>, path: PathBuf) -> PyResult<(Vec<OsString>, Vec<String>)> {
    let found = py.detach(|| internvit::photos::folder(&path)).or_raise(py)?;
    Ok((found.photos.into_iter().map(PathBuf::into_os_string).collect(), found.left_out))
}
