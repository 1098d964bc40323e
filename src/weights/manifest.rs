//! What a checkpoint holds, matched with what its spec wants.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use super::{QuantFormat, Stored, StoredType};
use crate::error::{counted, list};
use crate::model::{Classifier, Found, Key, Naming, Spec, TextSpec, settle};
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
    /// How the values of a part lie in it.
    pub layout: Layout,
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

/// How the values of a part lie in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row after row of the canonical tensor.
    Rows,
    /// A matrix, column after column.
    Columns,
    /// Patches pixel by pixel, each with its channels, where the canonical tensor has channel by channel.
    Pixels {
        /// How many channels there are.
        channels: usize,
    },
}

/// A stored tensor, or some rows of one.
#[derive(Clone, Debug)]
pub struct Part {
    /// Index of the checkpoint's file.
    pub file: usize,
    /// The file's own name for it.
    pub key: String,
    /// Number type.
    pub dtype: StoredType,
    /// The shape of the whole stored tensor.
    pub shape: Vec<usize>,
    /// The whole stored tensor's bytes from the start of the file.
    pub stored: Range<u64>,
    /// The part's own bytes from the start of the file; none where nothing is stored and its values are 0.
    pub range: Range<u64>,
    /// Rows of the canonical tensor.
    pub rows: usize,
}

impl Part {
    /// A whole stored tensor of a number type, for `rows` rows.
    pub(super) fn whole(file: usize, stored: &Stored, dtype: StoredType, rows: usize) -> Self {
        Self {
            file,
            key: stored.key.clone(),
            dtype,
            shape: stored.shape.clone(),
            stored: stored.range.clone(),
            range: stored.range.clone(),
            rows,
        }
    }

    /// Whether a file has it; else its values are 0.
    pub fn is_stored(&self) -> bool {
        !self.range.is_empty()
    }
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
        let stored = self.parts.iter().filter(|part| part.is_stored());
        stored.map(|part| (part.file, part.key.as_str())).chain(quantized)
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
        Self::named(spec, folder, files, &naming(folder, files, prefix)?)
    }

    /// As [`Manifest::with_prefix`], of a spec that is complete once the headers are known: `config` is the
    /// name and text of its configuration.
    ///
    /// # Errors
    /// As [`Manifest::new`], and [`Error::Config`] where the headers contradict the configuration.
    pub fn settled(
        config: (&str, &str),
        spec: &mut Spec,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        prefix: Option<&str>,
    ) -> Result<Self> {
        let naming = naming(folder, files, prefix)?;
        let stored = files.iter().flat_map(|(_, list)| list);
        let found = Found::new(&naming, stored.map(|s| (s.key.as_str(), s.shape.as_slice())));
        settle(config, spec, &found)?;
        Self::named(spec, folder, files, &naming)
    }

    fn named(
        spec: &Spec,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        naming: &Naming,
    ) -> Result<Self> {
        let wanted = Wanted {
            tensors: plan::tensors(spec),
            key_bias: spec.key_bias,
            classes: spec.classifier != Classifier::None,
            probe: probe(naming, spec, files),
        };
        Self::matched(wanted, folder, files, naming)
    }

    /// Adds the tensors of a tower for texts, of the files that the manifest is of; `naming` is its own.
    pub(super) fn add_text(
        &mut self,
        text: &TextSpec,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        naming: &Naming,
    ) -> Result<()> {
        let mut tensors = plan::text_tensors(text);
        let named = |name: &str| name.strip_prefix(plan::TEXT).map(str::to_string);
        let full: HashMap<String, String> =
            tensors.iter().filter_map(|want| Some((named(&want.name)?, want.name.clone()))).collect();
        for want in &mut tensors {
            want.name = named(&want.name).unwrap_or_else(|| want.name.clone());
        }
        let wanted = Wanted { tensors, key_bias: true, classes: true, probe: None };
        let found = Self::matched(wanted, folder, files, naming)?;
        let named = |name: String| full.get(&name).cloned().unwrap_or(name);
        self.tensors.extend(found.tensors.into_iter().map(|(name, tensor)| (named(name), tensor)));
        Ok(())
    }

    fn matched(
        wanted: Wanted,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        naming: &Naming,
    ) -> Result<Self> {
        let Wanted { tensors: wanted, key_bias, classes, probe } = wanted;
        let rows = |name: &String| wanted.iter().find(|want| want.name == *name).map(|w| w.shape[0]);
        let mut left_out = Vec::new();
        let mut found: HashMap<String, Pieces<'_>> = HashMap::new();
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
                let whole = Piece { file, stored, cut: None, turned: false };
                let mut list = Vec::new();
                match naming.read(&stored.key) {
                    Key::Whole(canonical) => list.push((canonical, [0, 1], whole)),
                    Key::Part { name, index, of } => list.push((name, [index, of], whole)),
                    Key::Turned(name) => list.push((name, [0, 1], Piece { turned: true, ..whole })),
                    Key::Cut(names) => {
                        let mut first = 0;
                        for name in names {
                            let cut = first..first + rows(&name).unwrap_or(0);
                            first = cut.end;
                            list.push((name, [0, 1], Piece { cut: Some(cut), ..whole }));
                        }
                    }
                    Key::Elsewhere => continue,
                    Key::Unknown => {
                        problems.push(format!("{name}: {}: unexpected tensor", stored.key));
                        continue;
                    }
                }
                for (canonical, place, piece) in list {
                    if !classes && is_classifier(&canonical) {
                        left_out.push(stored.key.clone());
                    } else if found.entry(canonical).or_default().insert(place, piece).is_some() {
                        problems.push(format!("{name}: {}: present twice", stored.key));
                    }
                }
            }
        }
        let mut tensors = BTreeMap::new();
        for want in wanted {
            let Some(parts) = found.remove(&want.name) else {
                problems.push(format!("{}: missing, expected shape {:?}", want.name, want.shape));
                continue;
            };
            if let Some(of) = scales.remove(&want.name)
                && let Some((_, codes)) = parts.first_key_value()
            {
                let codes = (codes.file, codes.stored);
                let at = |stored: &Stored| format!("{}: {}", files[codes.0].0, stored.key);
                match quantized(&want, codes, of) {
                    Some(quantized) => {
                        let tensor = Tensor {
                            shape: want.shape,
                            parts: Vec::new(),
                            layout: Layout::Rows,
                            quantized: Some(quantized),
                            block_matrix: true,
                        };
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
            let zero = (!key_bias && want.name.ends_with(QKV_BIAS)).then_some(KEY);
            let (parts, layout) = check_parts(&want, zero, files, parts, &mut problems);
            if problems.len() == before {
                let block_matrix = want.is_block_matrix();
                let tensor =
                    Tensor { shape: want.shape, parts, layout, quantized: None, block_matrix };
                tensors.insert(want.name, tensor);
            }
        }
        let extra = found.into_values().flat_map(BTreeMap::into_values);
        let extra = extra.map(|piece| (piece.file, piece.stored));
        let mut extra: Vec<_> = extra.chain(scales.into_values()).collect();
        sort_by_key(&mut extra, |(file, stored)| (*file, stored.range.start));
        // Of a tensor that is cut every piece is there.
        extra.dedup_by_key(|(file, stored)| (*file, stored.range.start));
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
        scales: Part::whole(scales_file, scales, dtype, shape[0]),
    })
}

/// What is matched with what is stored.
struct Wanted {
    tensors: Vec<TensorSpec>,
    /// Whether the keys' bias is stored.
    key_bias: bool,
    /// Whether a classifier is wanted.
    classes: bool,
    /// What the names of a classifier's norm begin with.
    probe: Option<String>,
}

/// How the name of the biases of queries, keys and values ends.
const QKV_BIAS: &str = "attn.qkv.bias";

/// Which of them is the keys'.
const KEY: [usize; 2] = [1, 3];

/// Whether a canonical tensor is a classifier's on top of an encoder.
fn is_classifier(name: &str) -> bool {
    name.starts_with("classifier.") || name.starts_with("distillation_classifier.")
}

/// What is stored of a canonical tensor, by place and how many make it.
type Pieces<'a> = BTreeMap<[usize; 2], Piece<'a>>;

/// A stored tensor as a piece of a canonical one.
#[derive(Clone)]
struct Piece<'a> {
    file: usize,
    stored: &'a Stored,
    /// The rows of it that are meant, where that is not all.
    cut: Option<Range<usize>>,
    /// Whether it is transposed.
    turned: bool,
}

/// Checks shapes and types of the pieces of a tensor. `zero` is the place of one that may not be stored.
fn check_parts(
    want: &TensorSpec,
    zero: Option<[usize; 2]>,
    files: &[(String, Vec<Stored>)],
    pieces: Pieces<'_>,
    problems: &mut Vec<String>,
) -> (Vec<Part>, Layout) {
    let (name, shape) = (&want.name, &want.shape);
    let of = pieces.first_key_value().map_or(1, |([_, of], _)| *of);
    let zero = zero.filter(|[_, parts]| *parts == of);
    let (mut list, mut layout) = (Vec::new(), Layout::Rows);
    let places = (0..of).map(|index| [index, of]).filter(|place| Some(*place) != zero);
    let rows = shape[0] / of;
    if pieces.keys().copied().eq(places) {
        for piece in pieces.into_values() {
            let expected = [&[rows], &shape[1..]].concat();
            let (part, lies) = piece.checked(&expected, files, problems);
            list.extend(part);
            layout = lies;
        }
    } else {
        let keys: Vec<_> = pieces.values().map(|piece| piece.stored.key.as_str()).collect();
        let stored = of - usize::from(zero.is_some());
        let only = if keys.len() < stored { "only " } else { "" };
        problems.push(format!(
            "{name}: expected {stored} parts of it, found {only}{}",
            keys.join(", ")
        ));
        return (list, layout);
    }
    if let Some([index, _]) = zero
        && let Some(beside) = list.first()
    {
        let zero = Part { stored: 0..0, range: 0..0, rows, ..beside.clone() };
        list.insert(index.min(list.len()), zero);
    }
    (list, layout)
}

impl Piece<'_> {
    /// The part that it is, where its shape is the expected one, and how its values lie.
    fn checked(
        &self,
        expected: &[usize],
        files: &[(String, Vec<Stored>)],
        problems: &mut Vec<String>,
    ) -> (Option<Part>, Layout) {
        let stored = self.stored;
        let at = || format!("{}: {}", files[self.file].0, stored.key);
        let found = stored.shape.as_slice();
        let (mut stored_as, mut layout) = (expected.to_vec(), Layout::Rows);
        if self.turned {
            stored_as.reverse();
            layout = Layout::Columns;
        }
        if let [_, values] = found
            && let [outputs, channels, ..] = *expected
            && expected.len() == 4
            && outputs * values == expected.iter().product::<usize>()
        {
            (stored_as, layout) = (vec![outputs, *values], Layout::Pixels { channels });
        }
        let right = match &self.cut {
            None => without_ones(found) == without_ones(&stored_as),
            Some(rows) => {
                found.first().is_some_and(|all| rows.end <= *all) && found[1..] == stored_as[1..]
            }
        };
        if !right {
            problems.push(format!("{}: expected shape {stored_as:?}, found {found:?}", at()));
        }
        let Some(dtype) = stored.dtype else {
            let few_bits = matches!(stored.dtype_name.as_str(), "I8" | "U8");
            problems.push(format!(
                "{}: expected type F32, F16 or BF16, found {}{}",
                at(),
                stored.dtype_name,
                if few_bits { " without scales" } else { "" }
            ));
            return (None, layout);
        };
        let mut part = Part::whole(self.file, stored, dtype, expected[0]);
        if let Some(rows) = self.cut.as_ref().filter(|_| right) {
            let row = (stored.range.end - stored.range.start) / found[0].max(1) as u64;
            let byte = |row_number: usize| stored.range.start + row_number as u64 * row;
            part.range = byte(rows.start)..byte(rows.end);
        }
        (Some(part), layout)
    }
}

/// A shape without the ones that it begins with.
fn without_ones(shape: &[usize]) -> &[usize] {
    &shape[shape.iter().take_while(|side| **side == 1).count()..]
}
