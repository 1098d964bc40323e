//! The values of a plan: pictures, weights, what lies between, results.

use crate::model::WeightKind;

/// Index into [`Plan::slots`](super::Plan::slots).
pub type SlotId = usize;

/// A value: `planes` matrices of `rows` × `cols` f32. The rows of all pictures of the batch follow
/// each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The name under which it appears in traces and timings; a weight's is its name in the
    /// canonical checkpoint.
    pub name: String,
    /// Matrices behind each other: 3 for q, k and v, otherwise 1.
    pub planes: usize,
    /// Rows of one picture; of a matrix of weights the outputs of a plane.
    pub rows: usize,
    /// Values of a row; of a matrix of weights the inputs.
    pub cols: usize,
    /// Who fills it, and how long it lives.
    pub role: Role,
    /// The block that it belongs to, from 0.
    pub block: Option<usize>,
    /// A weight's shape in the canonical checkpoint; empty for other slots.
    pub stored: Vec<usize>,
}

/// Who fills a slot, and how long it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Filled by the caller, once for each picture.
    Input,
    /// Filled by the caller with bytes: `cols` RGBA pixels a row.
    Rgba,
    /// Filled by the caller once for all pictures of the batch.
    Shared,
    /// Filled from the checkpoint when the model is loaded.
    Weight(WeightKind),
    /// Written and read within the run; its memory is reused.
    Temporary,
    /// Kept until the next run.
    Output,
    /// Kept from run to run, by name, among the plans that are given the same states.
    #[cfg(feature = "language")]
    State,
}

/// What a caller puts into an input slot.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// For [`Role::Input`] and [`Role::Shared`].
    F32(&'a [f32]),
    /// For [`Role::Rgba`].
    Rgba(&'a [u8]),
}

/// One plane of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plane {
    /// The slot.
    pub slot: SlotId,
    /// Which of its planes.
    pub plane: usize,
}

/// A feature map `[height·width, channels]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Map {
    /// Where it is.
    pub slot: SlotId,
    /// Height and width.
    pub size: [usize; 2],
}

/// Rows of a plane are rounded up to this many, so that every plane starts at a multiple of 256
/// bytes whatever the width (a multiple of 4).
const ROW_UNIT: usize = 16;

impl Slot {
    /// A slot outside of blocks, of `[planes, rows, cols]`.
    pub fn new(name: &str, [planes, rows, cols]: [usize; 3], role: Role) -> Self {
        Self { name: name.into(), planes, rows, cols, role, block: None, stored: Vec::new() }
    }

    /// How many times a batch of `batch` pictures has it.
    fn copies(&self, batch: usize) -> usize {
        if matches!(self.role, Role::Shared | Role::Weight(_)) { 1 } else { batch }
    }

    /// Values for `batch` pictures, in one plane.
    pub fn plane_len(&self, batch: usize) -> usize {
        self.copies(batch) * self.rows * self.cols
    }

    /// Values for `batch` pictures, all planes.
    pub fn len(&self, batch: usize) -> usize {
        self.planes * self.plane_len(batch)
    }

    /// Values from the start of one plane to the next for a capacity of `batch` pictures.
    pub fn plane_stride(&self, batch: usize) -> usize {
        (self.copies(batch) * self.rows).next_multiple_of(ROW_UNIT) * self.cols
    }

    /// Whether it is a weight.
    pub fn is_weight(&self) -> bool {
        matches!(self.role, Role::Weight(_))
    }
}

impl From<SlotId> for Plane {
    /// The first plane, the only one of most slots.
    fn from(slot: SlotId) -> Self {
        Self { slot, plane: 0 }
    }
}
