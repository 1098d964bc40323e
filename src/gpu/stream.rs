//! Blocks that stay where they are stored: the weights of one are read while another computes, and
//! two sets of buffers take them in turn.

use std::cell::Cell;
use std::collections::HashMap;
use std::ops::ControlFlow;

use super::device::Gpu;
use super::layout::{Layout, Weight, new_weight, uses, write};
use super::pack::Format;
use super::weights::{GpuWeights, Stream};
use crate::plan::{Plan, Slot};
use crate::weights::{StoredType, WeightSource, fits};
use crate::{Error, Result};

/// Reads the weights of one block after another from where they are stored.
#[derive(Clone, Copy)]
pub struct WeightStreamer<'a> {
    weights: &'a GpuWeights,
    stream: &'a Stream,
    source: WeightSource<'a>,
}

/// Which of the two sets, and which of a block's weights.
type Place = (usize, usize);

/// Bytes of a tensor's buffer, and of its scales'.
type Sizes = (u64, u64);

impl GpuWeights {
    /// As [`GpuWeights::upload`], but of the blocks two sets of buffers alone are made; their weights
    /// are read from `source` whenever a plan comes to them.
    ///
    /// # Errors
    /// As [`GpuWeights::upload`].
    pub async fn streamed<'a>(
        gpu: &Gpu,
        plans: &[Plan],
        source: impl Into<WeightSource<'a>>,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let source = source.into();
        let outside = |slot: &Slot| slot.block.is_none();
        let mut this = Self::load(gpu, plans, source, &outside, progress).await?;
        let mut blocks: Vec<Vec<(String, Layout)>> = Vec::new();
        let mut list = Vec::new();
        for (slot, layout) in uses(plans) {
            let (Some(block), name) = (slot.block, slot.name.as_str()) else { continue };
            let stored = || match source.stored_type(name) {
                StoredType::F32 => Format::F32,
                StoredType::F16 => Format::F16,
                StoredType::Bf16 => Format::Bf16,
            };
            let format = layout.format(gpu, slot, source.quant(name), stored);
            blocks.resize_with(blocks.len().max(block + 1), Vec::new);
            if blocks[block].iter().all(|(known, _)| known != name) {
                // Blocks use their weights in one order: the place tells which one it is.
                let place = (block % 2, blocks[block].len());
                blocks[block].push((name.into(), layout));
                list.push((name, place, layout, format));
            }
        }
        // Blocks may be stored in several types: a set has room for the widest.
        let mut room: HashMap<Place, Sizes> = HashMap::new();
        for (_, place, layout, format) in &list {
            let (bytes, scales) = layout.bytes(*format);
            let room = room.entry(*place).or_default();
            *room = (room.0.max(bytes), room.1.max(scales));
        }
        let two: u64 = room.values().map(|(bytes, scales)| bytes + scales).sum();
        fits(this.bytes + two, gpu.caps.free, &gpu.report.name)?;
        let mut sets: HashMap<Place, Weight> = HashMap::new();
        for (place, sizes) in room {
            let label = format!("set {}: weight {}", place.0, place.1);
            let weight = new_weight(gpu, &label, Format::F32, sizes).await?;
            this.bytes += weight.bytes();
            sets.insert(place, weight);
        }
        for (name, place, _, format) in list {
            let Weight { buffer, scales, .. } = &sets[&place];
            let weight = Weight { buffer: buffer.clone(), scales: scales.clone(), format };
            this.buffers.insert(name.into(), weight);
        }
        this.stream = Some(Stream { blocks, held: Cell::default() });
        Ok(this)
    }

    /// Whether blocks are streamed.
    pub fn streams(&self) -> bool {
        self.stream.is_some()
    }

    /// What runs need where blocks are streamed from `source`.
    pub fn streamer<'a>(
        &'a self,
        source: impl Into<WeightSource<'a>>,
    ) -> Option<WeightStreamer<'a>> {
        let stream = self.stream.as_ref()?;
        Some(WeightStreamer { weights: self, stream, source: source.into() })
    }
}

impl WeightStreamer<'_> {
    /// Reads a block's weights into its set, behind all that was submitted. Nothing waits for the
    /// device, so they take host memory until it comes to them.
    pub(super) async fn load_block(&self, gpu: &Gpu, block: usize) -> Result<()> {
        let set = block % 2;
        let mut held = self.stream.held.get();
        if held[set] == Some(block) {
            return Ok(());
        }
        held[set] = None;
        self.stream.held.set(held);
        let Some(tensors) = self.stream.blocks.get(block) else {
            return Err(Error::device(format!("block {block}: not loaded; load the model again")));
        };
        for (name, layout) in tensors {
            let values = self.source.tensor(name).await?;
            write(gpu, name, self.weights.get(name)?, *layout, &values, false).await?;
        }
        held[set] = Some(block);
        self.stream.held.set(held);
        Ok(())
    }
}
