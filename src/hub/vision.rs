//! Of a larger model, the bytes of the vision tensors alone, into a checkpoint of their own.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use safetensors::SafeTensorError;
use safetensors::tensor::{Dtype, Metadata, TensorInfo};

use super::cache::{wait_for, write_whole};
use super::{Hub, Name, Remote, Step, Tell, told};
use crate::model::Spec;
use crate::weights::{Manifest, Stored, StoredType, header_length, stored_tensors};
use crate::{Error, Result};

/// So much of a file is asked for first; headers are mostly shorter.
const HEAD: u64 = 1 << 16;

/// A checkpoint to be: its header, and the bytes that follow, by file.
struct Extract {
    header: Vec<u8>,
    runs: Vec<(usize, Range<u64>)>,
    total: u64,
}

impl Hub {
    /// Fetches the tensors of `spec` from `files`. They keep their names and stand in the order in
    /// which they come, so an attempt that broke off goes on where it stopped.
    pub(super) fn extract(
        &self,
        (model, commit): (&Name, &str),
        (spec, config): (&Spec, &str),
        files: &[&Remote],
        tell: &mut Tell<'_>,
    ) -> Result<PathBuf> {
        let folder = self.cache.vision(model, commit);
        let path = folder.join("model.safetensors");
        let _guard = wait_for(&folder.join(".lock"), &model.to_string(), tell)?;
        if path.is_file() {
            return Ok(folder);
        }
        let mut headers = Vec::new();
        for file in files {
            told(tell, Step::File { name: &file.name, bytes: HEAD.min(file.size) })?;
            headers.push((file.name.clone(), self.header(model, commit, file, tell)?));
        }
        let manifest = Manifest::new(spec, &model.to_string(), &headers)?;
        let source = format!("{} at {commit}", model.repository());
        let extract = Extract::new(&manifest, &headers, source)
            .map_err(|e| Error::checkpoint(model, format!("the vision tensors: {e}")))?;
        let part = folder.join("model.safetensors.part");
        let io = |e| Error::io(part.display(), e);
        let (mut out, mut there) = extract.open(&part).map_err(io)?;
        told(tell, Step::File { name: "model.safetensors (vision)", bytes: extract.total })?;
        told(tell, Step::Bytes(there))?;
        for (file, run) in &extract.runs {
            let skip = there.min(run.end - run.start);
            there -= skip;
            let ask = self.ask(model, commit, files[*file]);
            self.http.bytes(&ask, run.start + skip..run.end, tell, &mut |piece| {
                out.write_all(piece).map_err(io)
            })?;
        }
        out.sync_all().map_err(io)?;
        drop(out);
        write_whole(&folder.join("config.json"), config.as_bytes())?;
        // The weights come last: where they stand, all stands.
        fs::rename(&part, &path).map_err(io)?;
        Ok(folder)
    }

    /// The tensors of a remote file.
    fn header(
        &self,
        model: &Name,
        commit: &str,
        file: &Remote,
        tell: &mut Tell<'_>,
    ) -> Result<Vec<Stored>> {
        let name = format!("{model}: {}", file.name);
        let ask = self.ask(model, commit, file);
        let mut head = Vec::new();
        let mut more = |head: &mut Vec<u8>, end: u64| {
            let range = head.len() as u64..end.min(file.size);
            self.http.bytes(&ask, range, tell, &mut |piece| {
                head.extend_from_slice(piece);
                Ok(())
            })
        };
        more(&mut head, HEAD)?;
        let Some(first) = head.first_chunk::<8>() else {
            let reason = format!("not a safetensors file: {} bytes", file.size);
            return Err(Error::checkpoint(name, reason));
        };
        let end = 8 + header_length(&name, file.size, *first)?;
        if end > head.len() as u64 {
            more(&mut head, end)?;
        }
        stored_tensors(&name, file.size, &head[8..end as usize])
    }
}

impl Extract {
    fn new(
        manifest: &Manifest,
        headers: &[(String, Vec<Stored>)],
        source: String,
    ) -> std::result::Result<Self, SafeTensorError> {
        let parts = manifest.tensors.values().flat_map(|tensor| &tensor.parts);
        let wanted: HashSet<(usize, &str)> = parts.map(|p| (p.file, p.key.as_str())).collect();
        let (mut runs, mut tensors, mut end) = (Vec::<(usize, Range<u64>)>::new(), Vec::new(), 0);
        for (file, (_, list)) in headers.iter().enumerate() {
            for stored in list.iter().filter(|s| wanted.contains(&(file, s.key.as_str()))) {
                let dtype = match stored.dtype {
                    Some(StoredType::F32) => Dtype::F32,
                    Some(StoredType::F16) => Dtype::F16,
                    Some(StoredType::Bf16) => Dtype::BF16,
                    None => continue, // which no manifest takes
                };
                let begin = end;
                end += (stored.range.end - stored.range.start) as usize;
                let (shape, data_offsets) = (stored.shape.clone(), (begin, end));
                tensors.push((stored.key.clone(), TensorInfo { dtype, shape, data_offsets }));
                match runs.last_mut() {
                    Some((last, run)) if *last == file && run.end == stored.range.start => {
                        run.end = stored.range.end;
                    }
                    _ => runs.push((file, stored.range.clone())),
                }
            }
        }
        let metadata = HashMap::from([("source".to_string(), source)]);
        let text = serde_json::to_vec(&Metadata::new(Some(metadata), tensors)?)?;
        // Tensors begin at a multiple of eight, as the format wishes.
        let length = text.len().next_multiple_of(8);
        let mut header = (length as u64).to_le_bytes().to_vec();
        header.extend_from_slice(&text);
        header.resize(8 + length, b' ');
        Ok(Self { header, runs, total: end as u64 })
    }

    /// The file to be, at its end, and how many bytes of tensors an earlier attempt left in it.
    fn open(&self, part: &Path) -> std::io::Result<(File, u64)> {
        let mut file = File::options().read(true).append(true).create(true).open(part)?;
        let mut head = vec![0; self.header.len()];
        let same = file.read_exact(&mut head).is_ok() && head == self.header;
        let there = file.metadata()?.len().saturating_sub(head.len() as u64);
        if same && there <= self.total {
            return Ok((file, there));
        }
        file.set_len(0)?;
        file.write_all(&self.header)?;
        Ok((file, 0))
    }
}
