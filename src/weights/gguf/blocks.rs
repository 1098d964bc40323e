//! Blocks of few bits, as GGUF has them: a row of values is a row of blocks, each with scales of its own.
//!
//! Source: `gguf/quants.py` of the package `gguf`, whose arithmetic in f32 this repeats step by step.

use half::f16;

/// How the values of a block lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// 32 values of 4 bits, `d · (q − 8)`.
    Q4_0,
    /// 32 values of 4 bits, `d · q + m`.
    Q4_1,
    /// 32 values of 5 bits, `d · (q − 16)`.
    Q5_0,
    /// 32 values of 5 bits, `d · q + m`.
    Q5_1,
    /// 32 values of 8 bits, `d · q`.
    Q8_0,
    /// 256 values of 4 bits in 8 groups, `d · scale · q − m · least`.
    Q4K,
    /// 256 values of 5 bits in 8 groups, `d · scale · q − m · least`.
    Q5K,
    /// 256 values of 6 bits in 16 groups, `d · scale · (q − 32)`.
    Q6K,
}

impl Blocks {
    /// Every kind, by GGUF's number and name for it.
    pub(super) const ALL: [(u32, &str, Self); 8] = [
        (2, "Q4_0", Self::Q4_0),
        (3, "Q4_1", Self::Q4_1),
        (6, "Q5_0", Self::Q5_0),
        (7, "Q5_1", Self::Q5_1),
        (8, "Q8_0", Self::Q8_0),
        (12, "Q4_K", Self::Q4K),
        (13, "Q5_K", Self::Q5K),
        (14, "Q6_K", Self::Q6K),
    ];

    /// The kind that GGUF gives this name; `None` where its values are plain numbers.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map(|(_, _, blocks)| blocks)
    }

    /// GGUF's name for it.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, _, blocks)| *blocks == self).map_or("", |(_, name, _)| name)
    }

    /// Values of a block.
    pub fn values(self) -> usize {
        match self {
            Self::Q4K | Self::Q5K | Self::Q6K => 256,
            _ => 32,
        }
    }

    /// Bytes of a block.
    pub fn bytes(self) -> usize {
        match self {
            Self::Q4_0 => 2 + 16,
            Self::Q4_1 => 4 + 16,
            Self::Q5_0 => 2 + 4 + 16,
            Self::Q5_1 => 4 + 4 + 16,
            Self::Q8_0 => 2 + 32,
            Self::Q4K => 4 + 12 + 128,
            Self::Q5K => 4 + 12 + 32 + 128,
            Self::Q6K => 128 + 64 + 16 + 2,
        }
    }

    /// The values of whole blocks.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        let mut values = Vec::with_capacity(bytes.len() / self.bytes() * self.values());
        for block in bytes.chunks_exact(self.bytes()) {
            match self {
                Self::Q4_0 => nibbles(half(block), None, 8, [0; 4], &block[2..], &mut values),
                Self::Q4_1 => {
                    let m = Some(half(&block[2..]));
                    nibbles(half(block), m, 0, [0; 4], &block[4..], &mut values);
                }
                Self::Q5_0 => {
                    nibbles(half(block), None, 16, four(&block[2..]), &block[6..], &mut values);
                }
                Self::Q5_1 => {
                    let m = Some(half(&block[2..]));
                    nibbles(half(block), m, 0, four(&block[4..]), &block[8..], &mut values);
                }
                Self::Q8_0 => {
                    let d = half(block);
                    values.extend(block[2..].iter().map(|q| f32::from(*q as i8) * d));
                }
                Self::Q4K => groups(&block[..16], None, &block[16..], &mut values),
                Self::Q5K => {
                    groups(&block[..16], Some(&block[16..48]), &block[48..], &mut values);
                }
                Self::Q6K => sixths(block, &mut values),
            }
        }
        values
    }
}

fn half(bytes: &[u8]) -> f32 {
    f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
}

fn four(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

/// 32 values: the low halves of 16 bytes, then the high ones, each with a fifth bit of `high`.
fn nibbles(d: f32, m: Option<f32>, zero: i32, high: [u8; 4], qs: &[u8], values: &mut Vec<f32>) {
    let high = u32::from_le_bytes(high);
    for at in 0..32 {
        let low = qs[at % 16] >> (4 * (at / 16)) & 15;
        let q = i32::from(low) | ((high >> at & 1) << 4) as i32;
        let value = d * (q - zero) as f32;
        values.push(m.map_or(value, |m| value + m));
    }
}

/// 8 groups of 32 values. `head` is d, m, and 8 scales and least values of six bits each; bit g of byte i of `high` is
/// the fifth of value i of group g.
fn groups(head: &[u8], high: Option<&[u8]>, qs: &[u8], values: &mut Vec<f32>) {
    let (d, m, six) = (half(head), half(&head[2..]), &head[4..]);
    for g in 0..8 {
        let [scale, least] = match g {
            0..4 => [six[g] & 63, six[g + 4] & 63],
            _ => {
                [(six[g + 4] & 15) | (six[g - 4] >> 6) << 4, (six[g + 4] >> 4) | (six[g] >> 6) << 4]
            }
        };
        let (d, m) = (d * f32::from(scale), m * f32::from(least));
        for i in 0..32 {
            let low = qs[g / 2 * 32 + i] >> (4 * (g % 2)) & 15;
            let q = low | high.map_or(0, |high| (high[i] >> g & 1) << 4);
            values.push(d * f32::from(q) - m);
        }
    }
}

/// Two halves of 128 values, each of four groups of 32: a low half and two bits more, and a scale every 16.
fn sixths(block: &[u8], values: &mut Vec<f32>) {
    let (low, rest) = block.split_at(128);
    let (high, rest) = rest.split_at(64);
    let (scales, d) = rest.split_at(16);
    let d = half(d);
    for at in 0..256 {
        let (h, j, i) = (at / 128, at / 32 % 4, at % 32);
        let four = low[64 * h + 32 * (j % 2) + i] >> (4 * (j / 2)) & 15;
        let two = high[32 * h + i] >> (2 * j) & 3;
        let d = d * f32::from(scales[at / 16] as i8);
        values.push(d * f32::from((four | two << 4) as i8 - 32));
    }
}
