//! What the hub says of a repository: a commit and its files, with lengths and digests.

use serde::Deserialize;
use sha2::Digest;

use super::Name;
use crate::{Error, Result};

/// A repository at one commit.
pub(super) struct Repository {
    pub(super) commit: String,
    pub(super) files: Vec<Remote>,
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
        Ok(Self { commit: listing.sha.clone(), files: files.collect::<Result<_>>()? })
    }

    /// A file in the repository's root.
    pub(super) fn find(&self, name: &str) -> Option<&Remote> {
        self.files.iter().find(|file| file.name == name)
    }

    /// A file that must be there; otherwise the error says what is.
    pub(super) fn need(&self, model: &Name, name: &str) -> Result<&Remote> {
        self.find(name).ok_or_else(|| {
            let pickled = |file: &&str| {
                [".bin", ".pth", ".pt", ".ckpt"].iter().any(|ending| file.ends_with(ending))
            };
            let names = || self.files.iter().map(|file| file.name.as_str());
            let reason = match names().find(pickled) {
                Some(file) if name == "model.safetensors" => format!(
                    "no {name} in the repository, but {file}: download that, and `internvit \
                     convert` reads it"
                ),
                _ => format!(
                    "no {name} in the repository, which holds {}",
                    names().take(8).collect::<Vec<_>>().join(", ")
                ),
            };
            Error::hub(model, reason)
        })
    }
}

/// The digest of a file's bytes as they come.
pub(super) enum Hasher {
    Large(sha2::Sha256),
    Git(sha1::Sha1),
}

impl Hasher {
    pub(super) fn new(file: &Remote) -> Self {
        if file.large {
            return Self::Large(sha2::Sha256::new());
        }
        Self::Git(sha1::Sha1::new_with_prefix(format!("blob {}\0", file.size)))
    }

    pub(super) fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Large(hash) => hash.update(bytes),
            Self::Git(hash) => hash.update(bytes),
        }
    }

    /// In hexadecimal digits.
    pub(super) fn end(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect();
        match self {
            Self::Large(hash) => hex(&hash.finalize()),
            Self::Git(hash) => hex(&hash.finalize()),
        }
    }
}
