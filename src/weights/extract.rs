//! What an encoder needs of a larger checkpoint, as safetensors files of their own.

use std::ops::Range;

use super::Checkpoint;

/// A safetensors file whose tensors are pieces of another file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extract {
    /// Length and text of the new file's header.
    pub header: Vec<u8>,
    /// The bytes that follow it: ranges of the other file, ascending, none beside the next.
    pub ranges: Vec<Range<u64>>,
}

impl Checkpoint {
    /// For each file its name and the encoder's part of it; no part where that is nine tenths of
    /// the file and more, where a segmentation head is wanted too, or where weights are in few bits:
    /// then the whole file is.
    pub fn extracts(&self) -> Vec<(&str, Option<Extract>)> {
        let files = self.files().iter().enumerate();
        let few = self.manifest.tensors.values().any(|tensor| tensor.few.is_some());
        files
            .map(|(file, source)| {
                let extract = self.extract(file);
                let bytes: u64 = extract.ranges.iter().map(|r| r.end - r.start).sum();
                let whole = few || self.head.is_some() || bytes >= source.size() / 10 * 9;
                (source.name(), (!whole).then_some(extract))
            })
            .collect()
    }

    fn extract(&self, file: usize) -> Extract {
        let tensors = self.manifest.tensors.values();
        let mut parts: Vec<_> =
            tensors.flat_map(|t| t.parts.iter().map(move |part| (t, part))).collect();
        parts.retain(|(_, part)| part.file == file);
        parts.sort_by_key(|(_, part)| part.range.start);
        let (mut header, mut at) = (serde_json::Map::new(), 0);
        let mut ranges: Vec<Range<u64>> = Vec::new();
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
                Some(last) if last.end == part.range.start => last.end = part.range.end,
                _ => ranges.push(part.range.clone()),
            }
        }
        let mut text = serde_json::Value::Object(header).to_string();
        // Tensors begin at a multiple of eight bytes.
        text.extend(std::iter::repeat_n(' ', text.len().next_multiple_of(8) - text.len()));
        let length = (text.len() as u64).to_le_bytes();
        Extract { header: [&length, text.as_bytes()].concat(), ranges }
    }
}
