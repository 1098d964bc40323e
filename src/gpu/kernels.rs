//! The tables that choose kernels. A row says what its kernel needs of a device and which shapes it
//! fits; the first row that suits both is taken. The shader check and the kernels' tests go through the
//! same rows, so none can be untested.

mod attention;
#[cfg(feature = "language")]
mod causal;
mod guided;
mod knob;
mod linear;
mod map;
mod norm;
mod patchify;
mod row;

pub use attention::{ATTENTION, Attention};
#[cfg(feature = "language")]
pub use causal::{APPEND, CAUSAL, Causal, PICK, PROBABILITIES, Pick, TOP, Top};
pub use guided::{BOX_MEAN, BoxMean, LOCAL_AFFINE, OUTER, Pixels, RIDGE, Ridge};
pub use knob::Knob;
#[cfg(feature = "probe")]
pub use linear::PARTS;
pub use linear::{LINEAR, Product, ROUND, RowKind};
pub use map::{
    ADD, EMBED, GATHER, Gather, INTERLEAVE, Interleave, POOL, Pool, RESIZE, ROTATE, Resize, Rotate,
    Rows, Tokens,
};
pub use norm::{NORM, Norm};
pub use patchify::{PATCHIFY, Patchify};
pub use row::{About, Needs, Row, Subgroups, Target, Tile, choose};

use std::borrow::Cow;

/// A kernel, ready to be linked: equal kernels share a pipeline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// The main file, then the files that fill its holes.
    pub files: Vec<Cow<'static, str>>,
    /// Names and values.
    pub knobs: Vec<(&'static str, Knob)>,
}

impl Kernel {
    /// Fills a hole with a file.
    fn with(mut self, file: impl Into<Cow<'static, str>>) -> Self {
        self.files.push(file.into());
        self
    }

    /// Sets a knob.
    fn knob(mut self, name: &'static str, value: impl Into<Knob>) -> Self {
        self.knobs.push((name, value.into()));
        self
    }

    /// Fills the holes for what is read and what is written, either of f16 or not.
    fn stored(self, [x, y]: [bool; 2]) -> Self {
        self.reads(x).writes(y)
    }

    fn reads(self, half: bool) -> Self {
        self.with(if half { "x/f16" } else { "x/f32" })
    }

    fn writes(self, half: bool) -> Self {
        self.with(if half { "y/f16" } else { "y/f32" })
    }
}

/// Every row of every table.
pub fn rows() -> Vec<About> {
    let mut list: Vec<About> = LINEAR.iter().chain(&ROUND).map(Row::about).collect();
    #[cfg(feature = "probe")]
    list.extend(PARTS.iter().map(Row::about));
    list.extend(ATTENTION.iter().map(Row::about));
    list.extend(NORM.iter().map(Row::about));
    list.extend(PATCHIFY.iter().map(Row::about));
    list.extend(EMBED.iter().map(Row::about));
    list.extend(GATHER.iter().map(Row::about));
    list.extend(ROTATE.iter().map(Row::about));
    list.extend(ADD.iter().map(Row::about));
    list.extend(INTERLEAVE.iter().map(Row::about));
    list.extend(POOL.iter().map(Row::about));
    list.extend(RESIZE.iter().map(Row::about));
    list.extend(BOX_MEAN.iter().map(Row::about));
    list.extend(OUTER.iter().map(Row::about));
    list.extend(RIDGE.iter().map(Row::about));
    list.extend(LOCAL_AFFINE.iter().map(Row::about));
    #[cfg(feature = "language")]
    {
        list.extend(APPEND.iter().map(Row::about));
        list.extend(CAUSAL.iter().map(Row::about));
        list.extend(PROBABILITIES.iter().map(Row::about));
        list.extend(TOP.iter().map(Row::about));
        list.extend(PICK.iter().map(Row::about));
    }
    list
}
