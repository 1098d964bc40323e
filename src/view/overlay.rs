//! Grids of colours over photographs.

use super::{Board, pca_rgb};
use crate::features::{Features, one_each};
use crate::image::{Picture, resize};
use crate::{Error, Result};

/// The PCA colours of a photograph's patches, one pixel a patch. `board` are the rows and columns
/// of tiles that `features` (of one photograph) begins with: `[1, 1]` without tiles.
///
/// # Errors
/// [`Error::Input`] where the features were made from embeddings and have no grid, or have fewer
/// tokens than the board's tiles.
pub fn pca_grid(features: &Features, board: [usize; 2]) -> Result<Picture> {
    let tensor = features.tokens("last_hidden_state", ..)?;
    let (Some([rows, cols]), &[_, _, c]) = (features.grid, tensor.shape.as_slice()) else {
        return Err(Error::input("features of embeddings: they have no grid of patches to show"));
    };
    let board = Board::tiles([rows, cols], board);
    let tokens = board.stitch(&tensor.values, c, features.prefix)?;
    let [rows, cols] = board.grid();
    Ok(Picture::of(cols as u32, rows as u32, pca_rgb(&tokens, c)?.into_flattened()))
}

/// The PCA colours upsampled over `region` (`[left, top, width, height]` in pixels) of the
/// photograph; the rest, which the encoder did not see, is the photograph darkened.
///
/// # Errors
/// As [`pca_grid`] and [`paint`].
pub fn pca_picture(
    features: &Features,
    board: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Result<Picture> {
    paint(&pca_grid(features, board)?, photo, region)
}

/// `grid` upsampled over `region` of a darkened `photo`.
///
/// # Errors
/// [`Error::Input`] where a picture is empty or has not the bytes that its sides say.
pub fn paint(grid: &Picture, photo: &Picture, region: [f64; 4]) -> Result<Picture> {
    shown(photo)?;
    let [left, top, width, height] = pixels(photo, region);
    let over = resize(grid, width as u32, height as u32)?;
    let mut painted = darkened(photo);
    let stride = photo.width as usize * 3;
    for (y, row) in over.rgb.chunks_exact(width * 3).enumerate() {
        let start = (top + y) * stride + left * 3;
        painted.rgb[start..start + row.len()].copy_from_slice(row);
    }
    Ok(painted)
}

/// One colour a patch of a `[rows, cols]` grid over `region` of a darkened `photo`, with sharp
/// edges; where there is none, the darkened photograph shows.
///
/// # Errors
/// [`Error::Input`] where there is not one entry a patch; as [`paint`].
pub fn paint_patches(
    colours: &[Option<[u8; 3]>],
    grid: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Result<Picture> {
    shown(photo)?;
    one_each("colours of a grid", colours.len(), grid)?;
    let region = pixels(photo, region);
    let mut painted = darkened(photo);
    for (at, rgb) in painted.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (at % photo.width as usize, at / photo.width as usize);
        if let Some(colour) = patch_at([x, y], grid, region).and_then(|patch| colours[patch]) {
            *rgb = colour;
        }
    }
    Ok(painted)
}

/// RGBA pixels of a `[rows, cols]` grid over `region` of a darkened `photo`, which shows through where
/// they are transparent.
///
/// # Errors
/// As [`paint_patches`].
pub(super) fn lay(
    rgba: &[u8],
    grid: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Result<Picture> {
    shown(photo)?;
    one_each("colours of a grid", rgba.len() / 4, grid)?;
    let (colours, region) = (rgba.as_chunks::<4>().0, pixels(photo, region));
    let mut laid = darkened(photo);
    for (at, rgb) in laid.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (at % photo.width as usize, at / photo.width as usize);
        let Some([colour @ .., alpha]) = patch_at([x, y], grid, region).map(|at| colours[at])
        else {
            continue;
        };
        for (under, over) in rgb.iter_mut().zip(colour) {
            let mix = i32::from(*under) * (255 - i32::from(alpha));
            *under = ((mix + i32::from(over) * i32::from(alpha) + 127) / 255) as u8;
        }
    }
    Ok(laid)
}

/// The part of a photograph that a region covers, in whole pixels.
///
/// # Errors
/// [`Error::Input`] where the photograph is empty or has not the bytes that its sides say.
pub fn part(photo: &Picture, region: [f64; 4]) -> Result<Picture> {
    shown(photo)?;
    photo.cut(pixels(photo, region).map(|side| side as u32))
}

/// Black lines on `picture` where the labels of a `[rows, cols]` grid over `region` change.
///
/// # Errors
/// [`Error::Input`] where there is not one label a patch; as [`paint`].
pub fn outline(
    labels: &[usize],
    grid: [usize; 2],
    picture: &mut Picture,
    region: [f64; 4],
) -> Result<()> {
    shown(picture)?;
    one_each("labels of a grid", labels.len(), grid)?;
    let region = pixels(picture, region);
    let width = picture.width as usize;
    // Wide enough to be seen when a large picture is shown small.
    let line = (picture.width.min(picture.height) as usize / 300).max(1);
    let label = |x: usize, y: usize| patch_at([x, y], grid, region).map(|patch| labels[patch]);
    for (at, rgb) in picture.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (x, y) = (at % width, at / width);
        let Some(here) = label(x, y) else { continue };
        let ahead = [(x + line, y), (x, y + line), (x + line, y + line)];
        if ahead.iter().any(|(x, y)| label(*x, *y).is_some_and(|other| other != here)) {
            *rgb = [0; 3];
        }
    }
    Ok(())
}

/// `over` at `opacity` (0 to 1) on `under`, a picture of the same size.
///
/// # Errors
/// [`Error::Input`] where the sizes differ; as [`paint`].
pub fn blend(under: &Picture, over: &Picture, opacity: f32) -> Result<Picture> {
    shown(under)?;
    shown(over)?;
    if (under.width, under.height) != (over.width, over.height) {
        return Err(Error::input(format!(
            "blending {} × {} pixels on {} × {}: expected the same size",
            over.width, over.height, under.width, under.height
        )));
    }
    let mix = |(under, over): (&u8, &u8)| {
        (f32::from(*under) + (f32::from(*over) - f32::from(*under)) * opacity).round() as u8
    };
    Ok(Picture::of(under.width, under.height, under.rgb.iter().zip(&over.rgb).map(mix).collect()))
}

/// The patch of a `[rows, cols]` grid over `region` that shows the photograph's pixel `[x, y]`;
/// `None` where no patch does.
pub fn patch_under(
    [x, y]: [u32; 2],
    grid: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Option<usize> {
    patch_at([x as usize, y as usize], grid, pixels(photo, region))
}

/// The photograph's pixel `[x, y]` in the middle of a patch.
///
/// # Errors
/// [`Error::Input`] where the grid has no such patch.
pub fn patch_centre(
    patch: usize,
    [rows, cols]: [usize; 2],
    photo: &Picture,
    region: [f64; 4],
) -> Result<[u32; 2]> {
    if rows.checked_mul(cols).is_none_or(|patches| patch >= patches) {
        return Err(Error::input(format!("patch {patch}: the grid has {rows} × {cols}")));
    }
    let [left, top, width, height] = pixels(photo, region);
    let middle = |index: usize, count: usize, length: usize| (2 * index + 1) * length / (2 * count);
    let (x, y) = (middle(patch % cols, cols, width), middle(patch / cols, rows, height));
    Ok([(left + x) as u32, (top + y) as u32])
}

/// The patch of a `[rows, cols]` grid that shows a pixel `[x, y]`; `region` is the grid's, in
/// whole pixels.
fn patch_at([x, y]: [usize; 2], [rows, cols]: [usize; 2], region: [usize; 4]) -> Option<usize> {
    let [left, top, width, height] = region;
    let (x, y) = (x.checked_sub(left)?, y.checked_sub(top)?);
    (x < width && y < height).then(|| y * rows / height * cols + x * cols / width)
}

/// A region in whole pixels, at least one, inside the photograph.
pub(super) fn pixels(photo: &Picture, region: [f64; 4]) -> [usize; 4] {
    let clip = |v: f64, max: u32| v.round().clamp(0.0, f64::from(max)) as u32;
    let (left, top) = (
        clip(region[0], photo.width.saturating_sub(1)),
        clip(region[1], photo.height.saturating_sub(1)),
    );
    let width = clip(region[2], photo.width - left).max(1);
    let height = clip(region[3], photo.height - top).max(1);
    [left, top, width, height].map(|v| v as usize)
}

/// That a picture has pixels, as many as its sides say.
fn shown(picture: &Picture) -> Result<()> {
    picture.check()?;
    match picture.rgb.is_empty() {
        true => Err(Error::input("a picture without pixels")),
        false => Ok(()),
    }
}

fn darkened(photo: &Picture) -> Picture {
    Picture::of(photo.width, photo.height, photo.rgb.iter().map(|v| v / 4).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const WHOLE: [f64; 4] = [0.0, 0.0, 6.0, 4.0];

    fn grey(width: u32, height: u32) -> Picture {
        Picture::of(width, height, vec![100; (width * height * 3) as usize])
    }

    fn reds(picture: &Picture) -> Vec<Vec<u8>> {
        let rows = picture.rgb.chunks_exact(picture.width as usize * 3);
        rows.map(|row| row.iter().step_by(3).copied().collect()).collect()
    }

    #[test]
    fn patches_have_sharp_edges() {
        let colours = [Some([1; 3]), Some([2; 3]), None, Some([3; 3])];
        let whole = paint_patches(&colours, [2, 2], &grey(6, 4), WHOLE).unwrap();
        let (upper, lower) = (vec![1, 1, 1, 2, 2, 2], vec![25, 25, 25, 3, 3, 3]);
        assert_eq!(reds(&whole), [upper.clone(), upper, lower.clone(), lower]);
        let part = paint_patches(&colours, [2, 2], &grey(6, 4), [1.0, 0.0, 4.0, 4.0]).unwrap();
        assert_eq!(reds(&part)[0], [25, 1, 1, 2, 2, 25]);
    }

    #[test]
    fn patches_and_pixels() {
        let (photo, region, grid) = (grey(60, 40), [10.0, 0.0, 40.0, 40.0], [3, 5]);
        for patch in 0..15 {
            let centre = patch_centre(patch, grid, &photo, region).unwrap();
            assert_eq!(patch_under(centre, grid, &photo, region), Some(patch));
        }
        assert_eq!(patch_under([10, 0], grid, &photo, region), Some(0));
        assert_eq!(patch_under([9, 0], grid, &photo, region), None);
        assert_eq!(patch_under([49, 39], grid, &photo, region), Some(14));
        assert_eq!(patch_under([50, 39], grid, &photo, region), None);
    }

    #[test]
    fn outlines_run_between_labels() {
        let mut picture = grey(6, 4);
        outline(&[5, 5, 5, 7], [2, 2], &mut picture, WHOLE).unwrap();
        let (plain, edge) = (vec![100; 6], vec![100, 100, 0, 100, 100, 100]);
        assert_eq!(reds(&picture), [plain, vec![100, 100, 0, 0, 0, 0], edge.clone(), edge]);
    }

    #[test]
    fn opacity_runs_from_the_photograph_to_the_view() {
        let (under, over) = (grey(6, 4), Picture { rgb: vec![200; 72], ..grey(6, 4) });
        assert_eq!(blend(&under, &over, 0.0).unwrap(), under);
        assert_eq!(blend(&under, &over, 1.0).unwrap(), over);
        assert_eq!(blend(&under, &over, 0.25).unwrap().rgb[0], 125);
    }
}
