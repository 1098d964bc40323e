//! Which temporary slots share a buffer.

use super::op::*;

/// An assignment of temporary slots to a few buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arena {
    /// For each slot of the plan its buffer; `None` for slots that have a buffer of their own.
    pub buffer: Vec<Option<usize>>,
    /// For each buffer the number of f32 values it must hold for a full batch.
    pub sizes: Vec<usize>,
}

/// Rows of a plane are rounded up to this many, so that every plane starts at a multiple of 256
/// bytes whatever the width (a multiple of 4).
const ROW_UNIT: usize = 16;

impl Slot {
    /// Values from the start of one plane to the next for a capacity of `batch` pictures.
    pub fn plane_stride(&self, batch: usize) -> usize {
        let pictures = if self.role == Role::Shared { 1 } else { batch };
        (pictures * self.rows).next_multiple_of(ROW_UNIT) * self.cols
    }
}

impl Plan {
    /// For each slot the index of the last step that reads or writes it.
    pub fn last_uses(&self) -> Vec<usize> {
        let mut last = vec![0; self.slots.len()];
        for (at, step) in self.steps.iter().enumerate() {
            for slot in step.op.reads().into_iter().chain([step.op.writes()]) {
                last[slot] = at;
            }
        }
        last
    }
}

/// Assigns buffers greedily: a slot takes the first buffer whose last reader is over before the
/// slot is written, so no operation reads and writes the same buffer except in place.
pub fn plan_arena(plan: &Plan) -> Arena {
    arena_of(plan, &|slot| plan.slots[slot].planes * plan.slots[slot].plane_stride(plan.batch))
}

/// As [`plan_arena`], where slots take the room that `need` tells, in units of a f32 value.
pub fn arena_of(plan: &Plan, need: &dyn Fn(SlotId) -> usize) -> Arena {
    let last_use = plan.last_uses();
    let mut buffer = vec![None; plan.slots.len()];
    let mut sizes: Vec<usize> = Vec::new();
    let mut free_from: Vec<usize> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let id = step.op.writes();
        if plan.slots[id].role != Role::Temporary || buffer[id].is_some() {
            continue;
        }
        let need = need(id);
        let free = (0..sizes.len()).filter(|b| free_from[*b] <= at);
        // The tightest buffer that is large enough, else the largest.
        let best = free.min_by_key(|b| (sizes[*b] < need, sizes[*b].abs_diff(need)));
        let chosen = best.unwrap_or_else(|| {
            sizes.push(0);
            free_from.push(0);
            sizes.len() - 1
        });
        sizes[chosen] = sizes[chosen].max(need);
        free_from[chosen] = last_use[id] + 1;
        buffer[id] = Some(chosen);
    }
    Arena { buffer, sizes }
}
