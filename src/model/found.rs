//! What a checkpoint's headers tell of an encoder, before they are matched with its spec.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{Key, Naming};

/// The tensors of a checkpoint by canonical names, with the shapes that they were found to have.
#[derive(Debug)]
pub struct Found {
    prefix: String,
    /// The files' own names behind the prefix.
    keys: BTreeSet<String>,
    tensors: BTreeMap<String, Piece>,
}

#[derive(Debug)]
struct Piece {
    /// As the canonical tensor would have it; empty where only the plan can tell.
    shape: Vec<usize>,
    /// Which of how many pieces there are.
    places: Vec<[usize; 2]>,
}

impl Found {
    /// What `naming` makes of stored tensors, each a name and its shape.
    pub fn new<'a>(
        naming: &Naming,
        mut stored: impl Iterator<Item = (&'a str, &'a [usize])>,
    ) -> Self {
        Self::of(naming, &mut stored)
    }

    /// The same, compiled once.
    fn of<'a>(naming: &Naming, stored: &mut dyn Iterator<Item = (&'a str, &'a [usize])>) -> Self {
        let mut tensors: BTreeMap<String, Piece> = BTreeMap::new();
        let mut add = |name: String, shape: Vec<usize>, place| {
            let piece = Piece { shape, places: Vec::new() };
            tensors.entry(name).or_insert(piece).places.push(place);
        };
        let mut keys = BTreeSet::new();
        for (key, shape) in stored {
            keys.extend(key.strip_prefix(&naming.prefix).map(str::to_string));
            match naming.read(key) {
                Key::Whole(name) => add(name, shape.to_vec(), [0, 1]),
                Key::Part { name, index, of } => {
                    let mut shape = shape.to_vec();
                    shape.iter_mut().take(1).for_each(|rows| *rows *= of);
                    add(name, shape, [index, of]);
                }
                Key::Cut(names) => names.into_iter().for_each(|name| add(name, Vec::new(), [0, 1])),
                Key::Turned(name) => add(name, shape.iter().rev().copied().collect(), [0, 1]),
                #[cfg(feature = "language")]
                Key::Grouped { .. } | Key::Neighbours { .. } => {}
                Key::Elsewhere | Key::Unknown => {}
            }
        }
        Self { prefix: naming.prefix.clone(), keys, tensors }
    }

    /// Whether a tensor, or a piece of it, is stored.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// Whether all of a tensor is stored, or this one of three pieces.
    pub(super) fn has_third(&self, name: &str, index: usize) -> bool {
        let stored =
            |places: &[[usize; 2]]| places.iter().any(|p| [[0, 1], [index, 3]].contains(p));
        self.tensors.get(name).is_some_and(|piece| stored(&piece.places))
    }

    /// Whether the file's own name of a tensor, behind the prefix, is this.
    pub(super) fn has_key(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// The size of a dimension of a stored tensor.
    pub(super) fn size(&self, name: &str, dimension: usize) -> Option<usize> {
        self.tensors.get(name)?.shape.get(dimension).copied()
    }

    /// How many blocks, or layers, there are: `name` has a `*` for their number.
    pub(super) fn count(&self, name: &str) -> usize {
        (0..)
            .take_while(|number: &usize| self.has(&name.replacen('*', &number.to_string(), 1)))
            .count()
    }

    /// Whether what stands before the encoder's names ends so.
    pub(super) fn is_behind(&self, end: &str) -> bool {
        self.prefix.ends_with(end)
    }
}
