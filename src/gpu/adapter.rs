//! Adapters described: what people and the kernels' table want to know of them.

/// An adapter, described.
#[derive(Clone, Debug, serde::Serialize)]
pub struct AdapterReport {
    /// The adapter's name.
    pub name: String,
    /// Vulkan, Metal, Dx12 or BrowserWebGpu.
    pub backend: String,
    /// Kind of device.
    pub kind: String,
    /// Driver and version.
    pub driver: String,
    /// Optional features that matter here.
    pub features: Vec<&'static str>,
    /// Invocations of a subgroup, at least and at most.
    pub subgroup: [u32; 2],
    /// Shapes of cooperative matrices, rows × columns × depth and the types multiplied and added.
    pub matrices: Vec<String>,
    /// Bytes of one storage binding.
    pub max_binding: u64,
    /// Bytes of one buffer.
    pub max_buffer: u64,
    /// Bytes of workgroup memory.
    pub workgroup_memory: u32,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Storage buffers of a stage.
    pub storage_buffers: u32,
}

pub(super) fn report(adapter: &wgpu::Adapter) -> AdapterReport {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let known = [
        (wgpu::Features::SHADER_F16, "shader-f16"),
        (wgpu::Features::SUBGROUP, "subgroups"),
        (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
        (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative-matrix"),
    ];
    AdapterReport {
        name: if info.name.is_empty() { "WebGPU adapter".into() } else { info.name },
        backend: format!("{:?}", info.backend),
        kind: format!("{:?}", info.device_type),
        driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
        features: known.iter().filter(|(f, _)| features.contains(*f)).map(|(_, n)| *n).collect(),
        subgroup: [info.subgroup_min_size, info.subgroup_max_size],
        matrices: matrices(adapter),
        max_binding: limits.max_storage_buffer_binding_size,
        max_buffer: limits.max_buffer_size,
        workgroup_memory: limits.max_compute_workgroup_storage_size,
        invocations: limits.max_compute_invocations_per_workgroup,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
    }
}

fn matrices(adapter: &wgpu::Adapter) -> Vec<String> {
    let list = adapter.cooperative_matrix_properties().into_iter();
    let mut shapes: Vec<_> = list
        .map(|m| {
            let types = format!("{:?} to {:?}", m.ab_type, m.cr_type).to_lowercase();
            format!("{} × {} × {} {types}", m.m_size, m.n_size, m.k_size)
        })
        .collect();
    shapes.dedup();
    shapes
}

/// Side of the largest square matrices of f16 that are added in f32. Vulkan is where the kernels have
/// been run.
pub(super) fn matrix_side(adapter: &wgpu::Adapter) -> u32 {
    use wgpu::CooperativeScalarType::{F16, F32};
    if adapter.get_info().backend != wgpu::Backend::Vulkan {
        return 0;
    }
    let list = adapter.cooperative_matrix_properties();
    let fits = |m: &&wgpu::CooperativeMatrixProperties| {
        m.m_size == m.n_size && m.n_size == m.k_size && m.ab_type == F16 && m.cr_type == F32
    };
    list.iter().filter(fits).map(|m| m.m_size).max().unwrap_or(0)
}
