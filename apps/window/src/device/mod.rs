//! The device that draws the window, opened such that models can compute on it.

mod light;

use std::sync::{Arc, Mutex, PoisonError};

use eframe::egui::{PaintCallback, Rect, ViewportBuilder};
use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew};
use eframe::{CreationContext, NativeOptions};
use internvit::gpu::{Precision, environment_names};
use internvit::wgpu::{
    self, Adapter, AdapterInfo, Backends, DeviceDescriptor, DeviceType, Features, Limits, Queue,
    Surface, TextureFormat,
};
use internvit::{Compute, Device, Error, Gpu, Result};

use crate::talk::{Held, Place};

/// Sides of textures that all devices here have.
const SIDE: u32 = 8192;

/// The device that draws the window.
#[derive(Clone)]
pub(crate) struct Shared {
    info: AdapterInfo,
    device: wgpu::Device,
    queue: Queue,
    /// The screen's.
    format: TextureFormat,
    /// The first error that no call returned.
    fault: Arc<Mutex<Option<String>>>,
}

/// How eframe opens a window and its device.
pub(crate) fn options(viewport: ViewportBuilder, device: &Device) -> NativeOptions {
    NativeOptions { viewport, wgpu_options: configuration(device), ..NativeOptions::default() }
}

fn configuration(device: &Device) -> WgpuConfiguration {
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    // Those for which the library has kernels.
    setup.instance_descriptor.backends =
        Backends::from_env().unwrap_or(Backends::PRIMARY) & Backends::PRIMARY;
    let wish = match device {
        Device::Named(name) => Some(name.clone()),
        _ => std::env::var("WGPU_ADAPTER_NAME").ok().filter(|name| !name.trim().is_empty()),
    };
    let select = move |adapters: &[Adapter], surface: Option<&Surface<'_>>| {
        choose(adapters, surface, wish.as_deref())
            .ok_or_else(|| "no graphics adapter can draw a window".to_string())
    };
    setup.native_adapter_selector = Some(Arc::new(select));
    setup.device_descriptor = Arc::new(descriptor);
    WgpuConfiguration { wgpu_setup: WgpuSetup::CreateNew(setup), ..WgpuConfiguration::default() }
}

/// The adapter that is wished for, else the best: of those that can draw on the surface.
fn choose(
    adapters: &[Adapter],
    surface: Option<&Surface<'_>>,
    wish: Option<&str>,
) -> Option<Adapter> {
    let draws =
        |adapter: &&Adapter| surface.is_none_or(|surface| adapter.is_surface_supported(surface));
    let rank = |adapter: &Adapter| match adapter.get_info().device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu | DeviceType::Other => 2,
        DeviceType::Cpu => 3,
    };
    let mut able: Vec<&Adapter> = adapters.iter().filter(draws).collect();
    able.sort_by_key(|adapter| rank(adapter));
    let named = |adapter: &&&Adapter| {
        let name = adapter.get_info().name.to_lowercase();
        wish.is_some_and(|wish| name.contains(&wish.to_lowercase()))
    };
    // A model on an adapter that cannot draw computes on a device of its own.
    able.iter().find(named).or(able.first()).map(|adapter| (*adapter).clone())
}

/// All binding and buffer size that the adapter has, and what the library's kernels use where it is there.
fn descriptor(adapter: &Adapter) -> DeviceDescriptor<'static> {
    let has = adapter.limits();
    let required_limits = Limits {
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        max_buffer_size: has.max_buffer_size,
        max_texture_dimension_2d: SIDE.min(has.max_texture_dimension_2d),
        ..Limits::default()
    };
    let required_features = (Features::SUBGROUP | Features::TIMESTAMP_QUERY) & adapter.features();
    DeviceDescriptor {
        label: Some("window"),
        required_features,
        required_limits,
        ..DeviceDescriptor::default()
    }
}

impl Shared {
    /// The device that was opened; `lost` is called with the reason when it is lost.
    pub(crate) fn of(
        cc: &CreationContext<'_>,
        lost: impl Fn(String) + Send + 'static,
    ) -> Option<Self> {
        let state = cc.wgpu_render_state.as_ref()?;
        let fault: Arc<Mutex<Option<String>>> = Arc::default();
        let on_error = fault.clone();
        // Without a handler any error would end the program.
        state.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            on_error
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .get_or_insert(error.to_string());
        }));
        // A window that is closed lets its device go, which is no loss.
        state.device.set_device_lost_callback(move |reason, why| {
            if reason == wgpu::DeviceLostReason::Unknown {
                lost(why);
            }
        });
        Some(Self {
            info: state.adapter.get_info(),
            device: state.device.clone(),
            queue: state.queue.clone(),
            format: state.target_format,
            fault,
        })
    }

    /// Whether a model is to compute here. A software adapter draws the window, but computes only where it is asked
    /// for: the processor by itself is several times as fast. In f16 the library opens a device of its own, for
    /// only that has units for matrices.
    fn serves(&self, place: &Place) -> bool {
        let hardware = self.info.device_type != DeviceType::Cpu;
        if place.precision == Precision::F16 {
            return false;
        }
        match &place.device {
            // The library reads the name that the environment has.
            Device::Auto => hardware && !environment_names().unwrap_or(true),
            Device::Gpu => true,
            Device::Named(name) => self.info.name.to_lowercase().contains(&name.to_lowercase()),
            _ => false,
        }
    }

    /// Shade on all that is not alike to a patch, over the part of the screen that shows what the model saw; from none
    /// (0) to black (1). The features are read where they lie.
    pub(crate) fn light(
        &self,
        over: Rect,
        held: &Held,
        patch: usize,
        strength: f32,
    ) -> PaintCallback {
        light::light(over, held.clone(), patch, strength, self.format)
    }

    /// What went wrong on the device without a call that could say so.
    pub(crate) fn check(&self) -> Result<()> {
        match self.fault.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(fault) => Err(Error::device(fault)),
            None => Ok(()),
        }
    }
}

/// Where a model computes, and whether that is the window's own device.
pub(crate) fn compute(shared: Option<&Shared>, place: &Place) -> (Compute, bool) {
    match shared.filter(|shared| shared.serves(place)) {
        Some(Shared { info, device, queue, .. }) => {
            let gpu = Gpu::from_wgpu(info, device.clone(), queue.clone(), place.precision);
            (Compute::from(gpu), true)
        }
        None => (Compute::from(&place.device).precision(place.precision), false),
    }
}
