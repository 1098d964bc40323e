//! A checkpoint's tensors on the device, uploaded one at a time.

use std::collections::HashMap;
use std::ops::{ControlFlow, Range};

use super::pack::{Format, PANEL, pack_dots, pack_linear, packed_len};
use super::stream::Stream;
use super::{Buffer, Gpu, Precision};
use crate::plan::{Plan, Role, Slot, WeightKind};
use crate::weights::{CHOICES, Quant, WeightSource, fits};
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name. Matrices are packed in panels: in
/// f16 where that is the device's precision, else in 16 bits where that loses nothing and the
/// device gains.
#[derive(Default)]
pub struct GpuWeights {
    pub(super) buffers: HashMap<String, Weight>,
    pub(super) bytes: u64,
    pub(super) stream: Option<Stream>,
}

/// A tensor on the device.
pub(super) struct Weight {
    pub(super) buffer: Buffer,
    pub(super) format: Format,
    /// Of a matrix in few bits: the packed scales of all its panels.
    pub(super) scales: Option<Buffer>,
}

impl Weight {
    pub(super) fn bytes(&self) -> u64 {
        self.buffer.size() + self.scales.as_ref().map_or(0, |scales| scales.size())
    }
}

/// How a tensor lies on the device.
#[derive(Clone, Copy)]
pub(super) enum Layout {
    Plain { values: usize },
    Panels { planes: usize, cols: usize, k: usize },
}

/// Bytes that may wait in staging memory before the queue is flushed.
const STAGED: u64 = 32 << 20;

impl GpuWeights {
    /// Uploads what `plans` use from `source`. `progress` is told the stored bytes read so far
    /// and may stop the upload, which then ends with [`Error::Cancelled`].
    ///
    /// Host memory: one tensor as stored and as f32, and a few panels.
    pub async fn upload<'a>(
        gpu: &Gpu,
        plans: &[Plan],
        source: impl Into<WeightSource<'a>>,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::load(gpu, plans, source.into(), &|_| true, progress).await
    }

    /// Uploads those tensors that `wanted` takes.
    pub(super) async fn load(
        gpu: &Gpu,
        plans: &[Plan],
        source: WeightSource<'_>,
        wanted: &dyn Fn(&Slot) -> bool,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        fits(least(gpu, plans, source, wanted), gpu.caps.free, &gpu.report.name)?;
        let mut this = Self { buffers: HashMap::new(), bytes: 0, stream: None };
        let mut done = 0;
        for slot in uses(plans).filter(|slot| wanted(slot)) {
            let name = slot.name.as_str();
            if this.buffers.contains_key(name) {
                continue;
            }
            let values = source.tensor(name).await?;
            this.put(gpu, slot, source.quant(name), &values).await?;
            done += source.stored_bytes(name);
            if progress(done).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        gpu.flush().await?;
        Ok(this)
    }

    /// One tensor that `plan` uses, from memory.
    pub(super) async fn of(gpu: &Gpu, plan: &Plan, name: &str, values: &[f32]) -> Result<Self> {
        let mut this = Self { buffers: HashMap::new(), bytes: 0, stream: None };
        let plans = std::slice::from_ref(plan);
        for slot in uses(plans).filter(|slot| slot.name == name) {
            this.put(gpu, slot, None, values).await?;
        }
        Ok(this)
    }

    async fn put(
        &mut self,
        gpu: &Gpu,
        slot: &Slot,
        stored: Option<Quant>,
        values: &[f32],
    ) -> Result<()> {
        let (name, layout) = (slot.name.as_str(), Layout::of(slot));
        let format = layout.format(gpu, slot, stored, || Format::exact(values));
        let weight = new_weight(gpu, name, format, layout.bytes(format)).await?;
        write(gpu, name, &weight, layout, values, true).await?;
        self.bytes += weight.bytes();
        self.buffers.insert(name.into(), weight);
        Ok(())
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of a value of a weight as it is stored here; 0 where it is not.
    pub(super) fn value_bytes(&self, name: &str) -> f64 {
        self.buffers.get(name).map_or(0.0, |weight| weight.format.bits() as f64 / 8.0)
    }

    pub(super) fn get(&self, name: &str) -> Result<&Weight> {
        self.buffers.get(name).ok_or_else(|| {
            Error::device(format!("{name}: not on the device; load the model again"))
        })
    }
}

/// The weights that the steps of plans use.
pub(super) fn uses(plans: &[Plan]) -> impl Iterator<Item = &Slot> {
    let steps = plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step)));
    steps.flat_map(|(plan, step)| plan.weights_of(step))
}

/// Bytes that the tensors which `wanted` takes need at least: values may turn out to fit 16 bits.
fn least(
    gpu: &Gpu,
    plans: &[Plan],
    source: WeightSource<'_>,
    wanted: &dyn Fn(&Slot) -> bool,
) -> u64 {
    let slots = uses(plans).filter(|slot| wanted(slot));
    let list: HashMap<&str, &Slot> = slots.map(|slot| (slot.name.as_str(), slot)).collect();
    let sizes = list.into_iter().map(|(name, slot)| {
        let layout = Layout::of(slot);
        let format = layout.format(gpu, slot, source.quant(name), || Format::F16);
        let (bytes, scales) = layout.bytes(format);
        bytes + scales
    });
    sizes.sum()
}

impl Layout {
    /// How a weight lies on the device.
    pub(super) fn of(slot: &Slot) -> Self {
        let Slot { planes, rows, cols, role, .. } = *slot;
        match role {
            Role::Weight(WeightKind::Matrix) => Self::Panels { planes, cols: rows, k: cols },
            _ => Self::Plain { values: planes * rows * cols },
        }
    }

    /// A matrix that is `stored` in few bits stays so: rounded again it is the same. Where the device
    /// gains by 16 bits, `plain` says which lose nothing.
    pub(super) fn format(
        self,
        gpu: &Gpu,
        slot: &Slot,
        stored: Option<Quant>,
        plain: impl FnOnce() -> Format,
    ) -> Format {
        let Self::Panels { k, .. } = self else { return Format::F32 };
        let takes = |quant: &Quant| slot.block.is_some() && quant.fits(k);
        match stored.or(gpu.precision.quant().filter(takes)) {
            Some(quant) => Format::Few(quant),
            None if gpu.precision == Precision::F16 => Format::F16,
            None if gpu.caps.half_weights => plain(),
            None => Format::F32,
        }
    }

    /// Bytes of a tensor on the device, and of its scales.
    pub(super) fn bytes(self, format: Format) -> (u64, u64) {
        let (planes, cols, k) = match self {
            Self::Plain { values } => return (4 * values as u64, 0),
            Self::Panels { planes, cols, k } => (planes, cols, k),
        };
        let scales = match format {
            Format::Few(quant) => {
                packed_len(planes, cols, k / quant.group(k)) * quant.scales_type().bytes()
            }
            _ => 0,
        };
        ((packed_len(planes, cols, k) * format.bits() / 8) as u64, scales as u64)
    }
}

/// The buffers of a tensor, of so many bytes.
pub(super) async fn new_weight(
    gpu: &Gpu,
    name: &str,
    format: Format,
    (bytes, scales): (u64, u64),
) -> Result<Weight> {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_DST;
    let buffer = gpu.buffer(name, bytes, usage, CHOICES).await?;
    let scales = match scales {
        0 => None,
        bytes => Some(gpu.buffer(&format!("{name}.scales"), bytes, usage, CHOICES).await?),
    };
    Ok(Weight { buffer, format, scales })
}

/// Writes a tensor. With `wait` staging memory is bounded, and the device has done all that was
/// submitted whenever it is full.
pub(super) async fn write(
    gpu: &Gpu,
    name: &str,
    weight: &Weight,
    layout: Layout,
    values: &[f32],
    wait: bool,
) -> Result<()> {
    let Weight { buffer, format, scales } = weight;
    let Layout::Panels { planes, cols, k } = layout else {
        gpu.queue.write_buffer(buffer, 0, bytemuck::cast_slice(values));
        return Ok(());
    };
    if *format == Format::F16 && !Format::f16_holds(values) {
        return Err(Error::NotFinite(format!("{name}: values beyond the range of f16")));
    }
    let panels = planes * cols.div_ceil(PANEL);
    let panel_bytes = (PANEL * k * format.bits() / 8) as u64;
    let few = match format {
        Format::Few(quant) => Some((quant, quant.quantise(values, k))),
        _ => None,
    };
    if let (Some((quant, few)), Some(buffer)) = (&few, scales) {
        let packed = pack_linear(&few.scales, cols, k / quant.group(k), 0..panels);
        gpu.queue.write_buffer(buffer, 0, &format.encode(&packed));
    }
    let pack = |panels: Range<usize>| match &few {
        Some((Quant::Int8, few)) => pack_dots(&pack_linear(&few.codes, cols, k, panels)),
        Some((quant, few)) => quant.encode(&pack_linear(&few.codes, cols, k, panels)),
        None => format.encode(&pack_linear(values, cols, k, panels)),
    };
    let chunk = (STAGED / panel_bytes).max(1) as usize;
    for first in (0..panels).step_by(chunk) {
        let last = panels.min(first + chunk);
        gpu.queue.write_buffer(buffer, first as u64 * panel_bytes, &pack(first..last));
        if wait && last - first == chunk {
            gpu.flush().await?;
        }
    }
    if wait && panels as u64 * panel_bytes > STAGED / 8 {
        gpu.flush().await?;
    }
    Ok(())
}
