//! Samples as colours.

use super::layout::{Colour, Layout, Opacity};
use super::rows::rows;
use super::samples::{Scale, bytes as as_bytes};
use super::unsupported;
use super::ycbcr::{self, Tints};
use crate::image::Options;
use crate::image::canvas::Canvas;

/// Decodes all strips or tiles to a canvas.
pub(super) fn paint(
    bytes: &[u8],
    layout: &Layout<'_>,
    ycbcr_to_rgb: bool,
    options: Options,
) -> Result<Canvas, String> {
    let table = palette(layout)?;
    let scale = Scale::of(bytes, layout, ycbcr_to_rgb)?;
    // Pillow leaves what is packed to libtiff, whose rounding differs by one.
    let tints =
        (layout.colour == Colour::YCbCr && layout.compression != 1).then(|| Tints::of(layout));
    let mut canvas = Canvas::new(layout.width as u32, layout.height as u32, options);
    let (stored, seen) = (layout.stored(), layout.seen());
    let mut samples = vec![0; layout.chunk.0 * stored];
    let mut pixels = vec![[0; 4]; layout.chunk.0];
    // Each pixel's samples side by side, of several planes too.
    let mut joined = vec![[0; MOST]; layout.chunk.0];
    rows(bytes, layout, ycbcr_to_rgb, |x, y, count, lines| {
        for (plane, line) in lines.iter().enumerate() {
            as_bytes(line, layout, scale, &mut samples);
            for (pixel, sample) in joined.iter_mut().zip(samples.chunks_exact(stored)) {
                if layout.planar {
                    pixel[plane] = sample[0];
                } else {
                    pixel[..seen].copy_from_slice(&sample[..seen]);
                }
            }
        }
        for (pixel, sample) in pixels.iter_mut().zip(&joined) {
            *pixel = colour(layout, &table, tints.as_ref(), *sample);
        }
        canvas.put(x, y, &pixels[..count]);
    })?;
    Ok(canvas)
}

/// Samples of a pixel that are seen at most: inks and alpha.
const MOST: usize = 5;

/// The colour of a pixel, with its alpha.
fn colour(
    layout: &Layout<'_>,
    table: &[[u8; 3]],
    tints: Option<&Tints>,
    sample: [u8; MOST],
) -> [u8; 4] {
    let [a, b, c, d, _] = sample;
    let [red, green, blue] = match layout.colour {
        Colour::White => [!a; 3],
        Colour::Black => [a; 3],
        Colour::Palette => table.get(usize::from(a)).copied().unwrap_or_default(),
        Colour::Rgb => [a, b, c],
        Colour::Inks => [a, b, c].map(|ink| light(ink, d)),
        Colour::YCbCr => tints.map_or_else(|| ycbcr::rgb(a, b, c), |tints| tints.rgb(a, b, c)),
        Colour::Lab => lab(a, b as i8, c as i8),
    };
    let alpha = match layout.opacity {
        Opacity::None => return [red, green, blue, 255],
        _ => sample[layout.colour.samples()],
    };
    if layout.opacity == Opacity::Straight || alpha == 255 {
        return [red, green, blue, alpha];
    }
    // As Pillow divides: where alpha is nothing, colours are black and grey stays.
    let grey = layout.colour.samples() == 1;
    let divide = |value: u8| match u32::from(value) * 255 {
        _ if alpha == 0 => u8::from(grey) * value,
        product => (product / u32::from(alpha)).min(255) as u8,
    };
    [divide(red), divide(green), divide(blue), alpha]
}

/// The light that an ink and black leave, as Pillow computes it.
fn light(ink: u8, black: u8) -> u8 {
    let rest = 255 - black;
    let product = u32::from(ink) * u32::from(rest) + 128;
    rest.saturating_sub(((product + (product >> 8)) >> 8) as u8)
}

/// CIE L*a*b* (D50) as sRGB.
fn lab(l: u8, a: i8, b: i8) -> [u8; 3] {
    let y = (f64::from(l) * 100.0 / 255.0 + 16.0) / 116.0;
    let cube = |t: f64| {
        if t > 6.0 / 29.0 { t * t * t } else { (t - 4.0 / 29.0) * 108.0 / 841.0 }
    };
    let [x, y, z] =
        [0.9642 * cube(y + f64::from(a) / 500.0), cube(y), 0.8249 * cube(y - f64::from(b) / 200.0)];
    // The matrix of sRGB's primaries, adapted to D50.
    let rows = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ];
    rows.map(|[r, g, b]| {
        let linear: f64 = r * x + g * y + b * z;
        let value = if linear <= 0.003_130_8 {
            12.92 * linear
        } else {
            1.055 * linear.powf(1.0 / 2.4) - 0.055
        };
        (value * 255.0).round() as u8
    })
}

/// The colours of a palette, of 16 bits each, the high byte of which is kept.
fn palette(layout: &Layout<'_>) -> Result<Vec<[u8; 3]>, String> {
    if layout.colour != Colour::Palette {
        return Ok(Vec::new());
    }
    if layout.bits > 8 {
        return Err(unsupported(&format!("a palette of {} bits", layout.bits)));
    }
    // All reds, then all greens, then all blues.
    let map = layout.tags.list(320).unwrap_or_default();
    let count = map.len() / 3;
    if count == 0 {
        return Err("the TIFF data is broken: a palette without colours".into());
    }
    Ok((0..count).map(|i| [0, 1, 2].map(|plane| (map[plane * count + i] >> 8) as u8)).collect())
}
