//! What an encoder needs of a larger checkpoint, as safetensors files of their own.

use crate::order::sort_by_key;

use std::ops::Range;

use super::{Checkpoint, Manifest};

/// A safetensors file whose tensors are pieces of other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Length and text of the new file's header.
    pub header: Vec<u8>,
    /// The bytes that follow it: numbers of files and ranges of them, ascending, none beside the next.
    pub ranges: Vec<(usize, Range<u64>)>,
}

impl Extract {
    /// Of what a manifest names, the tensors in some of its files, in the order in which they lie there.
    pub fn new(manifest: &Manifest, files: Range<usize>) -> Self {
        let tensors = manifest.tensors.values();
        let mut parts: Vec<_> =
            tensors.flat_map(|t| t.parts.iter().map(move |part| (t, part))).collect();
        parts.retain(|(_, part)| files.contains(&part.file));
        sort_by_key(&mut parts, |(_, part)| (part.file, part.range.start));
        let (mut header, mut at) = (serde_json::Map::new(), 0);
        let mut ranges: Vec<(usize, Range<u64>)> = Vec::new();
        for (tensor, part) in parts {
            let mut shape = tensor.shape.clone();
            if let Some(rows) = shape.first_mut() {
                *rows /= tensor.parts.len();
            }
            let end = at + part.range.end - part.range.start;
            let info = serde_json::json!({
                "dtype": part.dtype.name(), "shape": shape, "data_offsets": [at, end],
            });
            header.insert(part.key.clone(), info);
            at = end;
            match ranges.last_mut() {
                Some((file, last)) if *file == part.file && last.end == part.range.start => {
                    last.end = part.range.end;
                }
                _ => ranges.push((part.file, part.range.clone())),
            }
        }
        let mut text = serde_json::Value::Object(header).to_string();
        // Tensors begin at a multiple of eight bytes.
        text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
        let length = (text.len() as u64).to_le_bytes();
        Self { header: [&length, text.as_bytes()].concat(), ranges }
    }

    /// Bytes of its tensors.
    pub fn bytes(&self) -> u64 {
        self.ranges.iter().map(|(_, range)| range.end - range.start).sum()
    }
}

impl Checkpoint {
    /// For each file its name and the encoder's part of it; no part where that is nine tenths of
    /// the file and more, where a segmentation head is wanted too, or where weights are in few bits:
    /// then the whole file is.
    pub fn extracts(&self) -> Vec<(&str, Option<Extract>)> {
        let files = self.files().iter().enumerate();
        let quantized = self.manifest.tensors.values().any(|tensor| tensor.quantized.is_some());
        files
            .map(|(file, source)| {
                let extract = Extract::new(&self.manifest, file..file + 1);
                let nearly = extract.bytes() >= source.size() / 10 * 9;
                let whole = quantized || self.head.is_some() || nearly;
                (source.name(), (!whole).then_some(extract))
            })
            .collect()
    }
}
