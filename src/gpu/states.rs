//! What runs keep for later ones, also of other plans: buffers by the names of slots.

use super::buffer::Buffer;
#[cfg(feature = "language")]
use super::device::Gpu;
#[cfg(feature = "language")]
use super::extent::ROW_UNIT;
#[cfg(feature = "language")]
use super::memory::SHORTER;
use super::memory::SMALLER;
#[cfg(feature = "language")]
use crate::plan::Role;
use crate::plan::Slot;
#[cfg(feature = "language")]
use crate::{Result, precision::Precision};

/// Buffers that plans share, as its clones do. Where there are no such slots it is empty.
#[derive(Clone, Default)]
pub struct States {
    #[cfg(feature = "language")]
    buffers: std::rc::Rc<std::cell::RefCell<std::collections::HashMap<String, Buffer>>>,
}

impl States {
    /// The buffer of a slot, where an earlier plan had it.
    pub(super) fn get(&self, _slot: &Slot) -> Option<Buffer> {
        #[cfg(feature = "language")]
        if _slot.role == Role::State {
            return self.buffers.borrow().get(&_slot.name).cloned();
        }
        None
    }

    /// What helps where there is no memory for a slot.
    pub(super) fn help(_slot: &Slot) -> &'static str {
        #[cfg(feature = "language")]
        if _slot.role == Role::State {
            return SHORTER;
        }
        SMALLER
    }

    /// Keeps a new buffer, where the slot is a state.
    pub(super) fn keep(&self, _slot: &Slot, _buffer: &Buffer) {
        #[cfg(feature = "language")]
        if _slot.role == Role::State {
            self.buffers.borrow_mut().insert(_slot.name.clone(), _buffer.clone());
        }
    }

    /// Rows of `width` values that `layers` states on a device can have at most, those included that they have: by its
    /// bindings, and by its memory where that is known.
    #[cfg(feature = "language")]
    pub fn rows(gpu: &Gpu, width: usize, layers: usize, have: usize) -> usize {
        let bytes = Self::bytes(gpu, width);
        // Whole units of rows are allocated and bound.
        let unit = ROW_UNIT as u64;
        let bound = gpu.caps.max_binding.min(gpu.caps.max_buffer) / bytes / unit * unit;
        let free = gpu.caps.free.map(|free| free.saturating_sub(gpu.held()));
        let more = free.map_or(u64::MAX, |free| free / (bytes * layers as u64));
        bound.min(more.saturating_add(have as u64)) as usize
    }

    /// Bytes of a row of `width` values.
    #[cfg(feature = "language")]
    pub fn bytes(gpu: &Gpu, width: usize) -> u64 {
        (width * if gpu.precision == Precision::F32 { 4 } else { 2 }) as u64
    }

    /// Gives the states another number of rows, `[old, new]`; what they hold stays. Where there is no memory for all, they
    /// keep the rows that they had.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) where there is no memory.
    #[cfg(feature = "language")]
    pub async fn grow(&self, gpu: &Gpu, rows: [usize; 2]) -> Result<()> {
        let [old, new] = rows.map(|rows| rows.next_multiple_of(ROW_UNIT) as u64);
        let names: Vec<String> = self.buffers.borrow().keys().cloned().collect();
        // One after the other, so that one alone is there twice.
        for (at, name) in names.iter().enumerate() {
            if let Err(error) = self.resize(gpu, name, [old, new]).await {
                // All have as many rows, so those that grew take less again.
                for name in &names[..at] {
                    self.resize(gpu, name, [new, old]).await?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Brings one of them to another number of rows.
    #[cfg(feature = "language")]
    async fn resize(&self, gpu: &Gpu, name: &str, [old, new]: [u64; 2]) -> Result<()> {
        let Some(from) = self.buffers.borrow().get(name).cloned() else { return Ok(()) };
        let bytes = from.size() / old * new;
        let to = gpu.buffer(name, bytes, from.usage(), SHORTER).await?;
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&from, 0, &to, 0, from.size().min(bytes));
        gpu.submit(encoder);
        self.buffers.borrow_mut().insert(name.into(), to);
        Ok(())
    }

    /// Whether they lie on a device, and not on one that was lost or left since.
    #[cfg(feature = "language")]
    pub fn lie_on(&self, gpu: &Gpu) -> bool {
        self.buffers.borrow().values().next().is_none_or(|buffer| gpu.holds(buffer).is_ok())
    }
}
