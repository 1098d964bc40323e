//! Reading files that are read whole, so that none takes more memory than it may.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::budget::Amount;
use crate::pointer::{POINTER, is_pointer};
use crate::{Error, Result};

/// The text of a regular file of at most `most` bytes.
///
/// # Errors
/// [`Error::Config`] for what is no file, is longer, or a pointer of Git LFS's; [`Error::Io`] where it cannot be read, or
/// is no UTF-8.
pub fn read_text(path: &Path, most: u64) -> Result<String> {
    let unread = |e| Error::io(path.display(), e);
    let there = fs::metadata(path).map_err(unread)?;
    if !there.is_file() {
        let reason = format!("expected a file, found {}", kind(&there));
        return Err(Error::config(path.display(), reason));
    }
    let long = |bytes: u64| {
        let reason = format!("{bytes} bytes, expected at most {most} ({})", Amount(most));
        Error::config(path.display(), reason)
    };
    if there.len() > most {
        return Err(long(there.len()));
    }
    // It may grow while it is read.
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    file.take(most + 1).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > most {
        return Err(long(bytes.len() as u64));
    }
    if is_pointer(&bytes) {
        return Err(Error::config(path.display(), POINTER));
    }
    let no_text =
        |_| io::Error::new(io::ErrorKind::InvalidData, "stream did not contain valid UTF-8");
    String::from_utf8(bytes).map_err(no_text).map_err(unread)
}

/// Opens a regular file to read it. What else may be at a path may never give a byte, or never end.
///
/// # Errors
/// The system's, or what is there in place of a file.
pub fn open_file(path: &Path) -> io::Result<File> {
    let there = fs::metadata(path)?;
    match there.is_file() {
        true => File::open(path),
        false => Err(io::Error::other(format!("expected a file, found {}", kind(&there)))),
    }
}

/// Bytes of a line at most.
const LINE: u64 = 4096;

/// The text of a file of one line, such as a name or a token, without the space around it; `None` where
/// there is none.
pub fn read_line(path: &Path) -> Option<String> {
    let mut line = String::new();
    open_file(path).ok()?.take(LINE).read_to_string(&mut line).ok()?;
    Some(line.trim().to_string()).filter(|line| !line.is_empty())
}

/// What stands at a path, in words.
pub fn kind(there: &fs::Metadata) -> &'static str {
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        let kind = there.file_type();
        for (is, name) in [
            (kind.is_fifo(), "a pipe"),
            (kind.is_socket(), "a socket"),
            (kind.is_block_device(), "a disk"),
            (kind.is_char_device(), "a device"),
        ] {
            if is {
                return name;
            }
        }
    }
    if there.is_dir() { "a folder" } else { "a file" }
}
