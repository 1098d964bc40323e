//! Kernels compiled.

use std::collections::HashSet;

use super::caps::ENABLE;
use super::device::Gpu;
use super::kernels::Kernel;
use super::link::link;
use crate::parallel::prelude::*;
use crate::{Error, Result};

impl Gpu {
    /// Compiles what has not been compiled yet of `kernels`, natively all cores at once. A browser
    /// compiles beside the page by itself.
    pub(super) fn compile<'k>(&self, kernels: impl Iterator<Item = &'k Kernel>) -> Result<()> {
        let known = self.pipelines.borrow();
        let missing: HashSet<_> = kernels.filter(|kernel| !known.contains_key(*kernel)).collect();
        drop(known);
        let cache = self.cache.as_ref().map(|cache| &cache.pipelines);
        let device = &self.device;
        let missing: Vec<_> = missing.into_iter().collect();
        let compiled = missing
            .into_par_iter()
            .map(|kernel| Ok((kernel.clone(), pipeline(device, cache, kernel)?)));
        let compiled = compiled.collect::<Result<Vec<_>>>()?;
        self.check()?;
        self.pipelines.borrow_mut().extend(compiled);
        Ok(())
    }

    /// A kernel's pipeline, which was compiled before.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<wgpu::ComputePipeline> {
        let none = || Error::device(format!("{}: not compiled", kernel.files[0]));
        self.pipelines.borrow().get(kernel).cloned().ok_or_else(none)
    }

    /// Keeps what has been compiled for later processes.
    pub(super) fn save_pipelines(&self) {
        if let Some(cache) = &self.cache {
            cache.save(self.pipelines.borrow().len());
        }
    }
}

fn pipeline(
    device: &wgpu::Device,
    cache: Option<&wgpu::PipelineCache>,
    kernel: &Kernel,
) -> Result<wgpu::ComputePipeline> {
    let name = kernel.files[0].as_ref();
    let mut source = link(&kernel.files, &kernel.knobs)?;
    if crate::IN_BROWSER && source.contains("subgroup") {
        source.insert_str(0, ENABLE);
    }
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(name),
        source: wgpu::ShaderSource::Wgsl(source.into()),
    });
    Ok(device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(name),
        layout: None,
        module: &module,
        entry_point: Some("main"),
        compilation_options: Default::default(),
        cache,
    }))
}
