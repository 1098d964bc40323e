//! Rows of tensors, in the order and the numbers of canonical ones, however they are stored.

use std::ops::Range;

use super::{Checkpoint, Layout, Part, Quantized, QuantizedTensor, StoredType, Tensor};
use crate::Result;
use crate::progress::LocalBoxFuture;

impl Checkpoint {
    /// Some rows, along the first dimension, of a tensor of the encoder.
    ///
    /// # Errors
    /// As [`Checkpoint::tensor`].
    pub async fn rows(&self, name: &str, rows: Range<usize>) -> Result<Vec<f32>> {
        self.values(self.known(name)?, rows).await
    }

    // Boxed, as several callers wait for it, and each would have the whole of it within.
    pub(super) fn values<'a>(
        &'a self,
        tensor: &'a Tensor,
        rows: Range<usize>,
    ) -> LocalBoxFuture<'a, Result<Vec<f32>>> {
        Box::pin(async move {
            if let Some(quantized) = &tensor.quantized {
                return self.dequantize_rows(quantized, tensor.shape[1], rows).await;
            }
            let mut values = Vec::new();
            for (dtype, bytes) in self.stored_rows(tensor, rows).await? {
                let decoded = dtype.decode(&bytes);
                if values.is_empty() {
                    values = decoded;
                } else {
                    values.extend_from_slice(&decoded);
                }
            }
            Ok(values)
        })
    }

    /// Rows of a matrix in few bits, whose rows have `k` values.
    async fn dequantize_rows(
        &self,
        quantized: &QuantizedTensor,
        k: usize,
        rows: Range<usize>,
    ) -> Result<Vec<f32>> {
        let read = async |file: usize, range: &Range<u64>, row: usize| {
            let at = |n: usize| range.start + (n * row) as u64;
            self.files[file].read(at(rows.start)..at(rows.end)).await
        };
        let codes = read(quantized.file, &quantized.range, k * quantized.quant.bits() / 8).await?;
        let scales = &quantized.scales;
        let row = k / quantized.quant.group(k) * scales.dtype.bytes();
        let bytes = read(scales.file, &scales.range, row).await?;
        let scales = scales.dtype.decode(&bytes);
        Ok(Quantized { codes: quantized.quant.decode(&codes), scales }.values())
    }

    /// The bytes of some rows as the parts of a tensor hold them, with their types.
    pub(super) async fn stored_rows(
        &self,
        tensor: &Tensor,
        rows: Range<usize>,
    ) -> Result<Vec<(StoredType, Vec<u8>)>> {
        let row = tensor.len() / tensor.shape.first().copied().unwrap_or(1).max(1);
        let (mut list, mut first) = (Vec::new(), 0);
        for part in &tensor.parts {
            let end = first + part.rows;
            let wanted = rows.start.clamp(first, end) - first..rows.end.clamp(first, end) - first;
            list.push((part.dtype, self.part_rows(tensor.layout, part, row, wanted).await?));
            first = end;
        }
        Ok(list)
    }

    /// The bytes of some rows of a part, of `row` values each, in the order of the canonical tensor.
    async fn part_rows(
        &self,
        layout: Layout,
        part: &Part,
        row: usize,
        rows: Range<usize>,
    ) -> Result<Vec<u8>> {
        let size = part.dtype.bytes();
        if !part.is_stored() {
            return Ok(vec![0; rows.len() * row * size]);
        }
        if layout == Layout::Columns {
            // Rows lie across all of it; such matrices are small.
            let stored = self.files[part.file].read(part.range.clone()).await?;
            let value = |row: usize, column: usize| {
                stored[(column * part.rows + row) * size..][..size].iter().copied()
            };
            let rows = rows.flat_map(|at| (0..row).map(move |column| (at, column)));
            return Ok(rows.flat_map(|(at, column)| value(at, column)).collect());
        }
        #[cfg(feature = "language")]
        if let Some(head) = part.neighbours {
            // Whole heads.
            let (first, end) = (rows.start / head * head, rows.end.next_multiple_of(head));
            let stored = self.stored_part(part, row, first..end).await?;
            let mut bytes = Vec::with_capacity(rows.len() * row * size);
            for at in rows {
                let (start, within) = (at / head * head, at % head);
                let place = start + within % (head / 2) * 2 + within / (head / 2) - first;
                bytes.extend_from_slice(&stored[place * row * size..][..row * size]);
            }
            return Ok(bytes);
        }
        let stored = self.stored_part(part, row, rows).await?;
        let Layout::Pixels { channels } = layout else { return Ok(stored) };
        let pixels = row / channels;
        let value = |row: &[u8], channel: usize, pixel: usize| {
            let first = (pixel * channels + channel) * size;
            row[first..first + size].to_vec()
        };
        let places = || (0..channels).flat_map(|c| (0..pixels).map(move |pixel| (c, pixel)));
        let rows = stored.chunks_exact(row * size);
        Ok(rows.flat_map(|row| places().flat_map(move |(c, p)| value(row, c, p))).collect())
    }

    /// The bytes of some rows as they lie in a part; those of blocks as numbers of its type.
    async fn stored_part(&self, part: &Part, row: usize, rows: Range<usize>) -> Result<Vec<u8>> {
        let width = row * part.dtype.bytes();
        #[cfg(feature = "language")]
        let width = part.blocks.map_or(width, |blocks| row / blocks.values() * blocks.bytes());
        let at = |number: usize| part.range.start + (number * width) as u64;
        let stored = self.files[part.file].read(at(rows.start)..at(rows.end)).await?;
        #[cfg(feature = "language")]
        if let Some(blocks) = part.blocks {
            let values = blocks.decode(&stored);
            let mut bytes = vec![0; size_of::<f32>() * values.len()];
            // As one copy, for there are many.
            let (places, _) = bytes.as_chunks_mut();
            places.iter_mut().zip(&values).for_each(|(place, value)| *place = value.to_le_bytes());
            return Ok(bytes);
        }
        Ok(stored)
    }
}
