//! The device: opened by a choice, or given by the caller.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Display;
#[cfg(not(target_arch = "wasm32"))]
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::adapter::{AdapterReport, Choice, SUBGROUPS, Wish, find, matrix_side, offered, report};
use super::buffer::Buffer;
use super::cache::PipelineCache;
use super::caps::{Caps, has_subgroups};
use super::family::Family;
use super::fault_injection::FaultInjector;
use super::health::{Health, lock};
use super::kernels::Kernel;
#[cfg(feature = "probe")]
use super::tuning::Tuning;
use crate::precision::Precision;
use crate::progress::LocalBoxFuture;
use crate::{Error, Result};

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
    pub(super) pipelines: RefCell<Pipelines>,
    pub(super) cache: Option<PipelineCache>,
    /// What probes found; of a device that the caller opened nothing.
    #[cfg(feature = "probe")]
    pub(super) tuning: RefCell<Tuning>,
    /// Staging buffers, kept from read to read.
    pub(super) staging: RefCell<Vec<Buffer>>,
    /// Seconds that a submission should take, where runs need several; cutting adapts to it.
    pub submission: f64,
    /// Operations of a submission as measured; 0 before that.
    pub(super) pace: Cell<f64>,
    pub(super) health: Arc<Health>,
    pub(super) faults: FaultInjector,
    /// None for a device that the caller opened.
    opening: Option<Opening>,
}

/// Compiled kernels.
pub(super) type Pipelines = HashMap<Kernel, wgpu::ComputePipeline>;

/// Seconds that a submission should take: far from any watchdog's patience, long enough to keep a GPU
/// busy.
pub(super) const SUBMISSION: f64 = 0.2;

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

impl Drop for Gpu {
    fn drop(&mut self) {
        // A browser would keep it, and all that it compiled, until garbage is collected.
        if self.opening.is_some() {
            self.device.destroy();
        }
    }
}

/// A device that the caller opened, for f32: [`Gpu::from_wgpu`].
impl From<(wgpu::Device, wgpu::Queue)> for Gpu {
    fn from((device, queue): (wgpu::Device, wgpu::Queue)) -> Self {
        Self::from_wgpu(&device.adapter_info(), device, queue, Precision::F32)
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
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub async fn open_default_limits(choice: &Choice, precision: Precision) -> Result<Self> {
        Self::open_with(Opening { choice: choice.clone(), precision, small: true }).await
    }

    /// Opens it again, as it was opened before and for a precision, with the same kernels: what lay on
    /// this one stays there, or was lost with it.
    ///
    /// # Errors
    /// As [`Gpu::open`]; [`Error::Lost`] for a device that the caller opened.
    pub async fn reopen(&self, precision: Precision) -> Result<Self> {
        let Some(opening) = self.opening.clone() else {
            let name = &self.report.name;
            let whose = "was opened by the caller, who alone can open it again";
            return Err(Error::Lost(format!("{name} {whose}")));
        };
        let mut gpu = Self::open_with(Opening { precision, ..opening }).await?;
        if gpu.report.name == self.report.name {
            gpu.caps = Caps { matrix: gpu.caps.matrix, ..self.caps.clone() };
            #[cfg(feature = "probe")]
            gpu.tuning.replace(self.tuning.borrow().clone());
        }
        gpu.forced = self.forced.filter(|family| family.runs_on(&gpu.caps));
        (gpu.submission, gpu.faults) = (self.submission, self.faults.clone());
        Ok(gpu)
    }

    /// A device that the caller opened, and goes on to own: it is not destroyed here. Uncaptured errors and
    /// the device's loss reach the caller's own handlers.
    ///
    /// Kernels with cooperative matrices are for devices that are opened here. All others keep to
    /// WebGPU's default limits; subgroups, timestamps and larger bindings are used where the device has
    /// them.
    pub fn from_wgpu(
        info: &wgpu::AdapterInfo,
        device: wgpu::Device,
        queue: wgpu::Queue,
        precision: Precision,
    ) -> Self {
        let report = AdapterReport::of_device(info, &device);
        let subgroups = device.features().contains(wgpu::Features::SUBGROUP);
        let caps = Caps::of_device(info, &device, &report, subgroups, 0);
        Self::with(device, queue, caps, report, precision, Arc::default(), None, None)
    }

    fn open_with(opening: Opening) -> LocalBoxFuture<'static, Result<Self>> {
        Box::pin(async move {
            let adapter = find(&opening.choice).await?;
            let features = opening.features(&adapter);
            let (device, queue) = opening.request(&adapter, features).await?;
            let (mut report, info) = (report(&adapter), adapter.get_info());
            let subgroups = has_subgroups(&device).await;
            if subgroups && !report.features.contains(&SUBGROUPS) {
                report.features.push(SUBGROUPS);
            }
            let side = if features.contains(MATRIX) { matrix_side(&adapter) } else { 0 };
            let caps = Caps::of_device(&info, &device, &report, subgroups, side);
            let health = Health::watch(&device);
            let cache = PipelineCache::open(&device, &info);
            let precision = opening.precision;
            #[cfg(feature = "probe")]
            let tuning = Tuning::open(&info, caps.software)?;
            let gpu =
                Self::with(device, queue, caps, report, precision, health, cache, Some(opening));
            #[cfg(feature = "probe")]
            gpu.tuning.replace(tuning);
            Ok(gpu)
        })
    }

    #[allow(clippy::too_many_arguments, reason = "the fields that differ, for two constructors")]
    fn with(
        device: wgpu::Device,
        queue: wgpu::Queue,
        caps: Caps,
        report: AdapterReport,
        precision: Precision,
        health: Arc<Health>,
        cache: Option<PipelineCache>,
        opening: Option<Opening>,
    ) -> Self {
        let (pipelines, staging) = Default::default();
        Self {
            device,
            queue,
            caps,
            precision,
            forced: None,
            report,
            pipelines,
            cache,
            #[cfg(feature = "probe")]
            tuning: RefCell::default(),
            staging,
            submission: SUBMISSION,
            pace: Cell::new(0.0),
            health,
            faults: FaultInjector::default(),
            opening,
        }
    }

    /// The family of kernels that a probe found fastest for a shape.
    #[cfg(feature = "probe")]
    pub(super) fn best_family(&self, shape: Option<String>) -> Option<Family> {
        let found = self.tuning.borrow().family(&shape?)?;
        Family::candidates(&self.caps).find(|family| *family == found)
    }

    /// Bytes of device memory that are allocated, and in how many pieces, where wgpu allocates it.
    pub fn allocated(&self) -> Option<(u64, usize)> {
        let report = self.device.generate_allocator_report()?;
        Some((report.total_allocated_bytes, report.allocations.len()))
    }

    /// Submits what `encoder` recorded.
    pub(super) fn submit(&self, encoder: wgpu::CommandEncoder) -> Submitted {
        let _index = self.queue.submit([encoder.finish()]);
        #[cfg(feature = "language")]
        self.health.submitted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        if self.faults.due() {
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

    /// Destroys the device, as a driver that is reset does: for tests.
    pub fn lose(&self) {
        self.device.destroy();
        self.health.lose("it was destroyed");
    }

    /// What loses the device while it is lent to a run: for tests.
    pub fn fault_injector(&self) -> FaultInjector {
        self.faults.clone()
    }

    /// The device for another model: its kernels stay compiled. None where it was lost.
    pub fn emptied(self) -> Option<Self> {
        self.staging.borrow_mut().clear();
        self.alive().is_ok().then_some(self)
    }

    /// [`Error::Lost`] where the device was lost.
    pub(super) fn alive(&self) -> Result<()> {
        match self.health.lost.get() {
            None => Ok(()),
            Some(why) => Err(Error::Lost(format!(
                "{} stopped: {why}; close what else uses it, take a smaller batch or picture, or \
                 compute on the CPU",
                self.report.name
            ))),
        }
    }

    /// The error of a call that failed: all calls do where the device was lost.
    pub(super) fn failed(&self, reason: impl Display) -> Error {
        self.alive().err().unwrap_or_else(|| Error::device(reason))
    }

    /// The first error that no call returned, once; always that the device was lost.
    pub(super) fn check(&self) -> Result<()> {
        self.alive()?;
        lock(&self.health.fault).take().map_or(Ok(()), |reason| Err(Error::Device(reason)))
    }
}

impl Opening {
    /// The features that the device is opened with.
    fn features(&self, adapter: &wgpu::Adapter) -> wgpu::Features {
        if self.small {
            return wgpu::Features::empty();
        }
        let mut features = wgpu::Features::TIMESTAMP_QUERY
            | wgpu::Features::SUBGROUP
            | wgpu::Features::PIPELINE_CACHE;
        if self.precision == Precision::F16 {
            features |= MATRIX;
        }
        features &= adapter.features();
        if !features.contains(MATRIX) || matrix_side(adapter) == 0 {
            features.remove(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX);
        }
        features
    }

    async fn request(
        &self,
        adapter: &wgpu::Adapter,
        features: wgpu::Features,
    ) -> Result<(wgpu::Device, wgpu::Queue)> {
        let experimental_features = if features.contains(MATRIX) {
            // SAFETY: experimental features may have undefined behaviour where they are used
            // wrongly. One is used, by two shaders, whose matrices lie within their workgroup memory
            // and, in attention, within a picture's rows of a slot.
            unsafe { wgpu::ExperimentalFeatures::enabled() }
        } else {
            wgpu::ExperimentalFeatures::disabled()
        };
        let required_limits = if self.small { wgpu::Limits::default() } else { offered(adapter) };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("internvit"),
            required_features: features,
            required_limits,
            experimental_features,
            ..Default::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        opened.map_err(|e| Error::device(format!("{}: {e}", report(adapter).name)))
    }
}
