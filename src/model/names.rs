//! Tensor names. The canonical ones are those of OpenGVLab's `InternVisionModel`, with more for what
//! other encoders have; a dialect's schemes say how others are renamed to them.

use std::collections::{BTreeMap, BTreeSet};

use super::dialects::{TEXT_SCHEMES, schemes};

/// One way to name an encoder's tensors.
#[derive(Debug)]
pub(super) struct Scheme {
    /// Names that tell where an encoder's begin: its class token, or what stands for one.
    pub(super) tokens: &'static [&'static str],
    /// The patch embedding's weights, by which an encoder is told from a lone class token.
    pub(super) patches: &'static str,
    /// How the encoder's prefix ends, where that matters.
    pub(super) behind: &'static str,
    /// The first rule that matches a name counts.
    pub(super) rules: &'static [&'static [Rule]],
    /// Rules for names behind a part of the prefix, or none: heads that stand beside the encoder.
    pub(super) beside: &'static [Rule],
    /// Beginnings of names that are no part of the encoder: heads, larger models, training.
    pub(super) elsewhere: &'static [&'static str],
}

/// How a name is read. One that ends with a dot is the beginning of longer ones; a `*` is a number.
#[derive(Debug)]
pub(super) struct Rule {
    from: &'static str,
    to: To,
}

/// What a tensor is, by the canonical names, whose `*` are the numbers in order.
#[derive(Debug)]
enum To {
    Whole(&'static str),
    /// Which of how many pieces of the canonical tensor it is.
    Part(&'static str, [usize; 2]),
    Cut(&'static [&'static str]),
    Turned(&'static str),
    /// The first number is counted from 1.
    After(&'static str),
    Elsewhere,
}

/// A tensor that is a canonical one.
pub(super) const fn whole(from: &'static str, to: &'static str) -> Rule {
    Rule { from, to: To::Whole(to) }
}

/// A tensor with the canonical name.
pub(super) const fn same(name: &'static str) -> Rule {
    whole(name, name)
}

/// A tensor that is a piece, along the first dimension, of a canonical one: which, and of how many.
pub(super) const fn part(from: &'static str, to: &'static str, part: [usize; 2]) -> Rule {
    Rule { from, to: To::Part(to, part) }
}

/// A tensor that is several canonical ones, one behind the other along the first dimension.
pub(super) const fn cut(from: &'static str, to: &'static [&'static str]) -> Rule {
    Rule { from, to: To::Cut(to) }
}

/// A matrix that is stored transposed.
pub(super) const fn turned(from: &'static str, to: &'static str) -> Rule {
    Rule { from, to: To::Turned(to) }
}

/// A tensor that belongs to the block, or stage, before the one of its number.
pub(super) const fn after(from: &'static str, to: &'static str) -> Rule {
    Rule { from, to: To::After(to) }
}

/// A tensor of the encoder's that is not needed.
pub(super) const fn elsewhere(from: &'static str) -> Rule {
    Rule { from, to: To::Elsewhere }
}

impl Rule {
    fn read(&self, name: &str) -> Option<Key> {
        let (numbers, tail) = matched(self.from, name)?;
        let named = |to: &str| {
            let mut name = to.to_string();
            for number in &numbers {
                name = name.replacen('*', number, 1);
            }
            name + tail
        };
        Some(match self.to {
            To::Whole(to) => Key::Whole(named(to)),
            To::Part(to, [index, of]) => Key::Part { name: named(to), index, of },
            To::Cut(list) => Key::Cut(list.iter().map(|to| named(to)).collect()),
            To::Turned(to) => Key::Turned(named(to)),
            To::After(to) => {
                let before = numbers.first()?.parse::<usize>().ok()?.checked_sub(1)?;
                Key::Whole(to.replacen('*', &before.to_string(), 1) + tail)
            }
            To::Elsewhere => Key::Elsewhere,
        })
    }
}

/// The numbers that stand for the `*` of a pattern, and what follows it; nothing may follow a pattern
/// that does not end with a dot.
fn matched<'a>(pattern: &str, name: &'a str) -> Option<(Vec<&'a str>, &'a str)> {
    let (mut numbers, mut rest) = (Vec::new(), name);
    for (place, piece) in pattern.split('*').enumerate() {
        if place > 0 {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, after) = rest.split_at(digits);
            numbers.push(Some(number).filter(|number| !number.is_empty())?);
            rest = after;
        }
        rest = rest.strip_prefix(piece)?;
    }
    (rest.is_empty() || pattern.ends_with('.')).then_some((numbers, rest))
}

/// How a checkpoint names its vision tensors: a scheme behind a prefix.
#[derive(Clone, Debug)]
pub struct Naming {
    /// What stands before every vision tensor, for example `vision_model.`.
    pub prefix: String,
    scheme: &'static Scheme,
    /// Which of the scheme's tokens was found.
    token: &'static str,
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
    /// Several canonical tensors, one behind the other along the first dimension.
    Cut(Vec<String>),
    /// Rows of three canonical matrices by turns, as many of each in every group.
    #[cfg(feature = "language")]
    Grouped {
        /// Queries, keys and values.
        names: [String; 3],
        /// How many groups there are.
        groups: usize,
    },
    /// A whole canonical tensor, in which those rows of a head are neighbours that rotate together.
    #[cfg(feature = "language")]
    Neighbours {
        /// The canonical tensor.
        name: String,
        /// Rows of a head.
        head: usize,
    },
    /// A whole canonical matrix, transposed.
    Turned(String),
    /// Not the encoder's: a language model, a head, a mask token.
    Elsewhere,
    /// Under the encoder's prefix, but nothing the encoder knows.
    Unknown,
}

impl Naming {
    /// Finds scheme and prefix among a checkpoint's keys; `None` where no key is a class token.
    pub fn detect<'a>(mut keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        Self::detect_among(&set(&mut keys), &mut schemes())
    }

    /// The same of the tower that reads texts.
    pub fn text<'a>(mut keys: impl Iterator<Item = &'a str>) -> Option<Self> {
        Self::detect_among(&set(&mut keys), &mut TEXT_SCHEMES.into_iter())
    }

    fn detect_among(
        keys: &BTreeSet<&str>,
        schemes: &mut dyn Iterator<Item = &'static Scheme>,
    ) -> Option<Self> {
        let found = candidates(keys, schemes);
        // One class token's name ends in another: the longer is the right one.
        let first = found
            .iter()
            .min_by_key(|naming| (usize::MAX - naming.token.len(), naming.prefix.len()))?;
        let prefix = first.prefix.clone();
        let same = |naming: &Self| naming.prefix == prefix;
        best(keys, &mut found.into_iter().filter(same))
    }

    /// Every encoder among a checkpoint's keys: a class token and a patch embedding behind one prefix.
    pub fn all<'a>(mut keys: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let keys = set(&mut keys);
        let mut by_prefix: BTreeMap<String, Vec<Self>> = BTreeMap::new();
        for naming in candidates(&keys, &mut schemes()) {
            if keys.contains(format!("{}{}", naming.prefix, naming.scheme.patches).as_str()) {
                by_prefix.entry(naming.prefix.clone()).or_default().push(naming);
            }
        }
        let prefixes: Vec<String> = by_prefix.keys().cloned().collect();
        let found = by_prefix.into_values().filter_map(|list| best(&keys, &mut list.into_iter()));
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
        let beside = || {
            // Each part of the prefix that ends with a dot, the longest first, and nothing.
            let ends = self.prefix.match_indices('.').map(|(at, _)| at + 1).rev().chain([0]);
            let rests = ends.filter_map(|end| key.strip_prefix(&self.prefix[..end]));
            rests.into_iter().find_map(|rest| read(self.scheme.beside, rest))
        };
        let Some(rest) = key.strip_prefix(&self.prefix) else {
            return beside().unwrap_or(Key::Elsewhere);
        };
        if self.others.iter().any(|other| key.starts_with(other)) {
            return Key::Elsewhere;
        }
        if self.scheme.elsewhere.iter().any(|start| rest.starts_with(start)) {
            return Key::Elsewhere;
        }
        let own = self.scheme.rules.iter().find_map(|rules| read(rules, rest));
        own.or_else(beside).unwrap_or(Key::Unknown)
    }
}

pub(super) fn read(rules: &[Rule], name: &str) -> Option<Key> {
    rules.iter().find_map(|rule| rule.read(name))
}

/// The keys in order. One by one: `collect` sorts by a sort of its own, 5 kB of the page's module.
fn set<'a>(keys: &mut dyn Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let mut set = BTreeSet::new();
    set.extend(keys);
    set
}

/// For each class token every scheme that it may be of, in the order of the schemes.
fn candidates(
    keys: &BTreeSet<&str>,
    schemes: &mut dyn Iterator<Item = &'static Scheme>,
) -> Vec<Naming> {
    let namings = |scheme: &'static Scheme| {
        let mut list: Vec<Naming> = Vec::new();
        for token in scheme.tokens {
            for key in keys {
                let Some(prefix) = key.strip_suffix(token) else { continue };
                let whole = prefix.is_empty() || prefix.ends_with('.');
                if whole && prefix.ends_with(scheme.behind) {
                    let prefix = prefix.to_string();
                    list.push(Naming { prefix, scheme, token, others: Vec::new() });
                }
            }
        }
        list
    };
    schemes.flat_map(namings).collect()
}

/// Of namings behind one prefix the one under which the fewest keys are unknown, the first of several.
fn best(keys: &BTreeSet<&str>, list: &mut dyn Iterator<Item = Naming>) -> Option<Naming> {
    let unknown = |naming: &Naming| {
        let own = keys.range(naming.prefix.as_str()..);
        let own = own.take_while(|key| key.starts_with(&naming.prefix));
        own.filter(|key| naming.read(key) == Key::Unknown).count()
    };
    list.min_by_key(unknown)
}
