//! What a device can do.

use super::adapter::AdapterReport;
use crate::weights::free_memory;

/// What the kernels' table and the plans' split over bindings need to know of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caps {
    /// The adapter computes on the CPU (lavapipe, SwiftShader, WARP).
    pub software: bool,
    /// Invocations of a subgroup; 0 where they vary, or where the device has none.
    pub subgroup: u32,
    /// Invocations of the smallest subgroup, also where they vary; 0 where the device has none.
    pub least_subgroup: u32,
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

impl Caps {
    /// Of a device whose matrix units take matrices of `side` rows, or 0.
    pub(super) fn of_device(
        info: &wgpu::AdapterInfo,
        device: &wgpu::Device,
        report: &AdapterReport,
        subgroups: bool,
        side: u32,
    ) -> Self {
        // SwiftShader does not always call itself a fallback adapter.
        let software = info.device_type == wgpu::DeviceType::Cpu
            || report.name.to_lowercase().contains("swiftshader");
        let [least, most] = [info.subgroup_min_size, info.subgroup_max_size];
        let even = subgroups && least == most;
        let limits = device.limits();
        Self {
            software,
            subgroup: if even { least } else { 0 },
            least_subgroup: if subgroups { least } else { 0 },
            matrix: if even && least <= 64 { side } else { 0 },
            half_weights: !software,
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            free: free_memory().filter(|_| software),
        }
    }
}

/// Directive of a shader with operations over subgroups, which browsers want and naga does not know yet.
pub(super) const ENABLE: &str = "enable subgroups;";

/// Whether a device was opened with subgroups. Of a browser's wgpu cannot tell: there the compiler can.
pub(super) async fn has_subgroups(device: &wgpu::Device) -> bool {
    if !crate::IN_BROWSER {
        return device.features().contains(wgpu::Features::SUBGROUP);
    }
    let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let source = wgpu::ShaderSource::Wgsl(ENABLE.into());
    let module = wgpu::ShaderModuleDescriptor { label: Some("subgroups"), source };
    let _ = device.create_shader_module(module);
    scope.pop().await.is_none()
}
