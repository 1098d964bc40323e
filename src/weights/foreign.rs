//! What lies in place of weights, named by its first bytes.

use super::Source;
use crate::pointer::{POINTER, is_pointer};
use crate::{Error, Result};

/// Bytes that tell each kind; tar says what it is near the end of them.
const START: u64 = 512;

/// What lies in place of a text of JSON, where it is known.
pub(super) fn in_place_of_json(text: &str) -> Option<&'static str> {
    let text = text.trim_start_matches('\u{feff}').trim_start();
    known(text.as_bytes()).filter(|_| !text.starts_with('{'))
}

/// What a file that begins with `start` is and what to do, where it is known and no safetensors.
fn known(start: &[u8]) -> Option<&'static str> {
    let text = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start).trim_ascii_start();
    let lower = text[..text.len().min(64)].to_ascii_lowercase();
    if is_pointer(start) {
        return Some(POINTER);
    }
    if [&b"<!doctype html"[..], b"<html", b"<head", b"<body"].iter().any(|t| lower.starts_with(t)) {
        return Some("a web page and not weights: download the file again");
    }
    if lower.starts_with(b"<?xml") || lower.starts_with(b"<error") {
        return Some("XML, perhaps a server's error, and not weights: download the file again");
    }
    if text.starts_with(b"{") {
        return Some("JSON, perhaps a server's error, and not weights: download the file again");
    }
    if start.get(257..262) == Some(b"ustar") {
        return Some("a tar archive: unpack it first");
    }
    let kinds: [(&[u8], &str); 11] = [
        (b"\x1f\x8b", "compressed by gzip: unpack it first"),
        (b"\xfd7zXZ\0", "compressed by xz: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "compressed by zstd: unpack it first"),
        (b"BZh", "compressed by bzip2: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
        (b"Rar!\x1a\x07", "a RAR archive: unpack it first"),
        (b"\x93NUMPY", "an array of NumPy's: expected safetensors or a file of PyTorch's"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file: expected safetensors or a file of PyTorch's"),
        (b"GGUF", "a GGUF file: expected safetensors or a file of PyTorch's"),
        (b"PK\x03\x04", "a ZIP archive: expected safetensors; unpack it first"),
        (b"PK\x05\x06", "an empty ZIP archive: expected safetensors"),
    ];
    kinds.into_iter().find(|(magic, _)| start.starts_with(magic)).map(|(_, what)| what)
}

/// What no kind of weights begins as.
fn unlike(start: &[u8]) -> Option<&'static str> {
    // Every kind has bytes that are no text among its first.
    let is_text = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    if start.len() > 8 && start.iter().all(|byte| *byte == 0) {
        Some("nothing but zeros, as of a download that broke off: download the file again")
    } else if !start.is_empty() && start.iter().all(is_text) {
        Some("text, perhaps a server's error, and not weights: download the file again")
    } else {
        None
    }
}

/// The error that names what `source` is, or `otherwise` where that is not known.
pub(super) async fn name(source: &Source, otherwise: Error) -> Result<Error> {
    let start = source.read(0..source.size().min(START)).await?;
    let what = known(&start).or_else(|| unlike(&start));
    Ok(what.map_or(otherwise, |what| Error::checkpoint(source.name(), what)))
}
