//! A canonical tensor, and where its bytes are.

use std::ops::Range;

#[cfg(feature = "language")]
use super::Blocks;
use super::{QuantFormat, Stored, StoredType};

/// One canonical tensor.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its pieces, to be concatenated along the first dimension: one, or q, k and v.
    pub parts: Vec<Part>,
    /// How the values of a part lie in it.
    pub layout: Layout,
    /// In place of parts, where it is stored in few bits.
    pub quantized: Option<QuantizedTensor>,
    /// Whether it may be stored in few bits: a matrix of a block.
    pub block_matrix: bool,
}

/// A matrix in few bits, as stored: a tensor of codes, `[outputs, k]` I8 or `[outputs, k / 2]` U8, and
/// one of scales, called as it with `.scales` behind, `[outputs]` F32 or `[outputs, k / 32]` F16.
#[derive(Clone, Debug)]
pub struct QuantizedTensor {
    /// How many bits.
    pub quant: QuantFormat,
    /// Index of the codes' file.
    pub file: usize,
    /// The file's own name for the codes.
    pub key: String,
    /// The codes' bytes from the start of their file.
    pub range: Range<u64>,
    /// The scales.
    pub scales: Part,
}

/// How the values of a part lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row after row of the canonical tensor.
    Rows,
    /// A matrix, column after column.
    Columns,
    /// Patches pixel by pixel, each with its channels, where the canonical tensor has channel by channel.
    Pixels {
        /// How many channels there are.
        channels: usize,
    },
}

/// A stored tensor, or some rows of one.
#[derive(Clone, Debug)]
pub struct Part {
    /// Index of the checkpoint's file.
    pub file: usize,
    /// The file's own name for it.
    pub key: String,
    /// Number type.
    pub dtype: StoredType,
    /// The blocks that its values are made of, where they are not stored one by one.
    #[cfg(feature = "language")]
    pub blocks: Option<Blocks>,
    /// Rows of a head, where neighbours in it rotate together: of either half of the canonical head.
    #[cfg(feature = "language")]
    pub neighbours: Option<usize>,
    /// The shape of the whole stored tensor.
    pub shape: Vec<usize>,
    /// The whole stored tensor's bytes from the start of the file.
    pub stored: Range<u64>,
    /// The part's own bytes from the start of the file; none where nothing is stored and its values are 0.
    pub range: Range<u64>,
    /// Rows of the canonical tensor.
    pub rows: usize,
}

impl Part {
    /// A whole stored tensor of a number type, for `rows` rows.
    pub(super) fn whole(file: usize, stored: &Stored, dtype: StoredType, rows: usize) -> Self {
        Self {
            file,
            key: stored.key.clone(),
            dtype,
            #[cfg(feature = "language")]
            blocks: Blocks::named(&stored.dtype_name),
            #[cfg(feature = "language")]
            neighbours: None,
            shape: stored.shape.clone(),
            stored: stored.range.clone(),
            range: stored.range.clone(),
            rows,
        }
    }

    /// Whether a file has it; else its values are 0.
    pub fn is_stored(&self) -> bool {
        !self.range.is_empty()
    }
}

impl Tensor {
    /// Whether it can be stored as `quant`: a matrix of a block, whose rows are whole groups.
    pub fn takes(&self, quant: QuantFormat) -> bool {
        self.block_matrix && quant.fits(self.shape[1])
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files and their own names for all of it.
    pub fn keys(&self) -> impl Iterator<Item = (usize, &str)> {
        let quantized = self.quantized.iter().flat_map(|quantized| {
            [
                (quantized.file, quantized.key.as_str()),
                (quantized.scales.file, quantized.scales.key.as_str()),
            ]
        });
        let stored = self.parts.iter().filter(|part| part.is_stored());
        stored.map(|part| (part.file, part.key.as_str())).chain(quantized)
    }

    /// Bytes as stored.
    pub fn bytes(&self) -> u64 {
        let length = |range: &Range<u64>| range.end - range.start;
        let quantized = self
            .quantized
            .iter()
            .map(|quantized| length(&quantized.range) + length(&quantized.scales.range));
        self.parts.iter().map(|part| length(&part.range)).chain(quantized).sum()
    }

    /// The type that holds every value: the parts' own, or f32 where they differ.
    pub fn stored_type(&self) -> StoredType {
        match self.parts.as_slice() {
            [first, rest @ ..] if rest.iter().all(|p| p.dtype == first.dtype) => first.dtype,
            _ => StoredType::F32,
        }
    }
}
