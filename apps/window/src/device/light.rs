//! Light on what is alike to the patch under the pointer. Hidden states are read where they lie: none crosses the bus.

use eframe::egui::{PaintCallback, PaintCallbackInfo, Rect};
use eframe::egui_wgpu::{Callback, CallbackResources, CallbackTrait, ScreenDescriptor};
use internvit::wgpu::{self, util::DeviceExt};

use crate::talk::Held;

/// Cosines between which a patch becomes alike: as on the page.
const RANGE: [f32; 2] = [0.15, 0.6];
/// Invocations of a workgroup.
const GROUP: u32 = 64;

/// What is drawn.
struct Light {
    held: Held,
    patch: usize,
    strength: f32,
    format: wgpu::TextureFormat,
}

/// What is compiled once.
struct Pipelines {
    means: wgpu::ComputePipeline,
    cosines: wgpu::ComputePipeline,
    shade: wgpu::RenderPipeline,
}

/// What the render pass reads.
struct Ready(wgpu::BindGroup);

/// Shade on all that is not alike to a patch, over the part of the screen that shows what the model saw; from none (0)
/// to black (1). `format` is the screen's.
pub(super) fn light(
    over: Rect,
    held: Held,
    patch: usize,
    strength: f32,
    format: wgpu::TextureFormat,
) -> PaintCallback {
    Callback::new_paint_callback(over, Light { held, patch, strength, format })
}

impl Pipelines {
    fn new(device: &wgpu::Device, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::include_wgsl!("light.wgsl"));
        let compute = |entry: &str| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let target = wgpu::ColorTargetState {
            format,
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            write_mask: wgpu::ColorWrites::ALL,
        };
        let shade = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("shade"),
            layout: None,
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("cover"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("shade"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(target)],
            }),
            multiview_mask: None,
            cache: None,
        });
        Self { means: compute("means"), cosines: compute("cosines"), shade }
    }
}

impl Light {
    fn sheet(&self) -> [u8; 32] {
        let Held { first, channels, grid: [rows, cols], .. } = self.held;
        let whole =
            [first, channels, rows, cols, self.patch].map(|value| (value as u32).to_le_bytes());
        let parts = [self.strength, RANGE[0], RANGE[1]].map(f32::to_le_bytes);
        let mut bytes = [0; 32];
        let words = whole.into_iter().chain(parts);
        bytes.as_chunks_mut::<4>().0.iter_mut().zip(words).for_each(|(to, word)| *to = word);
        bytes
    }
}

impl CallbackTrait for Light {
    fn prepare(
        &self,
        device: &wgpu::Device,
        _queue: &wgpu::Queue,
        _screen: &ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if !resources.contains::<Pipelines>() {
            resources.insert(Pipelines::new(device, self.format));
        }
        let features: &wgpu::Buffer = &self.held.buffer;
        let Some(Pipelines { means, cosines, shade }) = resources.get::<Pipelines>() else {
            return Vec::new();
        };
        let sheet = device.create_buffer_init(&wgpu::util::BufferInitDescriptor {
            label: Some("sheet"),
            contents: &self.sheet(),
            usage: wgpu::BufferUsages::UNIFORM,
        });
        let patches = self.held.grid[0] * self.held.grid[1];
        let [mean, alike] =
            [("mean", self.held.channels), ("alike", patches)].map(|(label, count)| {
                device.create_buffer(&wgpu::BufferDescriptor {
                    label: Some(label),
                    size: 4 * count as u64,
                    usage: wgpu::BufferUsages::STORAGE,
                    mapped_at_creation: false,
                })
            });
        let buffers = [&sheet, features, &mean, &alike, &alike];
        let group = |layout: wgpu::BindGroupLayout, bindings: &[usize]| {
            let entries: Vec<_> = bindings
                .iter()
                .map(|at| wgpu::BindGroupEntry {
                    binding: *at as u32,
                    resource: buffers[*at].as_entire_binding(),
                })
                .collect();
            let label = Some("light");
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label,
                layout: &layout,
                entries: &entries,
            })
        };
        for (pipeline, bindings, count) in
            [(means, &[0, 1, 2][..], self.held.channels), (cosines, &[0, 1, 2, 3], patches)]
        {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, &group(pipeline.get_bind_group_layout(0), bindings), &[]);
            pass.dispatch_workgroups((count as u32).div_ceil(GROUP), 1, 1);
        }
        let ready = Ready(group(shade.get_bind_group_layout(0), &[0, 4]));
        resources.insert(ready);
        Vec::new()
    }

    fn paint(
        &self,
        _info: PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &CallbackResources,
    ) {
        let found = resources.get::<Pipelines>().zip(resources.get::<Ready>());
        if let Some((pipelines, Ready(group))) = found {
            pass.set_pipeline(&pipelines.shade);
            pass.set_bind_group(0, group, &[]);
            pass.draw(0..3, 0..1);
        }
    }
}
