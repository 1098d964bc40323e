//! Adapters: which there are, which is taken, and what people and the kernels' table want to know of
//! them.

use crate::{Error, Result};

/// The feature that shares values between the invocations of a subgroup.
pub(super) const SUBGROUPS: &str = "subgroups";

/// An adapter, described.
#[derive(Clone, Debug, serde::Serialize)]
#[non_exhaustive]
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

/// Which adapter is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// The best: a discrete GPU, else another GPU, else software.
    Auto,
    /// The one whose name contains these words, whatever the case.
    Named(String),
}

/// What the environment asks for, as other programs of wgpu's understand it.
#[derive(Default)]
pub(super) struct Wish {
    /// WGPU_BACKEND: vulkan, metal or dx12, or several with commas.
    backends: Option<wgpu::Backends>,
    /// WGPU_ADAPTER_NAME: a part of the adapter's name, whatever the case.
    pub(super) name: Option<String>,
}

impl Wish {
    /// A browser has no such variables.
    pub(super) fn from_env() -> Result<Self> {
        let variable = |name| std::env::var(name).ok().filter(|text| !text.trim().is_empty());
        let backends = variable("WGPU_BACKEND").map(|text| backends(&text)).transpose()?;
        Ok(Self { backends, name: variable("WGPU_ADAPTER_NAME") })
    }
}

fn backends(text: &str) -> Result<wgpu::Backends> {
    let one = |word: &str| {
        let known = wgpu::Backends::from_comma_list(word) & wgpu::Backends::PRIMARY;
        let wrong = || {
            let expected = "expected vulkan, metal or dx12, or several with commas";
            Error::device(format!("WGPU_BACKEND: {expected}, found {word:?}"))
        };
        if known.is_empty() { Err(wrong()) } else { Ok(known) }
    };
    text.split(',').map(str::trim).map(one).collect()
}

fn instance(kinds: wgpu::Backends) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = kinds;
    wgpu::Instance::new(descriptor)
}

/// The adapters of some kinds, the best first.
async fn ranked(kinds: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let instance = instance(kinds);
    let mut list = instance.enumerate_adapters(kinds).await;
    // A browser offers one, and a faster one where that is asked for.
    let browser = |a: &wgpu::Adapter| a.get_info().backend == wgpu::Backend::BrowserWebGpu;
    if list.iter().any(browser) {
        let power_preference = wgpu::PowerPreference::HighPerformance;
        let options = wgpu::RequestAdapterOptions { power_preference, ..Default::default() };
        return instance.request_adapter(&options).await.into_iter().collect();
    }
    list.sort_by_key(|adapter| match adapter.get_info().device_type {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu | wgpu::DeviceType::Other => 2,
        wgpu::DeviceType::Cpu => 3,
    });
    list
}

/// Every adapter that could be chosen, the best first; WGPU_BACKEND says of which kinds.
///
/// # Errors
/// [`Error::Device`] where WGPU_BACKEND is no kind that there is.
pub async fn adapters() -> Result<Vec<AdapterReport>> {
    let kinds = Wish::from_env()?.backends.unwrap_or(wgpu::Backends::PRIMARY);
    Ok(ranked(kinds).await.iter().map(report).collect())
}

/// Whether the environment names an adapter, which is then taken or an error.
///
/// # Errors
/// As [`adapters`].
pub fn environment_names() -> Result<bool> {
    Ok(Wish::from_env()?.name.is_some())
}

/// The adapter to take. What the caller names comes before what the environment does.
pub(super) async fn find(choice: &Choice) -> Result<wgpu::Adapter> {
    let wish = Wish::from_env()?;
    let kinds = wish.backends.unwrap_or(wgpu::Backends::PRIMARY);
    let mut list = ranked(kinds).await;
    let named = |list: &[wgpu::Adapter], name: &str| {
        let holds =
            |a: &wgpu::Adapter| report(a).name.to_lowercase().contains(&name.to_lowercase());
        list.iter().position(holds)
    };
    let (from, name) = match (choice, &wish.name) {
        (Choice::Named(name), _) => ("", Some(name)),
        (Choice::Auto, Some(name)) => ("WGPU_ADAPTER_NAME: ", Some(name)),
        (Choice::Auto, None) => ("", None),
    };
    let mut at = name.map_or_else(|| (!list.is_empty()).then_some(0), |name| named(&list, name));
    if let (None, Choice::Named(name), Some(_)) = (at, choice, wish.backends) {
        list = ranked(wgpu::Backends::PRIMARY).await;
        at = named(&list, name);
    }
    let among = wish.backends.map_or("", |_| " by the kinds that WGPU_BACKEND allows");
    match (at, name) {
        (Some(at), _) => Ok(list.swap_remove(at)),
        (None, None) => Err(Error::device(format!("no graphics adapter found{among}"))),
        (None, Some(name)) => {
            let names: Vec<_> = list.iter().map(|a| report(a).name).collect();
            let names = if names.is_empty() { "none".into() } else { names.join(", ") };
            Err(Error::device(format!("{from}no adapter called {name:?}{among}; found: {names}")))
        }
    }
}

/// An adapter, described.
pub(super) fn report(adapter: &wgpu::Adapter) -> AdapterReport {
    let (features, limits) = (adapter.features(), adapter.limits());
    let matrices = matrices(adapter);
    AdapterReport { matrices, ..AdapterReport::new(&adapter.get_info(), features, &limits) }
}

impl AdapterReport {
    /// Of an adapter that only its device is known of.
    pub(super) fn of_device(info: &wgpu::AdapterInfo, device: &wgpu::Device) -> Self {
        Self::new(info, device.features(), &device.limits())
    }

    fn new(info: &wgpu::AdapterInfo, features: wgpu::Features, limits: &wgpu::Limits) -> Self {
        let known = [
            (wgpu::Features::SHADER_F16, "shader-f16"),
            (wgpu::Features::SUBGROUP, SUBGROUPS),
            (wgpu::Features::TIMESTAMP_QUERY, "timestamp-query"),
            (wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, "cooperative-matrix"),
        ];
        let has = known.iter().filter(|(feature, _)| features.contains(*feature));
        Self {
            name: if info.name.is_empty() { "WebGPU adapter".into() } else { info.name.clone() },
            backend: format!("{:?}", info.backend),
            kind: format!("{:?}", info.device_type),
            driver: format!("{} {}", info.driver, info.driver_info).trim().into(),
            features: has.map(|(_, name)| *name).collect(),
            subgroup: [info.subgroup_min_size, info.subgroup_max_size],
            matrices: Vec::new(),
            max_binding: limits.max_storage_buffer_binding_size,
            max_buffer: limits.max_buffer_size,
            workgroup_memory: limits.max_compute_workgroup_storage_size,
            invocations: limits.max_compute_invocations_per_workgroup,
            storage_buffers: limits.max_storage_buffers_per_shader_stage,
        }
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

/// WebGPU's defaults, with the sizes that the adapter has.
pub(super) fn offered(adapter: &wgpu::Adapter) -> wgpu::Limits {
    let has = adapter.limits();
    wgpu::Limits {
        max_storage_buffer_binding_size: has.max_storage_buffer_binding_size,
        max_buffer_size: has.max_buffer_size,
        ..wgpu::Limits::default()
    }
}
