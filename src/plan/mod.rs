//! A forward pass as data: operations over slots. No precision, no kernel and no device is
//! named here; `reference` and `gpu` run it.

mod arena;
mod attention;
mod blocks;
mod encoder;
mod head;
mod op;
mod position;
mod text;

pub use arena::{Arena, arena_of, plan_arena};
pub use attention::record_attention;
pub use blocks::block_of;
pub use encoder::{Input, record, record_segment};
pub use head::{Map, record_head, record_head_alone};
pub use op::{Finish, Op, Plan, Role, Slot, SlotId, Step, Value};
pub use position::resize_position;
