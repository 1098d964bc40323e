//! A view of a photograph.

use std::path::PathBuf;

use internvit::view::{Setting, Settings};
use internvit::{Result, ViewRequest};
use numpy::PyArrayDyn;
use pyo3::prelude::*;

use crate::error::OrRaise;
use crate::given::{array, pixels};

/// The value of a view's setting.
#[derive(FromPyObject)]
pub(crate) enum Value {
    Flag(bool),
    Number(usize),
    Text(String),
}

/// A view with its settings.
pub(crate) fn request(view: &str, given: Vec<(String, Value)>) -> Result<ViewRequest> {
    let mut settings = Settings::of(view);
    for (name, value) in given {
        let value = match value {
            Value::Flag(flag) => Setting::Flag(flag),
            Value::Number(number) => Setting::Number(number),
            Value::Text(text) => Setting::Text(text),
        };
        settings.set(&name, value);
    }
    settings.try_into()
}

/// A view of a photograph.
#[pyclass(frozen, module = "internvit._native")]
pub(crate) struct View(pub(crate) internvit::View);

#[pymethods]
impl View {
    /// Its values on the grid of patches, float32: `[rows, columns]`, of `pca` `[rows, columns, 3]`, of
    /// `attention` `[heads + 1, rows, columns]`, the mean last.
    #[getter]
    fn data<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        array(py, self.0.map.values.clone(), &self.0.map.shape)
    }

    /// Its values at each pixel of the photograph, float32, with the edges that are drawn and NaN where the model did
    /// not look: `[height, width]` in place of the grid's rows and columns.
    fn data_at_pixels<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let data = py.detach(|| self.0.data_at_pixels()).or_raise(py)?;
        array(py, data.values, &data.shape)
    }

    /// The part of the photograph that it shows: left, top, width, height in pixels.
    #[getter]
    fn region(&self) -> (f64, f64, f64, f64) {
        let [left, top, width, height] = self.0.region;
        (left, top, width, height)
    }

    /// The values of the darkest and the brightest colour; `None` where there are no such.
    #[getter]
    fn range(&self) -> Option<(f32, f32)> {
        self.0.map.range.map(|[low, high]| (low, high))
    }

    /// Names of classes or clusters.
    #[getter]
    fn names(&self) -> Vec<String> {
        self.0.map.names.clone()
    }

    /// Their colours, uint8 `[names, 3]`.
    #[getter]
    fn palette<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        array(py, self.0.map.palette.concat(), &[self.0.map.palette.len(), 3])
    }

    /// Percent of the region that each has.
    #[getter]
    fn shares(&self) -> Vec<f64> {
        self.0.map.shares.clone()
    }

    /// The view over the photograph, uint8 `[height, width, 3]`, at an opacity from 0 to 1; at that at which
    /// it shows best if left out.
    #[pyo3(signature = (opacity=None))]
    fn over<'py>(
        &self,
        py: Python<'py>,
        opacity: Option<f32>,
    ) -> PyResult<Bound<'py, PyArrayDyn<u8>>> {
        let opacity = opacity.unwrap_or(self.0.map.opacity);
        let picture = py.detach(|| self.0.over(opacity)).or_raise(py)?;
        pixels(py, picture)
    }

    /// Writes the view over the photograph as PNG: all of the file, or nothing.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.0.save(path)).or_raise(py)
    }

    /// What a notebook shows.
    fn _repr_png_(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        py.detach(|| self.0.over(self.0.map.opacity)?.png()).or_raise(py)
    }

    fn __repr__(&self) -> String {
        format!("View(data={:?}, region={:?})", self.0.map.shape, self.0.region)
    }
}
