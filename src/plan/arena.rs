//! Which slots share memory.

use super::{Plan, Role, SlotId};

/// An assignment of temporary slots to a few buffers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arena {
    /// For each slot its shared buffer; `None` for slots whose owner has a buffer of its own.
    pub buffer: Vec<Option<usize>>,
    /// For each shared buffer the number of f32 values it must hold for a full batch.
    pub sizes: Vec<usize>,
    /// For each slot the slot in whose memory it lies: itself, or what takes its memory over.
    pub owner: Vec<SlotId>,
}

/// Assigns buffers greedily: a slot takes the first buffer whose last reader is over before the
/// slot is written, so no operation reads and writes the same buffer, except that a sum may take over
/// the memory of what it is added to.
pub fn plan_arena(plan: &Plan) -> Arena {
    arena_of(plan, &|slot| plan.slots[slot].planes * plan.slots[slot].plane_stride(plan.batch))
}

/// As [`plan_arena`], where slots take the room that `need` tells, in units of a f32 value.
pub fn arena_of(plan: &Plan, need: &dyn Fn(SlotId) -> usize) -> Arena {
    let last_uses = plan.last_uses();
    let owner = owners(plan, &last_uses);
    let mut buffer = vec![None; plan.slots.len()];
    let mut sizes: Vec<usize> = Vec::new();
    let mut free_from: Vec<usize> = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let id = owner[step.y];
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
        free_from[chosen] = last_uses[id] + 1;
        buffer[id] = Some(chosen);
    }
    let buffer = (0..plan.slots.len()).map(|slot| buffer[owner[slot]]).collect();
    Arena { buffer, sizes, owner }
}

/// The slot in whose memory each slot lies: along a chain of sums the last one's.
fn owners(plan: &Plan, last_uses: &[usize]) -> Vec<SlotId> {
    let mut owner: Vec<SlotId> = (0..plan.slots.len()).collect();
    // From the last step to the first, so that a chain's end is known.
    for at in (0..plan.steps.len()).rev() {
        if let Some(from) = plan.takes_over(at, last_uses) {
            owner[from] = owner[plan.steps[at].y];
        }
    }
    owner
}
