//! What the hub says of a repository: a commit and its files, with lengths and digests.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use sha1::Sha1;
use sha2::Sha256;
use sha2::digest::{Digest, DynDigest};

use super::Name;
use crate::{Error, Result};

/// A repository at one commit.
pub(super) struct Repository {
    pub(super) commit: String,
    files: Vec<Remote>,
}

/// A file of it.
pub(super) struct Remote {
    pub(super) name: String,
    pub(super) size: u64,
    /// The hub's own name for these bytes, and the blob's in the cache: SHA-256 of large files,
    /// git's SHA-1 of others.
    pub(super) digest: String,
    large: bool,
}

#[derive(Deserialize)]
struct Listing {
    sha: String,
    siblings: Vec<Sibling>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Sibling {
    rfilename: String,
    size: Option<u64>,
    blob_id: Option<String>,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    sha256: String,
    size: u64,
}

impl Repository {
    /// Reads the API's answer, `blobs` asked for.
    pub(super) fn parse(model: &Name, text: &str) -> Result<Self> {
        let bad = |reason: String| Error::hub(model, format!("the hub's list of files: {reason}"));
        if text.trim_start().starts_with('<') {
            return Err(bad(
                "a web page in its place: does this network want you to sign in?".into()
            ));
        }
        let listing: Listing = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let hex = |text: &str| text.bytes().all(|b| b.is_ascii_hexdigit());
        let files = listing.siblings.into_iter().map(|file| {
            let large = file.lfs.is_some();
            let (size, digest) = match file.lfs {
                Some(lfs) => (Some(lfs.size), Some(lfs.sha256)),
                None => (file.size, file.blob_id),
            };
            let digest = digest.filter(|d| hex(d) && d.len() == if large { 64 } else { 40 });
            match (size, digest) {
                (Some(size), Some(digest)) => {
                    Ok(Remote { name: file.rfilename, size, digest, large })
                }
                _ => Err(bad(format!("{}: no size or digest", file.rfilename))),
            }
        });
        if listing.sha.len() != 40 || !hex(&listing.sha) {
            return Err(bad(format!("expected a commit, found {:?}", listing.sha)));
        }
        Ok(Self { commit: listing.sha, files: files.collect::<Result<_>>()? })
    }

    /// A file in the repository's root.
    pub(super) fn find(&self, name: &str) -> Option<&Remote> {
        self.files.iter().find(|file| file.name == name)
    }

    /// The names of its files.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// A file that must be there; otherwise the error says what is.
    pub(super) fn need(&self, model: &Name, name: &str) -> Result<&Remote> {
        self.find(name).ok_or_else(|| {
            let pickled = |file: &&str| {
                [".bin", ".pth", ".pt", ".ckpt"].iter().any(|ending| file.ends_with(ending))
            };
            let reason = match self.names().find(pickled) {
                Some(file) if name == "model.safetensors" => format!(
                    "no {name} in the repository, but {file}: download that, and `internvit \
                     convert` reads it"
                ),
                _ => format!(
                    "no {name} in the repository, which holds {}",
                    self.names().take(8).collect::<Vec<_>>().join(", ")
                ),
            };
            Error::hub(model, reason)
        })
    }
}

impl Remote {
    /// What a link into the cache's blobs says of the bytes it leads to: their digest is the name.
    pub(super) fn linked(path: &Path) -> Option<Self> {
        let target = fs::read_link(path).ok()?;
        let digest = target.file_name()?.to_str()?.to_string();
        let large = match digest.len() {
            64 => true,
            40 => false,
            _ => return None,
        };
        let name = path.file_name()?.to_string_lossy().into_owned();
        let size = fs::metadata(path).map_or(0, |there| there.len());
        let known = digest.bytes().all(|b| b.is_ascii_hexdigit());
        known.then_some(Self { name, size, digest, large })
    }

    /// A file whose SHA-256 is known.
    pub(super) fn known(name: &str, size: u64, sha256: &str) -> Self {
        Self { name: name.into(), size, digest: sha256.into(), large: true }
    }

    /// Takes the file's bytes as they come, and ends with what its digest should be.
    pub(super) fn hasher(&self) -> Box<dyn DynDigest> {
        if self.large {
            return Box::new(Sha256::new());
        }
        Box::new(Sha1::new_with_prefix(format!("blob {}\0", self.size)))
    }
}
