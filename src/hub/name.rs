//! What a model is called on the hub.

use std::fmt;

use hf_hub::{Repo, RepoType};

/// `owner/name`, or `owner/name@revision` with a branch, a tag or a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    repository: String,
    revision: String,
}

impl Name {
    /// Reads `owner/name` or `owner/name@revision`; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (owner, name) = repository.split_once('/')?;
        let safe = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.chars().all(known)
                && !part.contains("..")
        };
        let good = safe(owner) && safe(name) && revision.split('/').all(safe);
        good.then(|| Self { repository: repository.into(), revision: revision.into() })
    }

    /// `owner/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The branch, tag or commit; `main` where none was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// As the crate for the cache calls it.
    pub(super) fn repo(&self) -> Repo {
        Repo::with_revision(self.repository.clone(), RepoType::Model, self.revision.clone())
    }

    /// The revision where it is a whole commit, which never changes.
    pub(super) fn commit(&self) -> Option<&str> {
        let whole = self.revision.len() == 40;
        (whole && self.revision.bytes().all(|b| b.is_ascii_hexdigit())).then_some(&self.revision)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.revision.as_str() {
            "main" => f.write_str(&self.repository),
            revision => write!(f, "{}@{revision}", self.repository),
        }
    }
}
