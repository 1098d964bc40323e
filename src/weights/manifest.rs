//! What a checkpoint holds, matched with what its spec wants.

use std::collections::{BTreeMap, HashMap};

use super::pieces::{Piece, Pieces, SCALES, check_parts, quantized};
use super::{Layout, Stored, Tensor};
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
    ///
    /// # Errors
    /// [`Error::Checkpoint`] with all that does not match.
    pub fn new(spec: &Spec, folder: &str, files: &[(String, Vec<Stored>)]) -> Result<Self> {
        Self::with_prefix(spec, folder, files, None)
    }

    /// As [`Manifest::new`], of the encoder whose tensors' names begin with `prefix`: of a file that
    /// holds several.
    ///
    /// # Errors
    /// As [`Manifest::new`].
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
        Self::matched(wanted, folder, files, &|key| naming.read(key))
    }

    /// Adds `tensors` of the files that the manifest is of, whose names `read` reads.
    #[cfg(feature = "language")]
    pub(super) fn add(
        &mut self,
        tensors: Vec<TensorSpec>,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        read: &dyn Fn(&str) -> Key,
    ) -> Result<()> {
        let wanted = Wanted { tensors, key_bias: true, classes: true, probe: None };
        self.tensors.extend(Self::matched(wanted, folder, files, read)?.tensors);
        Ok(())
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
        let full: HashMap<String, String> = tensors
            .iter()
            .filter_map(|want| Some((named(&want.name)?, want.name.clone())))
            .collect();
        for want in &mut tensors {
            want.name = named(&want.name).unwrap_or_else(|| want.name.clone());
        }
        let wanted = Wanted { tensors, key_bias: true, classes: true, probe: None };
        let found = Self::matched(wanted, folder, files, &|key| naming.read(key))?;
        let named = |name: String| full.get(&name).cloned().unwrap_or(name);
        self.tensors.extend(found.tensors.into_iter().map(|(name, tensor)| (named(name), tensor)));
        Ok(())
    }

    fn matched(
        wanted: Wanted,
        folder: &str,
        files: &[(String, Vec<Stored>)],
        read: &dyn Fn(&str) -> Key,
    ) -> Result<Self> {
        let Wanted { tensors: wanted, key_bias, classes, probe } = wanted;
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
                    && let Key::Whole(canonical) = read(codes)
                {
                    scales.insert(canonical, (file, stored));
                    continue;
                }
                let whole = Piece::whole(file, stored);
                let Some(list) = pieces(read(&stored.key), &whole, &wanted) else {
                    problems.push(format!("{name}: {}: unexpected tensor", stored.key));
                    continue;
                };
                for (canonical, place, piece) in list {
                    let apart = canonical == LOGIT_SCALE
                        && wanted.iter().all(|want| want.name != LOGIT_SCALE);
                    if apart || !classes && is_classifier(&canonical) {
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

/// What a stored tensor is of canonical ones, each with its place among the pieces; `None` where it is
/// unknown. One that is several is cut into as many rows as each of them wants.
fn pieces<'a>(
    key: Key,
    whole: &Piece<'a>,
    wanted: &[TensorSpec],
) -> Option<Vec<(String, [usize; 2], Piece<'a>)>> {
    Some(match key {
        Key::Unknown => return None,
        Key::Elsewhere => Vec::new(),
        Key::Whole(name) => vec![(name, [0, 1], whole.clone())],
        Key::Part { name, index, of } => vec![(name, [index, of], whole.clone())],
        #[cfg(feature = "language")]
        Key::Grouped { names, groups } => {
            let mut first = 0;
            let mut list = Vec::new();
            for group in 0..groups {
                for name in &names {
                    let want = wanted.iter().find(|want| want.name == *name);
                    let rows = first..first + want.map_or(0, |want| want.shape[0] / groups);
                    first = rows.end;
                    let piece = Piece { cut: Some(rows), ..whole.clone() };
                    list.push((name.clone(), [group, groups], piece));
                }
            }
            list
        }
        #[cfg(feature = "language")]
        Key::Neighbours { name, head } => {
            vec![(name, [0, 1], Piece { neighbours: Some(head), ..whole.clone() })]
        }
        Key::Turned(name) => vec![(name, [0, 1], Piece { turned: true, ..whole.clone() })],
        Key::Cut(names) => {
            let mut first = 0;
            let mut cut = |name: String| {
                let want = wanted.iter().find(|want| want.name == name);
                let rows = first..first + want.map_or(0, |want| want.shape[0]);
                first = rows.end;
                (name, [0, 1], Piece { cut: Some(rows), ..whole.clone() })
            };
            names.into_iter().map(&mut cut).collect()
        }
    })
}

fn refuse(folder: &str, problems: &[String]) -> Error {
    let mut reason = problems[..problems.len().min(SHOWN)].join("; ");
    if problems.len() > SHOWN {
        let more = (problems.len() - SHOWN) as u64;
        reason += &format!("; and {}", counted(more, "more problem"));
    }
    Error::checkpoint(folder, reason)
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

/// What joins pictures with texts, which not every model's pictures are compared with.
const LOGIT_SCALE: &str = "logit_scale";

/// Whether a canonical tensor is a classifier's on top of an encoder.
fn is_classifier(name: &str) -> bool {
    name.starts_with("classifier.") || name.starts_with("distillation_classifier.")
}
