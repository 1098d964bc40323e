//! One name for a photograph, however its path is written.

use std::path::{Component, Path, PathBuf};

/// The path without `.`, doubled separators and `folder/..`, as it is written into a table. Links are
/// never followed: what a link leads to is another photograph, and `link/..` stays, since it need not
/// be the folder in which the link stands.
pub(super) fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match (part, tidy.components().next_back()) {
            (Component::CurDir, _) | (Component::ParentDir, Some(Component::RootDir)) => {}
            (Component::ParentDir, Some(Component::Normal(_))) if !tidy.is_symlink() => {
                tidy.pop();
            }
            (part, _) => tidy.push(part),
        }
    }
    tidy
}

/// A path as a text: bytes that are no UTF-8 by their numbers, as in `caf\xE9.png`, so that two names
/// stay two.
pub(super) fn text(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02X}")));
    }
    text
}

/// By which a photograph is known: its path from the root, so that a relative path and a whole one are
/// one photograph.
pub(super) fn key(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    text(&tidy(&whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_tidied() {
        for (given, expected) in [
            ("a.png", "a.png"),
            ("./a.png", "a.png"),
            ("x/../a.png", "a.png"),
            ("a//b", "a/b"),
            ("a/./b/../c.png", "a/c.png"),
            ("../a.png", "../a.png"),
            ("x/../../a.png", "../a.png"),
            ("/../a.png", "/a.png"),
            ("-", "-"),
        ] {
            assert_eq!(tidy(Path::new(given)), Path::new(expected), "{given}");
        }
        let whole = std::env::current_dir().map(|folder| folder.join("a.png"));
        assert_eq!(whole.map(|whole| key(&whole)).ok(), Some(key(Path::new("x/../a.png"))));
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStrExt;
            let named = |bytes: &[u8]| text(Path::new(std::ffi::OsStr::from_bytes(bytes)));
            assert_eq!(named(b"caf\xe9/\xff\xfe.png"), "caf\\xE9/\\xFF\\xFE.png");
            assert_eq!(named("café.png".as_bytes()), "café.png");
        }
        #[cfg(windows)]
        assert_eq!(tidy(Path::new("a\\.\\b/c")), tidy(Path::new("a/b\\c")));
    }
}
