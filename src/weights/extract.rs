//! What an encoder needs of a larger checkpoint, as safetensors files of their own.

use crate::order::sort_by_key;

use std::ops::Range;

use super::{Checkpoint, Manifest, Part};

/// A safetensors file whose tensors are pieces of other files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Length and text of the new file's header.
    pub header: Vec<u8>,
    /// The bytes that follow it: numbers of files and ranges of them, ascending, none beside the next.
    pub ranges: Vec<(usize, Range<u64>)>,
}

impl Extract {
    /// The manifest's tensors that lie in these files, in the files' order.
    pub fn new(manifest: &Manifest, files: Range<usize>) -> Self {
        Self::of(manifest, files, &|_| true)
    }

    /// The same for the tensors whose names are wanted.
    pub fn of(manifest: &Manifest, files: Range<usize>, wanted: &dyn Fn(&str) -> bool) -> Self {
        let tensors = manifest.tensors.iter().filter(|(name, _)| wanted(name));
        let parts = tensors.flat_map(|(_, tensor)| &tensor.parts);
        let mut parts: Vec<&Part> =
            parts.filter(|part| part.is_stored() && files.contains(&part.file)).collect();
        sort_by_key(&mut parts, |part| (part.file, part.stored.start));
        // Of a stored tensor that is cut every piece is there.
        parts.dedup_by_key(|part| (part.file, part.stored.start));
        let (mut header, mut at) = (serde_json::Map::new(), 0);
        let mut ranges: Vec<(usize, Range<u64>)> = Vec::new();
        for part in parts {
            let end = at + part.stored.end - part.stored.start;
            let info = serde_json::json!({
                "dtype": part.dtype.name(), "shape": part.shape, "data_offsets": [at, end],
            });
            header.insert(part.key.clone(), info);
            at = end;
            match ranges.last_mut() {
                Some((file, last)) if *file == part.file && last.end == part.stored.start => {
                    last.end = part.stored.end;
                }
                _ => ranges.push((part.file, part.stored.clone())),
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
