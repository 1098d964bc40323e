//! A TIFF's directory: what each tag says. EXIF is one, too.

/// The first directory of a TIFF or BigTIFF, of either order of bytes.
pub(in crate::image) struct Tags<'a> {
    bytes: &'a [u8],
    little: bool,
    entries: Vec<Entry>,
}

/// Where a tag's values lie.
struct Entry {
    tag: u16,
    kind: u16,
    count: usize,
    at: usize,
    /// Where they lie in the entry itself.
    inline: usize,
}

/// Entries at most, beyond which a directory is no directory.
const MAX_ENTRIES: usize = 10_000;

impl<'a> Tags<'a> {
    /// The first directory of `bytes`. Entries that lie outside are left out.
    pub(in crate::image) fn first(bytes: &'a [u8]) -> Option<Self> {
        let little = match bytes.get(..2)? {
            b"II" => true,
            b"MM" => false,
            _ => return None,
        };
        let mut this = Self { bytes, little, entries: Vec::new() };
        // Some writers have the version in the other order of bytes, which Pillow takes too.
        let big = match this.unsigned(2, 2)? {
            42 | 0x2a00 => false,
            43 => true,
            _ => return None,
        };
        let width = if big { 8 } else { 4 };
        let place = |this: &Self, at| usize::try_from(this.unsigned(at, width)?).ok();
        let first = place(&this, width)?;
        let head = if big { 8 } else { 2 };
        let count = usize::try_from(this.unsigned(first, head)?).ok()?.min(MAX_ENTRIES);
        for i in 0..count {
            let Some(at) = first.checked_add(head + (4 + 2 * width) * i) else { break };
            let Some(tag) = this.unsigned(at, 2) else { break };
            let Some(kind) = this.unsigned(at + 2, 2) else { break };
            let Some(count) = place(&this, at + 4) else { break };
            let (tag, kind, inline) = (tag as u16, kind as u16, at + 4 + width);
            let fits = count.checked_mul(size(kind)).is_some_and(|bytes| bytes <= width);
            let Some(place) = (if fits { Some(inline) } else { place(&this, inline) }) else {
                break;
            };
            this.entries.push(Entry { tag, kind, count, at: place, inline });
        }
        Some(this)
    }

    /// Whether numbers have their lowest byte first.
    pub(in crate::image) fn little(&self) -> bool {
        self.little
    }

    fn entry(&self, tag: u16) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tag == tag)
    }

    /// The bytes of a tag.
    pub(in crate::image) fn bytes(&self, tag: u16) -> Option<&'a [u8]> {
        let entry = self.entry(tag)?;
        let length = entry.count.checked_mul(size(entry.kind))?;
        self.bytes.get(entry.at..entry.at.checked_add(length)?)
    }

    /// The numbers of a tag, of whatever type.
    pub(in crate::image) fn numbers(&self, tag: u16) -> Option<Vec<f64>> {
        let entry = self.entry(tag)?;
        self.bytes(tag)?;
        let width = size(entry.kind);
        (0..entry.count).map(|i| self.number_at(entry.at + width * i, entry.kind)).collect()
    }

    /// The whole numbers of a tag, none below 0.
    pub(in crate::image) fn list(&self, tag: u16) -> Option<Vec<u64>> {
        let entry = self.entry(tag)?;
        self.bytes(tag)?;
        let width = size(entry.kind);
        match entry.kind {
            1..=4 | 7 | 13 | 16 | 18 => {
                (0..entry.count).map(|i| self.unsigned(entry.at + width * i, width)).collect()
            }
            _ => self
                .numbers(tag)?
                .into_iter()
                .map(|value| (value >= 0.0 && value.fract() == 0.0).then_some(value as u64))
                .collect(),
        }
    }

    /// The first whole number of a tag.
    pub(in crate::image) fn number(&self, tag: u16) -> Option<u64> {
        self.list(tag)?.first().copied()
    }

    /// A small number that lies in the entry itself, however many more its count claims.
    pub(in crate::image) fn inline(&self, tag: u16) -> Option<u64> {
        let entry = self.entry(tag).filter(|entry| entry.count > 0)?;
        match entry.kind {
            3 | 6 | 8 | 4 | 9 | 16 | 17 => self.unsigned(entry.inline, size(entry.kind)),
            _ => None,
        }
    }

    fn unsigned(&self, at: usize, width: usize) -> Option<u64> {
        let bytes = self.bytes.get(at..at.checked_add(width)?)?;
        let add = |value: u64, byte: &u8| value << 8 | u64::from(*byte);
        Some(match self.little {
            true => bytes.iter().rev().fold(0, add),
            false => bytes.iter().fold(0, add),
        })
    }

    fn number_at(&self, at: usize, kind: u16) -> Option<f64> {
        let value = self.unsigned(at, size(kind).min(8))?;
        Some(match kind {
            5 => {
                let (over, under) = (self.unsigned(at, 4)?, self.unsigned(at + 4, 4)?);
                over as f64 / under as f64
            }
            10 => {
                let (over, under) = (self.unsigned(at, 4)?, self.unsigned(at + 4, 4)?);
                f64::from(over as u32 as i32) / f64::from(under as u32 as i32)
            }
            6 => f64::from(value as u8 as i8),
            8 => f64::from(value as u16 as i16),
            9 => f64::from(value as u32 as i32),
            17 => value as i64 as f64,
            11 => f64::from(f32::from_bits(value as u32)),
            12 => f64::from_bits(value),
            _ => value as f64,
        })
    }
}

/// Bytes of a value of a type; those of unknown types are one.
fn size(kind: u16) -> usize {
    match kind {
        3 | 8 => 2,
        4 | 9 | 11 | 13 => 4,
        5 | 10 | 12 | 16..=18 => 8,
        _ => 1,
    }
}
