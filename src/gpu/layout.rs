//! How weights lie on the device, and how they get there.

use std::ops::Range;

use super::buffer::Buffer;
use super::device::Gpu;
use super::pack::{Format, PANEL, PanelShape, pack_dots, pack_octets, quads};
use crate::model::WeightKind;
use crate::plan::{Op, Plan, Role, Slot, SlotId, Step};
use crate::precision::Precision;
#[cfg(feature = "language")]
use crate::weights::WeightSource;
use crate::weights::{CHOICES, QuantFormat, Quantized};
use crate::{Error, Result};

/// A weight on the device.
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

/// How a weight lies on the device, which its use decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Rows of f32, each of whole quads.
    Rows { rows: usize, cols: usize },
    /// Panels of a matrix.
    Panels(PanelShape),
}

/// Bytes that may wait in staging memory before the queue is flushed.
const STAGED: u64 = 32 << 20;

/// Values of a matrix that are read at a time where it is large.
#[cfg(feature = "language")]
pub(super) const LARGE: usize = 8 << 20;

/// The weights that the steps of plans use, and how they lie on the device.
pub(super) fn uses(plans: &[Plan]) -> impl Iterator<Item = (&Slot, Layout)> {
    let steps = plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step)));
    steps.flat_map(|(plan, step)| {
        let operands = step.op.operands().into_iter();
        let weights = operands.filter(|slot| plan.slots[*slot].is_weight());
        weights.map(move |slot| (&plan.slots[slot], Layout::of(plan, step, slot)))
    })
}

impl Layout {
    /// Of a weight that a step uses.
    fn of(plan: &Plan, step: &Step, id: SlotId) -> Self {
        let Slot { planes, rows, cols, role, .. } = plan.slots[id];
        match (&step.op, role) {
            (Op::Linear(op), Role::Weight(WeightKind::Matrix)) => {
                Self::Panels(PanelShape { planes, cols: rows, k: cols, gated: op.gated })
            }
            // A table of which rows are taken.
            #[cfg(feature = "language")]
            (Op::Gather(_), Role::Weight(WeightKind::Table)) => {
                Self::Panels(PanelShape { planes, cols: rows, k: cols, gated: false })
            }
            // A bias has a part for each plane of the sums.
            (Op::Linear(op), _) if op.bias == Some(id) => {
                let w = &plan.slots[op.weight];
                Self::Rows { rows: w.planes, cols: w.rows }
            }
            _ => Self::Rows { rows: planes * rows, cols },
        }
    }

    /// Shape and format of a matrix that goes to the device some rows at a time, since all of it as f32 would take much
    /// memory: one in few bits, and a table, whose rows must be those that the file has.
    #[cfg(feature = "language")]
    pub(super) fn large(
        self,
        gpu: &Gpu,
        slot: &Slot,
        source: WeightSource<'_>,
    ) -> Option<(PanelShape, Format)> {
        let Self::Panels(shape) = self else { return None };
        if slot.role == Role::Weight(WeightKind::Table) {
            return Some((shape, Format::of(source.stored_type(&slot.name))));
        }
        let stored = source.quant(&slot.name);
        let large = shape.planes == 1 && !shape.gated && shape.cols * shape.k > 2 * LARGE;
        let quant = stored.or(gpu.precision.quant().and_then(|quant| quant.of_slot(slot)));
        quant.filter(|_| large).map(|quant| (shape, Format::Quantized(quant)))
    }

    /// A matrix that is `stored` in few bits stays so: rounded again it is the same. Where the device
    /// gains by 16 bits, `plain` says which lose nothing.
    pub(super) fn format(
        self,
        gpu: &Gpu,
        slot: &Slot,
        stored: Option<QuantFormat>,
        plain: impl FnOnce() -> Format,
    ) -> Format {
        let Self::Panels(_) = self else { return Format::F32 };
        match stored.or(gpu.precision.quant().and_then(|quant| quant.of_slot(slot))) {
            Some(quant) => Format::Quantized(quant),
            None if gpu.precision == Precision::F16 => Format::F16,
            None if gpu.caps.half_weights => plain(),
            None => Format::F32,
        }
    }

    /// Bytes of a weight on the device, and of its scales.
    pub(super) fn bytes(self, format: Format) -> (u64, u64) {
        let shape = match self {
            Self::Rows { rows, cols } => return (4 * (rows * quads(cols)) as u64, 0),
            Self::Panels(shape) => shape,
        };
        let k = shape.k;
        let scales = match format {
            Format::Quantized(quant) => shape.len(k / quant.group(k)) * quant.scales_type().bytes(),
            _ => 0,
        };
        ((shape.len(quads(k)) * format.bits() / 8) as u64, scales as u64)
    }
}

/// The buffers of a weight of a size in bytes.
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

/// Writes a weight. With `wait` staging memory is bounded, and the device has done all that was
/// submitted whenever it is full.
pub(super) async fn write(
    gpu: &Gpu,
    name: &str,
    weight: &Weight,
    layout: Layout,
    values: &[f32],
    wait: bool,
) -> Result<()> {
    match layout {
        Layout::Rows { cols, .. } => {
            let rows = in_quads(values, cols, quads(cols));
            gpu.queue.write_buffer(&weight.buffer, 0, bytemuck::cast_slice(&rows));
            Ok(())
        }
        Layout::Panels(_) if weight.format == Format::F16 && !Format::f16_holds(values) => {
            Err(Error::NotFinite(format!("{name}: values beyond the range of f16")))
        }
        Layout::Panels(shape) => write_panels(gpu, weight, shape, 0, values, wait).await,
    }
}

/// Writes a matrix of a shape, the panels from number `at` on of the one that the weight is.
pub(super) async fn write_panels(
    gpu: &Gpu,
    weight: &Weight,
    shape: PanelShape,
    at: usize,
    values: &[f32],
    wait: bool,
) -> Result<()> {
    let Weight { buffer, format, scales } = weight;
    let matrix = Matrix::new(values, shape, *format);
    let panels = shape.panels();
    if let Some(buffer) = scales {
        let bytes = matrix.scales();
        gpu.queue.write_buffer(buffer, (at * (bytes.len() / panels)) as u64, &bytes);
    }
    let panel_bytes = (PANEL * quads(shape.k) * format.bits() / 8) as u64;
    let chunk = (STAGED / panel_bytes).max(1) as usize;
    // As many panels at a time as staging memory may hold.
    for first in (0..panels).step_by(chunk) {
        let last = panels.min(first + chunk);
        let offset = (at + first) as u64 * panel_bytes;
        gpu.queue.write_buffer(buffer, offset, &matrix.panels(first..last));
        if wait && last - first == chunk {
            gpu.flush().await?;
        }
    }
    if wait && panels as u64 * panel_bytes > STAGED / 8 {
        gpu.flush().await?;
    }
    Ok(())
}

/// Rows of `cols` values with zeros up to `width`.
pub(super) fn in_quads(values: &[f32], cols: usize, width: usize) -> std::borrow::Cow<'_, [f32]> {
    if cols == width {
        return values.into();
    }
    let mut padded = vec![0.0; values.len() / cols * width];
    for (row, values) in padded.chunks_exact_mut(width).zip(values.chunks_exact(cols)) {
        row[..cols].copy_from_slice(values);
    }
    padded.into()
}

/// A matrix on its way to the device.
struct Matrix<'a> {
    values: &'a [f32],
    /// Its codes, where it is kept in few bits.
    quantized: Option<(QuantFormat, Quantized)>,
    shape: PanelShape,
    format: Format,
}

impl<'a> Matrix<'a> {
    fn new(values: &'a [f32], shape: PanelShape, format: Format) -> Self {
        let quantized = match format {
            Format::Quantized(quant) => Some((quant, quant.quantise(values, shape.k))),
            _ => None,
        };
        Self { values, quantized, shape, format }
    }

    /// The bytes of some panels.
    fn panels(&self, panels: Range<usize>) -> Vec<u8> {
        let depth = [self.shape.k, quads(self.shape.k)];
        match &self.quantized {
            Some((QuantFormat::Int8, quantized)) => {
                pack_dots(&self.shape.pack(&quantized.codes, depth, panels))
            }
            Some((QuantFormat::Int4, quantized)) => {
                pack_octets(&self.shape.pack(&quantized.codes, depth, panels))
            }
            None => self.format.encode(&self.shape.pack(self.values, depth, panels)),
        }
    }

    /// The bytes of all scales.
    fn scales(&self) -> Vec<u8> {
        let Some((quant, quantized)) = &self.quantized else { return Vec::new() };
        let groups = self.shape.k / quant.group(self.shape.k);
        let packed = self.shape.pack(&quantized.scales, [groups; 2], 0..self.shape.panels());
        self.format.encode(&packed)
    }
}
