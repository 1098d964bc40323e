//! Colours that the colour-blind can tell apart.

use crate::Result;
use crate::features::one_each;
use crate::image::Picture;

/// Every 17th colour of viridis (van der Walt & Smith 2015, in matplotlib, CC0): evenly spaced to
/// the eye, darker to brighter, also without red or green.
const VIRIDIS: [[u8; 3]; 16] = [
    [68, 1, 84],
    [72, 26, 108],
    [71, 47, 125],
    [65, 68, 135],
    [57, 86, 140],
    [49, 104, 142],
    [42, 120, 142],
    [35, 136, 142],
    [31, 152, 139],
    [34, 168, 132],
    [53, 183, 121],
    [84, 197, 104],
    [122, 209, 81],
    [165, 219, 54],
    [210, 226, 27],
    [253, 231, 37],
];

/// The colour of a value from 0 (dark violet) to 1 (yellow); values beyond are clipped.
pub fn heat(value: f32) -> [u8; 3] {
    let last = VIRIDIS.len() - 1;
    let place = value.clamp(0.0, 1.0) * last as f32;
    let low = (place as usize).min(last - 1);
    let mix = |a: u8, b: u8| {
        (f32::from(a) + (place - low as f32) * (f32::from(b) - f32::from(a))).round() as u8
    };
    std::array::from_fn(|i| mix(VIRIDIS[low][i], VIRIDIS[low + 1][i]))
}

/// One pixel a patch: `values` `[rows, cols]` from `low` (dark) to `high` (bright).
///
/// # Errors
/// [`crate::Error::Input`] where there is not one value a patch.
pub fn heat_grid(
    values: &[f32],
    [rows, cols]: [usize; 2],
    [low, high]: [f32; 2],
) -> Result<Picture> {
    one_each("values of a grid", values.len(), [rows, cols])?;
    let span = (high - low).max(f32::MIN_POSITIVE);
    let rgb = values.iter().flat_map(|v| heat((v - low) / span)).collect();
    Ok(Picture::of(cols as u32, rows as u32, rgb))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn heat_runs_from_dark_to_bright() {
        let light = |v: f32| heat(v).iter().map(|c| u32::from(*c)).sum::<u32>();
        assert!((0..20).all(|i| light(i as f32 / 20.0) < light((i + 1) as f32 / 20.0)));
        assert_eq!([heat(-1.0), heat(2.0)], [VIRIDIS[0], VIRIDIS[15]]);
        assert_eq!(
            heat_grid(&[1.0, 3.0], [1, 2], [1.0, 3.0]).unwrap().rgb,
            [68, 1, 84, 253, 231, 37]
        );
    }
}
