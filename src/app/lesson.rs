//! A lesson: patches that were named, a linear head that is fitted to them.

use serde::{Deserialize, Serialize};

use super::Album;
use super::photo::no_patch;
use crate::model::MAX_CLASSES;
use crate::order::sort_by_key;
use crate::view::{Spread, default_palette, fit, fit_in_turn, fit_network, rows_of};
use crate::weights::{LinearHead, Method};
use crate::{Encoder, Error, Result, Tensor};

/// Patches that were named.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The layers whose outputs are classified; several are put side by side.
    pub layers: Vec<usize>,
    /// The classes' names.
    pub names: Vec<String>,
    /// The classes' colours; the usual ones where they are not as many as the names.
    #[serde(default)]
    pub palette: Vec<[u8; 3]>,
    /// Patches of photographs that are there.
    pub examples: Vec<Example>,
    /// Patches of photographs whose features were let go.
    #[serde(default)]
    pub vectors: Vec<Vector>,
    /// All patches of each of those photographs that show anything.
    #[serde(default)]
    pub spreads: Vec<Spread>,
    /// How classes are told apart.
    #[serde(default)]
    pub method: Method,
}

/// A patch of a photograph, and its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    /// The photograph's number.
    pub photo: u32,
    /// The patch.
    pub token: usize,
    /// The class's place among the names.
    pub class: usize,
    /// The photograph's pixel `[x, y]` that was named; the whole patch where it is left out.
    #[serde(default)]
    pub at: Option<[u32; 2]>,
}

/// A patch by its features, those of the lesson's layers side by side, and its class.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vector {
    /// `[layers·C]`.
    pub features: Vec<f32>,
    /// The class's place among the names.
    pub class: usize,
    /// How many of the lesson's examples were named before it.
    #[serde(default)]
    pub before: usize,
}

/// What a lesson is about as tokens: those of all patches that show anything of the photographs with
/// examples, then the lesson's vectors.
#[derive(Clone, Debug, PartialEq)]
pub struct Gathered {
    /// Channels of a token: those of the lesson's layers together.
    pub channels: usize,
    /// `[n, channels]`.
    pub tokens: Vec<f32>,
    /// Places among the tokens, and their classes, in the order in which they were named.
    pub examples: Vec<(usize, usize)>,
    /// How the photographs' patches are spread, also of those that were let go.
    pub spread: Spread,
}

impl Lesson {
    /// The place of a class among the names, to which it is added where it is new.
    pub fn class(&mut self, name: &str) -> usize {
        let known = self.names.iter().position(|known| known == name);
        known.unwrap_or_else(|| {
            self.names.push(name.into());
            self.names.len() - 1
        })
    }

    /// That there are not too many classes.
    ///
    /// # Errors
    /// [`Error::Input`] where there are.
    pub fn check_classes(&self) -> Result<()> {
        match self.names.len() {
            found if found > MAX_CLASSES => {
                Err(Error::input(format!("{found} classes: expected at most {MAX_CLASSES}")))
            }
            _ => Ok(()),
        }
    }

    /// The places of two examples that give one patch two classes.
    pub fn conflict(&self) -> Option<[usize; 2]> {
        self.examples.iter().enumerate().find_map(|(at, found)| {
            let patch = |example: &Example| (example.photo, example.token);
            let mut before = self.examples[..at].iter();
            let other = before.position(|e| patch(e) == patch(found) && e.class != found.class)?;
            Some([other, at])
        })
    }

    /// The tokens that the lesson is about. A patch that shows nothing teaches nothing. By
    /// [`Method::Walk`] a patch may have several classes: it stands there once for each.
    ///
    /// # Errors
    /// [`Error::Input`] for layers and patches that there are not, but by [`Method::Walk`] for a
    /// patch with two classes, for vectors of another length, and for too many classes; as [`crate::session::DeviceFeatures::tensor`].
    pub async fn gather(&self, album: &mut Album, encoder: &Encoder) -> Result<Gathered> {
        let last = encoder.spec().sizes.layers;
        if self.layers.is_empty() || self.layers.iter().any(|layer| *layer > last) {
            return Err(Error::input(format!("layers to teach: expected some of 0 to {last}")));
        }
        self.check_classes()?;
        if self.method != Method::Walk
            && let Some([first, _]) = self.conflict()
        {
            let Example { photo, token, .. } = self.examples[first];
            let reason =
                format!("patch {token} of photograph {photo} has two classes, expected one");
            return Err(Error::input(reason));
        }
        let c = encoder.spec().sizes.hidden * self.layers.len();
        let (mut tokens, mut placed) = (Vec::new(), Vec::new());
        let mut spreads = self.spreads.clone();
        for (id, photo) in album.photos_mut() {
            let own = self.examples.iter().enumerate().filter(|(_, example)| example.photo == id);
            let own: Vec<_> = own.collect();
            if own.is_empty() {
                continue;
            }
            let all = photo.read_all(encoder, &self.layers).await?;
            let (first, seen) = (tokens.len() / c, photo.seen());
            for (place, Example { token, class, .. }) in own {
                if *seen.get(*token).ok_or_else(|| no_patch(*token))? {
                    let before = seen[..*token].iter().filter(|seen| **seen).count();
                    placed.push(((place, true), (first + before, *class)));
                }
            }
            let rows = rows_of(&all, c, seen);
            spreads.push(Spread::of(&rows, c));
            tokens.extend(rows);
        }
        let there = tokens.len();
        for Vector { features, class, before } in &self.vectors {
            if features.len() != c {
                let found = features.len();
                return Err(Error::input(format!("{found} features of a patch, expected {c}")));
            }
            // Before the example of that place.
            placed.push(((*before, false), (tokens.len() / c, *class)));
            tokens.extend(features);
        }
        // Lessons of earlier versions kept nothing else of a photograph.
        if self.spreads.is_empty() && !self.vectors.is_empty() {
            spreads.push(Spread::of(&tokens[there..], c));
        }
        let mut lengths = spreads.iter().flat_map(|one| [one.mean.len(), one.variance.len()]);
        if let Some(found) = lengths.find(|found| *found != c) {
            return Err(Error::input(format!("{found} channels of a photograph, expected {c}")));
        }
        sort_by_key(&mut placed, |(place, _)| *place);
        let mut examples: Vec<_> = placed.into_iter().map(|(_, example)| example).collect();
        if self.method == Method::Walk {
            examples = thinned(&examples, self.names.len());
            part(&mut tokens, &mut examples, c);
        }
        Ok(Gathered { channels: c, tokens, examples, spread: Spread::together(&spreads, c) })
    }

    /// Fits a head to what was gathered. Channels are standardised over all patches of its photographs.
    ///
    /// # Errors
    /// [`Error::Input`] where an example's token or class does not exist, and where the examples do not
    /// tell the classes apart.
    pub fn fit(&self, gathered: &Gathered) -> Result<LinearHead> {
        let Gathered { tokens, examples, spread, .. } = gathered;
        let classes = self.names.len();
        if examples.iter().any(|(_, class)| *class >= classes) {
            return Err(Error::input("an example's class does not exist"));
        }
        let fitted = match self.method {
            Method::Mlp => fit_network(tokens, spread, classes, examples)?,
            Method::Linear => fit(tokens, spread, classes, examples)?,
            Method::Walk => fit_in_turn(tokens, spread, classes, examples)?,
        };
        let palette = match self.palette.len() == classes {
            true => self.palette.clone(),
            false => default_palette(classes),
        };
        Ok(LinearHead {
            layers: self.layers.clone(),
            names: self.names.clone(),
            palette,
            classifier: fitted,
            method: self.method,
        })
    }
}

/// Examples of a class by which a walk's prior is fitted at most: a brush's neighbours say the same.
const MOST: usize = 128;

/// At most this number of each class's examples, evenly spaced, in the order in which they were.
fn thinned(examples: &[(usize, usize)], classes: usize) -> Vec<(usize, usize)> {
    let each = (0..classes).flat_map(|class| {
        let own = examples.iter().enumerate().filter(|(_, (_, other))| *other == class);
        let own: Vec<usize> = own.map(|(place, _)| place).collect();
        let taken = own.len().min(MOST);
        (0..taken).map(|i| own[i * own.len() / taken]).collect::<Vec<_>>()
    });
    let mut places: Vec<usize> = each.collect();
    sort_by_key(&mut places, |place| *place);
    places.into_iter().map(|place| examples[place]).collect()
}

/// Gives each further class of a token a copy of the token.
fn part(tokens: &mut Vec<f32>, examples: &mut [(usize, usize)], c: usize) {
    let mut known: Vec<Option<usize>> = vec![None; tokens.len() / c];
    for (token, class) in examples {
        match known[*token] {
            Some(other) if other != *class => {
                let copy = tokens[*token * c..][..c].to_vec();
                *token = tokens.len() / c;
                tokens.extend(copy);
            }
            _ => known[*token] = Some(*class),
        }
    }
}

/// What a lesson keeps of a photograph that is let go, in all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// The features of the patches with examples, `[patches, layers + 1, C]`.
    pub vectors: Tensor,
    /// All patches that show anything; the channels are those of layer 0, then those of layer 1 and so on.
    pub spread: Spread,
}

impl Album {
    /// What a lesson with examples on some patches keeps of a photograph.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such photograph, patch or layer; as
    /// [`crate::session::DeviceFeatures::tensor`].
    pub async fn kept(&mut self, encoder: &Encoder, id: u32, patches: &[usize]) -> Result<Kept> {
        let photo = self.photo_mut(id)?;
        let sizes = encoder.spec().sizes;
        let (layers, c) = (sizes.layers + 1, sizes.hidden);
        let mut values = vec![0.0; patches.len() * layers * c];
        let mut spread = Spread::default();
        for layer in 0..layers {
            let tokens = photo.read_all(encoder, &[layer]).await?;
            for (at, patch) in patches.iter().enumerate() {
                let row = tokens.chunks_exact(c).nth(*patch).ok_or_else(|| no_patch(*patch))?;
                values[(at * layers + layer) * c..][..c].copy_from_slice(row);
            }
            let Spread { count, mean, variance } =
                Spread::of(&rows_of(&tokens, c, photo.seen()), c);
            spread.count = count;
            spread.mean.extend(mean);
            spread.variance.extend(variance);
        }
        Ok(Kept { vectors: Tensor { shape: vec![patches.len(), layers, c], values }, spread })
    }
}
