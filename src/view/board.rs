//! Pictures whose patches make one grid: tiles side by side, tiles that overlap and are blended, or
//! shifted pictures, between whose patches lie those of the others.

use crate::{Error, Result};

/// Where the patches of several pictures lie on one grid. Pictures are numbered row by row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// Rows and columns of one picture.
    part: [usize; 2],
    /// The row of the grid at which each row of pictures begins; likewise columns.
    starts: [Vec<usize>; 2],
    /// How far apart the neighbours of a picture lie on the grid.
    step: usize,
    /// Over how many patches a picture fades to its borders.
    fade: usize,
}

impl Board {
    /// Tiles of `part` rows and columns, `count` rows and columns of them, side by side.
    pub fn tiles(part: [usize; 2], count: [usize; 2]) -> Self {
        Self::overlapping(part, count, 0)
    }

    /// Tiles that share `overlap` patches with their neighbours, over which one fades into the other.
    pub fn overlapping(part: [usize; 2], count: [usize; 2], overlap: usize) -> Self {
        let starts = [0, 1].map(|axis: usize| {
            let apart = part[axis].saturating_sub(overlap).max(1);
            (0..count[axis]).map(|number| number.saturating_mul(apart)).collect()
        });
        Self { part, starts, step: 1, fade: overlap }
    }

    /// Pictures shifted `by` times down and across, each by a part of a patch more.
    pub fn shifted(part: [usize; 2], by: usize) -> Self {
        Self { part, starts: [(0..by).collect(), (0..by).collect()], step: by.max(1), fade: 0 }
    }

    /// How many pictures there are.
    pub fn pictures(&self) -> usize {
        self.starts[0].len() * self.starts[1].len()
    }

    /// Rows and columns of the whole grid.
    pub fn grid(&self) -> [usize; 2] {
        [0, 1].map(|axis: usize| {
            let last = self.starts[axis].last().copied().unwrap_or_default();
            let own = self.part[axis].saturating_sub(1).saturating_mul(self.step);
            if self.part[axis] == 0 { 0 } else { last.saturating_add(own).saturating_add(1) }
        })
    }

    /// A token for each patch of the pictures, of tokens `[pictures, tokens, c]` of a stage whose patches are as
    /// large as 2 × 2, 4 × 4 or more of them, and then stand several times. Others stay as they are.
    pub fn spread(&self, values: Vec<f32>, tokens: usize, c: usize) -> Vec<f32> {
        let [rows, cols] = self.part;
        let coarse = |by: u32| self.part.map(|side| side.div_ceil(1 << by));
        let fits = |by: &u32| coarse(*by).into_iter().product::<usize>() == tokens;
        let Some(by) = (0..usize::BITS - 1).find(fits).filter(|by| *by > 0) else { return values };
        let mut spread = Vec::with_capacity(values.len() / tokens * rows * cols);
        for picture in values.chunks_exact(tokens * c) {
            for patch in 0..rows * cols {
                let [row, col] = [patch / cols, patch % cols].map(|at| at >> by);
                spread.extend_from_slice(&picture[(row * coarse(by)[1] + col) * c..][..c]);
            }
        }
        spread
    }

    /// Joins the patch tokens of the pictures to one grid `[rows, cols, c]`. `tokens` holds for each
    /// picture `prefix` tokens and its patches, of `c` channels; further pictures, such as a thumbnail,
    /// are left out. Where pictures overlap, the nearer its middle a patch lies, the more it counts.
    ///
    /// # Errors
    /// [`Error::Input`] where there are fewer tokens than the pictures have.
    pub fn stitch(&self, tokens: &[f32], c: usize, prefix: usize) -> Result<Vec<f32>> {
        let picture = self.length(c, prefix).filter(|length| {
            let whole = length.checked_mul(self.pictures());
            *length > 0 && whole.is_some_and(|whole| whole <= tokens.len())
        });
        let Some(picture) = picture else { return Err(self.too_few(tokens.len(), c, prefix)) };
        let [rows, cols] = self.grid();
        let mut grid = vec![0.0; rows * cols * c];
        let mut weights = vec![0.0; if self.fade > 0 { rows * cols } else { 0 }];
        for (number, tokens) in tokens.chunks_exact(picture).take(self.pictures()).enumerate() {
            for (at, token) in tokens[prefix * c..].chunks_exact(c).enumerate() {
                let patch = [at / self.part[1], at % self.part[1]];
                let [row, col] = self.cell(number, patch);
                let into = &mut grid[(row * cols + col) * c..][..c];
                if self.fade == 0 {
                    into.copy_from_slice(token);
                    continue;
                }
                let weight = self.weight(patch);
                weights[row * cols + col] += weight;
                into.iter_mut().zip(token).for_each(|(sum, value)| *sum += weight * value);
            }
        }
        for (values, weight) in grid.chunks_exact_mut(c).zip(&weights) {
            values.iter_mut().for_each(|value| *value /= weight);
        }
        Ok(grid)
    }

    /// The picture that shows a patch of the grid best, and the patch's number there; `None` where there
    /// is no such patch.
    pub fn place(&self, patch: usize) -> Option<(usize, usize)> {
        let [rows, cols] = self.grid();
        if patch >= rows * cols {
            return None;
        }
        let at = [patch / cols, patch % cols];
        // Of the pictures that have it, along each axis, the one whose border is farthest.
        let along = |axis: usize| {
            let inside = self.starts[axis].iter().enumerate().filter_map(|(number, start)| {
                let from = at[axis].checked_sub(*start)?;
                let own = (from % self.step == 0).then_some(from / self.step)?;
                (own < self.part[axis]).then_some((number, own))
            });
            inside.max_by_key(|(_, own)| self.margin(axis, *own))
        };
        let ((row, y), (col, x)) = (along(0)?, along(1)?);
        Some((row * self.starts[1].len() + col, y * self.part[1] + x))
    }

    /// Whether a patch of one picture lies beside the same patch of all others.
    pub fn is_shifted(&self) -> bool {
        self.step > 1
    }

    fn cell(&self, number: usize, patch: [usize; 2]) -> [usize; 2] {
        let across = self.starts[1].len();
        let start = [self.starts[0][number / across], self.starts[1][number % across]];
        [0, 1].map(|axis: usize| start[axis] + patch[axis] * self.step)
    }

    fn weight(&self, patch: [usize; 2]) -> f32 {
        let most = self.fade + 1;
        let along = |axis: usize| (self.margin(axis, patch[axis]) + 1).min(most) as f32;
        along(0) * along(1)
    }

    /// How many patches lie between one and the nearer border of its picture.
    fn margin(&self, axis: usize, own: usize) -> usize {
        own.min(self.part[axis] - 1 - own)
    }

    /// Values of one picture.
    fn length(&self, c: usize, prefix: usize) -> Option<usize> {
        self.part[0].checked_mul(self.part[1])?.checked_add(prefix)?.checked_mul(c)
    }

    fn too_few(&self, found: usize, c: usize, prefix: usize) -> Error {
        let ([rows, cols], [down, across]) =
            (self.part, [0, 1].map(|axis: usize| self.starts[axis].len()));
        Error::input(format!(
            "stitching {down} × {across} pictures of {prefix} and {rows} × {cols} tokens with {c} \
             values each: found {found} values"
        ))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn tokens_of_joined_patches_stand_for_each() {
        let board = Board::tiles([3, 5], [1, 2]);
        let spread = board.spread((0..24).map(|v| v as f32).collect(), 6, 2);
        assert_eq!(spread.len(), 2 * 15 * 2);
        let token =
            |picture: usize, row: usize, col: usize| spread[(picture * 15 + row * 5 + col) * 2];
        assert_eq!(
            [token(0, 0, 0), token(0, 1, 1), token(0, 1, 2), token(0, 2, 4)],
            [0.0, 0.0, 2.0, 10.0]
        );
        assert_eq!([token(1, 0, 0), token(1, 2, 4)], [12.0, 22.0]);
        let whole = vec![1.0; 30];
        assert_eq!(board.spread(whole.clone(), 15, 1), whole);
    }

    #[test]
    fn tiles_are_stitched_row_by_row() {
        // Two tiles side by side of 1 prefix token and 2 × 2 patches, and a thumbnail.
        let tokens: Vec<f32> = (0..15).map(|v| v as f32).collect();
        let board = Board::tiles([2, 2], [1, 2]);
        assert_eq!((board.grid(), board.pictures()), ([2, 4], 2));
        let grid = board.stitch(&tokens, 1, 1).unwrap();
        assert_eq!(grid, [1.0, 2.0, 6.0, 7.0, 3.0, 4.0, 8.0, 9.0]);
        assert_eq!(
            [0, 3, 6].map(|patch| board.place(patch)),
            [Some((0, 0)), Some((1, 1)), Some((1, 2))]
        );
        assert_eq!(board.place(8), None);
    }

    #[test]
    fn where_tiles_overlap_one_fades_into_the_other() {
        let board = Board::overlapping([1, 6], [1, 2], 3);
        assert_eq!(board.grid(), [1, 9]);
        let grid = board.stitch(&[[0.0; 6], [1.0; 6]].concat(), 1, 0).unwrap();
        assert_eq!(grid[..3], [0.0; 3]);
        assert_eq!(grid[6..], [1.0; 3]);
        assert_eq!(grid[3..6], [0.25, 0.5, 0.75]);
        // A patch in both is that of the tile whose border is farther.
        assert_eq!([3, 5].map(|patch| board.place(patch)), [Some((0, 3)), Some((1, 2))]);
        // Equal values stay what they are, in two directions too.
        let board = Board::overlapping([4, 5], [2, 3], 2);
        let grid = board.stitch(&[7.5; 6 * 21 * 2], 2, 1).unwrap();
        assert_eq!(board.grid(), [6, 11]);
        assert!(grid.len() == 6 * 11 * 2 && grid.iter().all(|value| *value == 7.5));
    }

    #[test]
    fn shifted_pictures_interleave() {
        let board = Board::shifted([1, 2], 2);
        assert_eq!((board.grid(), board.pictures()), ([2, 4], 4));
        let tokens: Vec<f32> = (0..8).map(|v| v as f32).collect();
        assert_eq!(board.stitch(&tokens, 1, 0).unwrap(), [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
        for patch in 0..8 {
            let (picture, own) = board.place(patch).unwrap();
            assert_eq!([0, 2, 1, 3, 4, 6, 5, 7][patch], 2 * picture + own);
        }
    }
}
