//! The browser's door: thin, and without logic of its own. The page's worker is its only caller.

mod benchmark;
#[allow(unreachable_pub, reason = "the module exports functions only if they are public")]
mod hub;
mod js;
mod lesson;
mod masks;
mod records;
mod team;
mod types;
mod words;

use std::ops::ControlFlow;

use js_sys::Function;
use wasm_bindgen::prelude::*;

use self::js::*;
use self::records::*;
use self::team::team;
use internvit::app::{Album, Keep, Photo, Shape};
use internvit::budget::{Amount, USUAL, picture_memory};
use internvit::gpu::{Family, Precision};
use internvit::image::{self, Decoded, Picture, decode_with};
use internvit::view::{Board, Map, Request};
use internvit::{Compute, Device, Encoder, Error, Images};

/// Panics that should not happen are at least told to the console.
#[wasm_bindgen(start)]
fn start() {
    std::panic::set_hook(Box::new(|panic| {
        web_sys::console::error_1(&panic.to_string().into());
    }));
}

/// An encoder that can be given one model after another.
#[wasm_bindgen]
pub struct Engine {
    device: Device,
    dtype: Precision,
    encoder: Option<Encoder>,
    report: DeviceReport,
    album: Album,
    /// What opening the device and loading the model took, in seconds.
    times: [f64; 2],
}

#[wasm_bindgen]
impl Engine {
    /// `auto` (a GPU, else the CPU), `gpu` or `cpu`.
    pub async fn open(
        #[wasm_bindgen(unchecked_param_type = "DeviceChoice")] device: String,
    ) -> JsResult<Engine> {
        let start = precise_now();
        let device: Device = device.parse().unwrap_or_default();
        let report = device.open().await.map_err(js)?.into();
        let album = Album::new(Some(SIDE));
        let times = [(precise_now() - start) / 1e3, 0.0];
        Ok(Engine { device, dtype: Precision::F32, encoder: None, report, album, times })
    }

    /// `{ kind, name, backend, reason }`
    #[wasm_bindgen(unchecked_return_type = "Device")]
    pub fn device(&self) -> JsResult<JsValue> {
        to_js(&self.report)
    }

    /// What the encoder did by itself, a sentence each: it opened a lost device again, left f16, or does
    /// not obey all that the model's preprocessing asks for.
    pub fn notes(&self) -> Vec<String> {
        let notes = |encoder: &Encoder| {
            encoder.checkpoint().notes.iter().chain(encoder.notes()).cloned().collect()
        };
        self.encoder.as_ref().map_or(Vec::new(), notes)
    }

    /// Destroys the graphics device, as a driver that is reset does: for tests.
    pub fn lose(&self) {
        if let Some(gpu) = self.encoder.as_ref().and_then(|encoder| encoder.gpu()) {
            gpu.lose();
        }
    }

    /// The kinds of kernels that compute the same on the device, its own first: none on the processor, nor on an adapter
    /// that computes on it, which is asked for them `anyway` alone.
    pub fn families(&self, anyway: bool) -> Vec<String> {
        let gpu = self.encoder.as_ref().and_then(|encoder| encoder.gpu());
        let gpu = gpu.filter(|gpu| anyway || !gpu.caps.software);
        gpu.map_or(Vec::new(), |gpu| gpu.families().iter().map(|f| f.name().into()).collect())
    }

    /// Computes with the kernels of a kind from here on.
    pub fn use_family(&mut self, name: &str) -> JsResult<()> {
        let family: Family = name.parse().map_err(|reason: String| js(Error::input(reason)))?;
        self.encoder.as_mut().ok_or_else(no_model)?.session_mut().use_family(family).map_err(js)
    }

    /// Sets the precision in which a GPU stores the model that is loaded next: f32, f16, int8, w8a8
    /// or int4.
    pub fn set_precision(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "Dtype")] dtype: String,
    ) -> JsResult<()> {
        self.dtype = dtype.parse().map_err(js)?;
        Ok(())
    }

    /// Loads a model from `{ config, processor, preprocessor, words }`, the texts of its `config.json` and, where
    /// it has them, its `processor_config.json` and `preprocessor_config.json`, and whether its tower for texts is
    /// wanted where it has one, and from its files, of
    /// which ranges are read through `read(file, start, end) -> Promise<Uint8Array>`. On the CPU `members` compute, this
    /// engine and helpers that `ask(helper, task) -> Promise<Float32Array>` reaches.
    #[wasm_bindgen(unchecked_return_type = "ModelInfo")]
    pub async fn load(
        &mut self,
        #[wasm_bindgen(unchecked_param_type = "ModelTexts")] texts: JsValue,
        #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
        #[wasm_bindgen(unchecked_param_type = "OnProgress")] progress: Function,
        members: usize,
        #[wasm_bindgen(unchecked_param_type = "AskHelper")] ask: Function,
    ) -> JsResult<JsValue> {
        let start = precise_now();
        let texts: Texts = serde_wasm_bindgen::from_value(texts)?;
        let words = texts.words;
        let mut checkpoint = prepared(texts, files, &read).await?;
        if words {
            add_text(&mut checkpoint).await?;
        }
        // The model before is let go first: both may not fit the device together. The device is kept:
        // opening one takes time, and Chromium keeps something of each until its page closes.
        self.album.clear();
        let open = self.encoder.take().and_then(Encoder::into_gpu);
        let on_cpu = self.report.kind == "cpu";
        let device = if on_cpu { Device::Cpu } else { self.device.clone() };
        let mut on_progress =
            async |done, total| told(Some(&progress), [done as f64, total as f64]).await;
        let encoder = match open.filter(|gpu| gpu.precision == self.dtype) {
            Some(gpu) => Encoder::load(checkpoint, gpu, &mut on_progress).await,
            None if on_cpu && members > 1 => {
                Encoder::load(checkpoint, team(members, ask), &mut on_progress).await
            }
            None if on_cpu => Encoder::load(checkpoint, &device, &mut on_progress).await,
            None => {
                let compute = Compute::from(&device).precision(self.dtype);
                Encoder::load(checkpoint, compute, &mut on_progress).await
            }
        };
        let encoder = encoder.map_err(js)?;
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
            classes: checkpoint.head.as_ref().map_or(0, |head| head.spec.classes),
            labels: spec.classes().unwrap_or(0),
            texts: match (spec.image_features(), checkpoint.text()) {
                (Some(_), Some(_)) => "read",
                (Some(_), None) => "left out",
                (None, _) => "none",
            },
        };
        self.encoder = Some(encoder);
        self.times[1] = (precise_now() - start) / 1e3;
        to_js(&info)
    }

    /// Encodes a photograph file; the features of all layers stay on the device until `forget`.
    /// `progress(done, total)` returns false, or a promise of it, to cancel. Answers with what is
    /// known of the photograph, its number among it.
    #[wasm_bindgen(unchecked_return_type = "Encoded")]
    pub async fn encode(
        &mut self,
        name: String,
        bytes: Vec<u8>,
        #[wasm_bindgen(unchecked_param_type = "Settings")] options: JsValue,
        #[wasm_bindgen(unchecked_param_type = "OnProgress")] progress: Function,
    ) -> JsResult<JsValue> {
        let options: Options = serde_wasm_bindgen::from_value(options)?;
        let needed = picture_memory(std::io::Cursor::new(&bytes));
        if needed > USUAL {
            let (needed, most) = (Amount(needed), Amount(USUAL));
            let reason = format!("needs {needed} of memory, the page has {most}: make it smaller");
            return Err(js(Error::image(&name, reason)));
        }
        let seen = image::Options { background: Some([255; 3]), alpha: true };
        let Decoded { picture: photo, alpha, .. } = decode_with(&name, &bytes, seen).map_err(js)?;
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let spec = encoder.spec();
        let (size, resize) = (options.image_size, options.resize);
        let shape = Shape::new(spec, size, resize, options.tiles.unwrap_or(1)).map_err(js)?;
        let mut shape = shape.shifted(options.shifts.unwrap_or(1)).map_err(js)?;
        if let Some(most) = options.most_patches {
            shape = shape.within(most, photo.width, photo.height);
        }
        let taps: Vec<usize> = (0..=spec.sizes.layers).collect();
        let keep = Keep { taps: &taps, residency: internvit::session::Residency::Device };
        let on_progress = &mut async |done, total| {
            turn(progress.call2(&JsValue::NULL, &number(done as f64), &number(total as f64))).await
        };
        let mut photo =
            Photo::encode(encoder, photo, &shape, keep, on_progress).await.map_err(js)?;
        if let Some(alpha) = &alpha {
            photo.leave_out(alpha);
        }
        self.add(photo)
    }

    /// Encodes `pixel_values` of shape `[batch, 3, height, width]`, for tests and for those who
    /// prepare their own pixels.
    #[wasm_bindgen(unchecked_return_type = "Encoded")]
    pub async fn encode_pixel_values(
        &mut self,
        shape: Vec<usize>,
        values: Vec<f32>,
        hidden_states: Vec<usize>,
    ) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let start = precise_now();
        let images = Images::PixelValues { shape: four(shape)?, values: &values };
        let mut go_on = async |_, _| ControlFlow::Continue(());
        let held = encoder
            .encode_to(images, &hidden_states, internvit::session::Residency::Device, &mut go_on)
            .await
            .map_err(js)?;
        let photo = Picture::of(1, 1, vec![0; 3]);
        let board = Board::tiles(held.grid.unwrap_or_default(), [1, 1]);
        let mut photo = Photo::new(photo, held, board, [0.0, 0.0, 1.0, 1.0]);
        photo.seconds = (precise_now() - start) / 1e3;
        self.add(photo)
    }

    /// The segmentation head's logits `{ shape, data }`, `[batch, classes, h', w']`, for
    /// `pixel_values` of shape `[batch, 3, height, width]`.
    #[wasm_bindgen(unchecked_return_type = "Tensor")]
    pub async fn segment_pixel_values(
        &mut self,
        shape: Vec<usize>,
        values: Vec<f32>,
    ) -> JsResult<JsValue> {
        let encoder = self.encoder.as_mut().ok_or_else(no_model)?;
        let images = Images::PixelValues { shape: four(shape)?, values: &values };
        let mut go_on = async |_, _| ControlFlow::Continue(());
        tensor(&encoder.segment(images, &mut go_on).await.map_err(js)?)
    }

    fn add(&mut self, photo: Photo) -> JsResult<JsValue> {
        let id = self.album.add(photo);
        let photo = self.album.photo(id).map_err(js)?;
        let [rows, cols] = photo.grid();
        to_js(&PhotoInfo {
            photo: id,
            width: photo.picture.width,
            height: photo.picture.height,
            region: photo.region,
            rows,
            cols,
            tiles: photo.held.batch,
            tokens: photo.held.shape().0,
            hidden: photo.held.shape().1,
            milliseconds: 1e3 * photo.seconds,
            tensors: photo.held.names().map(String::from).collect(),
            clear: (0..rows * cols).filter(|at| !photo.seen()[*at]).collect(),
        })
    }
}

/// What there is to do with encoded photographs.
#[wasm_bindgen]
impl Engine {
    /// Lets a photograph's features go.
    pub fn forget(&mut self, photo: u32) {
        self.album.forget(photo);
    }

    /// The photograph, upright, RGBA.
    #[wasm_bindgen(unchecked_return_type = "Uint8Array<ArrayBuffer>")]
    pub fn pixels(&self, photo: u32) -> JsResult<Vec<u8>> {
        let photo = self.album.photo(photo).map_err(js)?;
        internvit::image::rgba(std::slice::from_ref(&photo.picture)).map_err(js)
    }

    /// A tensor `{ shape, data }`, read from the device.
    #[wasm_bindgen(unchecked_return_type = "Tensor")]
    pub async fn tensor(&mut self, photo: u32, name: String) -> JsResult<JsValue> {
        let photo = self.album.photo(photo).map_err(js)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        tensor(&photo.held.tensor(encoder.session(), &name).await.map_err(js)?)
    }

    /// A view of a photograph, with edges that come from the `patches`, from the `photograph`, or `smooth`.
    #[wasm_bindgen(unchecked_return_type = "ViewMap")]
    pub async fn view(
        &mut self,
        id: u32,
        #[wasm_bindgen(unchecked_param_type = "ViewRequest")] request: JsValue,
        #[wasm_bindgen(unchecked_param_type = "Edges")] edges: String,
    ) -> JsResult<JsValue> {
        let mut request: Request = serde_wasm_bindgen::from_value(request)?;
        let encoder = self.encoder.as_ref().ok_or_else(no_model)?;
        // A link outlives the model that it was made with.
        if let Request::Attention(view) = &mut request {
            view.head = view.head.filter(|head| *head < encoder.spec().sizes.heads);
        }
        let edges = edges.parse().map_err(js)?;
        let shown = self.album.view(encoder, id, &request, &mut |_, _| ()).await.map_err(js)?;
        map(&shown, self.album.fine(id, &shown, edges).map_err(js)?.as_ref())
    }

    /// A map's data at the pixels of a photograph, as a tensor `{ shape, data }`. `width` and `height` are of its raster,
    /// of which `labels` are, and of which it has `several` where the data are maps.
    #[wasm_bindgen(unchecked_return_type = "Tensor")]
    #[expect(clippy::too_many_arguments, reason = "JavaScript gives them by name")]
    pub fn numbers(
        &self,
        photo: u32,
        data: Vec<f32>,
        shape: Vec<usize>,
        width: usize,
        height: usize,
        labels: Vec<u8>,
        several: bool,
        edges: String,
    ) -> JsResult<JsValue> {
        let photo = self.album.photo(photo).map_err(js)?;
        let mut map = Map::default();
        (map.values, map.shape, map.labels) = (data, shape, labels);
        (map.width, map.height, map.plane) = (width, height, several.then_some(0));
        map.rgba = vec![0; 4 * width * height];
        let edges = edges.parse().map_err(js)?;
        tensor(&map.data_over(&photo.picture, photo.region, edges).map_err(js)?)
    }
}

/// Pixels of the longer side of a map of classes.
const SIDE: u32 = 768;
