//! What a checkpoint holds, matched with what its spec wants.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{Stored, StoredType};
use crate::model::{Key, Naming, Spec, wanted};
use crate::{Error, Result};

/// Every tensor of an encoder, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// By canonical name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// One canonical tensor.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its pieces, to be concatenated along the first dimension: one, or q, k and v.
    pub parts: Vec<Part>,
}

/// A stored tensor.
#[derive(Clone, Debug)]
pub struct Part {
    /// Index of the checkpoint's file.
    pub file: usize,
    /// The file's own name for it.
    pub key: String,
    /// Number type.
    pub dtype: StoredType,
    /// Bytes from the start of the file.
    pub range: Range<u64>,
}

impl Tensor {
    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The type that holds every value: the parts' own, or f32 where they differ.
    pub fn stored_type(&self) -> StoredType {
        match self.parts.as_slice() {
            [first, rest @ ..] if rest.iter().all(|p| p.dtype == first.dtype) => first.dtype,
            _ => StoredType::F32,
        }
    }
}

/// At most so many problems are spelled out in one error.
const SHOWN: usize = 8;

impl Manifest {
    /// Matches the headers of `files` (name, tensors) with `spec`. One error lists all that is
    /// missing, misshapen, of a wrong type, or left over.
    pub fn new(spec: &Spec, folder: &str, files: &[(String, Vec<Stored>)]) -> Result<Self> {
        let keys = || files.iter().flat_map(|(_, list)| list).map(|s| s.key.as_str());
        let naming = Naming::detect(keys()).ok_or_else(|| {
            let some: Vec<_> = keys().take(3).collect();
            Error::checkpoint(
                folder,
                format!(
                    "no InternViT in this checkpoint: expected a tensor named …class_embedding or \
                     …cls_token, found {} tensors such as {}",
                    keys().count(),
                    some.join(", ")
                ),
            )
        })?;
        let mut found: HashMap<String, BTreeMap<usize, (usize, &Stored)>> = HashMap::new();
        let mut problems = Vec::new();
        for (file, (name, list)) in files.iter().enumerate() {
            for stored in list {
                let (canonical, third) = match naming.read(&stored.key) {
                    Key::Whole(canonical) => (canonical, 0),
                    Key::Third(canonical, third) => (canonical, third + 1),
                    Key::Elsewhere => continue,
                    Key::Unknown => {
                        problems.push(format!("{name}: {}: unexpected tensor", stored.key));
                        continue;
                    }
                };
                if found.entry(canonical).or_default().insert(third, (file, stored)).is_some() {
                    problems.push(format!("{name}: {}: present twice", stored.key));
                }
            }
        }
        let mut tensors = BTreeMap::new();
        for want in wanted(spec) {
            let Some(parts) = found.remove(&want.name) else {
                problems.push(format!("{}: missing, expected shape {:?}", want.name, want.shape));
                continue;
            };
            let before = problems.len();
            let parts = check_parts(&want.name, &want.shape, files, parts, &mut problems);
            if problems.len() == before {
                tensors.insert(want.name, Tensor { shape: want.shape, parts });
            }
        }
        let mut extra: Vec<_> = found.into_values().flat_map(BTreeMap::into_values).collect();
        extra.sort_by_key(|(file, stored)| (*file, stored.range.start));
        problems.extend(extra.into_iter().map(|(file, stored)| {
            format!("{}: {}: unexpected tensor for this configuration", files[file].0, stored.key)
        }));
        if problems.is_empty() { Ok(Self { tensors }) } else { Err(refuse(folder, &problems)) }
    }

    /// Bytes of all tensors as stored.
    pub fn bytes(&self) -> u64 {
        let parts = self.tensors.values().flat_map(|t| &t.parts);
        parts.map(|p| p.range.end - p.range.start).sum()
    }

    /// Number of values of all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(|t| t.len() as u64).sum()
    }
}

fn refuse(folder: &str, problems: &[String]) -> Error {
    let mut reason = problems[..problems.len().min(SHOWN)].join("; ");
    if problems.len() > SHOWN {
        reason += &format!("; and {} more problems", problems.len() - SHOWN);
    }
    Error::checkpoint(folder, reason)
}

/// Checks shapes and types; parts are numbered 0 for a whole tensor, 1 to 3 for q, k, v.
fn check_parts(
    name: &str,
    shape: &[usize],
    files: &[(String, Vec<Stored>)],
    parts: BTreeMap<usize, (usize, &Stored)>,
    problems: &mut Vec<String>,
) -> Vec<Part> {
    let numbers: Vec<_> = parts.keys().copied().collect();
    let mut expected = shape.to_vec();
    match numbers.as_slice() {
        [0] => {}
        [1, 2, 3] => expected[0] /= 3,
        _ => {
            let keys: Vec<_> = parts.values().map(|(_, s)| s.key.as_str()).collect();
            problems.push(format!("{name}: expected q, k and v, found only {}", keys.join(", ")));
        }
    }
    let mut list = Vec::new();
    for (file, stored) in parts.into_values() {
        let at = format!("{}: {}", files[file].0, stored.key);
        if stored.shape != expected {
            problems.push(format!("{at}: expected shape {expected:?}, found {:?}", stored.shape));
        }
        match stored.dtype {
            Some(dtype) => list.push(Part {
                file,
                key: stored.key.clone(),
                dtype,
                range: stored.range.clone(),
            }),
            None => problems
                .push(format!("{at}: expected type F32, F16 or BF16, found {}", stored.dtype_name)),
        }
    }
    list
}
