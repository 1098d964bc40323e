//! The bytes of a photograph's file, and memory for it, before any of it is taken.

use std::fs::{self, File};
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use crate::budget::{Amount, Budget, MAX_PHOTO, Share, picture_memory};
use crate::files::kind;
use crate::image::{decode, is_known};
use crate::{Error, Result};

/// Bytes by which a picture is known.
const HEAD: u64 = 4096;

/// How long a pipe may have no writer, or a writer may write nothing.
const PATIENCE: Duration = Duration::from_secs(10);

/// A photograph's bytes, and the share of the budget for them and for decoding them.
///
/// # Errors
/// [`Error::Io`]; [`Error::Image`] for what is no picture, too long, or needs more than the budget.
pub fn read(path: &Path, budget: &Arc<Budget>) -> Result<(Vec<u8>, Share)> {
    called(&path.display().to_string(), path, budget)
}

/// The same, by what the photograph is called in errors.
///
/// # Errors
/// As [`read`].
pub(crate) fn called(name: &str, path: &Path, budget: &Arc<Budget>) -> Result<(Vec<u8>, Share)> {
    let there = fs::metadata(path).map_err(|e| Error::io(name, e))?;
    match kind(&there) {
        "a file" => regular(path, name, budget),
        "a pipe" | "a device" => piped(name, Patient::open(path), budget),
        other => Err(Error::image(name, format!("{other}, expected a photograph"))),
    }
}

fn regular(path: &Path, name: &str, budget: &Arc<Budget>) -> Result<(Vec<u8>, Share)> {
    let unread = |e| Error::io(name, e);
    let file = File::open(path).map_err(unread)?;
    // It may have become another, and may grow: what it is now counts.
    let length = file.metadata().map_err(unread)?.len();
    if length > MAX_PHOTO {
        return Err(too_long(name, &Amount(length).to_string()));
    }
    let mut reader = BufReader::new(file);
    let needed = picture_memory(&mut reader);
    reader.seek(SeekFrom::Start(0)).map_err(unread)?;
    known(name, &mut reader)?;
    let share = share(name, length, needed, budget)?;
    reader.seek(SeekFrom::Start(0)).map_err(unread)?;
    let mut bytes = Vec::new();
    let room = bytes.try_reserve_exact(length as usize);
    room.map_err(|_| Error::image(name, format!("no memory for its {}", Amount(length))))?;
    reader.take(length).read_to_end(&mut bytes).map_err(unread)?;
    Ok((bytes, share))
}

/// Whether a file begins as a picture does that can be read here.
///
/// # Errors
/// Where it cannot be read.
pub fn is_picture(path: &Path) -> io::Result<bool> {
    Ok(is_known(&head(&mut File::open(path)?)?))
}

/// The first bytes of a file, by which it is known.
fn head(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    reader.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// Refuses what does not begin as a picture, before the rest is read.
fn known(name: &str, reader: &mut impl Read) -> Result<Vec<u8>> {
    let head = head(reader).map_err(|e| Error::io(name, e))?;
    if !is_known(&head) {
        // It says why, for it cannot read this.
        decode(name, &head)?;
    }
    Ok(head)
}

fn share(name: &str, length: u64, needed: u64, budget: &Arc<Budget>) -> Result<Share> {
    let share = budget.take(length.saturating_add(needed));
    share.map_err(|shortage| Error::image(name, shortage))
}

fn too_long(name: &str, length: &str) -> Error {
    let most = Amount(MAX_PHOTO);
    Error::image(
        name,
        format!("{length}: the file of a photograph may have {most} ({MAX_PHOTO} bytes)"),
    )
}

/// The same of what can be read once, and does not tell how long it is.
///
/// # Errors
/// As [`read`].
pub fn piped(name: &str, mut reader: impl Read, budget: &Arc<Budget>) -> Result<(Vec<u8>, Share)> {
    let mut bytes = known(name, &mut reader)?;
    let most = MAX_PHOTO + 1 - bytes.len() as u64;
    reader.take(most).read_to_end(&mut bytes).map_err(|e| Error::io(name, e))?;
    if bytes.len() as u64 > MAX_PHOTO {
        return Err(too_long(name, "longer than it may be"));
    }
    let needed = picture_memory(Cursor::new(&bytes));
    let share = share(name, bytes.len() as u64, needed, budget)?;
    Ok((bytes, share))
}

/// A pipe or a device, whose other side may never come, or never write. It is read on a thread of its
/// own, which is left behind then.
struct Patient {
    pieces: std::sync::mpsc::Receiver<io::Result<Vec<u8>>>,
    piece: Cursor<Vec<u8>>,
}

impl Patient {
    fn open(path: &Path) -> Self {
        let (send, pieces) = sync_channel(1);
        let path = path.to_path_buf();
        thread::spawn(move || {
            if let Err(error) = pump(&path, &send) {
                let _ = send.send(Err(error));
            }
        });
        Self { pieces, piece: Cursor::default() }
    }
}

fn pump(path: &Path, send: &SyncSender<io::Result<Vec<u8>>>) -> io::Result<()> {
    let mut file = File::open(path)?;
    loop {
        let mut piece = vec![0; 1 << 16];
        let length = file.read(&mut piece)?;
        piece.truncate(length);
        if length == 0 || send.send(Ok(piece)).is_err() {
            return Ok(());
        }
    }
}

impl Read for Patient {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.piece.position() == self.piece.get_ref().len() as u64 {
            match self.pieces.recv_timeout(PATIENCE) {
                Ok(piece) => self.piece = Cursor::new(piece?),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) => {
                    let reason = format!("nothing was written to it for {} s", PATIENCE.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, reason));
                }
            }
        }
        self.piece.read(into)
    }
}
