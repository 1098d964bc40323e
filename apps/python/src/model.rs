//! A model on a device.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use internvit::weights::Source;
use internvit::{Checkpoint, Error, Guess, LinearHead, Method, ModelSource, Picture, Result};
use numpy::PyArrayDyn;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyDict;

use crate::error::{OrRaise, value};
use crate::features::Row;
use crate::given::{Given, array};
use crate::segmentation::Segmentation;
use crate::view::{Value, View, request};
use crate::wait::wait;

/// The process that computes: threads are not there in one that was forked from it.
static PROCESS: OnceLock<u32> = OnceLock::new();

fn same_process() -> Result<()> {
    let own = std::process::id();
    if *PROCESS.get_or_init(|| own) == own {
        return Ok(());
    }
    Err(Error::device(
        "this process was forked from one in which a model was open, and has none of its threads: start \
         processes by \"spawn\" or \"forkserver\", or open models in them alone",
    ))
}

/// The package's default where that is asked for; the library knows all other names.
async fn source(name: PathBuf) -> Result<ModelSource> {
    let default = name == Path::new("bundled") && !name.exists();
    match Checkpoint::built_in(Checkpoint::BUILT_IN[0]).await.filter(|_| default) {
        Some(checkpoint) => Ok(checkpoint?.into()),
        None => Ok(name.into()),
    }
}

/// The package's version.
#[pyfunction]
pub(crate) fn version() -> &'static str {
    env!("CARGO_PKG_VERSION")
}

/// How a model is opened, but for what it is opened from.
#[derive(FromPyObject)]
pub(crate) struct Options {
    #[pyo3(item)]
    device: String,
    #[pyo3(item)]
    dtype: String,
    #[pyo3(item)]
    threads: Option<usize>,
    #[pyo3(item)]
    texts: bool,
    #[pyo3(item)]
    streamed: bool,
    #[pyo3(item)]
    offline: bool,
    #[pyo3(item)]
    prefix: Option<String>,
}

/// Opens a model.
#[pyfunction]
#[pyo3(signature = (name, options, progress))]
pub(crate) fn open(
    py: Python<'_>,
    name: PathBuf,
    options: Options,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Model> {
    same_process().or_raise(py)?;
    let opened = wait(py, progress.as_ref(), move |report, cancel| {
        let Options { device, dtype, threads, texts, streamed, offline, prefix } = options;
        let mut how = internvit::Model::options()
            .device(&device)
            .precision(dtype.parse()?)
            .texts(texts)
            .streamed(streamed)
            .offline(offline)
            .cancel(cancel)
            .progress(report);
        if let Some(threads) = threads {
            how = how.threads(threads);
        }
        if let Some(prefix) = prefix {
            how = how.prefix(&prefix);
        }
        how.open(pollster::block_on(source(name))?)
    })?;
    Ok(Model(Mutex::new(Some(opened))))
}

/// Texts that a model has read.
#[pyclass(frozen, module = "internvit._native")]
pub(crate) struct Texts {
    read: internvit::Texts,
    texts: Vec<String>,
}

#[pymethods]
impl Texts {
    /// The texts.
    #[getter]
    fn texts(&self) -> Vec<String> {
        self.texts.clone()
    }

    /// Their features, float32 `[texts, P]`, not yet of length 1.
    #[getter]
    fn features<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyArrayDyn<f32>>> {
        let features = self.read.features();
        array(py, features.values.clone(), &features.shape)
    }

    fn __len__(&self) -> usize {
        self.texts.len()
    }

    fn __repr__(&self) -> String {
        format!("Texts({:?})", self.texts)
    }
}

/// A model on a device; `None` where it is closed.
#[pyclass(frozen, module = "internvit._native")]
pub(crate) struct Model(Mutex<Option<internvit::Model>>);

/// Points of a photograph, and their classes.
type Lesson<'py> = Vec<(Given<'py>, Vec<(String, [u32; 2])>)>;

/// Rows of photographs, and why others have none.
type Found<'py> = (Vec<Row>, Vec<(String, Bound<'py, PyAny>)>);

/// A head's file, its names, its colours `[classes, 3]` and its layers.
type Taught<'py> = (Vec<u8>, Vec<String>, Bound<'py, PyArrayDyn<u8>>, Vec<usize>);

/// A class by its number and name, and its probability.
fn told(guesses: Vec<Guess>) -> Vec<(usize, String, f32)> {
    guesses.into_iter().map(|guess| (guess.class, guess.name, guess.probability)).collect()
}

impl Model {
    fn open(&self, py: Python<'_>) -> PyResult<internvit::Model> {
        same_process().or_raise(py)?;
        let open = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        open.ok_or_else(|| Error::input("the model is closed: open it again")).or_raise(py)
    }

    /// Does something with a photograph.
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        photo: Given<'_>,
        work: impl FnOnce(&internvit::Model, Picture) -> Result<T> + Send,
    ) -> PyResult<T> {
        let (model, photo) = (self.open(py)?, photo.alone());
        wait(py, None, move |_, cancel| work(&model.until(cancel), photo.picture()?))
    }
}

#[pymethods]
impl Model {
    #[getter]
    fn name(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.open(py)?.name().into())
    }

    #[getter]
    fn device(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.open(py)?.device().into())
    }

    #[getter]
    fn notes(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        Ok(self.open(py)?.notes())
    }

    #[getter]
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let sizes = self.open(py)?.spec().sizes;
        let info = PyDict::new(py);
        for (name, value) in [
            ("hidden", sizes.hidden),
            ("layers", sizes.layers),
            ("heads", sizes.heads),
            ("image_size", sizes.image),
            ("patch", sizes.patch),
        ] {
            info.set_item(name, value)?;
        }
        Ok(info)
    }

    /// How wide the columns of tables are, 0 where the model has none: as a row has them.
    #[getter]
    fn widths(&self, py: Python<'_>) -> PyResult<[usize; 4]> {
        let model = self.open(py)?;
        let spec = model.spec();
        let c = spec.sizes.hidden;
        Ok([c, c, spec.image_features().unwrap_or(0), spec.classes().unwrap_or(0)])
    }

    fn close(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    #[getter]
    fn closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    #[pyo3(signature = (photos, *, layers, size, resize, batch, patches, progress))]
    fn features<'py>(
        &self,
        py: Python<'py>,
        photos: Vec<(Given<'py>, String)>,
        layers: Vec<i64>,
        size: Option<u32>,
        resize: Option<String>,
        batch: usize,
        patches: bool,
        progress: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Found<'py>> {
        let model = self.open(py)?;
        let photos = photos.into_iter().map(|(photo, name)| photo.called(name));
        let photos: Vec<_> = photos.collect();
        let (found, failed) = wait(py, progress.as_ref(), move |mut report, cancel| {
            let mut asked = model.features().layers(layers).batch(batch).patches(patches);
            if let Some(size) = size {
                asked = asked.size(size);
            }
            if let Some(resize) = resize {
                asked = asked.resize(resize.parse()?);
            }
            let told = move |done: usize, all: usize| report(done as u64, all as u64);
            Ok(asked.cancel(cancel).progress(told).photos(photos)?.into_parts())
        })?;
        let rows = found.into_iter().map(|features| Row::new(py, features));
        let failed = failed.into_iter().map(|(name, error)| Ok((name, value(py, &error)?)));
        Ok((rows.collect::<PyResult<_>>()?, failed.collect::<PyResult<_>>()?))
    }

    fn classify(&self, py: Python<'_>, photo: Given<'_>) -> PyResult<Vec<(usize, String, f32)>> {
        self.with(py, photo, |model, photo| model.classify(&photo)).map(told)
    }

    fn text(&self, py: Python<'_>, texts: Vec<String>) -> PyResult<Texts> {
        let (model, asked) = (self.open(py)?, texts.clone());
        let read = wait(py, None, move |_, cancel| model.until(cancel).text(&asked))?;
        Ok(Texts { read, texts })
    }

    fn classify_with(
        &self,
        py: Python<'_>,
        texts: &Bound<'_, Texts>,
        photo: Given<'_>,
    ) -> PyResult<Vec<(usize, String, f32)>> {
        let Texts { read, texts } = texts.get();
        let found = self.with(py, photo, |model, photo| model.classify_with(read, &photo))?;
        // The library knows texts by their numbers.
        let named = |mut guess: Guess| {
            guess.name = texts[guess.class].clone();
            guess
        };
        Ok(told(found.into_iter().map(named).collect()))
    }

    #[expect(clippy::too_many_arguments, reason = "they are Python's keywords")]
    #[pyo3(signature = (photo, view, settings, *, layer, at, size, resize, tiles, shifts, edges))]
    fn look(
        &self,
        py: Python<'_>,
        photo: Given<'_>,
        view: String,
        settings: Vec<(String, Value)>,
        layer: Option<i64>,
        at: Option<[u32; 2]>,
        size: Option<u32>,
        resize: Option<String>,
        tiles: u32,
        shifts: u32,
        edges: Option<String>,
    ) -> PyResult<View> {
        self.with(py, photo, move |model, photo| {
            let request = request(&view, settings)?;
            let mut look = model.look(&photo).tiles(tiles).shifts(shifts);
            if let Some(layer) = layer {
                look = look.layer(layer);
            }
            if let Some(at) = at {
                look = look.at(at);
            }
            if let Some(size) = size {
                look = look.size(size);
            }
            if let Some(resize) = resize {
                look = look.resize(resize.parse()?);
            }
            if let Some(edges) = edges {
                look = look.edges(edges.parse()?);
            }
            look.view(request)
        })
        .map(View)
    }

    fn segment(&self, py: Python<'_>, photo: Given<'_>) -> PyResult<Segmentation> {
        self.with(py, photo, |model, photo| Ok(Segmentation::new(model.segment(&photo)?, &photo)))
    }

    fn teach<'py>(
        &self,
        py: Python<'py>,
        lesson: Lesson<'py>,
        layers: Vec<i64>,
        method: &str,
        size: Option<u32>,
    ) -> PyResult<Taught<'py>> {
        let model = self.open(py)?;
        let method: Method = method.parse().map_err(Error::input).or_raise(py)?;
        let photos = lesson.into_iter().map(|(photo, points)| (photo.alone(), points));
        let photos: Vec<_> = photos.collect();
        let (file, head) = wait(py, None, move |_, cancel| {
            let model = model.until(cancel);
            let mut lesson = None;
            for (photo, points) in photos {
                let photo = photo.picture()?;
                let begun = match lesson.take() {
                    None => model.teach(&photo),
                    Some(begun) => internvit::Teach::photo(begun, &photo),
                };
                lesson =
                    Some(points.iter().fold(begun, |begun, (name, at)| begun.point(name, *at)));
            }
            let lesson = lesson.ok_or_else(|| Error::input("no photograph was given"))?;
            let lesson = layers.into_iter().fold(lesson.method(method), internvit::Teach::layer);
            let lesson = match size {
                Some(size) => lesson.size(size),
                None => lesson,
            };
            let head = lesson.fit()?;
            Ok((head.to_bytes()?, head))
        })?;
        let palette = array(py, head.palette.concat(), &[head.palette.len(), 3])?;
        Ok((file, head.names, palette, head.layers))
    }

    fn segment_with(
        &self,
        py: Python<'_>,
        head: PyBackedBytes,
        photo: Given<'_>,
    ) -> PyResult<Segmentation> {
        let bytes = head.to_vec();
        self.with(py, photo, move |model, photo| {
            let file = Source::memory("head", bytes);
            let head = pollster::block_on(LinearHead::read(&file, model.spec()))?;
            Ok(Segmentation::new(model.segment_with(&head, &photo)?, &photo))
        })
    }
}
