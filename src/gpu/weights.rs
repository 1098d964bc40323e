//! A checkpoint's tensors on the device, uploaded one at a time.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use super::device::Gpu;
#[cfg(feature = "language")]
use super::layout::{LARGE, write_panels};
use super::layout::{Layout, Weight, new_weight, uses, write};
use super::pack::Format;
#[cfg(feature = "language")]
use super::pack::{PANEL, PanelShape};
use super::supports::supports;
#[cfg(feature = "language")]
use crate::model::WeightKind;
#[cfg(feature = "language")]
use crate::plan::Role;
use crate::plan::{Plan, Slot};
use crate::weights::{QuantFormat, WeightSource, fits};
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

/// The weights of every block that is streamed, and which two blocks are on the device.
pub(super) struct Stream {
    pub(super) blocks: Vec<Vec<(String, Layout)>>,
    pub(super) held: Cell<[Option<usize>; 2]>,
}

impl GpuWeights {
    /// Uploads what `plans` use from `source`. `progress` is told the stored bytes read so far
    /// and may stop the upload, which then ends with [`Error::Cancelled`].
    ///
    /// Host memory: one tensor as stored and as f32, and a few panels.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where there is no room, [`crate::Error::Lost`];
    /// [`crate::Error::Io`] and [`crate::Error::Checkpoint`] where a tensor cannot be read.
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
        plans.iter().try_for_each(supports)?;
        fits(least(gpu, plans, source, wanted), gpu.caps.free, &gpu.report.name)?;
        let mut this = Self { buffers: HashMap::new(), bytes: 0, stream: None };
        let mut done = 0;
        for (slot, layout) in uses(plans).filter(|(slot, _)| wanted(slot)) {
            let name = slot.name.as_str();
            if this.buffers.contains_key(name) {
                continue;
            }
            #[cfg(feature = "language")]
            let large = this.put_large(gpu, slot, layout, source).await?;
            #[cfg(not(feature = "language"))]
            let large = false;
            if !large {
                let values = source.tensor(name).await?;
                this.put(gpu, slot, layout, source.quant(name), &values).await?;
            }
            done += source.stored_bytes(name);
            if progress(done).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        gpu.flush().await?;
        Ok(this)
    }

    async fn put(
        &mut self,
        gpu: &Gpu,
        slot: &Slot,
        layout: Layout,
        stored: Option<QuantFormat>,
        values: &[f32],
    ) -> Result<()> {
        let name = slot.name.as_str();
        let format = layout.format(gpu, slot, stored, || Format::exact(values));
        let weight = new_weight(gpu, name, format, layout.bytes(format)).await?;
        write(gpu, name, &weight, layout, values, true).await?;
        self.bytes += weight.bytes();
        self.buffers.insert(name.into(), weight);
        Ok(())
    }

    /// Adds the tables of which a plan takes rows, and are not there yet.
    ///
    /// # Errors
    /// [`Error::Device`] where there is no room, [`Error::Lost`], and those of reading.
    #[cfg(feature = "language")]
    pub async fn add_tables<'a>(
        &mut self,
        gpu: &Gpu,
        plan: &Plan,
        source: impl Into<WeightSource<'a>>,
    ) -> Result<()> {
        let source = source.into();
        for (slot, layout) in tables(plan) {
            if !self.has(&slot.name) {
                self.put_large(gpu, slot, layout, source).await?;
            }
        }
        gpu.flush().await
    }

    /// Bytes of the tables of which a plan takes rows.
    #[cfg(feature = "language")]
    pub fn table_bytes<'a>(plan: &Plan, source: impl Into<WeightSource<'a>>) -> u64 {
        let source = source.into();
        let format = |slot: &Slot| Format::of(source.stored_type(&slot.name));
        tables(plan).map(|(slot, layout)| layout.bytes(format(slot)).0).sum()
    }

    /// Whether a weight is there.
    #[cfg(feature = "language")]
    pub fn has(&self, name: &str) -> bool {
        self.buffers.contains_key(name)
    }

    /// The same of a matrix that goes to the device some rows at a time; whether it does.
    #[cfg(feature = "language")]
    async fn put_large(
        &mut self,
        gpu: &Gpu,
        slot: &Slot,
        layout: Layout,
        source: WeightSource<'_>,
    ) -> Result<bool> {
        let Some((shape, format)) = layout.large(gpu, slot, source) else {
            return Ok(false);
        };
        let bytes = Layout::Panels(shape).bytes(format);
        let weight = new_weight(gpu, &slot.name, format, bytes).await?;
        let rows = (LARGE / shape.k).next_multiple_of(PANEL);
        for first in (0..shape.cols).step_by(rows) {
            let own = first..shape.cols.min(first + rows);
            let part = PanelShape { cols: own.len(), ..shape };
            let values = source.rows(slot, own).await?;
            write_panels(gpu, &weight, part, first / PANEL, &values, true).await?;
        }
        self.bytes += weight.bytes();
        self.buffers.insert(slot.name.clone(), weight);
        Ok(true)
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

/// The tables of which a plan takes rows.
#[cfg(feature = "language")]
fn tables(plan: &Plan) -> impl Iterator<Item = (&Slot, Layout)> {
    let table = |slot: &Slot| slot.role == Role::Weight(WeightKind::Table);
    uses(std::slice::from_ref(plan)).filter(move |(slot, _)| table(slot))
}

/// Bytes that the weights which `wanted` takes need at least: values may turn out to fit 16 bits.
fn least(
    gpu: &Gpu,
    plans: &[Plan],
    source: WeightSource<'_>,
    wanted: &dyn Fn(&Slot) -> bool,
) -> u64 {
    let used = uses(plans).filter(|(slot, _)| wanted(slot));
    let list: HashMap<&str, (&Slot, Layout)> =
        used.map(|(slot, layout)| (slot.name.as_str(), (slot, layout))).collect();
    let sizes = list.into_iter().map(|(name, (slot, layout))| {
        let format = layout.format(gpu, slot, source.quant(name), || Format::F16);
        let (bytes, scales) = layout.bytes(format);
        bytes + scales
    });
    sizes.sum()
}
