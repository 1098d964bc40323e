//! What a model is called on the hub.

use std::fmt;

/// `owner/name`, or `owner/name@revision` with a branch, a tag or a commit; behind it `:Q4_K_M` or `:FILE.gguf` for one of
/// several models in GGUF.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    repository: String,
    revision: String,
    choice: Option<String>,
}

impl Name {
    /// Reads `owner/name`, `owner/name@revision`, `owner/name:choice` or all three; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let (text, choice) = match text.split_once(':') {
            Some((text, choice)) => (text, Some(choice)),
            None => (text, None),
        };
        let (repository, revision) = text.split_once('@').unwrap_or((text, "main"));
        let (owner, name) = repository.split_once('/')?;
        let safe = |part: &str| {
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            part.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
                && part.chars().all(known)
                && !part.contains("..")
        };
        let within = revision.split('/').chain(choice.into_iter().flat_map(|c| c.split('/')));
        let good = safe(owner) && safe(name) && { within }.all(safe);
        let [repository, revision] = [repository, revision].map(Into::into);
        good.then(|| Self { repository, revision, choice: choice.map(Into::into) })
    }

    /// `owner/name`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The branch, tag or commit; `main` where none was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Which of several models in GGUF: a quantisation or the name of a file.
    pub fn choice(&self) -> Option<&str> {
        self.choice.as_deref()
    }

    /// The revision where it is a whole commit, which never changes.
    pub(super) fn commit(&self) -> Option<&str> {
        let whole = self.revision.len() == 40;
        (whole && self.revision.bytes().all(|b| b.is_ascii_hexdigit())).then_some(&self.revision)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.repository)?;
        if self.revision != "main" {
            write!(f, "@{}", self.revision)?;
        }
        self.choice.as_ref().map_or(Ok(()), |choice| write!(f, ":{choice}"))
    }
}
