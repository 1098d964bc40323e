//! Brightness and colour differences that no JPEG packs.

use super::layout::Layout;
use super::{codec, unsupported};
use crate::image::Options;
use crate::image::canvas::Canvas;

/// Whether a sample of colour stands for several pixels.
pub(super) fn subsampled(layout: &Layout<'_>) -> bool {
    let pixels = layout.chunk.0 as u64 * layout.chunk.1.min(layout.height) as u64;
    // Some writers do not say that theirs are not.
    let full = layout.compression == 1 && layout.lengths.first().is_some_and(|n| *n >= 3 * pixels);
    layout.subsampling != (1, 1) && !full
}

/// The colour of a pixel as Pillow computes it: fractions of 6 bits.
pub(super) fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let table =
        |factor: f64, value: u8| ((f64::from(value) - 128.0) * factor * 64.0 + 0.5).trunc() as i32;
    let y = i32::from(y);
    let green = (table(-0.344_14, cb) + table(-0.714_14, cr)) >> 6;
    [y + (table(1.402, cr) >> 6), y + green, y + (table(1.772, cb) >> 6)]
        .map(|value| value.clamp(0, 255) as u8)
}

/// Decodes units of pixels that share their colours.
pub(super) fn paint(bytes: &[u8], layout: &Layout<'_>, options: Options) -> Result<Canvas, String> {
    let (h, v) = layout.subsampling;
    if ![1, 2, 4].contains(&h) || ![1, 2, 4].contains(&v) || layout.bits != 8 || layout.samples != 3
    {
        return Err(unsupported("YCbCr of unusual samples"));
    }
    if layout.predictor != 1 {
        return Err(unsupported("subsampled YCbCr with a predictor"));
    }
    let tints = Tints::of(layout);
    let mut canvas = Canvas::new(layout.width as u32, layout.height as u32, options);
    let (across, down) = layout.chunks();
    let unit = h * v + 2;
    let mut line = vec![0; layout.chunk.0.div_ceil(h) * unit];
    for at in 0..across * down {
        let (left, top) = (at % across * layout.chunk.0, at / across * layout.chunk.1);
        let right = (left + layout.chunk.0).min(layout.width);
        let bottom = (top + layout.chunk.1).min(layout.height);
        let mut reader = codec::open(bytes, layout, at, false)?;
        for top in (top..bottom).step_by(v) {
            codec::fill(&mut reader, &mut line)?;
            for (x, unit) in (left..right).step_by(h).zip(line.chunks_exact(unit)) {
                let (light, tint) = unit.split_at(h * v);
                for (i, y) in light.iter().enumerate() {
                    let (x, row) = (x + i % h, top + i / h);
                    if x < right && row < bottom {
                        canvas.row(x, row, 1)[0] = tints.rgb(*y, tint[0], tint[1]);
                    }
                }
            }
        }
    }
    Ok(canvas)
}

/// The tables of libtiff, with what the file says of coefficients and of black and white.
pub(super) struct Tints {
    y: Vec<i32>,
    cr_red: Vec<i32>,
    cb_blue: Vec<i32>,
    cr_green: Vec<i32>,
    cb_green: Vec<i32>,
}

impl Tints {
    pub(super) fn of(layout: &Layout<'_>) -> Self {
        let list = |tag, default: &[f64]| {
            let found = layout.tags.numbers(tag).filter(|list| list.len() == default.len());
            found.filter(|list| list.iter().all(|v| v.is_finite())).unwrap_or(default.to_vec())
        };
        let luma = list(529, &[0.299, 0.587, 0.114]);
        let range = list(532, &[0.0, 255.0, 128.0, 255.0, 128.0, 255.0]);
        let fixed = |value: f64| (value.clamp(0.0, 2.0) * 65_536.0 + 0.5) as i32;
        let (red, blue) = (2.0 - 2.0 * luma[0], 2.0 - 2.0 * luma[2]);
        let [d1, d3] = [fixed(red), fixed(blue)];
        let [d2, d4] =
            [fixed(luma[0] * red / luma[1]), fixed(luma[2] * blue / luma[1])].map(|v| -v);
        let code = |value: f64, black: f64, white: f64, scale: f64| {
            let span = if white == black { 1.0 } else { white - black };
            ((value - black.trunc()) * scale / span).clamp(-4096.0, 4096.0) as i32
        };
        let tint = |at: usize| {
            let (black, white) = (range[at] - 128.0, range[at + 1] - 128.0);
            (-128..128).map(move |value| code(f64::from(value), black, white, 127.0))
        };
        let half = 1 << 15;
        Self {
            y: (0..256).map(|v| code(f64::from(v), range[0], range[1], 255.0)).collect(),
            cr_red: tint(4).map(|cr| (d1 * cr + half) >> 16).collect(),
            cb_blue: tint(2).map(|cb| (d3 * cb + half) >> 16).collect(),
            cr_green: tint(4).map(|cr| d2 * cr).collect(),
            cb_green: tint(2).map(|cb| d4 * cb + half).collect(),
        }
    }

    pub(super) fn rgb(&self, y: u8, cb: u8, cr: u8) -> [u8; 3] {
        let [y, cb, cr] = [y, cb, cr].map(usize::from);
        let light = self.y[y];
        let green = (self.cb_green[cb] + self.cr_green[cr]) >> 16;
        [light + self.cr_red[cr], light + green, light + self.cb_blue[cb]]
            .map(|value| value.clamp(0, 255) as u8)
    }
}
