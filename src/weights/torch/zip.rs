//! The directory of a zip archive whose files are stored as they are, read by ranges.

use std::collections::HashMap;
use std::ops::Range;

use crate::weights::Source;
use crate::{Error, Result};

/// One file of the archive, as the directory has it.
struct Entry {
    /// Where the file's own header starts.
    header: u64,
    size: u64,
    /// Whether its bytes are there as they are.
    plain: bool,
    /// The checksum of its bytes, CRC-32.
    sum: u32,
}

/// The files of an archive by name.
pub(super) struct Archive<'a> {
    source: &'a Source,
    entries: HashMap<String, Entry>,
}

/// A directory longer than this is refused unread.
const MAX_DIRECTORY: u64 = 64 << 20;

/// Little-endian numbers of a record, by place.
fn field(record: &[u8], at: usize, width: usize) -> u64 {
    record[at..at + width].iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte))
}

impl<'a> Archive<'a> {
    /// Reads the directory at the archive's end, with 64-bit numbers where it has them.
    pub(super) async fn open(source: &'a Source) -> Result<Self> {
        let archive = Self { source, entries: HashMap::new() };
        let (range, count) = archive.directory().await?;
        if range.end - range.start > MAX_DIRECTORY {
            return Err(archive.bad(format!("a zip directory of more than {MAX_DIRECTORY} bytes")));
        }
        let bytes = source.read(range).await?;
        let mut entries = HashMap::new();
        let mut rest = bytes.as_slice();
        for _ in 0..count {
            rest = archive.entry(rest, &mut entries)?;
        }
        Ok(Self { source, entries })
    }

    /// The names of all files.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Where the bytes of a file are.
    pub(super) async fn range(&self, name: &str) -> Result<Range<u64>> {
        let entry = self
            .entries
            .get(name)
            .ok_or_else(|| self.bad(format!("{name}: missing from the zip archive")))?;
        if !entry.plain {
            let reason = "compressed or encrypted, expected stored bytes";
            return Err(self.bad(format!("{name}: {reason}")));
        }
        let outside = || self.bad(format!("{name}: reaches beyond the file"));
        let fits = |end: &u64| *end <= self.source.size();
        let end = entry.header.checked_add(30).filter(fits).ok_or_else(outside)?;
        let record = self.source.read(entry.header..end).await?;
        if field(&record, 0, 4) != 0x0403_4b50 {
            return Err(self.bad(format!("{name}: no zip header where the directory says")));
        }
        let start = end + field(&record, 26, 2) + field(&record, 28, 2);
        let end = start.checked_add(entry.size).filter(fits).ok_or_else(outside)?;
        Ok(start..end)
    }

    /// The checksum that the directory has of a file's bytes.
    pub(super) fn sum(&self, name: &str) -> Option<u32> {
        self.entries.get(name).map(|entry| entry.sum)
    }

    fn bad(&self, reason: impl std::fmt::Display) -> Error {
        Error::checkpoint(self.source.name(), reason)
    }

    /// Where the directory is, and how many files it lists.
    async fn directory(&self) -> Result<(Range<u64>, u64)> {
        let size = self.source.size();
        // The last record is 22 bytes and a comment of at most 65535.
        let start = size.saturating_sub(22 + 65535);
        let tail = self.source.read(start..size).await?;
        let at = (0..tail.len().saturating_sub(21))
            .rev()
            .find(|at| tail[*at..].starts_with(b"PK\x05\x06"))
            .ok_or_else(|| self.bad("cut short: the zip archive has no directory at its end"))?;
        let end = start + at as u64;
        let record = &tail[at..];
        let (mut count, mut length) = (field(record, 10, 2), field(record, 12, 4));
        let mut first = field(record, 16, 4);
        let outside = || self.bad("the zip directory reaches beyond the file");
        if count == 0xffff || length == 0xffff_ffff || first == 0xffff_ffff {
            let at = end.checked_sub(20).ok_or_else(outside)?;
            let locator = self.source.read(at..end).await?;
            let at = field(&locator, 8, 8);
            let stop = at.checked_add(56).filter(|stop| *stop <= end).ok_or_else(outside)?;
            let record = self.source.read(at..stop).await?;
            if field(&locator, 0, 4) != 0x0706_4b50 || field(&record, 0, 4) != 0x0606_4b50 {
                return Err(self.bad("the zip archive's 64-bit directory cannot be found"));
            }
            (count, length, first) =
                (field(&record, 32, 8), field(&record, 40, 8), field(&record, 48, 8));
        }
        let stop = first.checked_add(length).filter(|stop| *stop <= end).ok_or_else(outside)?;
        Ok((first..stop, count))
    }

    /// Takes the first entry off the directory's bytes.
    fn entry<'b>(&self, bytes: &'b [u8], entries: &mut HashMap<String, Entry>) -> Result<&'b [u8]> {
        let short = || self.bad("the zip directory is cut short");
        let record = bytes.get(..46).ok_or_else(short)?;
        if field(record, 0, 4) != 0x0201_4b50 {
            return Err(self.bad("the zip directory is damaged"));
        }
        let [name, extra, comment] = [28, 30, 32].map(|at| field(record, at, 2) as usize);
        let rest = bytes.get(46 + name + extra + comment..).ok_or_else(short)?;
        let text = String::from_utf8_lossy(&bytes[46..46 + name]).into_owned();
        let (method, packed) = (field(record, 10, 2), field(record, 20, 4));
        let mut numbers = [field(record, 24, 4), packed, field(record, 42, 4)];
        long_numbers(&bytes[46 + name..46 + name + extra], &mut numbers).ok_or_else(short)?;
        let [size, packed, header] = numbers;
        let plain = method == 0 && field(record, 8, 2) & 1 == 0 && packed == size;
        let sum = field(record, 16, 4) as u32;
        match entries.insert(text, Entry { header, size, plain, sum }) {
            None => Ok(rest),
            Some(_) => Err(self.bad("the zip directory names a file twice")),
        }
    }
}

/// Numbers that do not fit 32 bits stand in an extra field, in this order; `None` where it lacks one.
fn long_numbers(mut extra: &[u8], numbers: &mut [u64; 3]) -> Option<()> {
    let mut missing = numbers.iter_mut().filter(|number| **number == 0xffff_ffff).peekable();
    while missing.peek().is_some() {
        let (start, rest) = extra.split_at_checked(4)?;
        let (mut data, rest) = rest.split_at_checked(field(start, 2, 2) as usize)?;
        if field(start, 0, 2) == 1 {
            for number in missing.by_ref() {
                let (first, rest) = data.split_at_checked(8)?;
                (*number, data) = (field(first, 0, 8), rest);
            }
        }
        extra = rest;
    }
    Some(())
}
