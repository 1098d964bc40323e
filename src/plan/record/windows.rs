//! Windows: which rows they take of a grid, and which entries of a table their tokens look up.
//!
//! A grid is padded at the right and bottom to whole windows, shifted towards the corner by half a
//! window in every second block, cut into windows, and put back.

use super::encoder::EncoderRecorder;
use super::names;
use crate::model::{Spec, Windows};
use crate::plan::host::distance;
use crate::plan::{Gather, Op, ScoreBias, SlotId};

/// One stage: blocks on one grid.
#[derive(Clone, Debug)]
pub(in crate::plan) struct Stage {
    /// Which, from 0.
    pub(in crate::plan) number: usize,
    /// Blocks.
    pub(in crate::plan) depth: usize,
    /// Heads.
    pub(in crate::plan) heads: usize,
    /// Channels.
    pub(in crate::plan) hidden: usize,
    /// Rows and columns of tokens.
    pub(in crate::plan) grid: [usize; 2],
    /// Side of a window.
    side: usize,
    /// Whether a coarser stage follows.
    followed: bool,
}

/// The stages of a model for a grid of patches; none where it has no windows.
pub(in crate::plan) fn stages(spec: &Spec, grid: [usize; 2]) -> Vec<Stage> {
    let Some(Windows { side, depths, heads }) = &spec.windows else { return Vec::new() };
    let mut grid = grid;
    let stage = |(number, (depth, heads)): (usize, (&usize, &usize))| {
        let (own, last) = (grid, depths.len() - 1);
        grid = grid.map(|n| n.div_ceil(2));
        Stage {
            number,
            depth: *depth,
            heads: *heads,
            hidden: spec.sizes.hidden >> (last - number),
            grid: own,
            side: *side,
            followed: number < last,
        }
    };
    depths.iter().zip(heads).enumerate().map(stage).collect()
}

/// What keeps tokens of different parts of a shifted grid from each other: subtracted from scores.
const APART: f32 = 100.0;

impl Stage {
    /// Whether it ends by joining 2 × 2 tokens.
    pub(in crate::plan) fn merges(&self) -> bool {
        self.followed
    }

    /// The shift of a block: half a window in every second one, where there is more than one window.
    pub(in crate::plan) fn shift(&self, block: usize) -> usize {
        let several = self.grid[0].min(self.grid[1]) > self.side;
        if block % 2 == 1 && several { self.side / 2 } else { 0 }
    }

    /// The shifts that its blocks have, each once.
    pub(in crate::plan) fn shifts(&self) -> Vec<usize> {
        let mut all: Vec<usize> = (0..self.depth).map(|block| self.shift(block)).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// The name of a slot that its blocks of one shift share.
    pub(in crate::plan) fn name(&self, shift: usize, what: &str) -> String {
        format!("windows.{}.{shift}.{what}", self.number)
    }

    /// The name of a slot of one block.
    pub(in crate::plan) fn block(&self, block: usize, what: &str) -> String {
        format!("{}.{block}.{what}", self.number)
    }

    /// Rows and columns of windows.
    fn windows(&self) -> [usize; 2] {
        self.grid.map(|n| n.div_ceil(self.side))
    }

    /// How many windows there are.
    pub(in crate::plan) fn groups(&self) -> usize {
        self.windows().iter().product()
    }

    /// Tokens of a window.
    pub(in crate::plan) fn tokens(&self) -> usize {
        self.side * self.side
    }

    /// The place in the shifted, padded grid of each row of windows.
    fn places(&self) -> impl Iterator<Item = [usize; 2]> + '_ {
        let (side, [down, across]) = (self.side, self.windows());
        (0..down * across * side * side).map(move |row| {
            let (window, at) = (row / (side * side), row % (side * side));
            [window / across * side + at / side, window % across * side + at % side]
        })
    }

    /// For each row of windows the token that is there; -1 for padding.
    pub(in crate::plan) fn gather(&self, shift: usize) -> Vec<f32> {
        let padded = self.windows().map(|n| n * self.side);
        let token = |[y, x]: [usize; 2]| {
            let [y, x] = [(y + shift) % padded[0], (x + shift) % padded[1]];
            if y < self.grid[0] && x < self.grid[1] { (y * self.grid[1] + x) as f32 } else { -1.0 }
        };
        self.places().map(token).collect()
    }

    /// For each token the row of windows that it is.
    pub(in crate::plan) fn scatter(&self, shift: usize) -> Vec<f32> {
        let mut rows = vec![0.0; self.grid[0] * self.grid[1]];
        for (row, token) in self.gather(shift).into_iter().enumerate() {
            if token >= 0.0 {
                rows[token as usize] = row as f32;
            }
        }
        rows
    }

    /// For each row of windows and each key of its window the entry of the table, `[rows, side²]`. In
    /// the table's second half every entry is lower by a constant: it is for tokens that shifting brought
    /// together.
    pub(in crate::plan) fn index(&self, shift: usize) -> Vec<f32> {
        let padded = self.windows().map(|n| n * self.side);
        // The parts of an axis that a shift brings together.
        let region = |at: usize, length: usize| match shift {
            0 => 0,
            shift if at >= length - shift => 2,
            _ => usize::from(at >= length - self.side),
        };
        let regions: Vec<usize> =
            self.places().map(|[y, x]| 3 * region(y, padded[0]) + region(x, padded[1])).collect();
        let apart = (2 * self.side - 1).pow(2);
        let mut values = Vec::new();
        for window in regions.chunks_exact(self.tokens()) {
            for (query, own) in window.iter().enumerate() {
                values.extend(window.iter().enumerate().map(|(key, other)| {
                    let entry = distance(query, key, self.side, self.side);
                    (if own == other { entry } else { entry + apart }) as f32
                }));
            }
        }
        values
    }

    /// The table `[entries, heads]`, and behind it the same for tokens that are to be kept apart.
    pub(in crate::plan) fn table(&self, table: &[f32]) -> Vec<f32> {
        let apart = table.iter().map(|value| value - APART);
        table.iter().copied().chain(apart).collect()
    }

    /// For each token of the next stage the four that it joins, `[rows, 4]`: upper left, lower left, upper
    /// right, lower right; -1 for padding.
    pub(in crate::plan) fn merge(&self) -> Vec<f32> {
        let [rows, cols] = self.grid;
        let token = |y: usize, x: usize| {
            if y < rows && x < cols { (y * cols + x) as f32 } else { -1.0 }
        };
        let mut values = Vec::new();
        for y in (0..rows).step_by(2) {
            for x in (0..cols).step_by(2) {
                values.extend([token(y, x), token(y + 1, x), token(y, x + 1), token(y + 1, x + 1)]);
            }
        }
        values
    }

    /// Entries of a stored table.
    pub(in crate::plan) fn entries(&self) -> usize {
        (2 * self.side - 1).pow(2)
    }
}

impl EncoderRecorder<'_> {
    /// A stage: its blocks by windows, then four tokens joined to one.
    pub(super) fn stage(&mut self, mut x: SlotId, stage: &Stage) -> SlotId {
        for block in 0..stage.depth {
            self.r.enter_stage(stage.number, block);
            let [tokens, c] = [self.r.rows(x), self.r.cols(x)];
            let (groups, shift) = (stage.groups(), stage.shift(block));
            let within = groups * stage.tokens();
            self.bias_table(&names::block_bias(""), stage.entries(), stage.heads);
            let index = self.shared(&stage.name(shift, "index"), [within, stage.tokens()]);
            let table = [2 * stage.entries(), stage.heads];
            let table = self.shared(&stage.block(block, "relative"), table);
            let gather = self.shared(&stage.name(shift, "gather"), [within, 1]);
            let scatter = self.shared(&stage.name(shift, "scatter"), [tokens, 1]);
            let attend = |this: &mut Self, a: SlotId, residual: Option<SlotId>| {
                let gather = Gather { x: a, index: gather, residual: None };
                let a = this.r.push("windows", [within, c], Op::Gather(gather));
                let bias = Some(ScoreBias { table, index });
                let a = this.attention(a, stage.heads, groups, bias);
                let a = this.projected(a, None);
                let back = Gather { x: a, index: scatter, residual };
                this.r.push("unwindowed", [tokens, c], Op::Gather(back))
            };
            x = self.residual(x, &attend);
        }
        if stage.merges() {
            let (c, rows) = (self.r.cols(x), stage.grid[0].div_ceil(2) * stage.grid[1].div_ceil(2));
            self.r.merge_stage(stage.number);
            let index = self.shared(&stage.name(0, "merge"), [rows, 4]);
            let gather = Gather { x, index, residual: None };
            let joined = self.r.push("merge", [rows, 4 * c], Op::Gather(gather));
            let joined = self.norm(joined, "merge.norm");
            x = self.r.linear(joined, "merge.reduction", 2 * c).unbiased("merged");
        }
        self.r.leave();
        self.r.plan.slots[x].name = format!("hidden_states.{}", stage.number + 1);
        x
    }
}
