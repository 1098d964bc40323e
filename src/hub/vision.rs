//! Of a larger model, the bytes of the vision tensors alone, into a checkpoint of their own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::cache::{wait_for, write_whole};
use super::{Hub, Name, Remote, Step, Tell, told};
use crate::model::Spec;
use crate::weights::{Extract, Manifest, Stored, header_length, stored_tensors};
use crate::{Error, Result};

/// So much of a file is asked for first; headers are mostly shorter.
const HEAD: u64 = 1 << 16;

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
        let extract = Extract::new(&manifest, 0..files.len());
        let part = folder.join("model.safetensors.part");
        let io = |e| Error::io(part.display(), e);
        let (mut out, mut there) = open(&extract, &part).map_err(io)?;
        told(tell, Step::File { name: "model.safetensors (vision)", bytes: extract.bytes() })?;
        told(tell, Step::Bytes(there))?;
        for (file, run) in &extract.ranges {
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

/// The file to be, at its end, and how many bytes of tensors an earlier attempt left in it.
fn open(extract: &Extract, part: &Path) -> std::io::Result<(File, u64)> {
    let mut file = File::options().read(true).append(true).create(true).open(part)?;
    let mut head = vec![0; extract.header.len()];
    let same = file.read_exact(&mut head).is_ok() && head == extract.header;
    let there = file.metadata()?.len().saturating_sub(head.len() as u64);
    if same && there <= extract.bytes() {
        return Ok((file, there));
    }
    file.set_len(0)?;
    file.write_all(&extract.header)?;
    Ok((file, 0))
}
