//! What a checkpoint holds, matched with what its spec wants.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{QuantFormat, Stored, StoredType};
use crate::error::{counted, list};
use crate::model::{Key, Naming, Spec};
use crate::order::sort_by_key;
use crate::plan::{self, TensorSpec};
use crate::{Error, Result};

/// Every tensor of an encoder, and where its bytes are.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// By canonical name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Tensors under the encoder's prefix that are a classifier's on top of it, and no part of it.
    pub left_out: Vec<String>,
}

/// One canonical tensor.
#[derive(Clone, Debug)]
pub struct Tensor {
    /// Shape, outermost dimension first.
    pub shape: Vec<usize>,
    /// Its pieces, to be concatenated along the first dimension: one, or q, k and v.
    pub parts: Vec<Part>,
    /// In place of parts, where it is stored in few bits.
    pub quantized: Option<QuantizedTensor>,
    /// Whether it may be stored in few bits: a matrix of a block.
    pub block_matrix: bool,
}

/// A matrix in few bits, as stored: a tensor of codes, `[outputs, k]` I8 or `[outputs, k / 2]` U8, and
/// one of scales, called as it with `.scales` behind, `[outputs]` F32 or `[outputs, k / 32]` F16.
#[derive(Clone, Debug)]
pub struct QuantizedTensor {
    /// How many bits.
    pub quant: QuantFormat,
    /// Index of the codes' file.
    pub file: usize,
    /// The file's own name for the codes.
    pub key: String,
    /// The codes' bytes from the start of their file.
    pub range: Range<u64>,
    /// The scales.
    pub scales: Part,
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
    /// Whether it can be stored as `quant`: a matrix of a block, whose rows are whole groups.
    pub fn takes(&self, quant: QuantFormat) -> bool {
        self.block_matrix && quant.fits(self.shape[1])
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Files and their own names for all of it.
    pub fn keys(&self) -> impl Iterator<Item = (usize, &str)> {
        let quantized = self.quantized.iter().flat_map(|quantized| {
            [
                (quantized.file, quantized.key.as_str()),
                (quantized.scales.file, quantized.scales.key.as_str()),
            ]
        });
        self.parts.iter().map(|part| (part.file, part.key.as_str())).chain(quantized)
    }

    /// Bytes as stored.
    pub fn bytes(&self) -> u64 {
        let length = |range: &Range<u64>| range.end - range.start;
        let quantized = self
            .quantized
            .iter()
            .map(|quantized| length(&quantized.range) + length(&quantized.scales.range));
        self.parts.iter().map(|part| length(&part.range)).chain(quantized).sum()
    }

    /// The type that holds every value: the parts' own, or f32 where they differ.
    pub fn stored_type(&self) -> StoredType {
        match self.parts.as_slice() {
            [first, rest @ ..] if rest.iter().all(|p| p.dtype == first.dtype) => first.dtype,
            _ => StoredType::F32,
        }
    }
}

/// How the encoder's tensors are named, of those in the files.
fn naming(folder: &str, files: &[(String, Vec<Stored>)], prefix: Option<&str>) -> Result<Naming> {
    let keys = || files.iter().flat_map(|(_, list)| list).map(|s| s.key.as_str());
    let mut all = Naming::all(keys());
    let names = |all: &[Naming]| {
        let name = |naming: &Naming| format!("\"{}\"", naming.prefix.trim_end_matches('.'));
        all.iter().take(SHOWN).map(name).collect::<Vec<_>>().join(", ")
    };
    if let Some(prefix) = prefix {
        let prefix = prefix.trim_end_matches('.');
        let same = |naming: &&Naming| naming.prefix.trim_end_matches('.') == prefix;
        let below = |naming: &&Naming| naming.prefix.starts_with(&format!("{prefix}."));
        let mut chosen: Vec<_> = all.iter().filter(same).collect();
        if chosen.is_empty() {
            chosen = all.iter().filter(below).collect();
        }
        return match chosen[..] {
            [one] => Ok(one.clone()),
            _ => Err(Error::checkpoint(
                folder,
                format!("prefix \"{prefix}\": expected that of one encoder: {}", names(&all)),
            )),
        };
    }
    if all.len() > 1 {
        let reason = format!(
            "{} encoders in this checkpoint: choose one by the prefix of its tensors: {}",
            all.len(),
            names(&all)
        );
        return Err(Error::checkpoint(folder, reason));
    }
    all.pop().or_else(|| Naming::detect(keys())).ok_or_else(|| {
        let some: Vec<_> = keys().take(3).collect();
        Error::checkpoint(
            folder,
            format!(
                "no encoder in this checkpoint: expected a tensor named …class_embedding or \
                 …cls_token, found {} tensors such as {}",
                keys().count(),
                list(some)
            ),
        )
    })
}

/// The prefix of a norm that belongs to a classifier on the encoder: a batch norm, or one of another
/// width. InternVL's linear probe has such a one beside its head.
fn probe(naming: &Naming, spec: &Spec, files: &[(String, Vec<Stored>)]) -> Option<String> {
    let prefix = format!("{}norm.", naming.prefix);
    let is_probe = |stored: &Stored| match stored.key.strip_prefix(&prefix) {
        Some("running_mean") => true,
        Some("weight") => stored.shape != [spec.sizes.hidden],
        _ => false,
    };
    let found = files.iter().flat_map(|(_, list)| list).any(is_probe);
    found.then_some(prefix)
}

/// The problems that are spelled out at most in one error.
const SHOWN: usize = 8;

impl Manifest {
    /// Matches the headers of `files` (name, tensors) with `spec`. One error lists all that is
    /// missing, misshapen, of a wrong type, or left over.
    pub fn new(spec: &Spec, folder: &str, files: &[(String, Vec<Stored>)]) -> Result<Self> {
        Self::with_prefix(spec, folder, files, None)
    }

    /// As [`Manifest::new`], of the encoder whose tensors' names begin with `prefix`: of a file that
    /// holds several.
    pub fn with_prefix(
        spec: &Spec,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        prefix: Option<&str>,
    ) -> Result<Self> {
        let naming = naming(folder, files, prefix)?;
        let probe = probe(&naming, spec, files);
        let mut left_out = Vec::new();
        let mut found: HashMap<String, BTreeMap<[usize; 2], (usize, &Stored)>> = HashMap::new();
        let mut scales: HashMap<String, (usize, &Stored)> = HashMap::new();
        let mut problems = Vec::new();
        for (file, (name, list)) in files.iter().enumerate() {
            for stored in list {
                if probe.as_ref().is_some_and(|prefix| stored.key.starts_with(prefix)) {
                    left_out.push(stored.key.clone());
                    continue;
                }
                if let Some(codes) = stored.key.strip_suffix(SCALES)
                    && let Key::Whole(canonical) = naming.read(codes)
                {
                    scales.insert(canonical, (file, stored));
                    continue;
                }
                let (canonical, place) = match naming.read(&stored.key) {
                    Key::Whole(canonical) => (canonical, [0, 1]),
                    Key::Part { name, index, of } => (name, [index, of]),
                    Key::Elsewhere => continue,
                    Key::Unknown => {
                        problems.push(format!("{name}: {}: unexpected tensor", stored.key));
                        continue;
                    }
                };
                if found.entry(canonical).or_default().insert(place, (file, stored)).is_some() {
                    problems.push(format!("{name}: {}: present twice", stored.key));
                }
            }
        }
        let mut tensors = BTreeMap::new();
        for want in plan::tensors(spec) {
            let Some(parts) = found.remove(&want.name) else {
                problems.push(format!("{}: missing, expected shape {:?}", want.name, want.shape));
                continue;
            };
            if let Some(of) = scales.remove(&want.name)
                && let Some((_, codes)) = parts.first_key_value()
            {
                let at = |stored: &Stored| format!("{}: {}", files[codes.0].0, stored.key);
                match quantized(&want, *codes, of) {
                    Some(quantized) => {
                        let (parts, quantized) = (Vec::new(), Some(quantized));
                        let tensor =
                            Tensor { shape: want.shape, parts, quantized, block_matrix: true };
                        tensors.insert(want.name, tensor);
                    }
                    None => problems.push(format!(
                        "{}: expected int8 or int4 of shape {:?} with its scales, found {} {:?} with \
                         scales {} {:?}",
                        at(codes.1),
                        want.shape,
                        codes.1.dtype_name,
                        codes.1.shape,
                        of.1.dtype_name,
                        of.1.shape
                    )),
                }
                continue;
            }
            let before = problems.len();
            let parts = check_parts(&want.name, &want.shape, files, parts, &mut problems);
            if problems.len() == before {
                let block_matrix = want.is_block_matrix();
                let tensor = Tensor { shape: want.shape, parts, quantized: None, block_matrix };
                tensors.insert(want.name, tensor);
            }
        }
        let extra = found.into_values().flat_map(BTreeMap::into_values);
        let mut extra: Vec<_> = extra.chain(scales.into_values()).collect();
        sort_by_key(&mut extra, |(file, stored)| (*file, stored.range.start));
        problems.extend(extra.into_iter().map(|(file, stored)| {
            format!("{}: {}: unexpected tensor for this configuration", files[file].0, stored.key)
        }));
        if problems.is_empty() {
            Ok(Self { tensors, left_out })
        } else {
            Err(refuse(folder, &problems))
        }
    }

    /// Bytes of all tensors as stored.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().map(Tensor::bytes).sum()
    }

    /// Number of values of all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.values().map(|t| t.len() as u64).sum()
    }
}

fn refuse(folder: &str, problems: &[String]) -> Error {
    let mut reason = problems[..problems.len().min(SHOWN)].join("; ");
    if problems.len() > SHOWN {
        let more = (problems.len() - SHOWN) as u64;
        reason += &format!("; and {}", counted(more, "more problem"));
    }
    Error::checkpoint(folder, reason)
}

/// What follows the name of a matrix in few bits in that of its scales.
pub(super) const SCALES: &str = ".scales";

/// A matrix in few bits, where types and shapes are those of one.
fn quantized(
    want: &TensorSpec,
    (file, codes): (usize, &Stored),
    (scales_file, scales): (usize, &Stored),
) -> Option<QuantizedTensor> {
    let quant = match codes.dtype_name.as_str() {
        "I8" => QuantFormat::Int8,
        "U8" => QuantFormat::Int4,
        _ => return None,
    };
    let dtype = scales.dtype?;
    let shape = &want.shape;
    let right = want.is_block_matrix()
        && quant.fits(shape[1])
        && codes.shape == quant.codes_shape(shape)
        && scales.shape == quant.scales_shape(shape)
        && dtype == quant.scales_type();
    right.then(|| QuantizedTensor {
        quant,
        file,
        key: codes.key.clone(),
        range: codes.range.clone(),
        scales: Part {
            file: scales_file,
            key: scales.key.clone(),
            dtype,
            range: scales.range.clone(),
        },
    })
}

/// Checks shapes and types; parts are numbered by their place and how many make a tensor.
fn check_parts(
    name: &str,
    shape: &[usize],
    files: &[(String, Vec<Stored>)],
    parts: BTreeMap<[usize; 2], (usize, &Stored)>,
    problems: &mut Vec<String>,
) -> Vec<Part> {
    let mut expected = shape.to_vec();
    let of = parts.first_key_value().map_or(1, |([_, of], _)| *of);
    if parts.keys().copied().eq((0..of).map(|index| [index, of])) {
        expected[0] /= of;
    } else {
        let keys: Vec<_> = parts.values().map(|(_, s)| s.key.as_str()).collect();
        problems.push(format!("{name}: expected {of} parts of it, found only {}", keys.join(", ")));
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
            None => problems.push(format!(
                "{at}: expected type F32, F16 or BF16, found {}{}",
                stored.dtype_name,
                if matches!(stored.dtype_name.as_str(), "I8" | "U8") {
                    " without scales"
                } else {
                    ""
                }
            )),
        }
    }
    list
}
