//! Of a larger model, the bytes of the vision tensors alone, into a checkpoint of their own.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{make_parent, wait_for, write_whole};
use super::proof::hex;
use super::{Hub, Name, Remote, Step, Tell, report};
use crate::files::{open_part, read_line};
use crate::model::Spec;
use crate::weights::{Extract, Manifest, Stored, header_length, stored_tensors, usual_files};
use crate::{Error, Result};

/// What the tensors' file is called.
const FILE: &str = "model.safetensors";

/// The part of a file that is asked for first; headers are mostly shorter.
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
        let path = folder.join(FILE);
        if self.extracted(&folder, config, tell)? {
            return Ok(folder);
        }
        let _guard = wait_for(&folder.join(".lock"), &model.to_string(), tell)?;
        // Who waited takes what the other has fetched.
        if self.extracted(&folder, config, tell)? {
            return Ok(folder);
        }
        if path.exists() {
            let note = format!("{model}: damaged, or without a digest; it is fetched again");
            report(tell, Step::Note(&note))?;
        }
        let mut headers = Vec::new();
        for file in files {
            report(tell, Step::File { name: &file.name, bytes: HEAD.min(file.size) })?;
            headers.push((file.name.clone(), self.header(model, commit, file, tell)?));
        }
        let (name, mut spec) = (model.to_string(), spec.clone());
        let file = format!("{name}/config.json");
        let manifest = Manifest::settled((&file, config), &mut spec, &name, &headers, None)?;
        let extract = Extract::new(&manifest, 0..files.len());
        let part = folder.join("model.safetensors.part");
        let mut out = Part::open(&extract, &part)?;
        let mut there = out.bytes - extract.header.len() as u64;
        report(tell, Step::File { name: "model.safetensors (vision)", bytes: extract.bytes() })?;
        report(tell, Step::Bytes(there))?;
        for (file, run) in &extract.ranges {
            let skip = there.min(run.end - run.start);
            there -= skip;
            let ask = self.ask(model, commit, files[*file]);
            let range = run.start + skip..run.end;
            let came = self.http.bytes(&ask, range, tell, &mut |piece| out.write(piece));
            if came.is_err() {
                out.keep()?;
            }
            came?;
        }
        let digest = out.keep()?;
        drop(out);
        keep_text(&folder.join("config.json"), config.as_bytes())?;
        write_digest(&path, &digest)?;
        // The weights come last: where they stand, all stands.
        fs::rename(&part, &path).map_err(|e| Error::io(part.display(), e))?;
        let _ = fs::remove_file(beside(&part));
        if let Some(file) = read_digest(&path) {
            self.cache.proofs.remember(&path, &file);
        }
        Ok(folder)
    }

    /// Whether the vision part is in `folder` as it was fetched.
    fn extracted(&self, folder: &Path, config: &str, tell: &mut Tell<'_>) -> Result<bool> {
        let path = folder.join(FILE);
        let Some(file) = read_digest(&path) else { return Ok(false) };
        if !self.cache.proofs.holds(&path, &file, tell)? {
            return Ok(false);
        }
        keep_text(&folder.join("config.json"), config.as_bytes())?;
        Ok(true)
    }

    /// What of a model's folder in the cache is not what it was when it was fetched. Of a commit's files
    /// the digest is the name of the blob, where another program has put them there as links; of a
    /// vision part it is beside each file, and none is taken without.
    pub(super) async fn damaged(
        &self,
        folder: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<Option<String>> {
        let part = folder.starts_with(self.cache.visions_folder());
        let entries = fs::read_dir(folder).map_err(|e| Error::io(folder.display(), e))?;
        let entries = entries.flatten().map(|entry| entry.path());
        let text = |path: &PathBuf| path.extension().is_some_and(|e| e == "json") && path.exists();
        let mut paths: Vec<PathBuf> = entries.filter(text).collect();
        paths.extend(usual_files(folder).await?.unwrap_or_default());
        paths.sort();
        for path in paths {
            let known = match part {
                true => read_digest(&path),
                false => Remote::linked(&path),
            };
            let held = match &known {
                Some(file) => self.cache.proofs.holds(&path, file, tell)?,
                None => !part,
            };
            if !held {
                let what = match known {
                    Some(_) => "damaged in the cache",
                    None => "in the cache without the digest that it had when it was fetched",
                };
                return Ok(Some(format!("{}: {what}", path.display())));
            }
        }
        Ok(None)
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

/// The bytes that are fetched again at most after a run was killed.
const KEPT: u64 = 64 << 20;

/// The file to be. Of what is in it the digest is kept beside it: only bytes that still agree with it
/// are gone on from.
struct Part {
    path: PathBuf,
    file: File,
    digest: Sha256,
    bytes: u64,
    kept: u64,
}

impl Part {
    /// What an earlier attempt left, or a beginning.
    fn open(extract: &Extract, path: &Path) -> Result<Self> {
        let io = |e| Error::io(path.display(), e);
        let mut file = open_part(path).map_err(io)?;
        let whole = extract.header.len() as u64 + extract.bytes();
        if let Some(left) = read_digest(path)
            && (extract.header.len() as u64..=whole).contains(&left.size)
            && let Some(digest) = left_over(&mut file, &left, &extract.header).map_err(io)?
        {
            file.set_len(left.size).map_err(io)?;
            return Ok(Self { path: path.into(), file, digest, bytes: left.size, kept: left.size });
        }
        file.set_len(0).map_err(io)?;
        let mut part = Self { path: path.into(), file, digest: Sha256::new(), bytes: 0, kept: 0 };
        part.write(&extract.header)?;
        Ok(part)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|e| Error::io(self.path.display(), e))?;
        self.digest.update(bytes);
        self.bytes += bytes.len() as u64;
        if self.bytes - self.kept >= KEPT {
            self.keep()?;
        }
        Ok(())
    }

    /// Keeps the digest of what is there, once that is on the disk.
    fn keep(&mut self) -> Result<Remote> {
        self.file.sync_all().map_err(|e| Error::io(self.path.display(), e))?;
        let digest = hex(&self.digest.clone().finalize());
        let kept = Remote::known(FILE, self.bytes, &digest);
        write_digest(&self.path, &kept)?;
        self.kept = self.bytes;
        Ok(kept)
    }
}

/// The digest of the first bytes of a part, where they are those that were kept and begin with `header`.
fn left_over(file: &mut File, left: &Remote, header: &[u8]) -> std::io::Result<Option<Sha256>> {
    let (mut digest, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let (mut rest, mut first) = (file.take(left.size), true);
    let mut there = 0;
    loop {
        // The header is compared in the first piece, however long it is.
        if first {
            buffer.resize(buffer.len().max(header.len()), 0);
        }
        let mut filled = 0;
        while filled < buffer.len() {
            match rest.read(&mut buffer[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        if first && !buffer[..filled].starts_with(header) {
            return Ok(None);
        }
        first = false;
        there += filled as u64;
        digest.update(&buffer[..filled]);
        if filled == 0 {
            let same = there == left.size && hex(&digest.clone().finalize()) == left.digest;
            return Ok(same.then_some(digest));
        }
    }
}

/// Where the digest of a vision part is kept.
fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(".sha256");
    name.into()
}

/// Writes a text beside the tensors, and its digest, where it is not there yet.
pub(super) fn keep_text(path: &Path, text: &[u8]) -> Result<()> {
    let file = Remote::known("", text.len() as u64, &hex(&Sha256::digest(text)));
    if fs::read(path).is_ok_and(|there| there == text)
        && read_digest(path).is_some_and(|known| known.digest == file.digest)
    {
        return Ok(());
    }
    make_parent(path)?;
    write_whole(path, text, path.parent().unwrap_or(Path::new(".")))?;
    write_digest(path, &file)
}

fn write_digest(path: &Path, file: &Remote) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let text = format!("{} {}\n", file.digest, file.size);
    write_whole(&beside(path), text.as_bytes(), folder)
}

/// The length and digest that are kept beside a vision part.
fn read_digest(path: &Path) -> Option<Remote> {
    let text = read_line(&beside(path))?;
    let (digest, size) = text.split_once(' ')?;
    Some(Remote::known(FILE, size.parse().ok()?, digest))
}
