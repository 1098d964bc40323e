//! Whether a file's bytes are those that a digest is of. Large files are read once: that they agreed is
//! kept in the user's own cache folder, and holds until anything in their metadata changes.

use std::fs::{self, File, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use etcetera::{BaseStrategy, choose_base_strategy};
use sha2::{Digest, Sha256};

use super::cache::make_parent;
use super::{Remote, Step, Tell, report};
use crate::files::NewFile;
use crate::{Error, Result};

/// Smaller files are read each time.
const SMALL: u64 = 1 << 20;

/// Files that agreed with their digests.
pub(super) struct Proofs {
    folder: Option<PathBuf>,
}

impl Proofs {
    /// In the user's cache folder; where there is none, files are read each time.
    pub(super) fn of_the_user() -> Self {
        let cache = choose_base_strategy().ok();
        Self { folder: cache.map(|cache| cache.cache_dir().join("internvit/digests")) }
    }

    /// Whether `path` is there and has the bytes of `file`.
    pub(super) fn holds(&self, path: &Path, file: &Remote, tell: &mut Tell<'_>) -> Result<bool> {
        let (Ok(path), Ok(there)) = (path.canonicalize(), fs::metadata(path)) else {
            return Ok(false);
        };
        if !there.is_file() || there.len() != file.size {
            return Ok(false);
        }
        let small = file.size <= SMALL;
        let proof = proof(&path, file, &there);
        if !small && self.place(&path).is_some_and(|p| fs::read(p).is_ok_and(|p| p == proof)) {
            return Ok(true);
        }
        if !small {
            report(tell, Step::File { name: &file.name, bytes: file.size })?;
        }
        let same = digest(&path, file, small, tell)? == file.digest;
        if same && !small {
            self.keep(&path, &proof);
        }
        Ok(same)
    }

    /// Remembers a file whose bytes were compared while they came.
    pub(super) fn remember(&self, path: &Path, file: &Remote) {
        if file.size > SMALL
            && let (Ok(path), Ok(there)) = (path.canonicalize(), fs::metadata(path))
        {
            self.keep(&path, &proof(&path, file, &there));
        }
    }

    /// Where no proof can be kept, the file is read again next time.
    fn keep(&self, path: &Path, proof: &[u8]) {
        let Some(place) = self.place(path).filter(|place| make_parent(place).is_ok()) else {
            return;
        };
        let write = || {
            let mut out = NewFile::create(&place)?;
            out.write_all(proof).map_err(|e| Error::io(place.display(), e))?;
            out.finish()
        };
        let _ = write();
    }

    fn place(&self, path: &Path) -> Option<PathBuf> {
        let name = hex(&Sha256::digest(path.as_os_str().as_encoded_bytes()));
        Some(self.folder.as_ref()?.join(name))
    }
}

/// What is written of a file that agreed with its digest: all that would change with its bytes.
fn proof(path: &Path, file: &Remote, there: &Metadata) -> Vec<u8> {
    let modified = there.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut lines = format!("{}\n{} {modified:?}", file.digest, there.len());
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let (seconds, nanoseconds) = (there.ctime(), there.ctime_nsec());
        lines += &format!(" {} {seconds}.{nanoseconds}", there.ino());
    }
    lines += &format!("\n{}\n", path.display());
    lines.into_bytes()
}

/// The digest of what is at `path`, of the kind that `file` has.
fn digest(path: &Path, file: &Remote, quiet: bool, tell: &mut Tell<'_>) -> Result<String> {
    let io = |e| Error::io(path.display(), e);
    let mut source = File::open(path).map_err(io)?;
    let (mut hasher, mut buffer) = (file.hasher(), vec![0; 1 << 20]);
    loop {
        let read = source.read(&mut buffer).map_err(io)?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&buffer[..read]);
        if !quiet {
            report(tell, Step::Bytes(read as u64))?;
        }
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::ops::ControlFlow;
    use std::time::Instant;

    use super::*;

    /// A file in a folder of its own, and proofs there.
    fn scene(bytes: &[u8]) -> (tempfile::TempDir, PathBuf, Proofs) {
        let folder = tempfile::tempdir().unwrap();
        let (path, proofs) = (folder.path().join("file"), folder.path().join("proofs"));
        fs::write(&path, bytes).unwrap();
        (folder, path, Proofs { folder: Some(proofs) })
    }

    #[test]
    fn a_proof_holds_until_the_file_changes() {
        let mut bytes = vec![7; 2 * SMALL as usize];
        let file = Remote::known("file", bytes.len() as u64, &hex(&Sha256::digest(&bytes)));
        let (_folder, path, proofs) = scene(&bytes);
        let hold = || {
            let mut read = 0;
            let same = proofs.holds(&path, &file, &mut |step| {
                if let Step::Bytes(more) = step {
                    read += more;
                }
                ControlFlow::Continue(())
            });
            (same.unwrap(), read)
        };
        assert_eq!(hold(), (true, file.size));
        assert_eq!(hold(), (true, 0), "read once");
        fs::write(&path, &bytes).unwrap();
        assert_eq!(hold(), (true, file.size), "read again, as it was written");
        bytes[9] ^= 1;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(hold(), (false, file.size));
        assert_eq!(hold(), (false, file.size), "never proven");
        fs::write(&path, &bytes[1..]).unwrap();
        assert_eq!(hold(), (false, 0), "of another length");
    }

    /// What comparing costs: 600 MB, or as many as `INTERNVIT_MB` says.
    #[test]
    #[ignore = "writes 600 MB"]
    fn cost() {
        let megabytes = std::env::var("INTERNVIT_MB").ok().and_then(|n| n.parse().ok());
        let size = megabytes.unwrap_or(600) * 1_000_000;
        let (_folder, path, proofs) = scene(b"");
        File::options().write(true).open(&path).unwrap().set_len(size).unwrap();
        let tell: &mut Tell<'_> = &mut |_| ControlFlow::Continue(());
        let mut file = Remote::known("file", size, "");
        file.digest = digest(&path, &file, true, tell).unwrap();
        for what in ["the first time", "from then on"] {
            let start = Instant::now();
            assert!(proofs.holds(&path, &file, tell).unwrap());
            println!("{} MB, {what}: {:?}", size / 1_000_000, start.elapsed());
        }
    }
}
