//! `y = α · x · Wᵀ + b` for W in panels, tile by tile in registers; `reference::linear` is the twin.

use crate::parallel::prelude::*;
use rten_simd::ops::{BitOps, NumOps};
use rten_simd::{Isa, Simd, SimdOp};

use super::tile::{at_once, sums};
use crate::weights::StoredType;

/// W `[columns, k]` in panels of as many columns as two registers hold, the last padded with zeros:
/// `[panels, k, width]`.
pub(super) struct Panels {
    values: Values,
    width: usize,
    columns: usize,
    k: usize,
}

/// As f32, or in 16 bits that are widened a panel at a time.
enum Values {
    F32(Vec<f32>),
    F16(Vec<u16>),
    Bf16(Vec<u16>),
}

impl Panels {
    /// Packs W; the value of column c at depth p is `w[c · strides[0] + p · strides[1]]`.
    pub(super) fn pack(w: &[f32], [columns, k]: [usize; 2], strides: [usize; 2]) -> Self {
        let width = Width.dispatch();
        let mut values = vec![0.0; columns.next_multiple_of(width) * k];
        values.par_chunks_exact_mut(width * k).enumerate().for_each(|(at, panel)| {
            let (first, own) = (at * width, width.min(columns - at * width));
            // Sixteen depths at a time: whole cache lines of W where its rows are contiguous.
            for (block, lines) in panel.chunks_mut(16 * width).enumerate() {
                for c in 0..own {
                    let w = &w[(first + c) * strides[0] + 16 * block * strides[1]..];
                    for (p, line) in lines.chunks_exact_mut(width).enumerate() {
                        line[c] = w[p * strides[1]];
                    }
                }
            }
        });
        Self { values: Values::F32(values), width, columns, k }
    }

    /// The same in the 16 bits of `stored`, from which the values came; infinities stay f32.
    pub(super) fn halved(self, stored: StoredType) -> Self {
        let values = match (self.values, stored) {
            (Values::F32(v), StoredType::Bf16) => {
                Values::Bf16(v.iter().map(|v| (v.to_bits() >> 16) as u16).collect())
            }
            (Values::F32(v), StoredType::F16) if v.iter().all(|v| v.is_finite()) => {
                Values::F16(v.iter().map(|v| half::f16::from_f32(*v).to_bits()).collect())
            }
            (values, _) => values,
        };
        Self { values, ..self }
    }

    /// Bytes in memory.
    pub(super) fn bytes(&self) -> usize {
        match &self.values {
            Values::F32(v) => 4 * v.len(),
            Values::F16(v) | Values::Bf16(v) => 2 * v.len(),
        }
    }

    /// Some depths of a panel, widened into `space` where they are not f32.
    #[inline(always)]
    fn panel<'a>(&'a self, at: usize, first: usize, space: &'a mut [f32]) -> &'a [f32] {
        let start = (at * self.k + first) * self.width;
        match &self.values {
            Values::F32(v) => return &v[start..][..space.len()],
            Values::Bf16(v) => {
                for (wide, v) in space.iter_mut().zip(&v[start..]) {
                    *wide = f32::from_bits(u32::from(*v) << 16);
                }
            }
            // The exponent's bias differs by 112, in subnormal numbers too.
            Values::F16(v) => {
                for (wide, v) in space.iter_mut().zip(&v[start..]) {
                    let (sign, rest) = (u32::from(v & 0x8000) << 16, u32::from(v & 0x7fff) << 13);
                    let magnitude = f32::from_bits(rest) * f32::from_bits((127 + 112) << 23);
                    *wide = f32::from_bits(magnitude.to_bits() | sign);
                }
            }
        }
        space
    }
}

/// Depth at a time at most: a panel of it stays in the first-level cache.
const DEPTH: usize = 512;

/// `x` is `rows` of length k, `stride` apart; `y` `[rows, columns]`; `bias` `[columns]`.
pub(super) fn product(
    x: &[f32],
    stride: usize,
    w: &Panels,
    alpha: f32,
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let rows = y.len() / w.columns;
    let each = at_once(rows);
    y.par_chunks_mut(each * w.columns).enumerate().for_each(|(at, y)| {
        Block { x: &x[at * each * stride..], stride, w, alpha, bias, y }.dispatch();
    });
}

/// The same with a W that is used once: `[k, columns]`, whose lines are `pitch` apart.
#[cfg(all(feature = "language", not(test)))]
pub(super) fn product_once(
    x: &[f32],
    k: usize,
    (w, pitch): (&[f32], usize),
    bias: Option<&[f32]>,
    y: &mut [f32],
) {
    let columns = y.len() / (x.len() / k);
    product(x, k, &Panels::pack(w, [columns, k], [1, pitch]), 1.0, bias, y);
}

/// Columns of a panel.
struct Width;

impl SimdOp for Width {
    type Output = usize;

    fn eval<I: Isa>(self, isa: I) -> usize {
        2 * isa.f32().len()
    }
}

struct Block<'a> {
    x: &'a [f32],
    stride: usize,
    w: &'a Panels,
    alpha: f32,
    bias: Option<&'a [f32]>,
    y: &'a mut [f32],
}

impl SimdOp for Block<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        // Rows of a tile: WebAssembly's compilers keep eight sums in registers, and no more.
        match isa.f32().len() {
            4 => self.run::<I, 4>(isa),
            8 => self.run::<I, 6>(isa),
            _ => self.run::<I, 12>(isa),
        }
    }
}

impl Block<'_> {
    #[inline(always)]
    fn run<I: Isa, const R: usize>(self, isa: I) {
        let Self { x, stride, w, alpha, bias, y } = self;
        let &Panels { width, columns, k, .. } = w;
        // Parts of one depth: a short last one would read and write all sums once more.
        let most = k.div_ceil(k.div_ceil(DEPTH));
        let mut space = vec![0.0; width * most];
        let rows = y.len() / columns;
        let mut packed = vec![0.0; rows.next_multiple_of(R) * most];
        for first in (0..k).step_by(most) {
            let depth = most.min(k - first);
            let packed = &mut packed[..rows.next_multiple_of(R) * depth];
            for (at, tile) in packed.chunks_exact_mut(R * depth).enumerate() {
                // A tile's rows behind the last one repeat it, and their sums are dropped.
                let row = |r: usize| &x[(at * R + r).min(rows - 1) * stride + first..][..depth];
                let lines: [&[f32]; R] = std::array::from_fn(row);
                for (p, values) in tile.as_chunks_mut::<R>().0.iter_mut().enumerate() {
                    for (value, line) in values.iter_mut().zip(lines) {
                        *value = line[p];
                    }
                }
            }
            for at in 0..columns.div_ceil(width) {
                let panel = w.panel(at, first, &mut space[..depth * width]);
                let column = at * width;
                let own = width.min(columns - column);
                for (at, tile) in packed.chunks_exact(R * depth).enumerate() {
                    let sums = sums::<I, R, 2>(isa, tile, panel);
                    for (r, sums) in sums.into_iter().enumerate().take(rows - at * R) {
                        let y = &mut y[(at * R + r) * columns + column..][..own];
                        let begin = match (first, bias) {
                            (0, Some(bias)) => Begin::At(&bias[column..][..own]),
                            (0, None) => Begin::Zero,
                            _ => Begin::Sum,
                        };
                        finish(isa, sums, alpha, begin, y);
                    }
                }
            }
        }
    }
}

/// What a tile's sums are added to.
enum Begin<'a> {
    Zero,
    At(&'a [f32]),
    Sum,
}

/// Writes a row of a tile: `y = begin + α · sums`.
#[inline(always)]
fn finish<I: Isa>(isa: I, sums: [I::F32; 2], alpha: f32, begin: Begin<'_>, y: &mut [f32]) {
    let (ops, alpha) = (isa.f32(), isa.f32().splat(alpha));
    for (sums, at) in sums.into_iter().zip([0, ops.len()]) {
        let at = at.min(y.len());
        let y = &mut y[at..];
        let whole = y.len() >= ops.len();
        let begin = match &begin {
            Begin::Zero => ops.zero(),
            Begin::At(bias) => ops.load_pad(&bias[at..]).0,
            Begin::Sum => ops.load_pad(y).0,
        };
        let value = ops.mul_add(sums, alpha, begin);
        match whole {
            true => ops.store(value, y),
            false => {
                let values = value.to_array();
                y.iter_mut().zip(values.as_ref()).for_each(|(y, value)| *y = *value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WeightKind;
    use crate::weights::random_tensor;

    /// Rows, columns and depths around every edge of tiles and blocks, against sums in f64.
    #[test]
    fn products_of_any_size() {
        for (rows, columns, k) in
            [(1, 1, 1), (5, 7, 3), (13, 33, 257), (523, 40, 300), (7, 9, 1031)]
        {
            let stride = k + 3;
            let x = random_tensor(1, "x", &[rows, stride], WeightKind::Matrix);
            let w = random_tensor(2, "w", &[columns, k], WeightKind::Matrix);
            let bias = random_tensor(3, "bias", &[columns], WeightKind::Bias);
            let panels = Panels::pack(&w, [columns, k], [k, 1]);
            let mut y = vec![f32::NAN; rows * columns];
            product(&x[..rows * stride - 3], stride, &panels, 0.5, Some(&bias), &mut y);
            for (at, y) in y.iter().enumerate() {
                let (row, column) = (at / columns, at % columns);
                let terms = x[row * stride..].iter().zip(&w[column * k..][..k]);
                let sum: f64 = terms.map(|(x, w)| f64::from(*x) * f64::from(*w)).sum();
                let expected = 0.5 * sum + f64::from(bias[column]);
                let close = (f64::from(*y) - expected).abs() <= 1e-6 * (1.0 + expected.abs());
                assert!(close, "{rows} × {columns} × {k}: {y} at {at}, expected {expected}");
            }
        }
    }

    /// Every finite half, subnormal ones too, and every bfloat are widened exactly.
    #[test]
    fn sixteen_bits_lose_nothing() {
        let all = 0..=u16::MAX;
        let halves: Vec<f32> = all
            .clone()
            .map(|bits| half::f16::from_bits(bits).to_f32())
            .filter(|v| v.is_finite())
            .collect();
        let bfloats: Vec<f32> =
            all.map(|bits| f32::from_bits(u32::from(bits) << 16)).filter(|v| !v.is_nan()).collect();
        for (stored, values) in [(StoredType::F16, halves), (StoredType::Bf16, bfloats)] {
            let width = Width.dispatch();
            let k = values.len();
            let panels = Panels::pack(&values, [1, k], [k, 1]).halved(stored);
            assert_eq!(panels.bytes(), 2 * width * k);
            let mut space = vec![0.0; width * k];
            let wide = panels.panel(0, 0, &mut space).iter().step_by(width);
            assert!(wide.zip(&values).all(|(a, b)| a.to_bits() == b.to_bits()), "{stored:?}");
        }
    }

    #[test]
    fn an_infinite_half_stays_wide() {
        let panels = Panels::pack(&[f32::INFINITY], [1, 1], [1, 1]).halved(StoredType::F16);
        assert_eq!(panels.bytes(), 4 * Width.dispatch());
    }
}
