//! Tensor names. The canonical ones are those of OpenGVLab's `InternVisionModel`; a dialect's
//! schemes say how others are renamed to them.

use std::collections::{BTreeMap, BTreeSet};

use super::dialects::schemes;

/// One way to name an encoder's tensors.
#[derive(Debug)]
pub(super) struct Scheme {
    /// The class token, which tells where an encoder's names begin.
    pub(super) token: &'static str,
    /// The patch embedding's weights, by which an encoder is told from a lone class token.
    pub(super) patches: &'static str,
    /// The first rule that matches a name counts.
    pub(super) rules: &'static [Rule],
    /// Beginnings of names that are no part of the encoder: heads, larger models, training.
    pub(super) elsewhere: &'static [&'static str],
}

/// How names that begin with `from` are renamed: they begin with `to` then. A `*` is a block's number.
#[derive(Debug)]
pub(super) struct Rule {
    from: &'static str,
    to: &'static str,
    /// Which of how many pieces of the canonical tensor it is.
    part: Option<[usize; 2]>,
}

/// A tensor that is a canonical one.
pub(super) const fn whole(from: &'static str, to: &'static str) -> Rule {
    Rule { from, to, part: None }
}

/// A tensor that is a piece, along the first dimension, of a canonical one: which, and of how many.
pub(super) const fn part(from: &'static str, to: &'static str, part: [usize; 2]) -> Rule {
    Rule { from, to, part: Some(part) }
}

impl Rule {
    fn read(&self, name: &str) -> Option<Key> {
        let (block, tail) = match self.from.split_once('*') {
            None => ("", name.strip_prefix(self.from)?),
            Some((before, after)) => {
                let rest = name.strip_prefix(before)?;
                let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
                let (block, rest) = rest.split_at(digits);
                (Some(block).filter(|block| !block.is_empty())?, rest.strip_prefix(after)?)
            }
        };
        let name = format!("{}{tail}", self.to.replacen('*', block, 1));
        Some(match self.part {
            None => Key::Whole(name),
            Some([index, of]) => Key::Part { name, index, of },
        })
    }
}

/// How a checkpoint names its vision tensors: a scheme behind a prefix.
#[derive(Clone, Debug)]
pub struct Naming {
    /// What stands before every vision tensor, for example `vision_model.`.
    pub prefix: String,
    scheme: &'static Scheme,
    /// Prefixes of other encoders that begin as this one's does.
    others: Vec<String>,
}

/// What a checkpoint's key means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// A whole canonical tensor.
    Whole(String),
    /// A piece of a canonical tensor along its first dimension.
    Part {
        /// The canonical tensor.
        name: String,
        /// Which piece, from 0: of q, k and v, 0 is q.
        index: usize,
        /// How many pieces there are.
        of: usize,
    },
    /// Not the encoder's: a language model, a head, a mask token.
    Elsewhere,
    /// Under the encoder's prefix, but nothing the encoder knows.
    Unknown,
}

impl Naming {
    /// Finds scheme and prefix among a checkpoint's keys; `None` where no key is a class token.
    pub fn detect<'a>(keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        let keys = set(keys);
        let found = candidates(&keys);
        // One class token's name ends in another: the longer is the right one.
        let first = found
            .iter()
            .min_by_key(|naming| (usize::MAX - naming.scheme.token.len(), naming.prefix.len()))?;
        let (token, prefix) = (first.scheme.token, first.prefix.clone());
        let same = |naming: &Self| naming.scheme.token == token && naming.prefix == prefix;
        best(&keys, found.into_iter().filter(same))
    }

    /// Every encoder among a checkpoint's keys: a class token and a patch embedding behind one prefix.
    pub fn all<'a>(keys: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let keys = set(keys);
        let mut by_prefix: BTreeMap<String, Vec<Self>> = BTreeMap::new();
        for naming in candidates(&keys) {
            if keys.contains(format!("{}{}", naming.prefix, naming.scheme.patches).as_str()) {
                by_prefix.entry(naming.prefix.clone()).or_default().push(naming);
            }
        }
        let prefixes: Vec<String> = by_prefix.keys().cloned().collect();
        let found = by_prefix.into_values().filter_map(|list| best(&keys, list.into_iter()));
        let mut all: Vec<Self> = found.collect();
        for naming in &mut all {
            let inside =
                |other: &&String| **other != naming.prefix && other.starts_with(&naming.prefix);
            naming.others = prefixes.iter().filter(inside).cloned().collect();
        }
        all
    }

    /// The canonical meaning of a checkpoint's key.
    pub fn read(&self, key: &str) -> Key {
        let Some(rest) = key.strip_prefix(&self.prefix) else { return Key::Elsewhere };
        if self.others.iter().any(|other| key.starts_with(other)) {
            return Key::Elsewhere;
        }
        if self.scheme.elsewhere.iter().any(|start| rest.starts_with(start)) {
            return Key::Elsewhere;
        }
        self.scheme.rules.iter().find_map(|rule| rule.read(rest)).unwrap_or(Key::Unknown)
    }
}

/// The keys in order. One by one: `collect` sorts by a sort of its own, 5 kB of the page's module.
fn set<'a>(keys: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut set = BTreeSet::new();
    set.extend(keys);
    set
}

/// For each class token every scheme that it may be of, in the order of the schemes.
fn candidates(keys: &BTreeSet<&str>) -> Vec<Naming> {
    let namings = |scheme: &'static Scheme| {
        let prefix = |key: &&str| {
            let prefix = key.strip_suffix(scheme.token)?;
            (prefix.is_empty() || prefix.ends_with('.')).then(|| prefix.to_string())
        };
        let naming = move |prefix| Naming { prefix, scheme, others: Vec::new() };
        keys.iter().filter_map(prefix).map(naming).collect::<Vec<_>>()
    };
    schemes().flat_map(namings).collect()
}

/// Of namings behind one prefix the one under which the fewest keys are unknown, the first of several.
fn best(keys: &BTreeSet<&str>, list: impl Iterator<Item = Naming>) -> Option<Naming> {
    let unknown = |naming: &Naming| {
        let own = keys.range(naming.prefix.as_str()..);
        let own = own.take_while(|key| key.starts_with(&naming.prefix));
        own.filter(|key| naming.read(key) == Key::Unknown).count()
    };
    list.min_by_key(unknown)
}
