//! InternVL's dynamic tiling: a large picture as a grid of squares and a thumbnail.
//!
//! The rule is `dynamic_preprocess` of InternVL's `dataset.py`.

use super::resize::resize_by;
use super::{Filter, Picture};
use crate::Result;
use crate::order::sort_by_key;

/// A grid of tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Tiles in a row.
    pub cols: u32,
    /// Rows of tiles.
    pub rows: u32,
}

/// The grid of at most `max_tiles` tiles whose shape is closest to `width` : `height`.
///
/// Of grids with the same shape a larger one is taken while the picture has more than half as many
/// pixels as that grid with tiles of `size` × `size`. A `max_tiles` of 0 counts as 1.
pub fn tile_grid(width: u32, height: u32, max_tiles: u32, size: u32) -> Grid {
    grid_of(width, height, [1, max_tiles], size)
}

/// The same of at least a number of tiles too, unless so few may be taken.
fn grid_of(width: u32, height: u32, [least, most]: [u32; 2], size: u32) -> Grid {
    let aspect = f64::from(width) / f64::from(height);
    let pixels = f64::from(width) * f64::from(height);
    let half_tile = 0.5 * f64::from(size) * f64::from(size);

    let mut grids: Vec<Grid> = (1..=most)
        .flat_map(|cols| (1..=most / cols).map(move |rows| Grid { cols, rows }))
        .filter(|grid| grid.cols * grid.rows >= least.min(most))
        .collect();
    sort_by_key(&mut grids, |grid| grid.cols * grid.rows);

    let mut best = (f64::INFINITY, Grid { cols: 1, rows: 1 });
    for grid in grids {
        let distance = (aspect - f64::from(grid.cols) / f64::from(grid.rows)).abs();
        let tied = distance == best.0;
        let worth = pixels > half_tile * f64::from(grid.cols * grid.rows);
        if distance < best.0 || tied && worth {
            best = (distance, grid);
        }
    }
    best.1
}

/// The picture stretched over its [`tile_grid`] and cut, row by row, into squares of `size` pixels;
/// when there is more than one, the whole picture as a square follows as the last.
///
/// # Errors
/// As [`super::resize()`], which the whole of the tiles has to pass.
pub fn tiles(picture: &Picture, max_tiles: u32, size: u32) -> Result<(Grid, Vec<Picture>)> {
    tiles_by(picture, [1, max_tiles], size, Filter::Bicubic)
}

/// As [`tiles`], of so many tiles at least and at most, with another filter of Pillow's.
pub(super) fn tiles_by(
    picture: &Picture,
    counts: [u32; 2],
    size: u32,
    filter: Filter,
) -> Result<(Grid, Vec<Picture>)> {
    let (grid, mut tiles) = overlapping(picture, counts, [size, 0], filter)?;
    if tiles.len() > 1 {
        tiles.push(resize_by(picture, size, size, filter)?);
    }
    Ok((grid, tiles))
}

/// The tiles alone, of `size` pixels, of which neighbours share `overlap`.
pub(super) fn overlapping(
    picture: &Picture,
    counts: [u32; 2],
    [size, overlap]: [u32; 2],
    filter: Filter,
) -> Result<(Grid, Vec<Picture>)> {
    let grid = grid_of(picture.width, picture.height, counts, size);
    let apart = size.saturating_sub(overlap);
    let side = |count: u32| (count - 1).saturating_mul(apart).saturating_add(size);
    let whole = resize_by(picture, side(grid.cols), side(grid.rows), filter)?;
    let places = (0..grid.rows).flat_map(|row| (0..grid.cols).map(move |col| (col, row)));
    let cut = |(col, row)| whole.cut([col * apart, row * apart, size, size]);
    Ok((grid, places.map(cut).collect::<Result<_>>()?))
}
