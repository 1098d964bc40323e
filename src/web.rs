//! The browser's door: thin, and without logic of its own. The page's worker is its only caller.

use std::ops::ControlFlow;

use js_sys::{Error as JsError, Float32Array, Function, Promise, Uint8Array, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use crate::image::{Grid, MAX_PIXELS, Picture, Resize, decode, tiles};
use crate::view::{paint, pca_grid};
use crate::weights::{Checkpoint, Source};
use crate::{Device, Encoder, Error, Features, Images};

type JsResult<T> = Result<T, JsValue>;

/// Panics that should not happen are at least told to the console.
#[wasm_bindgen(start)]
fn start() {
    console_error_panic_hook::set_once();
}

/// An encoder that can be given one model after another.
#[wasm_bindgen]
pub struct Engine {
    device: Device,
    encoder: Option<Encoder>,
    report: DeviceReport,
}

#[derive(Clone, Serialize)]
struct DeviceReport {
    kind: &'static str,
    name: String,
    backend: String,
    reason: Option<String>,
}

#[derive(Deserialize)]
struct FileInfo {
    name: String,
    size: f64,
}

#[derive(Serialize)]
struct ModelInfo {
    hidden: usize,
    layers: usize,
    heads: usize,
    image_size: usize,
    patch: usize,
    parameters: f64,
    bytes: f64,
    norm: String,
    random_weights: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Options {
    image_size: Option<u32>,
    resize: Option<Resize>,
    tiles: Option<u32>,
    hidden_states: Vec<usize>,
}

#[wasm_bindgen]
impl Engine {
    /// `auto` (a GPU, else the CPU), `gpu` or `cpu`.
    pub async fn open(device: String) -> JsResult<Engine> {
        let device: Device = device.parse().unwrap_or_default();
        let gpu = match device {
            Device::Cpu => None,
            _ => Some(crate::gpu::Gpu::open(&crate::gpu::Choice::Auto).await),
        };
        let cpu = |reason| DeviceReport {
            kind: "cpu",
            name: "CPU".into(),
            backend: "WebAssembly".into(),
            reason,
        };
        let report = match gpu {
            Some(Ok(gpu)) => DeviceReport {
                kind: "gpu",
                name: gpu.report.name,
                backend: "WebGPU".into(),
                reason: None,
            },
            Some(Err(e)) if device == Device::Gpu => return Err(js(e)),
            Some(Err(e)) => cpu(Some(e.to_string())),
            None => cpu(None),
        };
        Ok(Engine { device, encoder: None, report })
    }

    /// `{ kind, name, backend, reason }`
    pub fn device(&self) -> JsResult<JsValue> {
        to_js(&self.report)
    }

    /// Loads a model from the text of its `config.json` and its files, of which ranges are read
    /// through `read(file, start, end) -> Promise<Uint8Array>`.
    pub async fn load(
        &mut self,
        config: String,
        files: JsValue,
        read: Function,
        progress: Function,
    ) -> JsResult<JsValue> {
        let files: Vec<FileInfo> = serde_wasm_bindgen::from_value(files)?;
        let sources = files.into_iter().enumerate().map(|(i, f)| source(i, f, &read)).collect();
        let checkpoint = Checkpoint::open("model", &config, sources).await.map_err(js)?;
        // The model before is let go first: both may not fit the device together.
        self.encoder = None;
        let device = if self.report.kind == "cpu" { Device::Cpu } else { self.device.clone() };
        let encoder = Encoder::load(checkpoint, &device, &mut async |done, total| {
            turn(progress.call2(&JsValue::NULL, &number(done as f64), &number(total as f64))).await
        })
        .await
        .map_err(js)?;
        let (spec, checkpoint) = (encoder.spec(), encoder.checkpoint());
        let info = ModelInfo {
            hidden: spec.sizes.hidden,
            layers: spec.sizes.layers,
            heads: spec.sizes.heads,
            image_size: spec.sizes.image,
            patch: spec.sizes.patch,
            parameters: checkpoint.manifest.parameters() as f64,
            bytes: checkpoint.manifest.bytes() as f64,
            norm: format!("{:?}Norm", spec.norm.kind),
            random_weights: checkpoint.random_weights(),
        };
        self.encoder = Some(encoder);
        to_js(&info)
    }

    /// Encodes a photograph file. `progress(done, total)` returns false, or a promise of it, to
    /// cancel.
    pub async fn encode(
        &mut self,
        name: String,
        bytes: Vec<u8>,
        options: JsValue,
        progress: Function,
    ) -> JsResult<Encoded> {
        let options: Options = serde_wasm_bindgen::from_value(options)?;
        let photo = decode(&name, &bytes).map_err(js)?;
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let (side, patch) = (encoder.spec().sizes.image as u32, encoder.spec().sizes.patch as u32);
        let side = options.image_size.unwrap_or(side);
        let resize = options.resize.unwrap_or(Resize::Squash);
        let (grid, pictures) = match options.tiles.unwrap_or(1) {
            0 | 1 => {
                let picture = resize.fit(&photo, side, patch).map_err(js)?;
                (Grid { cols: 1, rows: 1 }, vec![picture])
            }
            most if u64::from(most) * u64::from(side).pow(2) > MAX_PIXELS => {
                return Err(js(Error::input(format!(
                    "{most} tiles of {side} pixels are too many"
                ))));
            }
            most => tiles(&photo, most, side),
        };
        let region = match pictures.len() {
            1 => resize.region(photo.width, photo.height, side),
            _ => [0.0, 0.0, photo.width.into(), photo.height.into()],
        };
        let start = now();
        let images = Images::Pictures(&pictures);
        let features = run(encoder, images, &options.hidden_states, Some(&progress)).await?;
        let milliseconds = now() - start;
        let board = [grid.rows as usize, grid.cols as usize];
        Ok(Encoded { photo, features, board, region, milliseconds })
    }

    /// Encodes `pixel_values` of shape `[batch, 3, height, width]`, for tests and for those who
    /// prepare their own pixels.
    pub async fn encode_pixel_values(
        &mut self,
        shape: Vec<usize>,
        values: Vec<f32>,
        hidden_states: Vec<usize>,
    ) -> JsResult<Encoded> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let start = now();
        let images = Images::PixelValues { shape: four(shape)?, values: &values };
        let features = run(encoder, images, &hidden_states, None).await?;
        let photo = Picture { width: 1, height: 1, rgb: vec![0; 3] };
        let (region, milliseconds) = ([0.0, 0.0, 1.0, 1.0], now() - start);
        Ok(Encoded { photo, features, board: [1, 1], region, milliseconds })
    }
}

#[wasm_bindgen]
impl Engine {
    /// The segmentation head's logits `[batch, classes, h', w']` for `pixel_values` of shape
    /// `[batch, 3, height, width]`.
    pub async fn segment_pixel_values(
        &mut self,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> JsResult<Logits> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let images = Images::PixelValues { shape: four(shape)?, values: &values };
        let mut go_on = async |_, _| ControlFlow::Continue(());
        Ok(Logits { tensor: encoder.segment(images, &mut go_on).await.map_err(js)? })
    }
}

fn four(shape: Vec<usize>) -> JsResult<[usize; 4]> {
    let wrong = |s: Vec<usize>| js(Error::input(format!("shape {s:?}: expected four lengths")));
    shape.try_into().map_err(wrong)
}

/// A segmentation head's logits.
#[wasm_bindgen]
pub struct Logits {
    tensor: crate::Tensor,
}

#[wasm_bindgen]
impl Logits {
    /// `[batch, classes, height, width]`
    pub fn shape(&self) -> Vec<u32> {
        self.tensor.shape.iter().map(|d| *d as u32).collect()
    }
    /// Row-major.
    pub fn values(&self) -> Vec<f32> {
        self.tensor.values.clone()
    }
}

/// A photograph and its features.
#[wasm_bindgen]
pub struct Encoded {
    photo: Picture,
    features: Features,
    board: [usize; 2],
    region: [f64; 4],
    milliseconds: f64,
}

#[wasm_bindgen]
impl Encoded {
    /// Pixels in a row of the photograph.
    #[wasm_bindgen(getter)]
    pub fn width(&self) -> u32 {
        self.photo.width
    }
    /// Rows of the photograph.
    #[wasm_bindgen(getter)]
    pub fn height(&self) -> u32 {
        self.photo.height
    }
    /// Rows of patches, over all tiles.
    #[wasm_bindgen(getter)]
    pub fn rows(&self) -> usize {
        self.features.grid.map_or(0, |[rows, _]| rows * self.board[0])
    }
    /// Columns of patches, over all tiles.
    #[wasm_bindgen(getter)]
    pub fn cols(&self) -> usize {
        self.features.grid.map_or(0, |[_, cols]| cols * self.board[1])
    }
    /// Pictures that were encoded: tiles and thumbnail.
    #[wasm_bindgen(getter)]
    pub fn tiles(&self) -> usize {
        self.features.batch
    }
    /// Tokens of one picture.
    #[wasm_bindgen(getter)]
    pub fn tokens(&self) -> usize {
        self.features.tensors["last_hidden_state"].shape[1]
    }
    /// Channels of a token.
    #[wasm_bindgen(getter)]
    pub fn hidden(&self) -> usize {
        self.features.tensors["last_hidden_state"].shape[2]
    }
    /// Time from pixels to features.
    #[wasm_bindgen(getter)]
    pub fn milliseconds(&self) -> f64 {
        self.milliseconds
    }
    /// The photograph, upright, RGBA.
    pub fn photo(&self) -> Vec<u8> {
        crate::image::rgba(std::slice::from_ref(&self.photo))
    }
    /// The PCA picture at the photograph's size, RGBA.
    pub fn pca(&self) -> Vec<u8> {
        let grid = pca_grid(&self.features, self.board);
        crate::image::rgba(&[paint(&grid, &self.photo, self.region)])
    }
    /// The PCA colours, one pixel a patch, RGBA.
    pub fn pca_grid(&self) -> Vec<u8> {
        crate::image::rgba(&[pca_grid(&self.features, self.board)])
    }
    /// Names of the tensors.
    pub fn names(&self) -> Vec<String> {
        self.features.tensors.keys().cloned().collect()
    }
    /// A tensor's values, row-major.
    pub fn tensor(&self, name: &str) -> JsResult<Float32Array> {
        self.find(name).map(|t| Float32Array::from(t.values.as_slice()))
    }
    /// A tensor's shape.
    pub fn shape(&self, name: &str) -> JsResult<Uint32Array> {
        self.find(name).map(|t| {
            let shape: Vec<u32> = t.shape.iter().map(|d| *d as u32).collect();
            Uint32Array::from(shape.as_slice())
        })
    }

    fn find(&self, name: &str) -> JsResult<&crate::Tensor> {
        let unknown = || js(Error::input(format!("no tensor called {name}")));
        self.features.tensors.get(name).ok_or_else(unknown)
    }
}

async fn run(
    encoder: &mut Encoder,
    images: Images<'_>,
    taps: &[usize],
    progress: Option<&Function>,
) -> JsResult<Features> {
    let mut told = async |done, total| {
        let Some(progress) = progress else { return ControlFlow::Continue(()) };
        turn(progress.call2(&JsValue::NULL, &number(done as f64), &number(total as f64))).await
    };
    encoder.encode(images, taps, &mut told).await.map_err(js)
}

/// Waits for a callback's answer; false, and an exception, mean stop.
async fn turn(answer: JsResult<JsValue>) -> ControlFlow<()> {
    let answer = match answer {
        Ok(value) => JsFuture::from(Promise::resolve(&value)).await,
        Err(thrown) => Err(thrown),
    };
    match answer {
        Ok(value) if value.as_bool() != Some(false) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

fn source(index: usize, file: FileInfo, read: &Function) -> Source {
    let (read, name) = (read.clone(), file.name.clone());
    let reader = move |range: std::ops::Range<u64>| {
        let (start, end) = (number(range.start as f64), number(range.end as f64));
        let promise = read.call3(&JsValue::NULL, &number(index as f64), &start, &end);
        let name = name.clone();
        Box::pin(async move {
            let bytes = match promise {
                Ok(promise) => JsFuture::from(Promise::resolve(&promise)).await,
                Err(thrown) => Err(thrown),
            };
            let failed = |e: JsValue| Error::checkpoint(&name, text(&e));
            Ok(Uint8Array::new(&bytes.map_err(failed)?).to_vec())
        }) as std::pin::Pin<Box<dyn Future<Output = crate::Result<Vec<u8>>>>>
    };
    Source::reader(&file.name, file.size as u64, Box::new(reader))
}

fn text(error: &JsValue) -> String {
    let message = error.dyn_ref::<JsError>().map(|e| String::from(e.message()));
    message.or_else(|| error.as_string()).unwrap_or_else(|| "reading failed".into())
}

fn no_model() -> JsValue {
    js(Error::input("no model is loaded"))
}

fn js(error: Error) -> JsValue {
    JsError::new(&error.to_string()).into()
}

fn number(value: f64) -> JsValue {
    JsValue::from_f64(value)
}

fn now() -> f64 {
    js_sys::Date::now()
}

fn to_js(value: &impl Serialize) -> JsResult<JsValue> {
    Ok(value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?)
}
