//! Adapters, and the device with what it can do.

use std::cell::{Cell, RefCell};
#[cfg(not(target_arch = "wasm32"))]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::adapter::{AdapterReport, Choice, Wish, find, matrix_side, report};
use super::cache::PipelineCache;
use super::health::{Health, Lever};
use super::run::SUBMISSION;
use super::{Buffer, Family, Precision};
use crate::progress::LocalBoxFuture;
use crate::weights::free_memory;
use crate::{Error, Result};

/// What the kernels' table and the plans' split over bindings need to know of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The adapter computes on the CPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
    /// Invocations of a subgroup; 0 where they vary, or where the device has none.
    pub subgroup: u32,
    /// Weights that 16 bits hold exactly are stored so: half the memory and its traffic. On the CPU
    /// the unpacking costs more.
    pub half_weights: bool,
    /// Rows of the square matrices of f16 that a subgroup multiplies and adds in f32: 8, 16, or 0
    /// where there are none, or where the device was opened for f32.
    pub matrix: u32,
    /// Bytes of one storage binding.
    pub max_binding: u64,
    /// Bytes of one buffer.
    pub max_buffer: u64,
    /// Bytes that can be had in all, where that is known: of a software adapter, the host's.
    pub free: Option<u64>,
}

/// An open device.
pub struct Gpu {
    pub(super) device: wgpu::Device,
    pub(super) queue: wgpu::Queue,
    /// What it can do.
    pub caps: Caps,
    /// What it was opened for.
    pub precision: Precision,
    /// Kernels to run in place of those that suit it best.
    pub forced: Option<Family>,
    /// Name and API, for people.
    pub report: AdapterReport,
    pub(super) pipelines: RefCell<super::pipelines::Pipelines>,
    pub(super) cache: Option<PipelineCache>,
    /// Staging buffers, kept from read to read.
    pub(super) staging: RefCell<Vec<Buffer>>,
    /// Seconds that a submission should take, where runs need several; cutting adapts to it.
    pub submission: f64,
    /// Operations of a submission as measured; 0 before that.
    pub(super) pace: Cell<f64>,
    pub(super) health: Arc<Health>,
    pub(super) lever: Lever,
    opening: Opening,
}

/// How a device is opened.
#[derive(Clone)]
struct Opening {
    choice: Choice,
    precision: Precision,
    /// WebGPU's default limits and no optional feature.
    small: bool,
}

/// A submission that can be waited for.
pub struct Submitted(
    #[cfg(target_arch = "wasm32")] futures_channel::oneshot::Receiver<()>,
    #[cfg(not(target_arch = "wasm32"))] wgpu::SubmissionIndex,
);

/// What matrix units take.
const MATRIX: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

fn instance(kinds: wgpu::Backends) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = kinds;
    wgpu::Instance::new(descriptor)
}

/// The adapters of some kinds, the best first.
#[cfg(not(target_arch = "wasm32"))]
pub(super) async fn ranked(kinds: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut list = instance(kinds).enumerate_adapters(kinds).await;
    list.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    list
}

/// A browser offers one adapter.
#[cfg(target_arch = "wasm32")]
pub(super) async fn ranked(kinds: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        ..Default::default()
    };
    instance(kinds).request_adapter(&options).await.into_iter().collect()
}

impl Drop for Gpu {
    fn drop(&mut self) {
        // A browser would keep it, and all that it compiled, until garbage is collected.
        self.device.destroy();
    }
}

impl Gpu {
    /// Opens a device with all the binding and buffer size that it has, and with timestamps
    /// where it has them. Compiled pipelines are kept in the user's cache folder.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no adapter, none of that name, or the driver refuses.
    pub async fn open(choice: &Choice) -> Result<Self> {
        Self::open_as(choice, Precision::F32).await
    }

    /// As [`Gpu::open`], for a precision.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_as(choice: &Choice, precision: Precision) -> Result<Self> {
        Self::open_with(Opening { choice: choice.clone(), precision, small: false }).await
    }

    /// As [`Gpu::open_as`] for the best adapter, unless that computes on the CPU, where `cpu` is
    /// several times as fast. One that the environment names is taken whatever it is.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no GPU, or the driver refuses.
    pub async fn open_hardware(precision: Precision) -> Result<Self> {
        let gpu = Self::open_as(&Choice::Auto, precision).await?;
        if gpu.caps.software && Wish::from_env()?.name.is_none() {
            return Err(Error::device("no GPU, only a software adapter"));
        }
        Ok(gpu)
    }

    /// Opens a device with WebGPU's default limits and no optional feature, as the smallest browser
    /// offers them.
    pub async fn open_default_limits(choice: &Choice, precision: Precision) -> Result<Self> {
        Self::open_with(Opening { choice: choice.clone(), precision, small: true }).await
    }

    /// Opens it anew, as it was opened before and for a precision, with the same kernels: what lay on
    /// this one stays there, or was lost with it.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn reopen(&self, precision: Precision) -> Result<Self> {
        let mut gpu = Self::open_with(Opening { precision, ..self.opening.clone() }).await?;
        if gpu.report.name == self.report.name {
            gpu.caps = Caps { matrix: gpu.caps.matrix, ..self.caps.clone() };
        }
        gpu.forced = self.forced.filter(|family| family.runs_on(&gpu.caps));
        (gpu.submission, gpu.lever) = (self.submission, self.lever.clone());
        Ok(gpu)
    }

    fn open_with(opening: Opening) -> LocalBoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let mut features = match opening.small {
                true => wgpu::Features::empty(),
                false => {
                    wgpu::Features::TIMESTAMP_QUERY
                        | wgpu::Features::SUBGROUP
                        | wgpu::Features::PIPELINE_CACHE
                }
            };
            if opening.precision == Precision::F16 && !opening.small {
                features |= MATRIX;
            }
            let adapter = &find(&opening.choice).await?;
            features &= adapter.features();
            if !features.contains(MATRIX) || matrix_side(adapter) == 0 {
                features.remove(MATRIX);
            }
            let experimental_features = if features.contains(MATRIX) {
                // SAFETY: experimental features may have undefined behaviour where they are used
                // wrongly. One is used, by two shaders, whose matrices lie within their workgroup memory
                // and, in attention, within a picture's rows of a slot.
                unsafe { wgpu::ExperimentalFeatures::enabled() }
            } else {
                wgpu::ExperimentalFeatures::disabled()
            };
            let descriptor = wgpu::DeviceDescriptor {
                label: Some("internvit"),
                required_features: features,
                required_limits: if opening.small {
                    wgpu::Limits::default()
                } else {
                    offered(adapter)
                },
                experimental_features,
                ..Default::default()
            };
            let (device, queue) = adapter
                .request_device(&descriptor)
                .await
                .map_err(|e| Error::device(format!("{}: {e}", report(adapter).name)))?;
            let limits = device.limits();
            let report = report(adapter);
            // SwiftShader does not always call itself a fallback adapter.
            let software =
                report.kind == "Cpu" || report.name.to_lowercase().contains("swiftshader");
            let info = adapter.get_info();
            let sizes = [info.subgroup_min_size, info.subgroup_max_size];
            let even = device.features().contains(wgpu::Features::SUBGROUP) && sizes[0] == sizes[1];
            let matrices = even && sizes[0] <= 64 && device.features().contains(MATRIX);
            let caps = Caps {
                software,
                subgroup: if even { sizes[0] } else { 0 },
                matrix: if matrices { matrix_side(adapter) } else { 0 },
                half_weights: !software,
                max_binding: limits.max_storage_buffer_binding_size,
                max_buffer: limits.max_buffer_size,
                free: free_memory().filter(|_| software),
            };
            let health = Health::watch(&device);
            let cache = PipelineCache::open(&device, &info);
            let (pipelines, staging) = Default::default();
            Ok(Self {
                device,
                queue,
                caps,
                precision: opening.precision,
                forced: None,
                report,
                pipelines,
                cache,
                staging,
                submission: SUBMISSION,
                pace: Cell::new(0.0),
                health,
                lever: Lever::default(),
                opening,
            })
        })
    }

    /// The kernels that it runs.
    pub fn family(&self) -> Family {
        let own = match self.precision {
            Precision::W8A8 => Family::Packed,
            _ => Family::of(&self.caps),
        };
        self.forced.unwrap_or(own)
    }

    /// Bytes of device memory that are allocated, and in how many pieces, where wgpu allocates it.
    pub fn allocated(&self) -> Option<(u64, usize)> {
        let report = self.device.generate_allocator_report()?;
        Some((report.total_allocated_bytes, report.allocations.len()))
    }

    /// Submits what `encoder` recorded.
    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> Submitted {
        let _index = self.queue.submit([encoder.finish()]);
        if self.lever.falls() {
            self.lose();
        }
        #[cfg(target_arch = "wasm32")]
        {
            let (send, receive) = futures_channel::oneshot::channel();
            self.queue.on_submitted_work_done(move || {
                let _ = send.send(());
            });
            Submitted(receive)
        }
        #[cfg(not(target_arch = "wasm32"))]
        Submitted(_index)
    }

    /// Waits until the device has done a submission, and those before it.
    ///
    /// # Errors
    /// [`Error::Lost`], [`Error::Device`].
    pub async fn wait(&self, submitted: Submitted) -> Result<()> {
        #[cfg(target_arch = "wasm32")]
        let _ = submitted.0.await;
        #[cfg(not(target_arch = "wasm32"))]
        {
            let index = Some(submitted.0);
            let wait = wgpu::PollType::Wait { submission_index: index, timeout: None };
            // wgpu panics where the driver says, while it waits, that the device is gone.
            match catch_unwind(AssertUnwindSafe(|| self.device.poll(wait))) {
                Ok(polled) => polled.map(|_| ()).map_err(|e| self.failed(e))?,
                Err(_) => self.health.lose("the driver stopped while it computed"),
            }
        }
        self.check()
    }

    /// Hands what waits to be uploaded to the device, frees its staging memory, and waits until
    /// the device has done all that was submitted.
    pub(super) async fn flush(&self) -> Result<()> {
        let encoder = self.device.create_command_encoder(&Default::default());
        let submitted = self.submit(encoder);
        self.wait(submitted).await
    }
}

/// WebGPU's defaults, with the sizes that the adapter has.
fn offered(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let has = adapter.limits();
    wgpu::Limits {
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        max_buffer_size: has.max_buffer_size,
        ..wgpu::Limits::default()
    }
}
