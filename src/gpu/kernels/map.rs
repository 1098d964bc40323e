//! Operations that an invocation computes for four channels of a token or pixel.

use super::Row;
use crate::model::Pairs;

/// Rows with this number of channels.
#[derive(Clone, Copy, Debug)]
pub struct Rows {
    /// Channels.
    pub c: usize,
}

/// Rows in another order.
#[derive(Clone, Copy, Debug)]
pub struct Gather {
    /// Channels of a row that is read.
    pub c: usize,
    /// Rows that one row is made of.
    pub parts: usize,
    /// Whether they are added to what y holds.
    pub add: bool,
}

/// Rotary positions.
#[derive(Clone, Copy, Debug)]
pub struct Rotate {
    /// Channels of all heads.
    pub c: usize,
    /// Channels of a head.
    pub head_dim: usize,
    /// Which channels are a pair.
    pub pairs: Pairs,
}

/// The one variant.
pub static GATHER: [Row<Gather>; 1] = [Row::only(
    "gather",
    |shape| shape.parts == 1 || shape.c.is_multiple_of(4),
    |kernel, _, _, shape| {
        kernel.knob("C", shape.c).knob("PARTS", shape.parts).knob("ADD", shape.add)
    },
)];

/// The one variant.
pub static ROTATE: [Row<Rotate>; 1] = [Row::only(
    "rotate",
    |shape| shape.head_dim.is_multiple_of(8),
    |kernel, _, _, shape| {
        let halves = shape.pairs == Pairs::Halves;
        kernel.knob("C", shape.c).knob("D", shape.head_dim).knob("HALVES", halves)
    },
)];

/// The one variant.
pub static ADD: [Row<Rows>; 1] =
    [Row::only("add", |_| true, |kernel, _, _, shape| kernel.knob("C", shape.c))];

/// Tokens to which positions are added.
#[derive(Clone, Copy, Debug)]
pub struct Tokens {
    /// Channels as they lie in memory.
    pub c: usize,
    /// Tokens before the patches.
    pub prefix: usize,
}

/// Four planes that become one map.
#[derive(Clone, Copy, Debug)]
pub struct Interleave {
    /// Channels.
    pub c: usize,
}

/// Pooling.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Channels.
    pub c: usize,
    /// The maximum of 2 × 2 pixels, otherwise the mean over adaptive bins.
    pub max: bool,
}

/// A bilinear resize.
#[derive(Clone, Copy, Debug)]
pub struct Resize {
    /// Channels of the map that is read.
    pub c: usize,
    /// Channels of the map that is written.
    pub wide: usize,
    /// Whether it is added to what that map holds.
    pub add: bool,
}

/// The one variant.
pub static EMBED: [Row<Tokens>; 1] = [Row::only(
    "embed",
    |_| true,
    |kernel, _, _, shape| kernel.knob("C", shape.c).knob("PREFIX", shape.prefix),
)];

/// The one variant.
pub static INTERLEAVE: [Row<Interleave>; 1] = [Row::only(
    "interleave",
    |shape| shape.c.is_multiple_of(4),
    |kernel, _, _, shape| kernel.knob("C", shape.c),
)];

/// The one variant.
pub static POOL: [Row<Pool>; 1] = [Row::only(
    "pool",
    |shape| shape.c.is_multiple_of(4),
    |kernel, _, _, shape| kernel.knob("C", shape.c).knob("MAX", shape.max),
)];

/// The one variant; it serves `concat` too.
pub static RESIZE: [Row<Resize>; 1] = [Row::only(
    "resize",
    |shape| shape.c.is_multiple_of(4) && shape.wide.is_multiple_of(4),
    |kernel, _, _, shape| kernel.knob("C", shape.c).knob("WIDE", shape.wide).knob("ADD", shape.add),
)];
