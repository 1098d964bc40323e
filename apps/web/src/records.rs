//! Records that cross the boundary to JavaScript; `web/shared/protocol.ts` describes the same.

use serde::{Deserialize, Serialize};

use internvit::image::Resize;
use internvit::session::OpenDevice;

#[derive(Clone, Serialize)]
pub(super) struct DeviceReport {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) backend: String,
    pub(super) reason: Option<String>,
}

impl From<OpenDevice> for DeviceReport {
    fn from(device: OpenDevice) -> Self {
        match device {
            OpenDevice::Gpu(gpu) => Self {
                kind: "gpu",
                name: gpu.report.name.clone(),
                backend: "WebGPU".into(),
                reason: None,
            },
            OpenDevice::Cpu(reason) => {
                Self { kind: "cpu", name: "CPU".into(), backend: "WebAssembly".into(), reason }
            }
        }
    }
}

#[derive(Serialize)]
pub(super) struct ModelInfo {
    pub(super) hidden: usize,
    pub(super) layers: usize,
    pub(super) heads: usize,
    pub(super) image_size: usize,
    pub(super) patch: usize,
    pub(super) parameters: f64,
    pub(super) bytes: f64,
    pub(super) norm: String,
    pub(super) random_weights: bool,
    /// Classes of its segmentation head; 0 where it has none.
    pub(super) classes: usize,
    /// Classes of its classifier; 0 where it has none.
    pub(super) labels: usize,
    /// What it says of texts.
    pub(super) texts: &'static str,
}

/// A model's files of text.
#[derive(Deserialize)]
pub(super) struct Texts {
    pub(super) config: String,
    pub(super) processor: Option<String>,
    pub(super) preprocessor: Option<String>,
    /// Whether the tower for texts is wanted.
    pub(super) words: bool,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct Options {
    pub(super) image_size: Option<u32>,
    pub(super) resize: Option<Resize>,
    pub(super) tiles: Option<u32>,
    pub(super) shifts: Option<u32>,
    pub(super) most_patches: Option<u32>,
}

#[derive(Serialize)]
pub(super) struct PhotoInfo {
    pub(super) photo: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) region: [f64; 4],
    pub(super) rows: usize,
    pub(super) cols: usize,
    pub(super) tiles: usize,
    pub(super) tokens: usize,
    pub(super) hidden: usize,
    pub(super) milliseconds: f64,
    pub(super) tensors: Vec<String>,
    /// Patches that are wholly transparent.
    pub(super) clear: Vec<usize>,
}

#[derive(Serialize)]
pub(super) struct TaughtInfo {
    pub(super) layers: Vec<usize>,
    pub(super) names: Vec<String>,
    pub(super) palette: Vec<[u8; 3]>,
    pub(super) milliseconds: f64,
}
