//! A repository by the address of one of its pages, as a browser shows it.

use percent_encoding::percent_decode_str;

use super::Name;
use super::cache::variable;
use crate::{Error, Result};

/// Hosts that are the hub, besides that of `HF_ENDPOINT`.
const HOSTS: [&str; 2] = ["huggingface.co", "hf.co"];

/// Pages of a host that are no models.
const OTHERS: [&str; 6] = ["datasets", "spaces", "docs", "collections", "papers", "blog"];

impl Name {
    /// Reads the address of a repository, a revision of it, or a file in its root, with or without its
    /// scheme; `None` for what is no address. A file of GGUF is the model that is meant.
    ///
    /// # Errors
    /// [`Error::Input`] for an address of something else.
    pub fn pasted(text: &str) -> Option<Result<Self>> {
        let text = text.trim();
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
            None => (None, text),
        };
        let path = match scheme.as_deref() {
            Some("hf") => Some(rest),
            Some("http" | "https") | None => on_the_hub(rest),
            Some(_) => None,
        };
        // An address may have a token before its host.
        let shown = rest.split_once('@').filter(|_| scheme.is_some()).map_or(text, |(_, end)| end);
        let bad = |reason: &str| {
            Error::input(format!(
                "{shown}: {reason}: expected https://huggingface.co/owner/name, or owner/name"
            ))
        };
        match path {
            Some(path) => Some(repository(path).map_err(bad)),
            None => scheme.is_some().then(|| Err(bad("no address of the hub"))),
        }
    }
}

/// What follows the host, where that is the hub's.
fn on_the_hub(rest: &str) -> Option<&str> {
    // Name and token, as in addresses for git, are not ours to use.
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let rest = &rest[rest[..end].rfind('@').map_or(0, |at| at + 1)..];
    let endpoint = variable("HF_ENDPOINT").unwrap_or_default();
    let own = endpoint.split_once("://").map(|(_, own)| own.trim_end_matches('/'));
    let after = |host: &str| {
        let begins = rest.get(..host.len())?.eq_ignore_ascii_case(host);
        let path = &rest[host.len()..];
        let path = path.strip_prefix(":443").unwrap_or(path);
        (begins && path.starts_with(['/', '?', '#'])).then_some(path)
    };
    let bare = rest.len() >= 4 && rest.get(..4).is_some_and(|w| w.eq_ignore_ascii_case("www."));
    let known = own.into_iter().filter(|own| !own.is_empty()).chain(HOSTS).find_map(after);
    match known {
        None if bare => on_the_hub(&rest[4..]),
        known => known,
    }
}

/// The repository and revision that a path names.
fn repository(path: &str) -> std::result::Result<Name, &'static str> {
    let path = path.split(['?', '#']).next().unwrap_or_default();
    let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let parts: Vec<String> = path.split('/').filter(|p| !p.is_empty()).map(decoded).collect();
    let mut parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if parts.starts_with(&["api", "models"]) {
        parts.drain(..2);
    } else if parts.first() == Some(&"models") && parts.len() > 2 {
        parts.remove(0);
    }
    let [owner, name, rest @ ..] = parts.as_slice() else { return Err("no repository") };
    if OTHERS.contains(owner) {
        return Err("no model");
    }
    // What chooses one of several models, as in a name: all behind the colon.
    if let Some((name, choice)) = name.split_once(':') {
        let choice = [&[choice], rest].concat().join("/");
        return Name::parse(&format!("{owner}/{name}:{choice}")).ok_or("no name of a repository");
    }
    let (name, at) = name.split_once('@').unwrap_or((name, "main"));
    let name = name.strip_suffix(".git").unwrap_or(name);
    let (revision, within) = match rest {
        [] => (at.to_string(), &[][..]),
        ["tree" | "blob" | "resolve" | "raw" | "commits" | "revision", rest @ ..] => {
            revision(rest)?
        }
        ["commit", commit, ..] => (commit.to_string(), &[][..]),
        // Discussions, settings and the like.
        _ => ("main".to_string(), &[][..]),
    };
    let whole = matches!(rest.first(), Some(&("tree" | "commits" | "revision")));
    let gguf =
        !whole && within.last().is_some_and(|file| file.to_ascii_lowercase().ends_with(".gguf"));
    if within.len() > usize::from(!whole) && !gguf {
        return Err("a folder within a repository, where no model is looked for");
    }
    let choice = if gguf { format!(":{}", within.join("/")) } else { String::new() };
    Name::parse(&format!("{owner}/{name}@{revision}{choice}")).ok_or("no name of a repository")
}

/// The revision at the beginning of what follows, and what is within it.
fn revision<'a, 'b>(
    rest: &'a [&'b str],
) -> std::result::Result<(String, &'a [&'b str]), &'static str> {
    match rest {
        // The hub's own references have three parts.
        ["refs", kind, name, within @ ..] => Ok((format!("refs/{kind}/{name}"), within)),
        [revision, within @ ..] => Ok((revision.to_string(), within)),
        [] => Err("no revision"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn addresses_are_names() {
        let commit = "0123456789012345678901234567890123456789";
        for (text, expected) in [
            ("https://huggingface.co/a/b", "a/b"),
            ("https://huggingface.co/a/b/", "a/b"),
            ("http://www.huggingface.co/a/b?library=transformers#use", "a/b"),
            ("HTTPS://HuggingFace.co/a/b", "a/b"),
            ("huggingface.co/a/b", "a/b"),
            ("hf.co/a/b/tree/main", "a/b"),
            (" https://hf.co/a/b/tree/v1.0 ", "a/b@v1.0"),
            ("https://huggingface.co/a/b/tree/refs%2Fpr%2F3", "a/b@refs/pr/3"),
            ("https://huggingface.co/a/b/tree/refs/pr/3", "a/b@refs/pr/3"),
            ("https://huggingface.co/a/b/blob/main/config.json", "a/b"),
            ("https://huggingface.co/a/b/blob/v2/model.safetensors?x=1", "a/b@v2"),
            ("https://huggingface.co/a/b/resolve/main/model.safetensors?download=true", "a/b"),
            ("https://huggingface.co/a/b/blob/main/b-Q4_K_M.gguf", "a/b:b-Q4_K_M.gguf"),
            ("https://hf.co/a/b/resolve/v2/Q8_0/b.gguf", "a/b@v2:Q8_0/b.gguf"),
            ("hf://a/b:Q4_K_M", "a/b:Q4_K_M"),
            ("hf://a/b@v2:Q8_0/b.gguf", "a/b@v2:Q8_0/b.gguf"),
            (&format!("https://huggingface.co/a/b/commit/{commit}"), &format!("a/b@{commit}")),
            ("https://huggingface.co/a/b/discussions/4", "a/b"),
            ("https://huggingface.co/api/models/a/b", "a/b"),
            ("https://huggingface.co/a/b.git", "a/b"),
            ("https://me:hf_token@huggingface.co/a/b.git", "a/b"),
            ("https://huggingface.co:443/a/b", "a/b"),
            ("hf://a/b@v1", "a/b@v1"),
        ] {
            let name = Name::pasted(text).unwrap_or_else(|| panic!("{text}: no address"));
            assert_eq!(name.unwrap().to_string(), expected, "{text}");
        }
    }

    #[test]
    fn other_addresses_are_told() {
        for (text, expected) in [
            ("https://huggingface.co/datasets/a/b", "no model"),
            ("https://huggingface.co/spaces/a/b", "no model"),
            ("https://huggingface.co/a", "no repository"),
            ("https://huggingface.co/", "no repository"),
            ("https://huggingface.co/a/b/tree/main/sub", "a folder within a repository"),
            ("https://huggingface.co/a/b/blob/main/sub/config.json", "a folder within"),
            ("https://huggingface.co.evil.test/a/b", "no address of the hub"),
            ("https://example.com/a/b", "no address of the hub"),
            ("ftp://huggingface.co/a/b", "no address of the hub"),
            ("https://huggingface.co/a/b/tree/..%2F..", "no name of a repository"),
        ] {
            let error = Name::pasted(text).unwrap().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        let error = Name::pasted("https://me:hf_token@example.com/a/b").unwrap().unwrap_err();
        assert!(!error.to_string().contains("hf_token"), "{error}");
        for text in ["a/b", "huggingface.com/a", "folder", "./a/b", "C:\\models\\a"] {
            assert!(Name::pasted(text).is_none(), "{text}");
        }
    }
}
