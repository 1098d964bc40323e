//! Errors of the library as Python's exceptions, with the same line.

use internvit::Error;
use pyo3::prelude::*;

/// The package's `ModelError` of an error.
pub(crate) fn exception(py: Python<'_>, error: &Error) -> PyErr {
    match value(py, error) {
        Ok(value) => PyErr::from_value(value),
        Err(other) => other,
    }
}

/// The same as a value, for lists of what failed.
pub(crate) fn value<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let class = py.import("internvit._errors")?.getattr("ModelError")?;
    class.call1((error.to_string(), error.kind(), error.reason()))
}

/// Lets an error of the library through as an exception.
pub(crate) trait OrRaise<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T>;
}

impl<T> OrRaise<T> for internvit::Result<T> {
    fn or_raise(self, py: Python<'_>) -> PyResult<T> {
        self.map_err(|error| exception(py, &error))
    }
}
