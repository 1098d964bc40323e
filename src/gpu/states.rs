//! What runs keep for later ones, also of other plans: buffers by the names of slots.

use super::buffer::Buffer;
#[cfg(feature = "language")]
use super::device::Gpu;
#[cfg(feature = "language")]
use crate::plan::Role;
use crate::plan::Slot;

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

    /// Keeps a new buffer, where the slot is a state.
    pub(super) fn keep(&self, _slot: &Slot, _buffer: &Buffer) {
        #[cfg(feature = "language")]
        if _slot.role == Role::State {
            self.buffers.borrow_mut().insert(_slot.name.clone(), _buffer.clone());
        }
    }
    /// Whether they lie on a device, and not on one that was lost or left since.
    #[cfg(feature = "language")]
    pub fn lie_on(&self, gpu: &Gpu) -> bool {
        self.buffers.borrow().values().next().is_none_or(|buffer| gpu.holds(buffer).is_ok())
    }
}
