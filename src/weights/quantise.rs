//! Weights in few bits, symmetric: `w ≈ scale · code`. Only matrices of the encoder's blocks are
//! quantised; what is rounded once stays as it is when it is rounded again.

use crate::parallel::prelude::*;
use half::f16;

use super::StoredType;
use crate::plan::Slot;

/// How the matrices of blocks are kept in few bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QuantFormat {
    /// Codes -127 to 127, an f32 scale for each output.
    Int8,
    /// Codes -8 to 7, an f16 scale for each output and [`QuantFormat::GROUP`] inputs; of a model all but
    /// what [`QuantFormat::of`] says.
    Int4,
}

/// A matrix `[outputs, k]` in few bits.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantized {
    /// `[outputs, k]`.
    pub codes: Vec<i8>,
    /// `[outputs, k / group]`.
    pub scales: Vec<f32>,
}

impl QuantFormat {
    /// Inputs that share one of int4's scales.
    pub const GROUP: usize = 32;

    /// How a matrix of this name is kept where this is asked for: those of attention have 8 bits also
    /// where the rest has 4, as they are a third of the weights and would do half of the harm; so have the few
    /// that merge tokens, past which no residual goes.
    pub fn of(self, name: &str) -> Self {
        if [".attn.", ".merge."].iter().any(|part| name.contains(part)) { Self::Int8 } else { self }
    }

    /// How a weight is kept where this is asked for, if in few bits: the matrices of blocks, and in 8 bits the language
    /// model's head, which is read whole for every token.
    pub fn of_slot(self, slot: &Slot) -> Option<Self> {
        let quant = match slot.block {
            Some(_) => self.of(&slot.name),
            None if is_language_head(&slot.name) => Self::Int8,
            None => return None,
        };
        quant.fits(slot.cols).then_some(quant)
    }

    /// Inputs of `k` that share a scale.
    pub fn group(self, k: usize) -> usize {
        match self {
            Self::Int8 => k,
            Self::Int4 => Self::GROUP,
        }
    }

    /// Bits of a code.
    pub fn bits(self) -> usize {
        match self {
            Self::Int8 => 8,
            Self::Int4 => 4,
        }
    }

    /// Codes as they are stored: a byte each, or two to a byte, the first below, 8 for zero.
    pub fn encode(self, codes: &[i8]) -> Vec<u8> {
        let half = |code: i8| (code + 8) as u8;
        match self {
            Self::Int8 => codes.iter().map(|code| *code as u8).collect(),
            Self::Int4 => {
                codes.as_chunks().0.iter().map(|&[low, high]| half(low) | half(high) << 4).collect()
            }
        }
    }

    /// Codes from how they are stored.
    pub fn decode(self, bytes: &[u8]) -> Vec<i8> {
        match self {
            Self::Int8 => bytes.iter().map(|byte| *byte as i8).collect(),
            Self::Int4 => {
                bytes.iter().flat_map(|b| [(b & 15) as i8 - 8, (b >> 4) as i8 - 8]).collect()
            }
        }
    }

    /// The shape of the codes of a matrix `[outputs, k]` as they are stored.
    pub fn codes_shape(self, shape: &[usize]) -> Vec<usize> {
        vec![shape[0], shape[1] * self.bits() / 8]
    }

    /// The shape of its scales.
    pub fn scales_shape(self, shape: &[usize]) -> Vec<usize> {
        match self {
            Self::Int8 => vec![shape[0]],
            Self::Int4 => vec![shape[0], shape[1] / Self::GROUP],
        }
    }

    /// The number type of its scales.
    pub fn scales_type(self) -> StoredType {
        match self {
            Self::Int8 => StoredType::F32,
            Self::Int4 => StoredType::F16,
        }
    }

    /// Whether rows of `k` values are whole groups.
    pub fn fits(self, k: usize) -> bool {
        k.is_multiple_of(self.group(k))
    }

    /// Quantises `w` `[outputs, k]`, whose rows are whole groups.
    pub fn quantise(self, w: &[f32], k: usize) -> Quantized {
        let group = self.group(k);
        let mut codes = vec![0; w.len()];
        let mut scales = vec![0.0; w.len() / group];
        let parts = codes.par_chunks_exact_mut(group).zip(w.par_chunks_exact(group));
        parts.zip(&mut scales).with_min_len(64).for_each(|((codes, w), scale)| {
            *scale = self.scale(w);
            for (code, w) in codes.iter_mut().zip(w) {
                *code = self.code(*w, *scale);
            }
            // A scale and its codes may both change their sign: the scale is positive unless -8, which has no
            // opposite, is used.
            if *scale < 0.0 && !codes.contains(&-8) {
                *scale = -*scale;
                codes.iter_mut().for_each(|code| *code = -*code);
            }
        });
        Quantized { codes, scales }
    }

    /// The nearest code.
    fn code(self, w: f32, scale: f32) -> i8 {
        let [low, high] = match self {
            Self::Int8 => [-127.0, 127.0],
            Self::Int4 => [-8.0, 7.0],
        };
        let code = if scale == 0.0 { 0.0 } else { (w / scale).clamp(low, high) };
        // Rounds to even as `round_ties_even`, which is a call on processors from before SSE4.1: between
        // 2²³ and 2²⁴ the neighbours of an f32 are whole numbers.
        const WHOLE: f32 = 12_582_912.0;
        (code + WHOLE - WHOLE) as i8
    }

    /// The scale of a group, which leaves nothing out: features hang on the largest weights, and cutting them
    /// off to serve the rest better costs them more than it gains.
    fn scale(self, w: &[f32]) -> f32 {
        let largest = w.iter().fold(0.0f32, |m, v| if v.abs() > m.abs() { *v } else { m });
        match self {
            Self::Int8 => short(largest.abs() / 127.0),
            // The largest at one end of the codes or at the other: the better of the two.
            Self::Int4 => {
                let error = |scale: f32| -> f32 {
                    let off = |v: &f32| v - scale * f32::from(self.code(*v, scale));
                    w.iter().map(off).map(|e| e * e).sum()
                };
                let best = [-8.0, 7.0]
                    .map(|code| f16::from_f32(largest / code).to_f32())
                    .into_iter()
                    .filter(|scale| scale.is_finite())
                    .map(|scale| (error(scale), scale))
                    .min_by(|a, b| a.0.total_cmp(&b.0));
                best.map_or(0.0, |(_, scale)| scale)
            }
        }
    }
}

impl Quantized {
    /// The values, `[outputs, k]`.
    pub fn values(&self) -> Vec<f32> {
        let group = self.codes.len() / self.scales.len().max(1);
        let groups = self.codes.chunks_exact(group.max(1)).zip(&self.scales);
        groups.flat_map(|(codes, scale)| codes.iter().map(move |c| scale * f32::from(*c))).collect()
    }
}

/// Rounded up to 16 significant bits: 127 times it is an f32, so that what is rounded again is the same.
fn short(scale: f32) -> f32 {
    f32::from_bits((scale.to_bits() + 0xff) & !0xff)
}

/// Whether a matrix makes the logits of a language model.
fn is_language_head(_name: &str) -> bool {
    #[cfg(feature = "language")]
    return _name == crate::plan::LANGUAGE_HEAD;
    #[cfg(not(feature = "language"))]
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::WeightKind;
    use crate::weights::random_tensor;

    #[test]
    fn errors_are_those_of_the_bits() {
        let w = random_tensor(1, "w", &[48, 96], WeightKind::Matrix);
        for (quant, most) in [(QuantFormat::Int8, 0.01), (QuantFormat::Int4, 0.1)] {
            let quantised = quant.quantise(&w, 96);
            assert_eq!(quantised.scales.len(), 48 * 96 / quant.group(96));
            let sum = |list: &[f32]| list.iter().map(|v| f64::from(v * v)).sum::<f64>();
            let off: Vec<f32> = quantised.values().iter().zip(&w).map(|(a, b)| a - b).collect();
            let error = (sum(&off) / sum(&w)).sqrt();
            assert!(error < most && error > most / 10.0, "{quant:?}: {error}");
        }
    }

    #[test]
    fn codes_are_the_nearest() {
        for i in -20_000..20_000 {
            let w = i as f32 / 64.0;
            for (quant, least, most) in
                [(QuantFormat::Int8, -127.0, 127.0), (QuantFormat::Int4, -8.0, 7.0)]
            {
                let nearest = w.round_ties_even().clamp(least, most);
                assert_eq!(f32::from(quant.code(w, 1.0)), nearest, "{quant:?} {w}");
            }
        }
    }

    #[test]
    fn what_is_rounded_stays() {
        for seed in 0..20 {
            let w = random_tensor(seed, "w", &[64, 64], WeightKind::Matrix);
            for quant in [QuantFormat::Int8, QuantFormat::Int4] {
                let once = quant.quantise(&w, 64);
                assert_eq!(quant.quantise(&once.values(), 64), once);
            }
        }
    }

    #[test]
    fn zeros_and_the_tiny_have_a_code() {
        for quant in [QuantFormat::Int8, QuantFormat::Int4] {
            assert_eq!(quant.quantise(&[0.0; 64], 64).values(), [0.0; 64]);
            let tiny = quant.quantise(&[1e-40; 64], 64).values();
            assert!(tiny.iter().all(|v| v.is_finite() && v.abs() <= 2e-40), "{tiny:?}");
            let huge = quant.quantise(&[3e38; 64], 64).values();
            assert!(huge.iter().all(|v| v.is_finite()), "{huge:?}");
        }
    }

    #[test]
    fn only_matrices_of_blocks() {
        assert!(QuantFormat::Int4.fits(192));
        assert!(!QuantFormat::Int4.fits(100));
        assert!(QuantFormat::Int8.fits(100));
    }
}
