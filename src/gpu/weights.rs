//! A checkpoint's tensors on the device, uploaded one at a time.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use super::pack::{Format, PANEL, pack_dots, pack_linear, packed_len};
use super::{Gpu, Precision};
use crate::plan::{Op, Plan};
use crate::weights::{Checkpoint, Quant, Quantised};
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name. Matrices are packed in panels: in
/// f16 where that is the device's precision, else in 16 bits where that loses nothing and the
/// device gains.
pub struct GpuWeights {
    buffers: HashMap<String, Weight>,
    bytes: u64,
}

/// A tensor on the device.
pub(super) struct Weight {
    pub(super) buffer: wgpu::Buffer,
    pub(super) format: Format,
    /// Of a matrix in few bits: the packed scales of all its panels.
    pub(super) scales: Option<wgpu::Buffer>,
}

/// How a tensor lies on the device.
#[derive(Clone, Copy)]
enum Layout {
    Plain,
    Panels { planes: usize, cols: usize, k: usize },
}

/// Bytes that may wait in staging memory before the queue is flushed.
const STAGED: u64 = 32 << 20;

impl GpuWeights {
    /// Uploads what `plans` use from `checkpoint`. `progress` is told the stored bytes read so far
    /// and may stop the upload, which then ends with [`Error::Cancelled`].
    ///
    /// Host memory: one tensor as stored and as f32, and a few panels.
    pub async fn upload(
        gpu: &Gpu,
        plans: &[Plan],
        checkpoint: &Checkpoint,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let mut this = Self { buffers: HashMap::new(), bytes: 0 };
        let mut done = 0;
        for (plan, step) in
            plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step)))
        {
            for name in step.op.weights() {
                if this.buffers.contains_key(name) {
                    continue;
                }
                let values = checkpoint.tensor(name).await?;
                let stored = checkpoint.quant(name);
                this.put(gpu, name, layout(plan, &step.op, name), stored, &values).await?;
                done += checkpoint.stored_bytes(name);
                if progress(done).await.is_break() {
                    return Err(Error::Cancelled);
                }
            }
        }
        gpu.flush().await?;
        Ok(this)
    }

    /// One tensor that `plan` uses, from memory.
    pub(super) async fn of(gpu: &Gpu, plan: &Plan, name: &str, values: &[f32]) -> Result<Self> {
        let mut this = Self { buffers: HashMap::new(), bytes: 0 };
        for step in plan.steps.iter().filter(|step| step.op.weights().contains(&name)) {
            this.put(gpu, name, layout(plan, &step.op, name), None, values).await?;
        }
        Ok(this)
    }

    /// A matrix that is `stored` in few bits stays so: rounded again it is the same.
    async fn put(
        &mut self,
        gpu: &Gpu,
        name: &str,
        layout: Layout,
        stored: Option<Quant>,
        values: &[f32],
    ) -> Result<()> {
        let takes = |quant: &Quant, k| quant.takes(name, &[values.len() / k, k]);
        let few = |k| stored.or(gpu.precision.quant().filter(|quant| takes(quant, k)));
        let format = match (layout, gpu.precision) {
            (Layout::Panels { k, .. }, _) if let Some(quant) = few(k) => Format::Few(quant),
            (Layout::Panels { .. }, Precision::F16) if Format::f16_holds(values) => Format::F16,
            (Layout::Panels { .. }, Precision::F16) => {
                return Err(Error::device(format!("{name}: values beyond the range of f16")));
            }
            (Layout::Panels { .. }, _) if gpu.caps.half_weights => Format::exact(values),
            _ => Format::F32,
        };
        let weight = put(gpu, name, layout, format, values).await?;
        self.bytes += weight.buffer.size() + weight.scales.as_ref().map_or(0, |s| s.size());
        self.buffers.insert(name.into(), weight);
        Ok(())
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn get(&self, name: &str) -> Result<&Weight> {
        self.buffers.get(name).ok_or_else(|| {
            Error::device(format!("{name}: not on the device; load the model again"))
        })
    }
}

fn layout(plan: &Plan, op: &Op, name: &str) -> Layout {
    match op {
        Op::Linear { x, y, weight, window, .. } if weight == name => {
            let (x, y) = (&plan.slots[*x], &plan.slots[*y]);
            let k = x.cols * if window.is_some() { 9 } else { 1 };
            Layout::Panels { planes: y.planes, cols: y.cols, k }
        }
        _ => Layout::Plain,
    }
}

async fn put(
    gpu: &Gpu,
    name: &str,
    layout: Layout,
    format: Format,
    values: &[f32],
) -> Result<Weight> {
    let (planes, cols, k) = match layout {
        Layout::Panels { planes, cols, k } => (planes, cols, k),
        Layout::Plain => {
            let buffer = new_buffer(gpu, name, size_of_val(values) as u64).await?;
            gpu.queue.write_buffer(&buffer, 0, bytemuck::cast_slice(values));
            return Ok(Weight { buffer, format, scales: None });
        }
    };
    let bytes = (packed_len(planes, cols, k) * format.bits() / 8) as u64;
    let buffer = new_buffer(gpu, name, bytes).await?;
    let mut scales = None;
    let panels = planes * cols.div_ceil(PANEL);
    if let Format::Few(quant) = format {
        let Quantised { codes, scales: of_groups } = quant.quantise(values, k);
        let packed = pack_linear(&of_groups, cols, k / quant.group(k), 0..panels);
        let packed = format.encode(&packed);
        let label = format!("{name}.scales");
        let kept = new_buffer(gpu, &label, packed.len() as u64).await?;
        gpu.queue.write_buffer(&kept, 0, &packed);
        scales = Some(kept);
        let pack = |panels| {
            let packed = pack_linear(&codes, cols, k, panels);
            if quant == Quant::Int8 { pack_dots(&packed) } else { quant.encode(&packed) }
        };
        write_panels(gpu, &buffer, panels, pack).await?;
    } else {
        let pack = |panels| format.encode(&pack_linear(values, cols, k, panels));
        write_panels(gpu, &buffer, panels, pack).await?;
    }
    if bytes > STAGED / 8 {
        gpu.flush().await?;
    }
    Ok(Weight { buffer, format, scales })
}

/// Writes a matrix's panels, some at a time.
async fn write_panels(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    panels: usize,
    pack: impl Fn(Range<usize>) -> Vec<u8>,
) -> Result<()> {
    let panel_bytes = buffer.size() / panels as u64;
    let chunk = (STAGED / panel_bytes).max(1) as usize;
    for first in (0..panels).step_by(chunk) {
        let last = panels.min(first + chunk);
        gpu.queue.write_buffer(buffer, first as u64 * panel_bytes, &pack(first..last));
        if last - first == chunk {
            gpu.flush().await?;
        }
    }
    Ok(())
}

async fn new_buffer(gpu: &Gpu, name: &str, bytes: u64) -> Result<wgpu::Buffer> {
    if bytes > gpu.caps.max_buffer {
        return Err(Error::device(format!(
            "{name}: {bytes} bytes, but {} allows buffers of {} bytes",
            gpu.report.name, gpu.caps.max_buffer
        )));
    }
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    gpu.buffer(name, bytes, usage).await
}

impl Gpu {
    /// A buffer, or an error that names it where the device has no memory left.
    pub(super) async fn buffer(
        &self,
        label: &str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<wgpu::Buffer> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: size.max(16),
            usage,
            mapped_at_creation: false,
        });
        match scope.pop().await {
            None => Ok(buffer),
            Some(e) => Err(Error::device(format!("{label}: no memory for {size} bytes: {e}"))),
        }
    }
}
