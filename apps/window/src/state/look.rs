//! The choice of a view and its settings, and what is asked of the engine for them.

use internvit::view::{Attention, Clusters, Edges, Norms, Pca, Request, Rollout, Segmentation};
use internvit::view::{Basis, Similarity, Words};

use super::views::View;
use crate::talk::{Detail, Known, ShotId, Showing};

/// A place on a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pin {
    /// The photograph.
    pub(crate) shot: ShotId,
    /// Its pixel.
    pub(crate) at: [u32; 2],
    /// Whether what is alike to it counts against.
    pub(crate) against: bool,
}

/// What a press does while a place is pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Pinning {
    /// Moves the pin.
    #[default]
    One,
    /// Adds one for what is alike.
    Alike,
    /// Adds one against it.
    Unlike,
}

/// Most pins.
const MOST: usize = 17;

/// The view and its settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Look {
    pub(crate) view: View,
    /// The layer; the last without.
    pub(crate) layer: Option<usize>,
    /// In percent.
    pub(crate) opacity: u8,
    pub(crate) edges: Edges,
    pub(crate) detail: Detail,
    /// The foreground alone, and the other side for it.
    pub(crate) foreground: bool,
    pub(crate) swap: bool,
    /// One set of colours for all layers and photographs.
    pub(crate) keep_colours: bool,
    /// Whether the colours that are kept are the ones to use.
    pub(crate) colours_kept: bool,
    pub(crate) groups: usize,
    /// The head of attention; the mean of all without.
    pub(crate) head: Option<usize>,
    /// All layers combined.
    pub(crate) rollout: bool,
    /// The place that asks; the class token without.
    pub(crate) asking: Option<Pin>,
    /// The first is the one that is looked for.
    pub(crate) pins: Vec<Pin>,
    pub(crate) pinning: Pinning,
    /// What is looked for by words.
    pub(crate) text: String,
    /// Words for the whole picture, and the sentence they stand in.
    pub(crate) labels: String,
    pub(crate) sentence: String,
    pub(crate) showing: Showing,
}

impl Default for Look {
    fn default() -> Self {
        let about = View::default().about();
        Self {
            view: about.view,
            layer: None,
            opacity: about.opacity,
            edges: about.edges,
            detail: Detail::default(),
            foreground: false,
            swap: false,
            keep_colours: false,
            colours_kept: false,
            groups: 6,
            head: None,
            rollout: false,
            asking: None,
            pins: Vec::new(),
            pinning: Pinning::default(),
            text: String::new(),
            labels: "cat, cup of coffee, rocket, person, dog".into(),
            sentence: "a photo of a {}".into(),
            showing: Showing::default(),
        }
    }
}

impl Look {
    /// Chooses a view, which begins with its own opacity and edges.
    pub(crate) fn choose(&mut self, view: View) {
        if view != self.view {
            let about = view.about();
            (self.view, self.opacity, self.edges) = (view, about.opacity, about.edges);
        }
    }

    /// The layer that is shown of a model.
    pub(crate) fn shown_layer(&self, layers: usize) -> usize {
        let least = self.view.about().first_layer.unwrap_or(0);
        self.layer.map_or(layers, |layer| layer.clamp(least, layers))
    }

    /// Keeps what another model has too.
    pub(crate) fn fit(&mut self, model: &Known) {
        self.layer = self.layer.filter(|layer| *layer < model.layers);
        self.head = self.head.filter(|head| *head < model.heads);
        self.colours_kept = false;
    }

    /// A press on a photograph, at a pixel that `same` says of whether it is the patch of another.
    pub(crate) fn press(&mut self, shot: ShotId, at: [u32; 2], same: impl Fn([u32; 2]) -> bool) {
        let here = |pin: &Pin| pin.shot == shot && same(pin.at);
        match self.view {
            View::Attention => {
                let again = self.asking.as_ref().is_some_and(here);
                self.asking = (!again).then_some(Pin { shot, at, against: false });
            }
            View::Similarity => {
                let known = self.pins.iter().position(here);
                let against = self.pinning == Pinning::Unlike;
                match (known, self.pinning) {
                    // Without the one that is looked for there is nothing to compare with.
                    (Some(0), _) => self.pins.clear(),
                    (Some(known), _) => {
                        self.pins.remove(known);
                    }
                    (None, Pinning::One) => self.pins = vec![Pin { shot, at, against: false }],
                    (None, _) if self.pins.is_empty() => {
                        self.pins.push(Pin { shot, at, against: false })
                    }
                    (None, _) if self.pins.len() < MOST => {
                        self.pins.push(Pin { shot, at, against })
                    }
                    (None, _) => {}
                }
            }
            _ => {}
        }
    }

    /// Lets go of what is pinned; false where nothing was.
    pub(crate) fn release(&mut self) -> bool {
        match self.view {
            View::Attention => self.asking.take().is_some(),
            View::Similarity => {
                let some = !self.pins.is_empty();
                self.pins.clear();
                some
            }
            _ => false,
        }
    }

    /// Forgets a photograph.
    pub(crate) fn forget(&mut self, shot: ShotId) {
        self.asking = self.asking.filter(|pin| pin.shot != shot);
        if self.pins.first().is_some_and(|pin| pin.shot == shot) {
            self.pins.clear();
        }
        self.pins.retain(|pin| pin.shot != shot);
    }

    /// The places that the view of a photograph is about.
    pub(crate) fn places(&self, shot: ShotId) -> Vec<Pin> {
        match self.view {
            // Attention stays within one photograph.
            View::Attention => self.asking.into_iter().filter(|pin| pin.shot == shot).collect(),
            View::Similarity => self.pins.clone(),
            _ => Vec::new(),
        }
    }

    /// What the engine is asked for; nothing where the user must act first, or the view is no map.
    pub(crate) fn request(&self, model: &Known) -> Option<Request> {
        let layer = Some(self.shown_layer(model.layers));
        Some(match self.view {
            View::Pca => Request::Pca(Pca {
                layer,
                foreground: self.foreground,
                swap: self.swap,
                basis: self.basis(),
            }),
            View::Similarity if self.pins.is_empty() => return None,
            View::Similarity => {
                Request::Similarity(Similarity { layer, centred: true, ..Similarity::default() })
            }
            View::Clusters => Request::Clusters(Clusters { layer, k: self.groups }),
            View::Attention if !self.able_to_attend(model) => return None,
            View::Attention if self.rollout => Request::Rollout(Rollout { layer, token: None }),
            View::Attention => {
                Request::Attention(Attention { layer, token: None, head: self.head })
            }
            View::Norms => Request::Norms(Norms { layer }),
            View::Segmentation => Request::Segmentation(Segmentation {}),
            View::Words if self.text.trim().is_empty() => return None,
            View::Words => Request::Words(Words { text: self.text.trim().into() }),
            View::Teach | View::Labels => return None,
        })
    }

    fn basis(&self) -> Basis {
        match (self.keep_colours, self.colours_kept) {
            (false, _) => Basis::Own,
            (true, false) => Basis::Keep,
            (true, true) => Basis::Kept,
        }
    }

    /// The texts that the whole picture is compared with; none where there is none to compare with.
    pub(crate) fn texts(&self) -> Option<Vec<String>> {
        let mut words: Vec<&str> = Vec::new();
        for word in self.labels.split(['\n', ',']).map(str::trim).filter(|word| !word.is_empty()) {
            if !words.contains(&word) {
                words.push(word);
            }
        }
        words.truncate(60);
        let fits = self.sentence.contains("{}") && !words.is_empty();
        fits.then(|| words.iter().map(|word| self.sentence.replace("{}", word)).collect())
    }

    /// Whether something asks: the class token, or a place.
    fn able_to_attend(&self, model: &Known) -> bool {
        model.class_token || self.asking.is_some()
    }

    /// What the user reads while there is nothing to show.
    pub(crate) fn prompt(&self, model: &Known) -> Option<&'static str> {
        match self.view {
            View::Attention if !self.able_to_attend(model) => Some("Click any place."),
            View::Similarity if self.pins.is_empty() => Some("Click any place."),
            View::Words if self.text.trim().is_empty() => Some("Write what to look for."),
            _ => None,
        }
    }
}
