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

/// By which a photograph is known: its path from the root, so that a relative path and a whole one are
/// one photograph.
pub(super) fn key(path: &Path) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    tidy(&whole).to_string_lossy().into_owned()
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
        #[cfg(windows)]
        assert_eq!(tidy(Path::new("a\\.\\b/c")), tidy(Path::new("a/b\\c")));
    }
}
