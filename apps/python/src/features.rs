//! Features of one photograph as arrays.

use internvit::PhotoFeatures;
use numpy::PyArrayDyn;
use pyo3::prelude::*;

use crate::given::array;

type Floats = Py<PyArrayDyn<f32>>;

/// What was computed of one photograph.
#[pyclass(frozen, get_all, module = "internvit._native")]
pub(crate) struct Row {
    name: String,
    size: (u32, u32),
    grid: (usize, usize),
    pooled: Floats,
    cls: Floats,
    prefix: Floats,
    patches: Floats,
    /// All tokens of layers, `[prefix + rows · columns, C]`.
    hidden: Vec<(usize, Floats)>,
    /// Columns of a table: what stands for the whole photograph, the mean of the patches, what is compared with
    /// texts, values of classes; the last two empty where there are none.
    table: [Floats; 4],
}

impl Row {
    pub(crate) fn new(py: Python<'_>, features: PhotoFeatures) -> PyResult<Self> {
        let row = |values: &[f32]| list(py, values.to_vec());
        let summary = features.summary();
        let table =
            [row(&summary.cls)?, row(&summary.mean)?, row(&summary.embeds)?, row(&summary.logits)?];
        let (pooled, cls) = (row(features.pooled())?, row(features.cls())?);
        let ([width, height], [rows, columns]) = (features.size(), features.grid());
        let (name, prefix) = (features.name().to_string(), features.prefix().to_vec());
        let channels = cls.bind(py).len()?;
        let before = prefix.len() / channels.max(1);
        let shape = features.patches().shape();
        let (mut last, states) = features.into_tokens();
        last.drain(..prefix.len());
        let mut hidden = Vec::new();
        for (layer, tokens) in states {
            hidden.push((layer, array(py, tokens, &[before + rows * columns, channels])?.unbind()));
        }
        Ok(Self {
            name,
            size: (width, height),
            grid: (rows, columns),
            pooled,
            cls,
            prefix: array(py, prefix, &[before, channels])?.unbind(),
            patches: array(py, last, &shape)?.unbind(),
            hidden,
            table,
        })
    }
}

fn list(py: Python<'_>, values: Vec<f32>) -> PyResult<Floats> {
    let length = values.len();
    Ok(array(py, values, &[length])?.unbind())
}
