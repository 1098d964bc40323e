//! What a row of a table is.

use std::fmt;

use super::Kernel;
use crate::gpu::caps::Caps;
use crate::gpu::family::Family;
use crate::{Error, Result};

/// One variant of an operation's kernel, for shapes of type `S`.
pub struct Row<S: 'static> {
    /// The operation.
    pub op: &'static str,
    /// The main file.
    pub file: &'static str,
    /// Files that fill the holes which no shape decides.
    pub with: &'static [&'static str],
    /// The families of devices that it is for.
    pub families: &'static [Family],
    /// What it needs of a device.
    pub needs: Needs,
    /// What a workgroup computes.
    pub tile: Tile,
    /// Which shapes it can compute.
    pub fits: fn(&S) -> bool,
    /// Fills the other holes and sets the knobs.
    pub(super) specialise: fn(Kernel, &Row<S>, &Target, &S) -> Kernel,
}

/// What the choice of a kernel needs to know of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// Its family.
    pub family: Family,
    /// Invocations of a subgroup; 0 where they vary, or where the device has none.
    pub subgroup: u32,
    /// Invocations of its smallest subgroup, also where they vary; 0 where it has none.
    pub least_subgroup: u32,
    /// Side of the matrices that its subgroups multiply; 0 where there are none.
    pub matrix: u32,
}

impl Target {
    /// A device with the kernels of a family.
    pub(in crate::gpu) fn of(caps: &Caps, family: Family) -> Self {
        let Caps { subgroup, least_subgroup, matrix, .. } = *caps;
        Self { family, subgroup, least_subgroup, matrix }
    }
}

/// What a kernel needs of a device beyond WebGPU's defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Operations over a subgroup.
    pub subgroup: Subgroups,
    /// Cooperative matrices of this side; 0 for none.
    pub matrix: u32,
    /// Dot products of packed 8-bit integers, which every WGSL compiler has, well or not.
    pub packed: bool,
    /// The type f16.
    pub half: bool,
}

/// The subgroups that a kernel needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subgroups {
    /// None.
    Any,
    /// All of one size.
    Even,
    /// All of this size.
    Exactly(u32),
    /// All of one size, a multiple of this.
    MultipleOf(u32),
    /// Of any sizes, none smaller than this.
    AtLeast(u32),
}

/// What a workgroup computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// Some rows of one panel of 64 outputs.
    Panel(usize),
    /// The same, summed over a part of the inputs.
    Part(usize),
    /// Attention of some queries of a head, to some keys at a time.
    Head {
        /// Queries.
        queries: usize,
        /// Keys.
        keys: usize,
    },
    /// Some whole rows.
    Rows(usize),
    /// 64 times four neighbouring values.
    Quads,
}

/// A row without its functions, for people.
#[derive(Clone, Copy, Debug)]
pub struct About {
    /// The operation.
    pub op: &'static str,
    /// The main file.
    pub file: &'static str,
    /// Files that fill the holes which no shape decides.
    pub with: &'static [&'static str],
    /// The families of devices that it is for.
    pub families: &'static [Family],
    /// What it needs of a device.
    pub needs: Needs,
    /// What a workgroup computes.
    pub tile: Tile,
}

/// The first of `rows` that a device can run and that fits a shape.
///
/// # Errors
/// [`Error::Device`] where there is none; `supports` has told so before.
pub fn choose<S: fmt::Debug>(
    rows: &'static [Row<S>],
    target: &Target,
    shape: &S,
) -> Result<&'static Row<S>> {
    let none = || {
        let op = rows.first().map_or("", |row| row.op);
        Error::device(format!("{op}: no kernel of {} fits {shape:?}", target.family.name()))
    };
    rows.iter().find(|row| row.suits(target, shape)).ok_or_else(none)
}

impl<S> Row<S> {
    /// The one variant of an operation whose file has its name: for every device, an invocation for four values.
    pub(super) const fn only(
        op: &'static str,
        fits: fn(&S) -> bool,
        specialise: fn(Kernel, &Self, &Target, &S) -> Kernel,
    ) -> Self {
        let (needs, families) = (Needs::NONE, Family::ALL);
        Self { op, file: op, with: &[], families, needs, tile: Tile::Quads, fits, specialise }
    }

    /// Whether a device can run it, and it fits a shape.
    pub fn suits(&self, target: &Target, shape: &S) -> bool {
        let listed = self.families.contains(&target.family);
        listed && self.needs.met(target) && (self.fits)(shape)
    }

    /// The kernel for a shape that it fits.
    pub fn kernel(&self, target: &Target, shape: &S) -> Kernel {
        let files = [self.file].iter().chain(self.with).map(|file| (*file).into()).collect();
        (self.specialise)(Kernel { files, knobs: Vec::new() }, self, target, shape)
    }

    /// The row without its functions.
    pub fn about(&self) -> About {
        let Self { op, file, with, families, needs, tile, .. } = *self;
        About { op, file, with, families, needs, tile }
    }
}

impl Needs {
    /// Nothing beyond the defaults.
    pub const NONE: Self = Self { subgroup: Subgroups::Any, matrix: 0, packed: false, half: false };

    /// Subgroups.
    pub(super) const fn subgroups(subgroup: Subgroups) -> Self {
        Self { subgroup, ..Self::NONE }
    }

    /// Cooperative matrices of f16.
    pub(super) const fn matrices(matrix: u32, subgroup: Subgroups) -> Self {
        Self { subgroup, matrix, half: true, ..Self::NONE }
    }

    /// Whether a device has all of it.
    pub fn met(self, target: &Target) -> bool {
        let lanes = target.subgroup;
        let subgroup = match self.subgroup {
            Subgroups::Any => true,
            Subgroups::Even => lanes > 0,
            Subgroups::Exactly(size) => lanes == size,
            Subgroups::MultipleOf(size) => lanes > 0 && lanes.is_multiple_of(size),
            Subgroups::AtLeast(size) => target.least_subgroup >= size,
        };
        // A device with such matrices has f16.
        subgroup && (self.matrix == 0 || self.matrix == target.matrix)
    }
}

impl fmt::Display for Needs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = match self.subgroup {
            Subgroups::Any => Vec::new(),
            Subgroups::Even => vec!["subgroups of one size".into()],
            Subgroups::Exactly(size) => vec![format!("subgroups of {size}")],
            Subgroups::MultipleOf(size) => vec![format!("subgroups of a multiple of {size}")],
            Subgroups::AtLeast(size) => vec![format!("subgroups of {size} or more")],
        };
        if self.matrix > 0 {
            list.push(format!("{0} × {0} matrices", self.matrix));
        }
        if self.packed {
            list.push("packed dot products".into());
        }
        if self.half {
            list.push("f16".into());
        }
        f.write_str(&if list.is_empty() { "nothing".into() } else { list.join(", ") })
    }
}

impl Tile {
    /// Rows, or queries, of a workgroup.
    pub(in crate::gpu) fn rows(self) -> usize {
        match self {
            Self::Panel(rows) | Self::Part(rows) | Self::Rows(rows) => rows,
            Self::Head { queries, .. } => queries,
            Self::Quads => 1,
        }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panel(rows) => write!(f, "{rows} rows × 64 outputs"),
            Self::Part(rows) => write!(f, "{rows} rows × 64 outputs, a part of the inputs"),
            Self::Head { queries, keys } => write!(f, "{queries} queries × {keys} keys"),
            Self::Rows(1) => write!(f, "1 row"),
            Self::Rows(rows) => write!(f, "{rows} rows"),
            Self::Quads => write!(f, "64 quads"),
        }
    }
}
