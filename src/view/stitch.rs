//! Tiles side by side.

use crate::{Error, Result};

/// Joins the patch tokens of tiles to one grid. `tokens` holds for each tile (row-major on a
/// `tile_rows` × `tile_cols` board) `prefix` tokens and `rows` × `cols` patches of `c` channels;
/// further tiles, such as a thumbnail, are left out. The result is
/// `[tile_rows·rows, tile_cols·cols, c]`.
///
/// # Errors
/// [`Error::Input`] where there are fewer tokens than the tiles have.
pub fn stitch(
    tokens: &[f32],
    c: usize,
    prefix: usize,
    [rows, cols]: [usize; 2],
    [tile_rows, tile_cols]: [usize; 2],
) -> Result<Vec<f32>> {
    let product = |list: [usize; 3]| list.into_iter().try_fold(1usize, usize::checked_mul);
    let tokens_each = product([rows, cols, 1]).and_then(|patches| patches.checked_add(prefix));
    let tile = tokens_each.and_then(|each| product([each, c, 1]));
    let Some(tile) = tile.filter(|tile| {
        let whole = product([*tile, tile_rows, tile_cols]);
        whole.is_some_and(|whole| whole <= tokens.len())
    }) else {
        return Err(Error::input(format!(
            "stitching {tile_rows} × {tile_cols} tiles of {prefix} and {rows} × {cols} tokens with \
             {c} values each: found {} values",
            tokens.len()
        )));
    };
    let mut grid = Vec::new();
    for row in 0..tile_rows * rows {
        for tile_col in 0..tile_cols {
            let first = (row / rows * tile_cols + tile_col) * tile;
            let start = first + (prefix + row % rows * cols) * c;
            grid.extend_from_slice(&tokens[start..start + cols * c]);
        }
    }
    Ok(grid)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn tiles_are_stitched_row_by_row() {
        // Two tiles side by side of 1 prefix token and 2 × 2 patches, and a thumbnail.
        let tokens: Vec<f32> = (0..15).map(|v| v as f32).collect();
        let grid = stitch(&tokens, 1, 1, [2, 2], [1, 2]).unwrap();
        assert_eq!(grid, [1.0, 2.0, 6.0, 7.0, 3.0, 4.0, 8.0, 9.0]);
    }
}
