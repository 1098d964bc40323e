//! What a plan is made of.

use crate::image::Normal;
use crate::model::NormKind;

/// A straight list of operations, for a fixed batch and number of tokens.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Pictures that one run takes at most.
    pub batch: usize,
    /// Tokens of one picture, prefix included.
    pub tokens: usize,
    /// Every value that lives on the device.
    pub slots: Vec<Slot>,
    /// In the order of execution.
    pub steps: Vec<Step>,
}

/// Index into [`Plan::slots`].
pub type SlotId = usize;

/// A value: `planes` matrices of `rows` × `cols` f32. The rows of all pictures of the batch follow
/// each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// The name under which it appears in traces and timings.
    pub name: String,
    /// Matrices behind each other: 3 for q, k and v, otherwise 1.
    pub planes: usize,
    /// Rows of one picture.
    pub rows: usize,
    /// Values of a row.
    pub cols: usize,
    /// Who fills it, and how long it lives.
    pub role: Role,
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
    /// Made and consumed within the run; its memory is reused.
    Temporary,
    /// Kept until the next run.
    Output,
}

/// What a caller puts into an input slot.
#[derive(Clone, Copy, Debug)]
pub enum Value<'a> {
    /// For [`Role::Input`] and [`Role::Shared`].
    F32(&'a [f32]),
    /// For [`Role::Rgba`].
    Rgba(&'a [u8]),
}

/// One operation and the block it belongs to.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What is done.
    pub op: Op,
    /// 1-based block; 0 before the first.
    pub layer: usize,
}

/// An operation. Weights are named as in the canonical checkpoint.
#[derive(Clone, Debug, PartialEq)]
pub enum Op {
    /// Cuts pictures into patches: row p of `rows` holds the values of patch p (grid row-major) in
    /// the order channel, y, x. RGBA bytes are normalised; f32 planes are taken as they are.
    Unfold {
        /// RGBA `[height, width]` or f32 planes `[3·height, width]`.
        pixels: SlotId,
        /// `[patches, 3·patch²]`.
        rows: SlotId,
        /// Side of a patch, pixels.
        patch: usize,
        /// What becomes of RGBA bytes.
        normal: Normal,
    },
    /// `y = finish(x · Wᵀ + b)`, W `[planes·y.cols, x.cols]`.
    Linear {
        /// `[rows, in]`; with a window `[height·width, in / 9]`.
        x: SlotId,
        /// `[planes, rows, out]`; output o of W goes to plane o / out.
        y: SlotId,
        /// W's name.
        weight: String,
        /// b's name.
        bias: Option<String>,
        /// Height and width of the map x, of which each pixel's 3 × 3 window, zero outside, in the
        /// order y, x, channel, is a row: a convolution.
        window: Option<[usize; 2]>,
        /// What becomes of the sum.
        finish: Finish,
    },
    /// Puts the class token before the patches and adds positions.
    Embed {
        /// `[patches, C]`.
        patches: SlotId,
        /// `[1 + patches, C]`, shared by the batch.
        position: SlotId,
        /// `[1 + patches, C]`.
        y: SlotId,
        /// The class token's name, `[C]`.
        cls: String,
    },
    /// `y = norm(x)` row by row; `x` and `y` may be the same slot.
    Norm {
        /// `[rows, C]`.
        x: SlotId,
        /// `[rows, C]`.
        y: SlotId,
        /// The plane of both that is meant.
        plane: usize,
        /// Weight's name, `[C]`.
        weight: String,
        /// Bias's name, `[C]`; LayerNorm has one.
        bias: Option<String>,
        /// Which statistics.
        kind: NormKind,
        /// Added before the root.
        eps: f32,
        /// GELU afterwards (only with a bias).
        gelu: bool,
    },
    /// `softmax(q·kᵀ / √d) · v` for every head over all tokens of one picture.
    Attention {
        /// Planes q, k, v, each `[tokens, heads·d]`.
        qkv: SlotId,
        /// `[tokens, heads·d]`.
        y: SlotId,
        /// Number of heads.
        heads: usize,
    },
    /// Copies `x` to `y`, without the first rows of each picture.
    Keep {
        /// `[skip + rows, C]`.
        x: SlotId,
        /// `[rows, C]`.
        y: SlotId,
        /// Rows of a picture that are left out.
        skip: usize,
    },
    /// Four planes to one map of twice the height and width: `y[2r + i][2c + j] = x[2i + j][r][c]`.
    Interleave {
        /// Planes `[4, height·width, C]`.
        x: SlotId,
        /// `[2 height·2 width, C]`.
        y: SlotId,
        /// Height and width of a plane.
        from: [usize; 2],
    },
    /// Pooling: the mean over adaptive bins, or the maximum of 2 × 2 pixels with stride 2.
    Pool {
        /// `[from[0]·from[1], C]`.
        x: SlotId,
        /// `[to[0]·to[1], C]`.
        y: SlotId,
        /// Height and width of x.
        from: [usize; 2],
        /// Height and width of y.
        to: [usize; 2],
        /// The maximum; otherwise the mean.
        max: bool,
    },
    /// Bilinear resize (half-pixel centres, border clamped) into some columns of y, or added.
    Resize {
        /// `[from[0]·from[1], C]`.
        x: SlotId,
        /// `[to[0]·to[1], at least column + C]`.
        y: SlotId,
        /// Height and width of x.
        from: [usize; 2],
        /// Height and width of y.
        to: [usize; 2],
        /// First column of y that is written.
        column: usize,
        /// Add to what y holds.
        add: bool,
    },
}

/// What becomes of a product's sum, bias included.
#[derive(Clone, Debug, PartialEq)]
pub enum Finish {
    /// Nothing.
    Store,
    /// `½ s (1 + erf(s/√2))`.
    Gelu,
    /// `max(s, 0)`.
    Relu,
    /// `y + scale ⊙ s`: LayerScale and residual.
    Residual {
        /// LayerScale's name, `[out]`.
        scale: String,
    },
}

impl Slot {
    /// Values for `batch` pictures, in one plane.
    pub fn plane_len(&self, batch: usize) -> usize {
        let pictures = if self.role == Role::Shared { 1 } else { batch };
        pictures * self.rows * self.cols
    }

    /// Values for `batch` pictures, all planes.
    pub fn len(&self, batch: usize) -> usize {
        self.planes * self.plane_len(batch)
    }
}

impl Op {
    /// Slots that are read, a slot updated in place included.
    pub fn reads(&self) -> Vec<SlotId> {
        match self {
            Self::Unfold { pixels, .. } => vec![*pixels],
            Self::Linear { x, y, finish: Finish::Residual { .. }, .. } => vec![*x, *y],
            Self::Linear { x, .. } | Self::Norm { x, .. } | Self::Keep { x, .. } => vec![*x],
            Self::Embed { patches, position, .. } => vec![*patches, *position],
            Self::Attention { qkv, .. } => vec![*qkv],
            Self::Resize { x, y, add: true, .. } => vec![*x, *y],
            Self::Interleave { x, .. } | Self::Pool { x, .. } | Self::Resize { x, .. } => vec![*x],
        }
    }

    /// The slot that is written.
    pub fn writes(&self) -> SlotId {
        match self {
            Self::Unfold { rows, .. } => *rows,
            Self::Linear { y, .. }
            | Self::Embed { y, .. }
            | Self::Norm { y, .. }
            | Self::Attention { y, .. }
            | Self::Keep { y, .. }
            | Self::Interleave { y, .. }
            | Self::Pool { y, .. }
            | Self::Resize { y, .. } => *y,
        }
    }

    /// Names of the weights that are used.
    pub fn weights(&self) -> Vec<&str> {
        let names: [Option<&String>; 3] = match self {
            Self::Linear { weight, bias, finish, .. } => {
                let scale = match finish {
                    Finish::Residual { scale } => Some(scale),
                    _ => None,
                };
                [Some(weight), bias.as_ref(), scale]
            }
            Self::Embed { cls, .. } => [Some(cls), None, None],
            Self::Norm { weight, bias, .. } => [Some(weight), bias.as_ref(), None],
            Self::Unfold { .. }
            | Self::Attention { .. }
            | Self::Keep { .. }
            | Self::Interleave { .. }
            | Self::Pool { .. }
            | Self::Resize { .. } => [None; 3],
        };
        names.into_iter().flatten().map(String::as_str).collect()
    }
}

impl Plan {
    /// Adds a slot of one plane.
    pub fn add(&mut self, name: &str, rows: usize, cols: usize, role: Role) -> SlotId {
        self.slots.push(Slot { name: name.into(), planes: 1, rows, cols, role });
        self.slots.len() - 1
    }

    /// Adds a step behind the encoder's blocks.
    pub fn push(&mut self, op: Op) {
        let layer = self.steps.last().map_or(0, |step| step.layer);
        self.steps.push(Step { op, layer });
    }

    /// The slot called `name`.
    pub fn slot(&self, name: &str) -> Option<SlotId> {
        self.slots.iter().position(|slot| slot.name == name)
    }

    /// Number of blocks; at least 1, so that it can be divided by.
    pub fn blocks(&self) -> usize {
        self.steps.last().map_or(1, |step| step.layer.max(1))
    }

    /// Slots that are read after a run, in the order in which they are filled.
    pub fn outputs(&self) -> impl Iterator<Item = SlotId> + '_ {
        (0..self.slots.len()).filter(|slot| self.slots[*slot].role == Role::Output)
    }

    /// Work of a step for `batch` pictures, a multiply-add counted as two.
    pub fn flop(&self, op: &Op, batch: usize) -> f64 {
        match op {
            Op::Linear { x, y, window, .. } => {
                let k = self.slots[*x].cols * if window.is_some() { 9 } else { 1 };
                2.0 * k as f64 * self.slots[*y].len(batch) as f64
            }
            Op::Attention { y, .. } => 4.0 * (self.slots[*y].len(batch) * self.tokens) as f64,
            other => self.slots[other.writes()].len(batch) as f64,
        }
    }

    /// Bytes that a step moves at least for `batch` pictures: each operand and each weight read
    /// once, each result written once. `size` tells the bytes of a value in a slot, or, without
    /// slot, in a matrix of weights.
    pub fn traffic(&self, op: &Op, batch: usize, size: &dyn Fn(Option<SlotId>) -> f64) -> f64 {
        let out = op.writes();
        let y = &self.slots[out];
        let read = |slot: SlotId, values: usize| values as f64 * size(Some(slot));
        let all: f64 = op.reads().iter().map(|s| read(*s, self.slots[*s].len(batch))).sum();
        let written = read(out, y.len(batch));
        match op {
            Op::Linear { x, bias, window, finish, .. } => {
                let k = self.slots[*x].cols * if window.is_some() { 9 } else { 1 };
                let scale = matches!(finish, Finish::Residual { .. });
                let vectors = usize::from(bias.is_some()) + usize::from(scale);
                let outputs = (y.planes * y.cols) as f64;
                all + written + outputs * (k as f64 * size(None) + 4.0 * vectors as f64)
            }
            Op::Norm { x, bias, .. } => {
                let plane = y.plane_len(batch);
                let vectors = 1 + usize::from(bias.is_some());
                read(*x, plane) + read(out, plane) + (4 * y.cols * vectors) as f64
            }
            Op::Keep { .. } => 2.0 * written,
            Op::Resize { x, add, .. } => {
                let changed = y.rows * batch * self.slots[*x].cols;
                let times = if *add { 2.0 } else { 1.0 };
                read(*x, self.slots[*x].len(batch)) + times * read(out, changed)
            }
            Op::Embed { .. } => all + written + (4 * y.cols) as f64,
            Op::Unfold { .. } | Op::Attention { .. } | Op::Interleave { .. } | Op::Pool { .. } => {
                all + written
            }
        }
    }
}
