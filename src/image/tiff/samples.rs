//! Samples of any width as bytes.

use super::layout::{Colour, Format, Layout};
use super::rows::rows;

/// How numbers become brightness: which are black and white.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    /// The range of the samples: of unsigned ones up to 16 bits all that they can be, of 8 bits always;
    /// what the file declares; else what its values show.
    pub(super) fn of(
        bytes: &[u8],
        layout: &Layout<'_>,
        ycbcr_to_rgb: bool,
    ) -> Result<Self, String> {
        let full = 2_f64.powi(layout.bits.min(63) as i32) - 1.0;
        let whole = Self { low: 0.0, high: full };
        if layout.bits <= 8 || layout.colour == Colour::Palette {
            return Ok(whole);
        }
        if let Some(declared) = Self::declared(layout, full) {
            return Ok(declared);
        }
        if layout.format == Format::Unsigned && layout.bits <= 16 {
            return Ok(whole);
        }
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        let seen = layout.seen().min(layout.samples);
        rows(bytes, layout, ycbcr_to_rgb, |_, _, count, lines| {
            let step = layout.stored();
            for line in lines {
                for i in (0..count * step).filter(|i| i % step < seen) {
                    let value = number(line, i, layout);
                    if value.is_finite() {
                        (low, high) = (low.min(value), high.max(value));
                    }
                }
            }
        })?;
        Ok(Self::shown(low, high, layout.format))
    }

    /// What `SMinSampleValue`, `SMaxSampleValue` and their elder names say.
    fn declared(layout: &Layout<'_>, full: f64) -> Option<Self> {
        let value = |tags: [u16; 2]| {
            tags.into_iter().find_map(|tag| layout.tags.numbers(tag)?.first().copied())
        };
        let high = value([341, 281])?;
        let low = value([340, 280]).unwrap_or(0.0);
        let unsigned = layout.format == Format::Unsigned;
        let fits = low < high && high.is_finite() && low.is_finite() && (!unsigned || high <= full);
        fits.then_some(Self { low, high })
    }

    /// 0 to 1, or 0 to 255 as Pillow has it, where all values are; else from the lowest to the highest.
    fn shown(low: f64, high: f64, format: Format) -> Self {
        if low >= 0.0 && high <= 1.0 && format == Format::Float {
            Self { low: 0.0, high: 1.0 }
        } else if low >= 0.0 && high <= 255.0 {
            Self { low: 0.0, high: 255.0 }
        } else {
            Self { low, high: if high > low { high } else { low + 1.0 } }
        }
    }

    /// A number as brightness; what is none is black.
    fn byte(self, value: f64) -> u8 {
        // Truncated, which of 16 bits gives the high byte.
        let share = (value - self.low) / (self.high - self.low);
        (share * 255.0 + 1e-9) as u8
    }
}

/// Sample `i` of a row.
fn number(line: &[u8], i: usize, layout: &Layout<'_>) -> f64 {
    let raw = raw(line, i, layout.bits);
    match (layout.format, layout.bits) {
        (Format::Float, 16) => half::f16::from_bits(raw as u16).to_f64(),
        (Format::Float, 24) => f64::from(float24(raw as u32)),
        (Format::Float, 32) => f64::from(f32::from_bits(raw as u32)),
        (Format::Float, 64) => f64::from_bits(raw),
        (Format::Signed, bits) => {
            let shift = 64 - bits as u32;
            ((raw << shift) as i64 >> shift) as f64
        }
        _ => raw as f64,
    }
}

/// A float of 24 bits: 7 of exponent, 16 of fraction.
fn float24(raw: u32) -> f32 {
    let (sign, exponent, fraction) = (raw >> 23, raw >> 16 & 0x7f, raw & 0xffff);
    let value = match exponent {
        0 => fraction as f32 * 2_f32.powi(-62 - 16),
        0x7f => f32::NAN,
        _ => (1.0 + fraction as f32 / 65_536.0) * 2_f32.powi(exponent as i32 - 63),
    };
    if sign == 1 { -value } else { value }
}

/// The bits of sample `i`: whole bytes with the lowest first, others from the highest bit on.
fn raw(line: &[u8], i: usize, bits: usize) -> u64 {
    if bits.is_multiple_of(8) {
        let width = bits / 8;
        let bytes = &line[i * width..(i + 1) * width];
        return bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte));
    }
    let mut value = 0;
    for bit in i * bits..(i + 1) * bits {
        value = value << 1 | u64::from(line[bit / 8] >> (7 - bit % 8) & 1);
    }
    value
}

/// Writes `count` samples of a row as bytes: those of palettes as they are, others as brightness.
pub(super) fn bytes(line: &[u8], layout: &Layout<'_>, scale: Scale, out: &mut [u8]) {
    let full = layout.format == Format::Unsigned && scale.low == 0.0;
    match layout.bits {
        8 if layout.format != Format::Float => out.copy_from_slice(&line[..out.len()]),
        16 if full && scale.high == 65_535.0 => {
            for (byte, pair) in out.iter_mut().zip(line.as_chunks::<2>().0) {
                *byte = pair[1];
            }
        }
        bits @ 1..8 => {
            let unit = if layout.colour == Colour::Palette { 1 } else { 255 };
            let most = if unit == 1 { 1 } else { (1 << bits) - 1 };
            for (i, byte) in out.iter_mut().enumerate() {
                *byte = (raw(line, i, bits) as usize * unit / most) as u8;
            }
        }
        // The high byte, as of 16 bits.
        bits @ 9..16 if full && scale.high == 2_f64.powi(bits as i32) - 1.0 => {
            for (i, byte) in out.iter_mut().enumerate() {
                *byte = (raw(line, i, bits) >> (bits - 8)) as u8;
            }
        }
        _ => {
            for (i, byte) in out.iter_mut().enumerate() {
                *byte = scale.byte(number(line, i, layout));
            }
        }
    }
}
