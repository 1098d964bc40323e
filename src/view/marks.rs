//! Marks on pictures, and pictures beside each other.

use crate::image::{Picture, resize};
use crate::{Error, Result};

/// A white ring with black edges around the pixel `[x, y]`: seen on any ground.
pub fn mark(picture: &mut Picture, [x, y]: [u32; 2]) {
    let columns = picture.width.max(1);
    let radius = (f64::from(picture.width.min(picture.height)) / 40.0).max(4.0);
    let line = radius / 4.0;
    for (at, rgb) in picture.rgb.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        let (column, row) = (at as u32 % columns, at as u32 / columns);
        let (across, down) = (f64::from(column.abs_diff(x)), f64::from(row.abs_diff(y)));
        let off = (across.hypot(down) - radius).abs();
        if off <= line {
            *rgb = [255; 3];
        } else if off <= 2.0 * line {
            *rgb = [0; 3];
        }
    }
}

/// Two pictures side by side at the smaller one's height, a white gap between them.
///
/// # Errors
/// [`Error::Input`] where one is empty or has not the bytes that its sides say, or both together
/// would be too large.
pub fn beside(left: &Picture, right: &Picture) -> Result<Picture> {
    let height = left.height.min(right.height);
    let scaled = |picture: &Picture| {
        let width = f64::from(picture.width) * f64::from(height) / f64::from(picture.height.max(1));
        resize(picture, (width.round() as u32).max(1), height)
    };
    let (left, right) = (scaled(left)?, scaled(right)?);
    let gap = (height / 50).max(2);
    let width = u64::from(left.width) + u64::from(gap) + u64::from(right.width);
    let width = u32::try_from(width)
        .map_err(|_| Error::input(format!("pictures side by side: {width} pixels are too wide")))?;
    let row = |picture: &Picture, y: u32| {
        let stride = picture.width as usize * 3;
        picture.rgb[y as usize * stride..][..stride].to_vec()
    };
    let white = vec![255; gap as usize * 3];
    let rgb = (0..height).flat_map(|y| [row(&left, y), white.clone(), row(&right, y)]).flatten();
    Ok(Picture::of(width, height, rgb.collect()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn plain(width: u32, height: u32, value: u8) -> Picture {
        Picture::of(width, height, vec![value; (width * height * 3) as usize])
    }

    #[test]
    fn a_mark_rings_its_point() {
        let mut picture = plain(60, 40, 100);
        mark(&mut picture, [30, 20]);
        let at = |x: usize, y: usize| picture.rgb[(y * 60 + x) * 3];
        assert_eq!(
            [at(30, 20), at(34, 20), at(30, 16), at(36, 20), at(37, 20)],
            [100, 255, 255, 0, 100]
        );
        // Beyond the edge there is nothing to draw on.
        mark(&mut picture, [0, 39]);
    }

    #[test]
    fn pictures_stand_side_by_side() {
        let both = beside(&plain(10, 20, 1), &plain(8, 40, 7)).unwrap();
        assert_eq!((both.width, both.height, both.rgb.len()), (10 + 2 + 4, 20, 16 * 20 * 3));
        assert_eq!([both.rgb[0], both.rgb[10 * 3], both.rgb[12 * 3], both.rgb[47]], [1, 255, 7, 7]);
    }
}
