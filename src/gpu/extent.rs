//! How the slots of a plan lie in the device's memory: in rows of whole quads, some in f16.

use super::family::Family;
use super::pack::quads;
#[cfg(feature = "language")]
use crate::plan::Slot;
use crate::plan::{Op, Plan, Role, SlotId};
use crate::precision::Precision;

/// Rows of a plane are rounded up to this many, so that every plane starts at a multiple of 256 bytes
/// whatever its width, of f16 where that is a multiple of 8.
pub(super) const ROW_UNIT: usize = 16;

/// Every slot of a plan.
pub(super) struct Extents {
    list: Vec<Extent>,
}

/// How one slot lies in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// Values from one row to the next. What lies beyond the slot's columns is zero.
    pub(super) width: usize,
    /// Values from one plane to the next, for a full batch.
    pub(super) plane_stride: usize,
    planes: usize,
    /// Whether values are f16.
    pub(super) half: bool,
}

impl Extents {
    /// Of a plan that kernels of a family run.
    pub(super) fn new(plan: &Plan, family: Family, precision: Precision) -> Self {
        let half = halves(plan, family, precision);
        // Pictures are read value by value.
        let pictures: Vec<SlotId> = plan
            .steps
            .iter()
            .filter_map(|step| match &step.op {
                Op::Patchify(op) => Some(op.pixels),
                _ => None,
            })
            .collect();
        let list = plan.slots.iter().zip(half).enumerate().map(|(id, (slot, half))| {
            let width = if pictures.contains(&id) { slot.cols } else { quads(slot.cols) };
            let rows = slot.plane_len(plan.batch) / slot.cols.max(1);
            let plane_stride = rows.next_multiple_of(ROW_UNIT) * width;
            Extent { width, plane_stride, planes: slot.planes, half }
        });
        Self { list: list.collect() }
    }

    pub(super) fn of(&self, slot: SlotId) -> Extent {
        self.list[slot]
    }
}

impl Extent {
    /// Bytes of a value.
    pub(super) fn value(self) -> usize {
        if self.half { 2 } else { 4 }
    }

    /// Bytes of a number of values.
    pub(super) fn bytes(self, values: usize) -> u64 {
        (self.value() * values) as u64
    }

    /// Bytes of all planes.
    pub(super) fn all(self) -> u64 {
        self.bytes(self.planes * self.plane_stride)
    }

    /// Room for all planes, in units of four bytes.
    pub(super) fn words(self) -> usize {
        self.planes * self.plane_stride * self.value() / 4
    }
}

/// Which slots hold f16: those between products, norms and attention that are not the residual
/// stream, and states. What is fed, kept, copied or mapped is f32.
fn halves(plan: &Plan, family: Family, precision: Precision) -> Vec<bool> {
    let half = match precision {
        Precision::F16 => between(plan, family),
        _ => vec![false; plan.slots.len()],
    };
    // Keys and values are kept in f16 wherever anything is rounded.
    #[cfg(feature = "language")]
    let half = {
        let kept = |slot: &Slot| slot.role == Role::State && precision != Precision::F32;
        half.into_iter().zip(&plan.slots).map(|(half, slot)| half || kept(slot)).collect()
    };
    half
}

/// Those of a run alone.
fn between(plan: &Plan, family: Family) -> Vec<bool> {
    // Planes start at multiples of 256 bytes.
    let aligned = |planes: usize, cols: usize| planes == 1 || quads(cols).is_multiple_of(8);
    let inside = plan.slots.iter().map(|s| s.role == Role::Temporary && aligned(s.planes, s.cols));
    let mut half: Vec<bool> = inside.collect();
    for step in &plan.steps {
        let reads = || plan.reads(step);
        let whole: Vec<SlotId> = match &step.op {
            Op::Linear(op) => op.residual.into_iter().flat_map(|from| [from, step.y]).collect(),
            // Their kernel's sums gather in y itself.
            Op::Attention(_) if family.software() => vec![step.y],
            Op::Patchify(op) => vec![op.pixels],
            Op::Norm(_) | Op::Attention(_) => vec![],
            _ => reads().chain([step.y]).collect(),
        };
        whole.into_iter().for_each(|slot| half[slot] = false);
    }
    half
}
