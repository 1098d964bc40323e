//! Addresses: names spelled out in them, where a redirect leads, who is asked.

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use ureq::http::Uri;

/// What a name keeps in an address.
const NAME: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// What no address may have in it as it is.
const FOREIGN: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'<')
    .add(b'>')
    .add(b'\\')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// A file's name, or its path, as a part of an address.
pub(super) fn escaped(name: &str) -> String {
    utf8_percent_encode(name, NAME).to_string()
}

/// Scheme, host and port of an address; the port is left out where it is the scheme's own.
pub(super) fn origin(url: &str) -> Option<String> {
    let uri: Uri = url.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.authority()?.as_str().to_lowercase());
    let own = if scheme == "https" { ":443" } else { ":80" };
    Some(format!("{scheme}://{}", host.strip_suffix(own).unwrap_or(&host)))
}

/// Where a redirect from `base` leads: an address, or one relative to it (RFC 3986, 5.2). `None` for
/// what is no address of the web.
pub(super) fn resolved(base: &str, location: &[u8]) -> Option<String> {
    let text = percent_encode(location, FOREIGN).to_string();
    let text = text.split('#').next().unwrap_or_default();
    let base: Uri = base.parse().ok()?;
    let (scheme, authority) = (base.scheme_str()?, base.authority()?);
    let whole = if has_scheme(text) {
        text.to_string()
    } else if text.starts_with("//") {
        format!("{scheme}:{text}")
    } else {
        let (path, query) = text.split_at(text.find('?').unwrap_or(text.len()));
        let path = match path {
            "" => base.path().to_string(),
            absolute if absolute.starts_with('/') => without_dots(absolute),
            relative => {
                let folder = &base.path()[..base.path().rfind('/').map_or(0, |at| at + 1)];
                without_dots(&format!("{folder}{relative}"))
            }
        };
        format!("{scheme}://{authority}{path}{query}")
    };
    let to: Uri = whole.parse().ok()?;
    let web = matches!(to.scheme_str(), Some("http" | "https"));
    (web && to.authority().is_some_and(|to| !to.host().is_empty())).then_some(whole)
}

/// Whether a reference begins with a scheme.
fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    })
}

/// A path without `.` and `..`.
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (i, part) in parts.iter().enumerate() {
        match *part {
            ".." => {
                kept.pop();
            }
            "." => {}
            part => kept.push(part),
        }
        if matches!(*part, "." | "..") && i + 1 == parts.len() {
            kept.push("");
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn names_are_escaped() {
        for (name, expected) in [
            ("model.safetensors", "model.safetensors"),
            ("a?b#c", "a%3Fb%23c"),
            ("a b%41.bin", "a%20b%2541.bin"),
            ("sub/\u{e9}&+", "sub/%C3%A9%26%2B"),
        ] {
            assert_eq!(escaped(name), expected);
        }
    }

    #[test]
    fn redirects_are_read_as_browsers_do() {
        let base = "https://hub.test:8443/a/b/c?d=e";
        for (location, expected) in [
            ("https://other.test/x#y", Some("https://other.test/x")),
            ("HTTP://other.test/x", Some("HTTP://other.test/x")),
            ("//other.test/x", Some("https://other.test/x")),
            ("/x?y=1", Some("https://hub.test:8443/x?y=1")),
            ("x/y", Some("https://hub.test:8443/a/b/x/y")),
            ("../x", Some("https://hub.test:8443/a/x")),
            ("./../../../x/.", Some("https://hub.test:8443/x/")),
            ("?f", Some("https://hub.test:8443/a/b/c?f")),
            ("/a b", Some("https://hub.test:8443/a%20b")),
            ("/\u{e9}", Some("https://hub.test:8443/%C3%A9")),
            ("/\\other.test", Some("https://hub.test:8443/%5Cother.test")),
            ("file:///etc/passwd", None),
            ("localhost:1/x", None),
            ("https:///x", None),
            ("https://", None),
        ] {
            assert_eq!(resolved(base, location.as_bytes()).as_deref(), expected, "{location}");
        }
    }

    #[test]
    fn who_is_asked() {
        let same = |a: &str, b: &str| origin(a).unwrap() == origin(b).unwrap();
        assert!(same("https://Hub.test/a", "https://hub.test:443/b"));
        assert!(!same("https://hub.test/a", "http://hub.test/a"));
        assert!(!same("https://hub.test/a", "https://hub.test@other.test/a"));
        assert!(!same("https://hub.test/a", "https://hub.test.other.test/a"));
        assert!(!same("https://hub.test/a", "https://hub.test:444/a"));
    }
}
