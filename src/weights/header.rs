//! What a file holds: the header of safetensors, or what torch wrote in its place.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;

use safetensors::tensor::Dtype;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

#[cfg(feature = "language")]
use super::gguf;
#[cfg(feature = "torch")]
use super::torch;
use super::{Source, foreign};
use crate::budget::MAX_LIST;
use crate::error::short;
use crate::json::{Texts, twice};
use crate::order::{sort_by, sort_by_key};
use crate::progress::LocalBoxFuture;
use crate::{Error, Result};

/// The number types in which weights may be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoredType {
    /// IEEE single.
    F32,
    /// IEEE half.
    F16,
    /// The upper half of a single.
    Bf16,
}

impl StoredType {
    /// As safetensors files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::Bf16 => "BF16",
        }
    }

    /// Bytes of one value.
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::Bf16 => 2,
        }
    }

    /// Little-endian bytes to f32, exactly.
    pub fn decode(self, bytes: &[u8]) -> Vec<f32> {
        fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
            bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
        }
        match self {
            Self::F32 => each(bytes, f32::from_le_bytes),
            Self::F16 => each(bytes, |b| half::f16::from_le_bytes(b).to_f32()),
            Self::Bf16 => each(bytes, |b| half::bf16::from_le_bytes(b).to_f32()),
        }
    }

    /// f32 to little-endian bytes, rounded to nearest even.
    pub fn encode(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            Self::F16 => {
                values.iter().flat_map(|v| half::f16::from_f32(*v).to_le_bytes()).collect()
            }
            Self::Bf16 => {
                values.iter().flat_map(|v| half::bf16::from_f32(*v).to_le_bytes()).collect()
            }
        }
    }
}

/// A tensor as a file holds it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The file's own name for it.
    pub key: String,
    /// `None` for a type that is no weight's (integers, 8-bit floats).
    pub dtype: Option<StoredType>,
    /// The type's name, for messages.
    pub dtype_name: String,
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Bytes from the start of the file.
    pub range: Range<u64>,
}

/// A header's text. The library's own type counts in `usize`: in a browser it refuses files
/// beyond 4 GB.
#[derive(Default)]
struct Header {
    metadata: Option<HashMap<String, String>>,
    tensors: HashMap<String, Info>,
}

#[derive(serde::Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Vec<usize>,
    data_offsets: (u64, u64),
}

/// JSON allows a key twice, and readers differ in which they take: such a header is refused.
impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Entries;

        impl<'de> Visitor<'de> for Entries {
            type Value = Header;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors by name")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Header, A::Error> {
                let mut header = Header::default();
                while let Some(key) = map.next_key::<String>()? {
                    let known = match key.as_str() {
                        "__metadata__" => {
                            let Texts(texts) = map.next_value()?;
                            header.metadata.replace(texts).is_some()
                        }
                        _ => header.tensors.insert(key.clone(), map.next_value()?).is_some(),
                    };
                    if known {
                        return Err(twice(&key));
                    }
                }
                Ok(header)
            }
        }

        deserializer.deserialize_map(Entries)
    }
}

/// Reads and checks the header: lengths, types, offsets without overlap or hole, nothing after the
/// last tensor. Tensors come in the order of their offsets. The name or the first bytes tell the format; of
/// a file of PyTorch's (with the feature `torch`) the state dict's tensors are given, and no pickled code is ever run.
///
/// # Errors
/// [`Error::Io`] where the file cannot be read, [`Error::Checkpoint`] where the header is damaged.
pub fn read_header(source: &Source) -> LocalBoxFuture<'_, Result<Vec<Stored>>> {
    Box::pin(async move {
        // A name spares a request where files are far away.
        #[cfg(feature = "torch")]
        if !source.name().ends_with(".safetensors")
            && let Some(list) = torch::read(source).await?
        {
            return Ok(list);
        }
        #[cfg(feature = "language")]
        if !source.name().ends_with(".safetensors")
            && let Some(found) = gguf::read(source).await?
        {
            return Ok(found.tensors);
        }
        let header = match read(source).await {
            Ok(header) => header,
            Err(error) => {
                // A file of torch's may have any name.
                #[cfg(feature = "torch")]
                if source.name().ends_with(".safetensors")
                    && let Some(list) = torch::read(source).await?
                {
                    return Ok(list);
                }
                #[cfg(feature = "language")]
                if let Some(found) = gguf::read(source).await? {
                    return Ok(found.tensors);
                }
                return Err(foreign::name(source, error).await?);
            }
        };
        stored_tensors(source.name(), source.size(), &header)
    })
}

/// The text that the header holds under `key` in its metadata.
///
/// # Errors
/// As [`read_header`].
pub async fn read_metadata(source: &Source, key: &str) -> Result<Option<String>> {
    let header = parse(source.name(), source.size(), &read(source).await?)?;
    Ok(header.metadata.and_then(|mut metadata| metadata.remove(key)))
}

/// Bytes of the header that follows the first eight of a file of `size` bytes.
pub(crate) fn header_length(file: &str, size: u64, first: [u8; 8]) -> Result<u64> {
    let length = u64::from_le_bytes(first);
    if length > MAX_LIST || length + 8 > size {
        return Err(Error::checkpoint(
            file,
            format!(
                "not a safetensors file, or cut short: the header claims {length} bytes in a \
                 file of {size}"
            ),
        ));
    }
    Ok(length)
}

/// The tensors that a header describes, without its first eight bytes.
///
/// # Errors
/// [`Error::Checkpoint`] where the header is damaged.
pub fn stored_tensors(file: &str, size: u64, header: &[u8]) -> Result<Vec<Stored>> {
    let start = 8 + header.len() as u64;
    let mut list: Vec<Stored> = parse(file, size, header)?
        .tensors
        .into_iter()
        .map(|(key, info)| Stored {
            key,
            dtype: match info.dtype {
                Dtype::F32 => Some(StoredType::F32),
                Dtype::F16 => Some(StoredType::F16),
                Dtype::BF16 => Some(StoredType::Bf16),
                _ => None,
            },
            dtype_name: info.dtype.to_string(),
            shape: info.shape,
            range: start + info.data_offsets.0..start + info.data_offsets.1,
        })
        .collect();
    sort_by(&mut list, |a, b| (a.range.start, &a.key).cmp(&(b.range.start, &b.key)));
    Ok(list)
}

async fn read(source: &Source) -> Result<Vec<u8>> {
    let (file, size) = (source.name(), source.size());
    if size < 8 {
        let reason = format!("not a safetensors file: {size} bytes, expected at least 8");
        return Err(Error::checkpoint(file, reason));
    }
    let mut first = [0; 8];
    first.copy_from_slice(&source.read(0..8).await?);
    let length = header_length(file, size, first)?;
    let header = source.read(8..8 + length).await?;
    // What is no object may be another format whose first bytes make a small number.
    if header.trim_ascii_start().first() != Some(&b'{') {
        parse(file, size, &header)?;
    }
    Ok(header)
}

fn parse(file: &str, size: u64, header: &[u8]) -> Result<Header> {
    let bad = |reason: String| Error::checkpoint(file, reason);
    let length = header.len() as u64;
    let unreadable = |e: String| bad(format!("the safetensors header cannot be read: {e}"));
    let header: Header = serde_json::from_slice(header).map_err(|e| unreadable(e.to_string()))?;
    let end = check(&header.tensors).map_err(unreadable)?;
    let expected = end.saturating_add(8 + length);
    if expected != size {
        return Err(bad(format!(
            "cut short or too long: the header describes {expected} bytes, the file has {size}"
        )));
    }
    Ok(header)
}

/// Where the last tensor ends, if each begins where the one before it ends and is as long as its
/// shape says.
fn check(tensors: &HashMap<String, Info>) -> std::result::Result<u64, String> {
    let mut list: Vec<_> = tensors.iter().collect();
    sort_by_key(&mut list, |(key, info)| (info.data_offsets, *key));
    let mut at = 0;
    for (key, Info { dtype, shape, data_offsets: (start, end) }) in list {
        if *start != at || end < start {
            let key = short(key, 200);
            return Err(format!("{key}: expected to begin at {at}, found {start} to {end}"));
        }
        let bits = shape.iter().try_fold(dtype.bitsize() as u64, |n, d| n.checked_mul(*d as u64));
        if bits != (end - start).checked_mul(8) {
            let key = short(key, 200);
            return Err(format!("{key}: {dtype} {shape:?} is not {} bytes long", end - start));
        }
        at = *end;
    }
    Ok(at)
}
