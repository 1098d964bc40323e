//! A class for each pixel of a photograph.

use std::path::PathBuf;

use internvit::{Picture, Result};
use numpy::PyArrayDyn;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::given::{array, pixels};

/// A class for each pixel of a photograph.
#[pyclass(frozen, module = "internvit._native")]
pub(crate) struct Segmentation {
    found: internvit::Segmentation,
    size: [usize; 2],
}

impl Segmentation {
    pub(crate) fn new(found: internvit::Segmentation, photo: &Picture) -> Self {
        Self { found, size: [photo.height as usize, photo.width as usize] }
    }

    /// A value a pixel, as an array.
    fn plane<'py>(
        &self,
        py: Python<'py>,
        make: impl FnOnce(&internvit::Segmentation) -> Result<Vec<f32>> + Send,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let values = py.detach(|| make(&self.found)).or_raise(py)?;
        array(py, values, &self.size)
    }
}

#[pymethods]
impl Segmentation {
    /// The class of each pixel, int32 `[height, width]`: numbers of `names`.
    #[getter]
    fn labels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<i32>>> {
        array(py, self.found.labels.clone(), &self.size)
    }

    /// The classes' names.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.found.names.clone()
    }

    /// The classes' colours, uint8 `[classes, 3]`.
    #[getter]
    fn palette<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        array(py, self.found.palette.concat(), &[self.found.palette.len(), 3])
    }

    /// Percent of the pixels that each class has.
    #[getter]
    fn shares(&self) -> Vec<f64> {
        self.found.shares().into_iter().map(|(_, share)| share).collect()
    }

    /// The probability of a class at each pixel, float32 `[height, width]`, its edges those of the photograph.
    fn probability<'py>(
        &self,
        py: Python<'py>,
        name: &str,
    ) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        self.plane(py, |found| found.probability(name))
    }

    /// How unsure each pixel is, float32 `[height, width]`: 0 where one class has all the probability, 1 where
    /// two have the same.
    fn unsure<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        self.plane(py, internvit::Segmentation::unsure)
    }

    /// The photograph, uint8 `[height, width, 4]`, all but a class's pixels transparent.
    fn cut_out<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        let rgba = py.detach(|| self.found.cut_out(name)).or_raise(py)?;
        let [height, width] = self.size;
        array(py, rgba, &[height, width, 4])
    }

    /// The classes' colours over the photograph, uint8 `[height, width, 3]`, at an opacity from 0 to 1.
    #[pyo3(signature = (opacity=0.5))]
    fn over<'py>(&self, py: Python<'py>, opacity: f32) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        let picture = py.detach(|| self.found.over(opacity)).or_raise(py)?;
        pixels(py, picture)
    }

    /// Writes that as PNG: all of the file, or nothing.
    #[pyo3(signature = (path, opacity=0.5))]
    fn save_overlay(&self, py: Python<'_>, path: PathBuf, opacity: f32) -> PyResult<()> {
        py.detach(|| self.found.save_overlay(path, opacity)).or_raise(py)
    }

    /// What a notebook shows.
    fn _repr_png_(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| self.found.over(0.5)?.png()).or_raise(py)
    }

    fn __repr__(&self) -> String {
        format!("Segmentation({:?}, names={:?})", self.size, self.found.names)
    }
}
