//! W in 8 or 4 bits, as it lies in memory. A few rows of x are multiplied with it by `few_rows`; for
//! more it is widened, some columns at a time, for the product of f32.

use crate::parallel::prelude::*;
use rten_simd::ops::{BitOps, IntOps, NumOps, ToFloat};
use rten_simd::{Isa, SimdOp};

use super::few_rows::{self, few_rows};
use super::linear::Place;
use super::product_once;
use crate::plan::Slot;
use crate::weights::{QuantFormat, WeightSource};
use crate::{Error, Result};

/// Columns of a panel: their words are a cache line.
pub(super) const WIDTH: usize = 16;

/// Depths of a slab that is widened at a time, whole groups of int4.
const SLAB: usize = 32;

/// Values of a matrix that are read at a time.
const READ: usize = 8 << 20;

/// Values that are widened at a time, unless sixteen columns have more.
const WIDENED: usize = 1 << 19;

/// W `[columns, k]` in panels of 16 columns. A word has neighbouring inputs of one column, the first in
/// the lowest bits: four of int8, eight of int4.
pub(super) struct Codes {
    pub(super) quant: QuantFormat,
    /// `[panels, words of a column, 16]`.
    words: Vec<i32>,
    scales: Scales,
    columns: usize,
    k: usize,
}

enum Scales {
    /// `[panels, 16]`, each divided by [`Codes::ONE`].
    Columns(Vec<f32>),
    /// `[panels, k / 32, 16]`, bits of f16.
    Groups(Vec<u16>),
}

impl Codes {
    /// How a matrix is kept that is stored so, or `wanted`: as on a GPU.
    fn format(
        slot: &Slot,
        source: WeightSource<'_>,
        wanted: Option<QuantFormat>,
    ) -> Option<QuantFormat> {
        let wanted = wanted.and_then(|quant| quant.of_slot(slot));
        source.quant(&slot.name).or(wanted).filter(|quant| quant.fits(slot.cols))
    }

    /// Bytes of a matrix, where it is kept in few bits.
    pub(super) fn size(
        slot: &Slot,
        source: WeightSource<'_>,
        wanted: Option<QuantFormat>,
    ) -> Option<usize> {
        let quant = Self::format(slot, source, wanted)?;
        let (columns, k) = (slot.rows.next_multiple_of(WIDTH), slot.cols);
        let words = k.div_ceil(32 / quant.bits());
        let scales = k / quant.group(k) * quant.scales_type().bytes();
        Some(slot.planes * columns * (4 * words + scales))
    }

    /// Reads the planes of a matrix, where it is kept in few bits, some rows at a time.
    pub(super) async fn load(
        slot: &Slot,
        source: WeightSource<'_>,
        wanted: Option<QuantFormat>,
    ) -> Result<Option<Vec<Self>>> {
        let Some(quant) = Self::format(slot, source, wanted) else { return Ok(None) };
        let (out, k) = (slot.rows, slot.cols);
        let mut planes = Vec::new();
        for plane in 0..slot.planes {
            let mut codes = Self::new(quant, [out, k]);
            let rows = (READ / k).next_multiple_of(WIDTH);
            for first in (0..out).step_by(rows) {
                let rows = plane * out + first..plane * out + out.min(first + rows);
                let w = source.rows(slot, rows).await?;
                if !w.iter().all(|w| w.is_finite()) {
                    return Err(Error::NotFinite(format!(
                        "{} holds NaN or infinity, which 8 and 4 bits have not",
                        slot.name
                    )));
                }
                codes.put(first, &w);
            }
            planes.push(codes);
        }
        Ok(Some(planes))
    }

    /// A matrix `[columns, k]` of zeros.
    fn new(quant: QuantFormat, [columns, k]: [usize; 2]) -> Self {
        let padded = columns.next_multiple_of(WIDTH);
        let scales = match quant {
            QuantFormat::Int8 => Scales::Columns(vec![0.0; padded]),
            QuantFormat::Int4 => Scales::Groups(vec![0; padded * (k / quant.group(k))]),
        };
        let words = vec![0; padded * k.div_ceil(32 / quant.bits())];
        Self { quant, words, scales, columns, k }
    }

    /// Rounds the columns from `first` on, a multiple of 16: rows of W, `[columns, k]`.
    fn put(&mut self, first: usize, w: &[f32]) {
        let (k, quant) = (self.k, self.quant);
        let rounded = quant.quantise(w, k);
        let (bits, of_word, panel) = (quant.bits(), 32 / quant.bits(), first / WIDTH);
        let panel_words = WIDTH * k.div_ceil(of_word);
        let mask = u32::MAX >> (32 - bits);
        let words = self.words[panel * panel_words..].par_chunks_mut(panel_words);
        words.take(rounded.codes.len().div_ceil(WIDTH * k)).enumerate().for_each(|(at, words)| {
            let own = rounded.codes[at * WIDTH * k..].chunks_exact(k).take(WIDTH);
            for (c, codes) in own.enumerate() {
                for (line, codes) in words.chunks_exact_mut(WIDTH).zip(codes.chunks(of_word)) {
                    let place = |(at, code): (usize, &i8)| (*code as u32 & mask) << (at * bits);
                    line[c] = codes.iter().enumerate().map(place).sum::<u32>() as i32;
                }
            }
        });
        let groups = k / quant.group(k);
        for (at, scale) in rounded.scales.iter().enumerate() {
            let (column, group) = (first + at / groups, at % groups);
            let place = (column / WIDTH * groups + group) * WIDTH + column % WIDTH;
            match &mut self.scales {
                Scales::Columns(list) => list[place] = scale / Self::ONE,
                Scales::Groups(list) => list[place] = half::f16::from_f32(*scale).to_bits(),
            }
        }
    }

    /// What the code 1 of int8 is widened to.
    const ONE: f32 = (1 << 24) as f32;

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        let scales = match &self.scales {
            Scales::Columns(list) => 4 * list.len(),
            Scales::Groups(list) => 2 * list.len(),
        };
        4 * self.words.len() + scales
    }

    /// Outputs and inputs.
    pub(super) fn shape(&self) -> [usize; 2] {
        [self.columns, self.k]
    }

    /// The words of a panel, `[words of a column, 16]`.
    #[inline(always)]
    pub(super) fn panel(&self, panel: usize) -> &[i32] {
        let len = WIDTH * self.k.div_ceil(32 / self.quant.bits());
        &self.words[panel * len..][..len]
    }

    /// What a panel's widened codes are to be multiplied by, of int4 those of a group.
    #[inline(always)]
    pub(super) fn scales(&self, panel: usize, group: usize) -> [f32; WIDTH] {
        match &self.scales {
            Scales::Columns(list) => list.as_chunks::<WIDTH>().0[panel],
            // The exponent's bias differs by 112, and the code 1 is widened to 2²⁸.
            Scales::Groups(list) => {
                let groups = self.k / QuantFormat::GROUP;
                list.as_chunks::<WIDTH>().0[panel * groups + group].map(|bits| {
                    let (sign, rest) =
                        (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff) << 13);
                    let magnitude = f32::from_bits(rest) * f32::from_bits((127 + 112 - 28) << 23);
                    f32::from_bits(magnitude.to_bits() | sign)
                })
            }
        }
    }

    /// `y = x · Wᵀ + b`; `x` `[rows, k]`, `y` `[rows, columns]`, `bias` `[columns]`.
    pub(super) fn product(&self, x: &[f32], bias: Option<&[f32]>, y: &mut [f32]) {
        let Self { columns, k, .. } = *self;
        let rows = y.len() / columns;
        if rows <= few_rows::MOST {
            return few_rows(x, self, bias, y);
        }
        let padded = columns.next_multiple_of(WIDTH);
        let wide = (WIDENED / k / WIDTH * WIDTH).clamp(WIDTH, padded);
        let mut space = vec![0.0; k * wide];
        let mut part = vec![0.0; if wide < columns { rows * wide } else { 0 }];
        for first in (0..columns).step_by(wide) {
            let own = wide.min(columns - first);
            let pitch = own.next_multiple_of(WIDTH);
            let space = &mut space[..k * pitch];
            self.widen(first / WIDTH, pitch, space);
            let bias = bias.map(|bias| &bias[first..][..own]);
            if own == columns {
                return product_once(x, k, (space, pitch), bias, y);
            }
            let part = &mut part[..rows * own];
            product_once(x, k, (space, pitch), bias, part);
            Place::Store(None).put(part, first..first + own, columns, y);
        }
    }

    /// The values of as many panels from `first` on as lines of `pitch` values hold, `[k, pitch]`.
    fn widen(&self, first: usize, pitch: usize, space: &mut [f32]) {
        space.par_chunks_mut(SLAB * pitch).enumerate().for_each(|(slab, lines)| {
            Widen { w: self, first, slab, pitch, lines }.dispatch();
        });
    }
}

/// How the `N` codes of words become f32. (A function that is handed on would not be compiled for the
/// machine's vectors.)
pub(super) trait Widened<const N: usize> {
    /// The first codes of all words, then the second, times what is 1 to them.
    fn widened<I: Isa>(isa: I, words: I::I32) -> [I::F32; N];
}

/// Where 1 is 2²⁴.
pub(super) struct Int8;

/// Where 1 is 2²⁸.
pub(super) struct Int4;

impl Widened<4> for Int8 {
    #[inline(always)]
    fn widened<I: Isa>(isa: I, words: I::I32) -> [I::F32; 4] {
        let ints = isa.i32();
        // The sign is the word's where a code is its highest bits, so no other shift is needed.
        let high = ints.splat(0xff00_0000_u32 as i32);
        [
            ints.to_float(ints.shift_left::<24>(words)),
            ints.to_float(ints.and(ints.shift_left::<16>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<8>(words), high)),
            ints.to_float(ints.and(words, high)),
        ]
    }
}

impl Widened<8> for Int4 {
    #[inline(always)]
    fn widened<I: Isa>(isa: I, words: I::I32) -> [I::F32; 8] {
        let ints = isa.i32();
        let high = ints.splat(0xf000_0000_u32 as i32);
        [
            ints.to_float(ints.shift_left::<28>(words)),
            ints.to_float(ints.and(ints.shift_left::<24>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<20>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<16>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<12>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<8>(words), high)),
            ints.to_float(ints.and(ints.shift_left::<4>(words), high)),
            ints.to_float(ints.and(words, high)),
        ]
    }
}

/// A slab of depths of some panels, widened into lines of `pitch` values.
struct Widen<'a> {
    w: &'a Codes,
    first: usize,
    slab: usize,
    pitch: usize,
    lines: &'a mut [f32],
}

impl SimdOp for Widen<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        match self.w.quant {
            QuantFormat::Int8 => self.run::<I, Int8, 4>(isa),
            QuantFormat::Int4 => self.run::<I, Int4, 8>(isa),
        }
    }
}

impl Widen<'_> {
    #[inline(always)]
    fn run<I: Isa, W: Widened<N>, const N: usize>(self, isa: I) {
        let (ops, ints) = (isa.f32(), isa.i32());
        let Self { w, first, slab, pitch, lines } = self;
        for at in 0..pitch / WIDTH {
            let scales = w.scales(first + at, slab);
            let words = w.panel(first + at)[slab * SLAB / N * WIDTH..].as_chunks::<WIDTH>().0;
            for (words, lines) in words.iter().zip(lines.chunks_mut(N * pitch)) {
                for group in 0..WIDTH / ops.len() {
                    let lane = group * ops.len();
                    let scale = ops.load(&scales[lane..]);
                    let values = W::widened(isa, ints.load(&words[lane..]));
                    // The last word of a column may have codes that are none of W's.
                    for (line, value) in lines.chunks_exact_mut(pitch).zip(&values) {
                        ops.store(ops.mul(*value, scale), &mut line[at * WIDTH + lane..]);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WeightKind;
    use crate::weights::random_tensor;

    /// Codes of a random matrix, put in two parts where there are columns for it, and its rounded values.
    fn random(quant: QuantFormat, columns: usize, k: usize) -> (Codes, Vec<f32>) {
        let w = random_tensor(1, "w", &[columns, k], WeightKind::Matrix);
        let mut codes = Codes::new(quant, [columns, k]);
        let first = columns / 2 / WIDTH * WIDTH;
        codes.put(0, &w[..first * k]);
        codes.put(first, &w[first * k..]);
        (codes, quant.quantise(&w, k).values())
    }

    /// Rows, columns and depths around every edge, against sums in f64 of the rounded values.
    #[test]
    fn products_of_any_size() {
        let (few, many) = ([1, 3, 100, 128, 300], [32, 96, 128, 320]);
        let sizes = few.map(|k| (QuantFormat::Int8, k)).into_iter();
        for (quant, k) in sizes.chain(many.map(|k| (QuantFormat::Int4, k))) {
            for columns in [1, 15, 16, 33, 130] {
                let (codes, w) = random(quant, columns, k);
                for rows in [1, 2, 3, 4, 5, 8, 9, 33] {
                    check(&codes, &w, rows);
                }
            }
        }
    }

    /// More values than are widened at a time.
    #[test]
    fn wide_products() {
        for quant in [QuantFormat::Int8, QuantFormat::Int4] {
            let (codes, w) = random(quant, WIDENED / 640 + 50, 640);
            check(&codes, &w, 9);
            check(&codes, &w, 1);
        }
    }

    fn check(codes: &Codes, w: &[f32], rows: usize) {
        let [columns, k] = codes.shape();
        let x = random_tensor(2, "x", &[rows, k], WeightKind::Table);
        let bias = random_tensor(3, "bias", &[columns], WeightKind::Bias);
        let mut y = vec![f32::NAN; rows * columns];
        codes.product(&x, Some(&bias), &mut y);
        let (mut off, mut all) = (0.0, 0.0);
        for (at, y) in y.iter().enumerate() {
            let (row, column) = (at / columns, at % columns);
            let terms = x[row * k..][..k].iter().zip(&w[column * k..][..k]);
            let sum: f64 = terms.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
            let expected = sum + f64::from(bias[column]);
            off += (f64::from(*y) - expected).powi(2);
            all += expected.powi(2);
        }
        let error = (off / all).sqrt();
        assert!(error <= 1e-6, "{:?} {rows} × {columns} × {k}: {error:.1e}", codes.quant);
    }
}
