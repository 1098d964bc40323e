//! The layout of a linear layer's weights: panels of 64 outputs, `w[panel][k][64]`, so that
//! neighbouring outputs are one vector load and a range of panels is a contiguous binding. The
//! last panel of each plane is filled with zeros.

use std::ops::Range;

use half::{bf16, f16};

use crate::weights::QuantFormat;
#[cfg(feature = "language")]
use crate::weights::StoredType;

/// Outputs of a panel.
pub const PANEL: usize = 64;

/// How a packed weight is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// The upper half of a single.
    Bf16,
    /// Codes of 8 or 4 bits, with scales beside them.
    Quantized(QuantFormat),
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::F32,
        Self::F16,
        Self::Bf16,
        Self::Quantized(QuantFormat::Int8),
        Self::Quantized(QuantFormat::Int4),
    ];

    /// The smallest format that holds every value exactly.
    pub fn exact(values: &[f32]) -> Self {
        let half = |v: &f32| v.is_finite() && f16::from_f32(*v).to_f32() == *v;
        let brain = |v: &f32| v.to_bits() & 0xffff == 0;
        if values.iter().all(brain) {
            Self::Bf16
        } else if values.iter().all(half) {
            Self::F16
        } else {
            Self::F32
        }
    }

    /// The format that holds every value of a stored type exactly.
    #[cfg(feature = "language")]
    pub fn of(stored: StoredType) -> Self {
        match stored {
            StoredType::F16 => Self::F16,
            StoredType::Bf16 => Self::Bf16,
            StoredType::F32 => Self::F32,
        }
    }

    /// Whether f16 can hold every value, rounded.
    pub(super) fn f16_holds(values: &[f32]) -> bool {
        values.iter().all(|v| f16::from_f32(*v).is_finite())
    }

    /// Bits of a value; of a code without its scale.
    pub fn bits(self) -> usize {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::Bf16 => 16,
            Self::Quantized(quant) => quant.bits(),
        }
    }

    /// The hole that reads it.
    pub fn hole(self) -> &'static str {
        match self {
            Self::F32 => "weight/f32",
            Self::F16 => "weight/f16",
            Self::Bf16 => "weight/bf16",
            Self::Quantized(QuantFormat::Int8) => "weight/int8",
            Self::Quantized(QuantFormat::Int4) => "weight/int4",
        }
    }

    /// Little-endian bytes of values, or of the scales of codes.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 | Self::Quantized(QuantFormat::Int8) => bytemuck::cast_slice(values).to_vec(),
            Self::F16 | Self::Quantized(QuantFormat::Int4) => {
                values.iter().flat_map(|v| f16::from_f32(*v).to_le_bytes()).collect()
            }
            Self::Bf16 => values.iter().flat_map(|v| bf16::from_f32(*v).to_le_bytes()).collect(),
        }
    }
}

/// A matrix `[planes·cols, k]` as panels. Rows of W that are no whole number of quads end with zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelShape {
    /// Planes that the outputs go to; of a gated layer two, gates and what they multiply.
    pub planes: usize,
    /// Outputs of a plane.
    pub cols: usize,
    /// Inputs.
    pub k: usize,
    /// Whether the outputs of both planes alternate in one.
    pub gated: bool,
}

impl PanelShape {
    /// Outputs of a packed plane.
    pub fn outputs(self) -> usize {
        if self.gated { 2 * quads(self.cols) } else { self.cols }
    }

    /// Panels of a packed plane.
    pub fn panels_of_plane(self) -> usize {
        self.outputs().div_ceil(PANEL)
    }

    /// All panels.
    pub fn panels(self) -> usize {
        self.panels_of_plane() * if self.gated { 1 } else { self.planes }
    }

    /// Values of all panels with `depth` values an output.
    pub fn len(self, depth: usize) -> usize {
        self.panels() * PANEL * depth
    }

    /// The row of W that is an output of a panel, if any.
    fn row(self, panel: usize, lane: usize) -> Option<usize> {
        let plane = panel / self.panels_of_plane();
        let output = panel % self.panels_of_plane() * PANEL + lane;
        let (plane, column) = if self.gated { (output % 2, output / 2) } else { (plane, output) };
        (column < self.cols).then_some(plane * self.cols + column)
    }

    /// Packs some panels of `w`, whose rows have `depth[0]` values and become `depth[1]` long.
    pub fn pack<T: Copy + Default>(
        self,
        w: &[T],
        depth: [usize; 2],
        panels: Range<usize>,
    ) -> Vec<T> {
        let [stored, padded] = depth;
        let mut packed = vec![T::default(); panels.len() * PANEL * padded];
        for (panel, out) in panels.zip(packed.chunks_exact_mut(PANEL * padded)) {
            for lane in 0..PANEL {
                let Some(row) = self.row(panel, lane) else { continue };
                for (i, value) in w[row * stored..][..stored].iter().enumerate() {
                    out[i * PANEL + lane] = *value;
                }
            }
        }
        packed
    }
}

/// Values of a row as it lies on the device: whole quads.
pub(super) fn quads(values: usize) -> usize {
    values.next_multiple_of(4)
}

/// Codes of packed panels, `[panel][k][64]`, as four inputs of an output to a word: `[k / 4][64][4]`.
pub(super) fn pack_dots(codes: &[i8]) -> Vec<u8> {
    let groups = codes.as_chunks::<{ 4 * PANEL }>().0.iter();
    groups.flat_map(|four| (0..4 * PANEL).map(|i| four[i % 4 * PANEL + i / 4] as u8)).collect()
}

/// The same of 4-bit codes: eight outputs of an input to a word of two's complement, `[k / 4][64 / 8][4]`.
pub(super) fn pack_octets(codes: &[i8]) -> Vec<u8> {
    let nibble = |code: i8| code as u8 & 15;
    let blocks = codes.as_chunks::<{ 4 * PANEL }>().0.iter();
    let words = blocks
        .flat_map(|four| (0..PANEL / 2).map(|word| &four[word % 4 * PANEL + word / 4 * 8..][..8]));
    words.flat_map(|word| word.as_chunks().0).map(|&[a, b]| nibble(a) | nibble(b) << 4).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_lost() {
        let eighths: Vec<f32> = (-20..20).map(|i| i as f32 / 8.0).collect();
        let thirds: Vec<f32> = (-20..20).map(|i| i as f32 / 3.0).collect();
        let halves: Vec<f32> = thirds.iter().map(|v| f16::from_f32(v * 1e-5).to_f32()).collect();
        assert_eq!(Format::exact(&eighths), Format::Bf16);
        assert_eq!(Format::exact(&halves), Format::F16); // below the normal range, too
        assert_eq!(Format::exact(&thirds), Format::F32);
        assert_eq!(Format::exact(&[f32::INFINITY, halves[0]]), Format::F32);
        for (format, values) in [(Format::Bf16, &eighths), (Format::F16, &halves)] {
            let bytes = format.encode(values);
            let words = bytes.as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
            let back: Vec<f32> = match format {
                Format::F16 => words.map(|w| f16::from_bits(w).to_f32()).collect(),
                _ => words.map(|w| bf16::from_bits(w).to_f32()).collect(),
            };
            assert_eq!(&back, values);
        }
    }

    #[test]
    fn what_f16_cannot_hold_is_told() {
        assert!(Format::f16_holds(&[65504.0, -1e-9, 0.1]));
        assert!(!Format::f16_holds(&[0.0, 7e4]));
        assert!(!Format::f16_holds(&[f32::NAN]));
    }

    #[test]
    fn four_inputs_make_a_word() {
        let codes: Vec<i8> = (0..8 * PANEL).map(|i| (i % 251) as i8).collect();
        let packed = pack_dots(&codes);
        for (k, lane) in [(0, 0), (3, 1), (5, 63), (7, 10)] {
            let at = (k / 4 * PANEL + lane) * 4 + k % 4;
            assert_eq!(packed[at] as i8, codes[k * PANEL + lane]);
        }
    }

    #[test]
    fn eight_outputs_make_a_word() {
        let codes: Vec<i8> = (0..8 * PANEL).map(|i| (i * 7 % 16) as i8 - 8).collect();
        let packed = pack_octets(&codes);
        for (k, lane) in [(0, 0), (3, 1), (5, 63), (7, 10)] {
            let word = (k / 4 * 8 + lane / 8) * 4 + k % 4;
            let byte = packed[word * 4 + lane % 8 / 2];
            let code = ((byte >> (lane % 2 * 4) << 4) as i8) >> 4;
            assert_eq!(code, codes[k * PANEL + lane]);
        }
    }

    #[test]
    fn every_weight_is_where_the_kernel_looks() {
        let shape = PanelShape { planes: 3, cols: 68, k: 4, gated: false };
        let (cols, k) = (shape.cols, shape.k);
        let w: Vec<f32> = (0..shape.planes * cols * k).map(|i| i as f32).collect();
        let packed = shape.pack(&w, [k, k], 0..6);
        assert_eq!(packed.len(), shape.len(k));
        for (o, row) in w.chunks_exact(k).enumerate() {
            let (panel, lane) = (o / cols * 2 + o % cols / PANEL, o % cols % PANEL);
            for (i, value) in row.iter().enumerate() {
                assert_eq!(packed[(panel * k + i) * PANEL + lane], *value);
            }
        }
        assert_eq!(shape.pack(&w, [k, k], 2..4), packed[2 * PANEL * k..4 * PANEL * k]);
    }

    #[test]
    fn gates_stand_beside_what_they_multiply() {
        let shape = PanelShape { planes: 2, cols: 35, k: 3, gated: true };
        let w: Vec<f32> = (1..=2 * 35 * 3).map(|i| i as f32).collect();
        let packed = shape.pack(&w, [3, 4], 0..2);
        assert_eq!((shape.outputs(), packed.len()), (72, shape.len(4)));
        for output in 0..2 * PANEL {
            for i in 0..4 {
                let found = packed[(output / PANEL * 4 + i) * PANEL + output % PANEL];
                let row = output % 2 * 35 + output / 2;
                let there = output < 70 && i < 3;
                assert_eq!(found, if there { w[row * 3 + i] } else { 0.0 });
            }
        }
    }
}
