//! Between Rust's values and JavaScript's.

use std::ops::ControlFlow;

use js_sys::{
    Array, Error as JsError, Float32Array, Function, Object, Promise, Reflect, Uint8Array,
};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

use super::records::Texts;
use internvit::app::Kept;
use internvit::view::{Fine, Map, Spread};
use internvit::weights::{Checkpoint, Source};
use internvit::{Error, Tensor};

pub(super) type JsResult<T> = Result<T, JsValue>;

/// A file of a model, as the page describes it.
#[derive(Deserialize)]
struct FileInfo {
    name: String,
    size: f64,
}

/// Waits for a callback's answer; false, and an exception, mean stop.
pub(super) async fn turn(answer: JsResult<JsValue>) -> ControlFlow<()> {
    let answer = match answer {
        Ok(value) => JsFuture::from(Promise::resolve(&value)).await,
        Err(thrown) => Err(thrown),
    };
    match answer {
        Ok(value) if value.as_bool() != Some(false) => ControlFlow::Continue(()),
        _ => ControlFlow::Break(()),
    }
}

/// Tells a callback how far something is, where there is one; it may stop that.
pub(super) async fn told(to: Option<&Function>, [done, total]: [f64; 2]) -> ControlFlow<()> {
    let Some(to) = to else { return ControlFlow::Continue(()) };
    turn(to.call2(&JsValue::NULL, &number(done), &number(total))).await
}

/// Opens a model of which ranges are read through `read(file, start, end) -> Promise<Uint8Array>`.
pub(super) async fn checkpoint(
    config: &str,
    files: JsValue,
    read: &Function,
) -> JsResult<Checkpoint> {
    Checkpoint::open("model", config, sources(files, read)?).await.map_err(js)
}

/// The same, with its preprocessing as all its texts say.
pub(super) async fn prepared(
    texts: Texts,
    files: JsValue,
    read: &Function,
) -> JsResult<Checkpoint> {
    let Texts { config, processor, preprocessor, .. } = texts;
    let checkpoint = checkpoint(&config, files, read).await?;
    // In the order in which they are asked for.
    let mut settings = [processor, preprocessor].into_iter();
    checkpoint.preprocess_from(|_| Ok(settings.next().flatten())).map_err(js)
}

/// Files of which ranges are read in this way.
pub(super) fn sources(files: JsValue, read: &Function) -> JsResult<Vec<Source>> {
    let files: Vec<FileInfo> = serde_wasm_bindgen::from_value(files)?;
    Ok(files.into_iter().enumerate().map(|(i, f)| source(i, f, read)).collect())
}

/// Takes the tower for texts too, where the model has one; where there is none it shows pictures all the same.
pub(super) async fn add_text(checkpoint: &mut Checkpoint) -> JsResult<()> {
    match checkpoint.add_text().await {
        Ok(()) | Err(Error::Input(_)) => Ok(()),
        Err(other) => Err(js(other)),
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
        }) as std::pin::Pin<Box<dyn Future<Output = internvit::Result<Vec<u8>>>>>
    };
    Source::reader(&file.name, file.size as u64, Box::new(reader))
}

pub(super) fn text(error: &JsValue) -> String {
    let message = error.dyn_ref::<JsError>().map(|e| String::from(e.message()));
    message.or_else(|| error.as_string()).unwrap_or_else(|| "reading failed".into())
}

pub(super) fn no_model() -> JsValue {
    js(Error::input("no model is loaded"))
}

pub(super) fn js(error: Error) -> JsValue {
    let thrown = JsError::new(&error.to_string());
    // The page opens the photograph again where what lay on the device is gone.
    if let Error::Lost(_) = error {
        thrown.set_name("Lost");
    }
    thrown.into()
}

pub(super) fn number(value: f64) -> JsValue {
    JsValue::from_f64(value)
}

fn now() -> f64 {
    js_sys::Date::now()
}

/// Milliseconds of a clock finer than the calendar's, where there is one.
pub(super) fn precise_now() -> f64 {
    let clock = Reflect::get(&js_sys::global(), &"performance".into()).ok();
    let clock = clock.and_then(|c| c.dyn_into::<web_sys::Performance>().ok());
    clock.map_or_else(now, |clock| clock.now())
}

/// `{ shape, data }`
pub(super) fn tensor(tensor: &Tensor) -> JsResult<JsValue> {
    object(&[
        ("shape", to_js(&tensor.shape)?),
        ("data", Float32Array::from(tensor.values.as_slice()).into()),
    ])
}

/// What stays of a photograph that is let go.
pub(super) fn kept(kept: &Kept) -> JsResult<JsValue> {
    object(&[("vectors", tensor(&kept.vectors)?), ("spread", spread(&kept.spread)?)])
}

fn spread(spread: &Spread) -> JsResult<JsValue> {
    object(&[
        ("count", spread.count.into()),
        ("mean", Float32Array::from(spread.mean.as_slice()).into()),
        ("variance", Float32Array::from(spread.variance.as_slice()).into()),
    ])
}

/// A view's result as an object of typed arrays, which the worker can hand on without copying; `fine` are
/// its pixels where it was upsampled.
pub(super) fn map(map: &Map, fine: Option<&Fine>) -> JsResult<JsValue> {
    object(&[
        ("data", Float32Array::from(map.values.as_slice()).into()),
        ("shape", to_js(&map.shape)?),
        ("rgba", bytes(&map.rgba)),
        ("width", number(map.width as f64)),
        ("height", number(map.height as f64)),
        ("range", to_js(&map.range)?),
        ("labels", bytes(&map.labels)),
        ("names", to_js(&map.names)?),
        ("palette", to_js(&map.palette)?),
        ("shares", to_js(&map.shares)?),
        ("best", to_js(&map.best)?),
        ("fine", fine.map(raster).transpose()?.unwrap_or(JsValue::NULL)),
    ])
}

fn raster(fine: &Fine) -> JsResult<JsValue> {
    object(&[
        ("rgba", bytes(&fine.rgba)),
        ("width", number(fine.width as f64)),
        ("height", number(fine.height as f64)),
        ("labels", bytes(&fine.labels)),
    ])
}

fn bytes(bytes: &[u8]) -> JsValue {
    Uint8Array::from(bytes).into()
}

pub(super) fn object(entries: &[(&str, JsValue)]) -> JsResult<JsValue> {
    let pairs: Array = entries.iter().map(|(k, v)| Array::of2(&(*k).into(), v)).collect();
    Ok(Object::from_entries(&pairs)?.into())
}

pub(super) fn to_js(value: &impl Serialize) -> JsResult<JsValue> {
    Ok(value.serialize(&serde_wasm_bindgen::Serializer::json_compatible())?)
}

pub(super) fn four(shape: Vec<usize>) -> JsResult<[usize; 4]> {
    let wrong = |s: Vec<usize>| js(Error::input(format!("shape {s:?}: expected four lengths")));
    shape.try_into().map_err(wrong)
}
