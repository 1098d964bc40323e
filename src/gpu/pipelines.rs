//! Kernels compiled.

use super::caps::ENABLE;
use super::device::Gpu;
use super::kernels::Kernel;
use super::link::link;
use crate::Result;

impl Gpu {
    /// The kernel's pipeline, compiled at first use.
    pub(super) fn pipeline(&self, kernel: &Kernel) -> Result<wgpu::ComputePipeline> {
        if let Some(pipeline) = self.pipelines.borrow().get(kernel) {
            return Ok(pipeline.clone());
        }
        let name = kernel.files[0].as_ref();
        let mut source = link(&kernel.files, &kernel.knobs)?;
        if crate::IN_BROWSER && source.contains("subgroup") {
            source.insert_str(0, ENABLE);
        }
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: Default::default(),
            cache: self.cache.as_ref().map(|cache| &cache.pipelines),
        });
        self.check()?;
        self.pipelines.borrow_mut().insert(kernel.clone(), pipeline.clone());
        Ok(pipeline)
    }

    /// Keeps what has been compiled for later processes.
    pub(super) fn save_pipelines(&self) {
        if let Some(cache) = &self.cache {
            cache.save(self.pipelines.borrow().len());
        }
    }
}
