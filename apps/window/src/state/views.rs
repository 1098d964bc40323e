//! The table of views, in the order of their tabs: texts, and how they begin.

use internvit::view::Edges;

use crate::talk::{Known, Texts};

/// A view.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Pca,
    Similarity,
    Clusters,
    Teach,
    Attention,
    Norms,
    Segmentation,
    Labels,
    Words,
}

/// What a press on the photograph does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pointing {
    /// Nothing.
    None,
    /// Chooses the place that asks.
    Choose,
    /// Pins a place.
    Pin,
    /// Paints.
    Paint,
}

/// What is said of a view, and how it begins.
#[derive(Debug)]
pub(crate) struct About {
    pub(crate) view: View,
    pub(crate) title: &'static str,
    /// One sentence on what is seen.
    pub(crate) about: &'static str,
    /// In percent.
    pub(crate) opacity: u8,
    pub(crate) edges: Edges,
    /// The lowest layer to choose; none for a view without layers.
    pub(crate) first_layer: Option<usize>,
    pub(crate) pointing: Pointing,
}

/// The views. The window begins with the first.
pub(crate) const VIEWS: [About; 9] = [
    About {
        view: View::Pca,
        title: "Features",
        about: "Same colour = same kind of thing to the model. (PCA: its three strongest directions as red, \
                green, blue.)",
        opacity: 100,
        edges: Edges::Photograph,
        first_layer: Some(0),
        pointing: Pointing::None,
    },
    About {
        view: View::Similarity,
        title: "Find alike",
        about: "Move over the picture, or click it: what lights up is alike to the model. Click again, or press Esc, to \
                let go.",
        opacity: 75,
        edges: Edges::Photograph,
        first_layer: Some(0),
        pointing: Pointing::Pin,
    },
    About {
        view: View::Clusters,
        title: "Group",
        about: "Groups the model would make by itself (k-means on feature direction).",
        opacity: 70,
        edges: Edges::Photograph,
        first_layer: Some(0),
        pointing: Pointing::None,
    },
    About {
        view: View::Teach,
        title: "Teach",
        about: "Teach it: click or paint a little of each class. The masks follow.",
        opacity: 60,
        edges: Edges::Photograph,
        first_layer: Some(1),
        pointing: Pointing::Paint,
    },
    About {
        view: View::Attention,
        title: "Attention",
        about: "What the model pays attention to. Click a place to see what that place attends to.",
        opacity: 75,
        edges: Edges::Patches,
        first_layer: Some(1),
        pointing: Pointing::Choose,
    },
    About {
        view: View::Norms,
        title: "Norms",
        about: "Length of each patch’s features. Isolated bright patches are “registers”: large models store \
                global notes there.",
        opacity: 75,
        edges: Edges::Patches,
        first_layer: Some(0),
        pointing: Pointing::None,
    },
    About {
        view: View::Segmentation,
        title: "Materials",
        about: "A guess: what the model’s own head calls each part. InternViT-Tiny’s learned materials from \
                drawn scenes, and is often wrong on photographs.",
        opacity: 60,
        edges: Edges::Photograph,
        first_layer: None,
        pointing: Pointing::None,
    },
    About {
        view: View::Labels,
        title: "Labels",
        about: "What the whole picture shows. A sure model can be wrong.",
        opacity: 0,
        edges: Edges::Patches,
        first_layer: None,
        pointing: Pointing::None,
    },
    About {
        view: View::Words,
        title: "Words",
        about: "Write what you look for: where the picture matches it is lit. It is a hint, not an outline.",
        opacity: 75,
        edges: Edges::Patches,
        first_layer: None,
        pointing: Pointing::None,
    },
];

impl View {
    /// What is said of it.
    pub(crate) fn about(self) -> &'static About {
        VIEWS.iter().find(|about| about.view == self).unwrap_or(&VIEWS[0])
    }

    /// Why a model cannot show it; nothing where it can.
    pub(crate) fn lacking(self, model: &Known) -> Option<&'static str> {
        match self {
            Self::Segmentation if model.classes == 0 => Some(
                "This model has no head that names materials. InternViT-Tiny has one, and you can teach your own.",
            ),
            Self::Labels if model.labels > 0 => None,
            Self::Labels | Self::Words => match (model.texts, self) {
                (Texts::Read, _) => None,
                (Texts::LeftOut, _) => Some(
                    "This model can read words, but what reads them is not here. Open it again “with words” \
                     under Models.",
                ),
                (Texts::None, Self::Labels) => Some(
                    "This model has no names for what it sees. ViT, Swin and DeiT with a classifier have; CLIP \
                     and SigLIP take any words of yours.",
                ),
                (Texts::None, _) => Some(
                    "This model never learned words beside pictures. CLIP and SigLIP did: open one “with words” \
                     under Models.",
                ),
            },
            _ => None,
        }
    }
}
