//! From labels to pictures, and what part of a picture each class has.

use crate::features::one_each;
use crate::image::Picture;
use crate::{Error, Result};

/// Each class's share of the picture, in percent.
///
/// # Errors
/// [`Error::Input`] where a label is not one of the classes.
pub fn shares(labels: &[i32], classes: usize) -> Result<Vec<f64>> {
    let mut counts: Vec<usize> = Vec::new();
    let room = counts.try_reserve_exact(classes);
    room.map_err(|_| Error::input(format!("no memory for {classes} classes")))?;
    counts.resize(classes, 0);
    for label in labels {
        let count = usize::try_from(*label).ok().and_then(|label| counts.get_mut(label));
        let wrong = || Error::input(format!("label {label}: there are {classes} classes"));
        *count.ok_or_else(wrong)? += 1;
    }
    Ok(counts.iter().map(|n| *n as f64 * 100.0 / labels.len().max(1) as f64).collect())
}

/// Labels in the palette's colours over the photograph; `opacity` from 0 to 1. A label
/// past the palette's end begins it again.
///
/// # Errors
/// [`Error::Input`] where there is not one label a pixel, one is negative, the palette is empty, or
/// the photograph has not the bytes that its sides say.
pub fn paint_labels(
    labels: &[i32],
    palette: &[[u8; 3]],
    photo: &Picture,
    opacity: f32,
) -> Result<Picture> {
    photo.check()?;
    if labels.len() != photo.rgb.len() / 3 || palette.is_empty() || labels.iter().any(|l| *l < 0) {
        return Err(Error::input(format!(
            "{} labels in {} colours over {} × {} pixels: expected a label of at least 0 for each \
             pixel, and a colour",
            labels.len(),
            palette.len(),
            photo.width,
            photo.height
        )));
    }
    let mix = |under: u8, over: u8| {
        (f32::from(under) + (f32::from(over) - f32::from(under)) * opacity).round() as u8
    };
    let pixels = photo.rgb.as_chunks::<3>().0.iter().zip(labels);
    let rgb = pixels.flat_map(|(under, label)| {
        let over = palette[*label as usize % palette.len()];
        std::array::from_fn::<u8, 3, _>(|i| mix(under[i], over[i]))
    });
    Ok(Picture::of(photo.width, photo.height, rgb.collect()))
}

/// Labels `[height, width]` as a PNG with a palette: a pixel's index is its label.
///
/// # Errors
/// [`Error::Input`] for more than 256 classes, which no palette holds, and where there is not one label a
/// pixel.
pub fn labels_png(
    labels: &[i32],
    [height, width]: [usize; 2],
    palette: &[[u8; 3]],
) -> Result<Vec<u8>> {
    if palette.len() > 256 {
        return Err(Error::input(format!("{} classes: a palette holds 256", palette.len())));
    }
    one_each("labels", labels.len(), [height, width])?;
    let bytes: Vec<u8> = labels.iter().map(|label| *label as u8).collect();
    let mut out = Vec::new();
    let mut encoder = png::Encoder::new(&mut out, width as u32, height as u32);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(palette.as_flattened());
    // Differences of indices mean nothing.
    encoder.set_filter(png::Filter::NoFilter);
    let written = encoder.write_header().and_then(|mut writer| {
        writer.write_image_data(&bytes)?;
        writer.finish()
    });
    written.map_err(|e| Error::input(e.to_string()))?;
    Ok(out)
}

/// Okabe and Ito's colours, which people with any colour vision can tell apart, ordered such that
/// the first two differ most.
const OKABE_ITO: [[u8; 3]; 7] = [
    [230, 159, 0],
    [0, 114, 178],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
];

/// Distinct colours for any number of classes: Okabe and Ito's seven, then hues at the golden angle
/// in three lightnesses.
pub fn default_palette(classes: usize) -> Vec<[u8; 3]> {
    let more = (OKABE_ITO.len()..classes).map(|i| {
        let hue = (i as f32 * 137.508) % 360.0;
        let light = [0.55, 0.4, 0.7][i % 3];
        let chroma = (1.0 - (2.0 * light - 1.0f32).abs()) * 0.75;
        [0.0, 8.0, 4.0].map(|n: f32| {
            let k = (n + hue / 30.0) % 12.0;
            let part = (k - 3.0).min(9.0 - k).clamp(-1.0, 1.0);
            ((light - chroma / 2.0 * part) * 255.0).round() as u8
        })
    });
    OKABE_ITO.into_iter().take(classes).chain(more).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn shares_are_percents() {
        assert_eq!(shares(&[0, 0, 1, 1], 3).unwrap(), [50.0, 50.0, 0.0]);
    }

    #[test]
    fn colours_differ() {
        let mut palette = default_palette(150);
        palette.sort_unstable();
        palette.dedup();
        assert!(palette.len() > 140, "{}", palette.len());
    }
}
