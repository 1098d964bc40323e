//! GGUF, the files of llama.cpp: what one holds, as [`read_header`](super::read_header) gives it, and its keys.
//!
//! A file begins with its magic, a version, and how many tensors and keys it has; then come the keys with their values,
//! the tensors' names, shapes, types and places, and, aligned, their values. Nothing says how long all that before the
//! values is.

mod blocks;
mod cursor;
mod model;

pub use self::blocks::Blocks;
use self::cursor::{Cursor, Fault};
pub use self::model::GgufModel;
use super::{Source, Stored, StoredType};
use crate::error::short;
use crate::model::GgufKeys;
use crate::order::sort_by;
use crate::{Error, Result};

/// What a file begins with.
const MAGIC: [u8; 4] = *b"GGUF";

/// Bytes before the tensors' values at most. Vocabularies have some 10 MB.
const MOST: u64 = 64 << 20;

/// Bytes that are read first.
const FIRST: u64 = 1 << 20;

/// The most keys, and the most tensors, of a file.
const MAX_COUNT: u64 = 1 << 16;

/// The most dimensions of a tensor.
const MAX_RANK: u32 = 8;

/// To which multiple of bytes values are aligned where no key says it.
const ALIGNMENT: u64 = 32;

/// What is known of types that are not read: numbers and names.
const OTHERS: [(u32, &str); 24] = [
    (9, "Q8_1"),
    (10, "Q2_K"),
    (11, "Q3_K"),
    (15, "Q8_K"),
    (16, "IQ2_XXS"),
    (17, "IQ2_XS"),
    (18, "IQ3_XXS"),
    (19, "IQ1_S"),
    (20, "IQ4_NL"),
    (21, "IQ3_S"),
    (22, "IQ2_S"),
    (23, "IQ4_XS"),
    (24, "I8"),
    (25, "I16"),
    (26, "I32"),
    (27, "I64"),
    (28, "F64"),
    (29, "IQ1_M"),
    (34, "TQ1_0"),
    (35, "TQ2_0"),
    (39, "MXFP4"),
    (40, "NVFP4"),
    (41, "Q1_0"),
    (42, "Q2_0"),
];

/// What a file holds.
pub(super) struct Gguf {
    pub(super) keys: GgufKeys,
    /// In the order of their bytes.
    pub(super) tensors: Vec<Stored>,
}

/// What a file of GGUF holds; `None` for any other file.
pub(super) async fn read(source: &Source) -> Result<Option<Gguf>> {
    if source.read(0..source.size().min(MAGIC.len() as u64)).await? != MAGIC {
        return Ok(None);
    }
    let bad = |reason: String| Error::checkpoint(source.name(), reason);
    let size = source.size();
    // It is read again with more bytes until it ends.
    let mut length = size.min(FIRST);
    loop {
        let bytes = source.read(0..length).await?;
        match parse(&bytes, size) {
            Ok(found) => return Ok(Some(found)),
            Err(Fault::CutShort) if length < size.min(MOST) => {
                length = size.min(MOST).min(8 * length)
            }
            Err(Fault::CutShort) if length == size => {
                return Err(bad(format!(
                    "GGUF, cut short: what describes its tensors goes on behind its {size} bytes: download the file again"
                )));
            }
            Err(Fault::CutShort) => {
                return Err(bad(format!(
                    "no GGUF: more than {MOST} bytes before the first tensor"
                )));
            }
            Err(Fault::Refused(reason)) => return Err(bad(reason)),
        }
    }
}

/// What the first bytes of a file of `size` bytes describe.
fn parse(bytes: &[u8], size: u64) -> std::result::Result<Gguf, Fault> {
    let mut cursor = Cursor::new(bytes, size);
    cursor.skip(MAGIC.len() as u64)?;
    match cursor.u32()? {
        2 | 3 => {}
        version if version & 0xffff == 0 => {
            return Err(Fault::Refused("expected byte order little, found big".into()));
        }
        version => {
            return Err(Fault::Refused(format!(
                "version {version} of GGUF, expected 2 or 3: convert the model again"
            )));
        }
    }
    let (tensors, count) = (cursor.u64()?, cursor.u64()?);
    if tensors.max(count) > MAX_COUNT {
        return Err(Fault::Refused(format!(
            "expected at most {MAX_COUNT} tensors and keys, found {tensors} and {count}: the file is damaged"
        )));
    }
    let mut keys = GgufKeys::new();
    for _ in 0..count {
        let (key, value) = cursor.entry()?;
        if keys.insert(key.clone(), value).is_some() {
            return Err(Fault::Refused(format!("key {}: present twice", short(&key, 200))));
        }
    }
    let alignment = match keys.get("general.alignment") {
        None => Some(ALIGNMENT),
        Some(value) => value.as_u64().filter(|n| n.is_power_of_two() && *n <= FIRST),
    };
    let alignment = alignment.ok_or_else(|| {
        Fault::Refused(format!("general.alignment: expected a power of two up to {FIRST}"))
    })?;
    let mut described = Vec::new();
    for _ in 0..tensors {
        described.push(Described::read(&mut cursor)?);
    }
    let data = cursor.at().next_multiple_of(alignment);
    let placed = described.into_iter().map(|one| {
        let key = one.key.clone();
        one.place(data, alignment, size)
            .map_err(|reason| Fault::Refused(format!("{}: {reason}", short(&key, 200))))
    });
    let mut tensors = placed.collect::<std::result::Result<Vec<Stored>, Fault>>()?;
    sort_by(&mut tensors, |a, b| (a.range.start, &a.key).cmp(&(b.range.start, &b.key)));
    for pair in tensors.windows(2) {
        if pair[0].range.end > pair[1].range.start {
            let [one, other] = [&pair[0].key, &pair[1].key].map(|key| short(key, 200));
            return Err(Fault::Refused(format!(
                "{other}: begins within {one}: download the file again"
            )));
        }
    }
    Ok(Gguf { keys, tensors })
}

/// A tensor as the file describes it.
struct Described {
    key: String,
    /// Innermost dimension first.
    sides: Vec<u64>,
    number: u32,
    offset: u64,
}

impl Described {
    fn read(cursor: &mut Cursor<'_>) -> std::result::Result<Self, Fault> {
        let key = cursor.text()?;
        let rank = cursor.u32()?;
        if rank > MAX_RANK {
            let key = short(&key, 200);
            return Err(Fault::Refused(format!(
                "{key}: expected at most {MAX_RANK} dimensions, found {rank}"
            )));
        }
        let mut sides = Vec::new();
        for _ in 0..rank {
            sides.push(cursor.u64()?);
        }
        Ok(Self { key, sides, number: cursor.u32()?, offset: cursor.u64()? })
    }

    /// Where it is in a file of `size` bytes, whose values begin at `data`.
    fn place(self, data: u64, alignment: u64, size: u64) -> std::result::Result<Stored, String> {
        let (dtype, name, values, bytes) = kind(self.number)?;
        let sides = &self.sides;
        let wrong = || format!("a shape of {sides:?} values is that of no tensor");
        let all = sides.iter().try_fold(1u64, |n, side| n.checked_mul(*side));
        let all = all.filter(|all| *all > 0).ok_or_else(wrong)?;
        let row = sides.first().copied().unwrap_or(1);
        if !row.is_multiple_of(values) {
            return Err(format!(
                "expected rows of whole blocks of {values} for {name}, found {row}"
            ));
        }
        if !self.offset.is_multiple_of(alignment) {
            let offset = self.offset;
            return Err(format!(
                "expected a place that is a multiple of {alignment}, found {offset}"
            ));
        }
        let length = (all / values).checked_mul(bytes);
        let start = data.checked_add(self.offset);
        let end = start.zip(length).and_then(|(start, length)| start.checked_add(length));
        let (Some(start), Some(end)) = (start, end.filter(|end| *end <= size)) else {
            return Err(format!(
                "its values reach beyond the file's {size} bytes, which is cut short: download the file again"
            ));
        };
        let sides = sides.iter().rev().map(|side| usize::try_from(*side).map_err(|_| wrong()));
        let shape = sides.collect::<std::result::Result<Vec<usize>, String>>()?;
        Ok(Stored {
            key: self.key,
            dtype: Some(dtype),
            dtype_name: name.into(),
            shape,
            range: start..end,
        })
    }
}

/// The numbers that a type stands for, its name, and values and bytes of a block.
fn kind(number: u32) -> std::result::Result<(StoredType, &'static str, u64, u64), String> {
    let plain = |dtype: StoredType| Ok((dtype, dtype.name(), 1, dtype.bytes() as u64));
    match number {
        0 => return plain(StoredType::F32),
        1 => return plain(StoredType::F16),
        30 => return plain(StoredType::Bf16),
        _ => {}
    }
    if let Some((_, name, blocks)) = Blocks::ALL.into_iter().find(|(known, ..)| *known == number) {
        return Ok((StoredType::F32, name, blocks.values() as u64, blocks.bytes() as u64));
    }
    let known = OTHERS.into_iter().find(|(other, _)| *other == number);
    let found = known.map_or_else(|| number.to_string(), |(_, name)| name.to_string());
    let read = Blocks::ALL.map(|(_, name, _)| name).join(", ");
    Err(format!(
        "type {found}: expected F32, F16, BF16, {read}: quantise the model again, to one of these"
    ))
}
