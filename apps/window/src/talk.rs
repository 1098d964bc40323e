//! What the window and its engine tell each other. Neither knows how the other works.

use std::path::PathBuf;
use std::sync::Arc;

use internvit::features::Guess;
use internvit::gpu::Precision;
use internvit::image::{Alpha, Picture};
use internvit::view::{Edges, Map, Refine, Request};
use internvit::weights::Method;
use internvit::{Buffer, Device};

use crate::state::traces::Trace;

/// A photograph's number, for as long as the window is open.
pub(crate) type ShotId = u32;

/// A photograph that was read.
#[derive(Clone)]
pub(crate) struct Photograph {
    /// Its number.
    pub(crate) id: ShotId,
    /// The name of its file.
    pub(crate) name: String,
    /// Its pixels.
    pub(crate) picture: Arc<Picture>,
    /// Where it is transparent, if anywhere.
    pub(crate) alpha: Option<Arc<Alpha>>,
}

/// Where a model computes, and how its values are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The device.
    pub(crate) device: Device,
    /// The precision.
    pub(crate) precision: Precision,
}

/// Which model is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Opening {
    /// A model that comes with the program, a folder or file, or a name on the hub.
    pub(crate) model: String,
    /// Whether what reads texts is fetched too.
    pub(crate) words: bool,
    /// Whether the hub is asked nothing.
    pub(crate) offline: bool,
    /// Where it computes.
    pub(crate) place: Place,
}

/// How many patches a photograph becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Detail {
    /// A first look.
    Quick,
    /// The model's own size.
    #[default]
    Fine,
    /// Twice the model's own size.
    Finest,
}

/// A place on a photograph that a view is about.
#[derive(Clone)]
pub(crate) struct Pinned {
    /// The photograph.
    pub(crate) photo: Photograph,
    /// Its pixel.
    pub(crate) at: [u32; 2],
    /// Whether what is alike to it counts against.
    pub(crate) against: bool,
}

/// A lesson, as it is learned.
#[derive(Clone)]
pub(crate) struct Lessons {
    /// The names of the classes that something was painted of.
    pub(crate) names: Vec<String>,
    /// Their colours.
    pub(crate) palette: Vec<[u8; 3]>,
    /// The layers that are learned from.
    pub(crate) layers: Vec<usize>,
    /// How classes are told apart.
    pub(crate) method: Method,
    /// What was painted on which photographs; classes are places among the names.
    pub(crate) painted: Vec<(Photograph, Vec<Trace>)>,
}

/// What of a lesson is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Showing {
    /// The classes.
    #[default]
    Classes,
    /// The probability of one.
    Probability(usize),
    /// Where it is unsure.
    Unsure,
}

/// What is shown of a photograph.
#[derive(Clone)]
pub(crate) enum What {
    /// A view, of the first of these places where it is about one; without a request the photograph is only
    /// encoded, for the user acts first.
    View { request: Option<Request>, at: Vec<Pinned> },
    /// What the photograph shows: by these texts, by the model's own classes without.
    Labels(Vec<String>),
    /// What was taught; without a lesson by the head that was loaded.
    Taught { lesson: Option<Lessons>, refine: Refine, showing: Showing },
}

/// A photograph and what is to be shown of it.
#[derive(Clone)]
pub(crate) struct Wish {
    /// Wishes are numbered; only the last counts.
    pub(crate) ticket: u64,
    /// The photograph.
    pub(crate) photo: Photograph,
    /// How many patches it becomes.
    pub(crate) detail: Detail,
    /// The layer that is chosen.
    pub(crate) layer: usize,
    /// What is shown.
    pub(crate) what: What,
    /// Where its edges come from.
    pub(crate) edges: Edges,
}

/// A file that is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Save {
    /// The view over the photograph, at an opacity in percent, as PNG.
    Picture { to: PathBuf, opacity: u8 },
    /// The view's numbers, as `.npy`.
    Data { to: PathBuf },
    /// What was learned, as safetensors.
    Head { to: PathBuf },
    /// The classes of the photograph that is shown, as a PNG whose pixels' indices are classes.
    Mask { to: PathBuf },
    /// The pixels of a class, all others transparent, as PNG.
    CutOut { to: PathBuf, class: usize },
}

impl Save {
    /// Where it is written.
    pub(crate) fn to(&self) -> &PathBuf {
        match self {
            Self::Picture { to, .. }
            | Self::Data { to }
            | Self::Head { to }
            | Self::Mask { to } => to,
            Self::CutOut { to, .. } => to,
        }
    }
}

/// What the engine is asked.
pub(crate) enum Ask {
    /// Opens a model; what was encoded by the one before is let go.
    Open(Opening),
    /// Shows something.
    Show(Box<Wish>),
    /// Lets a photograph go.
    Forget(ShotId),
    /// Reads what was learned from a file.
    Load(PathBuf),
    /// Writes a file about what was shown last; never one of these, which are open.
    Save(Save, Vec<PathBuf>),
}

/// What is known of a model.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Known {
    /// What it was opened by.
    pub(crate) name: String,
    /// Where it computes.
    pub(crate) device: String,
    /// Whether it computes on the window's own device.
    pub(crate) shared: bool,
    /// Its blocks.
    pub(crate) layers: usize,
    /// Its heads of attention.
    pub(crate) heads: usize,
    /// Whether it has a class token.
    pub(crate) class_token: bool,
    /// Classes of its own head for parts of a picture.
    pub(crate) classes: usize,
    /// Classes of its own for whole pictures.
    pub(crate) labels: usize,
    /// Whether it reads texts.
    pub(crate) texts: Texts,
    /// What it did by itself, a sentence each.
    pub(crate) notes: Vec<String>,
}

/// Whether a model reads texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    /// It does.
    Read,
    /// It could, but what reads them is not here.
    LeftOut,
    /// It never learned words.
    None,
}

/// Pixels that are laid over the part of a photograph that the model saw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paint {
    /// Pixels in a row.
    pub(crate) width: usize,
    /// Rows.
    pub(crate) height: usize,
    /// RGBA; alpha is not premultiplied.
    pub(crate) rgba: Vec<u8>,
    /// Whether each pixel is a square of one colour, for it stands for a patch.
    pub(crate) squares: bool,
}

/// A head that was taught.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Taught {
    /// The names of its classes.
    pub(crate) names: Vec<String>,
    /// Their colours.
    pub(crate) palette: Vec<[u8; 3]>,
    /// The layers it was learned from.
    pub(crate) layers: Vec<usize>,
    /// Patches that it was learned from; none of one that was loaded.
    pub(crate) patches: usize,
}

/// Features of a photograph's patches where they lie on the window's own device, `[tokens, channels]`.
#[derive(Clone)]
pub(crate) struct Held {
    /// The buffer, which lives as long as this.
    pub(crate) buffer: Buffer,
    /// The row of the first patch.
    pub(crate) first: usize,
    /// Values of a row.
    pub(crate) channels: usize,
    /// Rows and columns of patches.
    pub(crate) grid: [usize; 2],
}

/// What is shown of a photograph.
#[derive(Clone, Default)]
pub(crate) struct Shown {
    /// The wish's number.
    pub(crate) ticket: u64,
    /// The photograph.
    pub(crate) shot: ShotId,
    /// The part that the model saw: left, top, width, height in pixels.
    pub(crate) region: [f64; 4],
    /// Rows and columns of patches.
    pub(crate) grid: [usize; 2],
    /// What encoding took.
    pub(crate) seconds: f64,
    /// The view.
    pub(crate) map: Option<Map>,
    /// Its pixels.
    pub(crate) paint: Option<Paint>,
    /// What it shows, in a sentence.
    pub(crate) sentence: String,
    /// What the photograph shows, the most probable first.
    pub(crate) labels: Vec<Guess>,
    /// What was taught.
    pub(crate) taught: Option<Taught>,
    /// The features of the layer, for light under the pointer.
    pub(crate) held: Option<Held>,
}

/// What the engine tells.
pub(crate) enum Told {
    /// It is at work: what at, what is done, and the whole.
    Working { what: String, done: u64, total: u64 },
    /// A model is open, or why none is.
    Opened(Result<Box<Known>, String>),
    /// Why another model is not: the one before is open as it was, or was opened again.
    Kept { opening: Opening, why: String, again: bool },
    /// Something is to be shown.
    Shown(Box<Shown>),
    /// A wish could not be fulfilled.
    Failed { ticket: u64, why: String },
    /// A head was read, or why not.
    Loaded(Result<Taught, String>),
    /// A file was written, or why not.
    Saved(Result<String, String>),
}
