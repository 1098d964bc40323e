//! The library in Python, as `internvit._native`: what is given is translated, the library is called, and
//! what it answers becomes arrays. The package's Python files make it pleasant to use.

mod error;
mod features;
mod given;
mod model;
mod segmentation;
mod view;
mod wait;

/// The module that Python imports.
#[pyo3::pymodule]
mod _native {
    #[pymodule_export]
    use super::features::Row;
    #[pymodule_export]
    use super::given::folder;
    #[pymodule_export]
    use super::model::{Model, Texts, open, version};
    #[pymodule_export]
    use super::segmentation::Segmentation;
    #[pymodule_export]
    use super::view::View;
}
