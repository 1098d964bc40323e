//! Whole files, into the hub's standard cache.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sha2::digest::DynDigest;

use super::address::escaped;
use super::cache::{make_parent, wait_for};
use super::http::Ask;
use super::proof::hex;
use super::{Hub, Name, Remote, Step, Tell, report};
use crate::files::open_part;
use crate::{Error, Result};

impl Hub {
    /// A commit's file in the cache, fetched where it is not there.
    pub(super) fn whole(
        &self,
        model: &Name,
        commit: &str,
        file: &Remote,
        tell: &mut Tell<'_>,
    ) -> Result<PathBuf> {
        if let Some(path) = self.cache.find(model, commit, file, tell)? {
            return Ok(path);
        }
        let blob = self.cache.blob(model, file);
        make_parent(&blob)?;
        let what = format!("{model}: {}", file.name);
        let _guard = wait_for(&self.cache.lock(model, file), &what, tell)?;
        // Who waited takes what the other has fetched.
        if let Some(path) = self.cache.find(model, commit, file, tell)? {
            return Ok(path);
        }
        if !self.cache.proofs.holds(&blob, file, tell)? {
            if blob.exists() {
                let note = format!("{what}: damaged in the cache; it is fetched again");
                report(tell, Step::Note(&note))?;
            }
            self.download(model, commit, file, &blob, tell)?;
        }
        self.cache.link(model, commit, file)
    }

    fn download(
        &self,
        model: &Name,
        commit: &str,
        file: &Remote,
        blob: &Path,
        tell: &mut Tell<'_>,
    ) -> Result<()> {
        // So the hub's own client calls a part; a digest that is right ends it.
        let part = blob.with_extension("incomplete");
        let io = |e| Error::io(part.display(), e);
        let ask = self.ask(model, commit, file);
        let mut found = String::new();
        // A damaged beginning is thrown away once.
        for _ in 0..2 {
            report(tell, Step::File { name: &file.name, bytes: file.size })?;
            let (mut out, mut hasher, there) = take_up(&part, file).map_err(io)?;
            report(tell, Step::Bytes(there))?;
            self.http.bytes(&ask, there..file.size, tell, &mut |piece| {
                hasher.update(piece);
                out.write_all(piece).map_err(io)
            })?;
            found = hex(&hasher.finalize());
            if found == file.digest {
                out.sync_all().map_err(io)?;
                drop(out);
                fs::rename(&part, blob).map_err(io)?;
                self.cache.proofs.remember(blob, file);
                return Ok(());
            }
            drop(out);
            fs::remove_file(&part).map_err(io)?;
        }
        let reason =
            format!("{}: damaged: expected digest {}, found {found}", file.name, file.digest);
        Err(Error::hub(model, reason))
    }

    pub(super) fn ask<'a>(&self, model: &'a Name, commit: &str, file: &'a Remote) -> Ask<'a> {
        let (endpoint, repository, name) = (&self.http.endpoint, model.repository(), &file.name);
        let url = format!("{endpoint}/{repository}/resolve/{commit}/{}", escaped(name));
        Ask { model, file: name, url, size: file.size }
    }
}

/// What an earlier attempt left: the file at its end, its digest so far, its bytes.
fn take_up(part: &Path, file: &Remote) -> std::io::Result<(File, Box<dyn DynDigest>, u64)> {
    let out = open_part(part)?;
    if out.metadata()?.len() > file.size {
        out.set_len(0)?;
    }
    let there = out.metadata()?.len();
    let (mut hasher, mut old, mut buffer) = (file.hasher(), (&out).take(there), vec![0; 1 << 16]);
    loop {
        match old.read(&mut buffer)? {
            0 => return Ok((out, hasher, there)),
            read => hasher.update(&buffer[..read]),
        }
    }
}
