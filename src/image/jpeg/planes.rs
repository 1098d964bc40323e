//! Channels of any sampling, each brought to the picture's size as libjpeg-turbo brings it. The crate does
//! so for three channels of which the first is the finest; of four it takes the last for whole.

use libjpeg_turbo_rs::decode::pipeline::Decoder;
use libjpeg_turbo_rs::{ColorSpace, JpegError, RawImage};

use super::explain;

/// Whether the crate itself brings all channels to one size.
pub(super) fn even(decoder: &Decoder<'_>) -> bool {
    let list = &decoder.header().components;
    let most = |factor: fn(&_) -> u8| list.iter().map(factor).max();
    let [h, v] = [most(|c| c.horizontal_sampling), most(|c| c.vertical_sampling)];
    let finest = list
        .first()
        .is_some_and(|c| (Some(c.horizontal_sampling), Some(c.vertical_sampling)) == (h, v));
    matches!(list.len(), 1 | 3) && finest
}

/// The channels of all pixels: RGB and inks where the file has brightness and colours, else as it holds
/// them.
pub(super) fn read(decoder: Decoder<'_>) -> Result<Vec<u8>, String> {
    let sampling: Vec<[usize; 2]> = decoder
        .header()
        .components
        .iter()
        .map(|c| [c.horizontal_sampling.into(), c.vertical_sampling.into()])
        .collect();
    let space = decoder.jpeg_color_space();
    let raw = decoder.decode_raw().map_err(|e| explain(&e))?;
    let planes = planes(&raw, &sampling).map_err(|e| explain(&e))?;
    let count = planes.len();
    let mut pixels = vec![0; count * raw.width * raw.height];
    let mut line = vec![0; raw.width.next_multiple_of(8 * MOST)];
    for (y, row) in pixels.chunks_exact_mut(count * raw.width).enumerate() {
        for (channel, plane) in planes.iter().enumerate() {
            plane.row(y, &mut line);
            for (pixel, value) in row.chunks_exact_mut(count).zip(&line) {
                pixel[channel] = *value;
            }
        }
        colour(row, count, space);
    }
    Ok(pixels)
}

/// Brightness and colours as RGB, in front of black as inks.
fn colour(row: &mut [u8], count: usize, space: ColorSpace) {
    match space {
        ColorSpace::YCbCr if count == 3 => {
            for pixel in row.as_chunks_mut::<3>().0 {
                let [y, cb, cr] = *pixel;
                *pixel = rgb(y, cb, cr);
            }
        }
        ColorSpace::Ycck => {
            for pixel in row.as_chunks_mut::<4>().0 {
                let [y, cb, cr, black] = *pixel;
                let [red, green, blue] = rgb(y, cb, cr);
                *pixel = [!red, !green, !blue, black];
            }
        }
        _ => {}
    }
}

/// The largest number that says how a channel is sampled.
const MOST: usize = 4;

/// The samples of a channel, and how many pixels each stands for.
struct Plane<'a> {
    samples: &'a [u8],
    stride: usize,
    /// Samples across and down that belong to the picture.
    width: usize,
    height: usize,
    across: usize,
    down: usize,
}

fn planes<'a>(raw: &'a RawImage, sampling: &[[usize; 2]]) -> Result<Vec<Plane<'a>>, JpegError> {
    let most = |at: usize| sampling.iter().map(|factors| factors[at]).max().unwrap_or(1);
    let (most_h, most_v) = (most(0), most(1));
    let plane = |(i, [h, v]): (usize, &[usize; 2])| {
        if !most_h.is_multiple_of(*h) || !most_v.is_multiple_of(*v) {
            let what =
                format!("a channel of {h} × {v} samples where another has {most_h} × {most_v}");
            return Err(JpegError::Unsupported(what));
        }
        Ok(Plane {
            samples: &raw.planes[i],
            stride: raw.plane_widths[i],
            width: (raw.width * h).div_ceil(most_h),
            height: (raw.height * v).div_ceil(most_v),
            across: most_h / h,
            down: most_v / v,
        })
    };
    sampling.iter().enumerate().map(plane).collect()
}

impl Plane<'_> {
    /// Row `y` of the picture.
    fn row(&self, y: usize, out: &mut [u8]) {
        let at = y / self.down;
        let line = |at: usize| &self.samples[at * self.stride..][..self.width];
        // Of two pixels that a sample stands for, the row above is nearer to the first one's.
        let first = y.is_multiple_of(self.down);
        let near = if first { at.saturating_sub(1) } else { (at + 1).min(self.height - 1) };
        match (self.across, self.down) {
            (1, 1) => out[..self.width].copy_from_slice(line(at)),
            (2, 1) if self.width > 2 => blend_across(line(at), out),
            (1, 2) => {
                let half = if first { 1 } else { 2 };
                for ((out, this), near) in out.iter_mut().zip(line(at)).zip(line(near)) {
                    *out = ((u16::from(*this) * 3 + u16::from(*near) + half) >> 2) as u8;
                }
            }
            (2, 2) if self.width > 2 => blend_both(line(at), line(near), out),
            (across, _) => {
                for (outs, value) in out.chunks_mut(across).zip(line(at)) {
                    outs.fill(*value);
                }
            }
        }
    }
}

/// Three parts of a sample and one of its neighbour to either side.
fn blend_across(line: &[u8], out: &mut [u8]) {
    let last = line.len() - 1;
    for (x, pair) in out.as_chunks_mut::<2>().0.iter_mut().take(line.len()).enumerate() {
        let value = |at: usize| u16::from(line[at]);
        let (this, before, after) = (3 * value(x), x.saturating_sub(1), (x + 1).min(last));
        // At an edge the sample is its own neighbour.
        *pair = [(this + value(before) + 1) >> 2, (this + value(after) + 2) >> 2]
            .map(|value| value as u8);
    }
}

/// The same of samples that were blended with the row beside theirs.
fn blend_both(line: &[u8], near: &[u8], out: &mut [u8]) {
    let last = line.len() - 1;
    let value = |at: usize| 3 * u16::from(line[at]) + u16::from(near[at]);
    for (x, pair) in out.as_chunks_mut::<2>().0.iter_mut().take(line.len()).enumerate() {
        let (this, before, after) = (value(x), x.saturating_sub(1), (x + 1).min(last));
        *pair = [(3 * this + value(before) + 8) >> 4, (3 * this + value(after) + 7) >> 4]
            .map(|value| value as u8);
    }
}

/// The colour of brightness and differences, in fractions of 16 bits.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    let fixed = |factor: f64| (factor * 65_536.0 + 0.5) as i32;
    let half = 1 << 15;
    let [y, cb, cr] = [y.into(), i32::from(cb) - 128, i32::from(cr) - 128];
    let green = (half - fixed(0.344_14) * cb - fixed(0.714_14) * cr) >> 16;
    [y + ((fixed(1.402) * cr + half) >> 16), y + green, y + ((fixed(1.772) * cb + half) >> 16)]
        .map(|value| value.clamp(0, 255) as u8)
}
