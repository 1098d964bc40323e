//! The numbers, texts and values of a GGUF, one after the other.

use serde_json::{Number, Value};

use crate::error::short;

/// Why a file is not read.
pub(super) enum Fault {
    /// There are fewer bytes than are described.
    CutShort,
    Refused(String),
}

type Result<T> = std::result::Result<T, Fault>;

/// Values of all lists together, at most: each is some 32 bytes in memory, however short it is in the file.
const MAX_VALUES: u64 = 1 << 22;

/// Lists lie at most so deep in each other.
const MAX_NESTING: usize = 4;

/// The longest name of a key or a tensor, in bytes.
const MAX_NAME: u64 = 1 << 16;

/// A place in the first bytes of a file.
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bytes of the whole file.
    size: u64,
    /// Values that lists may still have.
    left: u64,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(bytes: &'a [u8], size: u64) -> Self {
        Self { bytes, at: 0, size, left: MAX_VALUES }
    }

    /// How many bytes were read.
    pub(super) fn at(&self) -> u64 {
        self.at as u64
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8]> {
        let end = usize::try_from(count).ok().and_then(|count| self.at.checked_add(count));
        let taken = end.and_then(|end| self.bytes.get(self.at..end)).ok_or(Fault::CutShort)?;
        self.at += taken.len();
        Ok(taken)
    }

    pub(super) fn skip(&mut self, count: u64) -> Result<()> {
        self.take(count).map(|_| ())
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut number = [0; N];
        number.copy_from_slice(self.take(N as u64)?);
        Ok(number)
    }

    pub(super) fn u32(&mut self) -> Result<u32> {
        self.number().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64> {
        self.number().map(u64::from_le_bytes)
    }

    /// Refuses a length that the rest of the file cannot hold.
    fn follows(&self, count: u64, what: &str) -> Result<()> {
        let rest = self.size.saturating_sub(self.at());
        if count <= rest {
            return Ok(());
        }
        Err(Fault::Refused(format!(
            "byte {}: {what} {count} long, but {rest} bytes follow: the file is damaged: download it again",
            self.at
        )))
    }

    pub(super) fn text(&mut self) -> Result<String> {
        let length = self.u64()?;
        self.follows(length, "a text")?;
        let (at, bytes) = (self.at, self.take(length)?);
        let text = std::str::from_utf8(bytes);
        text.map(str::to_string)
            .map_err(|_| Fault::Refused(format!("byte {at}: a text is no UTF-8")))
    }

    /// A key and its value.
    pub(super) fn entry(&mut self) -> Result<(String, Value)> {
        let at = self.at;
        let key = self.text()?;
        if key.len() as u64 > MAX_NAME {
            return Err(Fault::Refused(format!(
                "byte {at}: a key is longer than {MAX_NAME} bytes"
            )));
        }
        let kind = self.u32()?;
        match self.value(kind, 0) {
            Err(Fault::Refused(reason)) => {
                Err(Fault::Refused(format!("key {}: {reason}", short(&key, 200))))
            }
            value => Ok((key, value?)),
        }
    }

    /// A value of a kind, in a list nested to this depth.
    fn value(&mut self, kind: u32, nesting: usize) -> Result<Value> {
        Ok(match kind {
            0 => self.number().map(u8::from_le_bytes)?.into(),
            1 => self.number().map(i8::from_le_bytes)?.into(),
            2 => self.number().map(u16::from_le_bytes)?.into(),
            3 => self.number().map(i16::from_le_bytes)?.into(),
            4 => self.u32()?.into(),
            5 => self.number().map(i32::from_le_bytes)?.into(),
            6 => float(self.number().map(f32::from_le_bytes)?.into()),
            7 => (self.number::<1>()? != [0]).into(),
            8 => self.text()?.into(),
            9 => self.list(nesting)?,
            10 => self.u64()?.into(),
            11 => self.number().map(i64::from_le_bytes)?.into(),
            12 => float(self.number().map(f64::from_le_bytes)?),
            _ => return Err(Fault::Refused(format!("a value of type {kind}: expected 0 to 12"))),
        })
    }

    fn list(&mut self, nesting: usize) -> Result<Value> {
        let (kind, count) = (self.u32()?, self.u64()?);
        self.follows(count, "a list")?;
        if nesting == MAX_NESTING {
            return Err(Fault::Refused(format!("lists more than {MAX_NESTING} deep")));
        }
        self.left = self.left.checked_sub(count).ok_or_else(|| {
            Fault::Refused(format!("expected lists of at most {MAX_VALUES} values in all"))
        })?;
        let mut values = Vec::new();
        for _ in 0..count {
            values.push(self.value(kind, nesting + 1)?);
        }
        Ok(Value::Array(values))
    }
}

/// A number; what is none by its name, which is refused where a number is wanted.
fn float(value: f64) -> Value {
    Number::from_f64(value).map_or_else(|| Value::String(value.to_string()), Value::Number)
}
