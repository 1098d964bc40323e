//! What stands where a file of Git LFS was not fetched: a text of three lines.

/// What it is, and what to do.
pub(crate) const POINTER: &str =
    "a Git LFS pointer and not the file itself: run `git lfs pull` in its folder";

/// Whether what begins with these bytes is one.
pub(crate) fn is_pointer(start: &[u8]) -> bool {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    text.starts_with(b"version https://git-lfs")
}
