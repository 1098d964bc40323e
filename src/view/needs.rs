//! What a view reads of an encoder, and what it is given.

use super::PcaBasis;
use crate::features::one_each;
use crate::{Error, Result, Tensor};

/// What a view reads of an encoder, so that a caller can fetch it, and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The hidden state of whose patches it takes the tokens.
    pub tokens: Option<Hidden>,
    /// Attention.
    pub attention: Option<Looks>,
    /// A token to compare with, of the same hidden state.
    pub query: Option<Query>,
    /// A text to compare with.
    pub text: Option<String>,
    /// The logits of a head.
    pub head: Option<Head>,
    /// The basis of the colours is kept for the views to come.
    pub keeps_basis: bool,
}

/// A hidden state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hidden {
    /// The encoder's output, after its last norm where it has one.
    Last,
    /// 0 is the embedding, i the output of block i.
    Layer(usize),
    /// What texts are compared with, of every patch by itself: [`crate::Encoder::dense`].
    Dense,
}

/// Attention of one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Looks {
    /// The block, from 1; the last if left out.
    pub block: Option<usize>,
    /// Followed through all blocks from this one down, in place of this one alone.
    pub through: bool,
    /// The patch that asks; the class token if left out.
    pub patch: Option<usize>,
}

/// A patch of a photograph.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// The photograph's number; the one that is shown if left out.
    pub of: Option<u32>,
    /// The patch.
    pub patch: usize,
}

/// A segmentation head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// The model's.
    Own,
    /// The one that was taught.
    Taught,
}

impl Hidden {
    /// The hidden state of a layer; the last without one.
    pub(super) fn of(layer: Option<usize>) -> Option<Self> {
        Some(layer.map_or(Self::Last, Self::Layer))
    }

    /// The tensor's name.
    pub fn name(self) -> String {
        match self {
            Self::Last => "last_hidden_state".into(),
            Self::Layer(layer) => format!("hidden_states.{layer}"),
            Self::Dense => "dense".into(),
        }
    }
}

impl Needs {
    /// The hidden states to keep when a photograph is encoded, besides the last, by an encoder of
    /// `layers` blocks.
    pub fn taps(&self, layers: usize) -> Vec<usize> {
        let mut taps = Vec::new();
        match self.tokens {
            Some(Hidden::Layer(layer)) => taps.push(layer),
            // It begins with one of these two.
            Some(Hidden::Dense) => taps.extend(layers.saturating_sub(1)..=layers),
            Some(Hidden::Last) | None => {}
        }
        if let Some(Looks { block, through, .. }) = self.attention {
            let block = block.unwrap_or(layers);
            taps.extend(if through { 0 } else { block.saturating_sub(1) }..block);
        }
        taps
    }
}

/// What a view is given of a photograph: what its [`Needs`] name, and what is always there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inputs<'a> {
    /// Rows and columns of patches.
    pub grid: [usize; 2],
    /// Which patches show anything, `[rows, cols]`: all but those that are wholly transparent.
    pub seen: &'a [bool],
    /// Channels of a token.
    pub channels: usize,
    /// Patch tokens `[rows·cols, channels]`.
    pub tokens: &'a [f32],
    /// The token or the text to compare with, `[channels]`.
    pub query: &'a [f32],
    /// Maps of attention `[maps, rows, cols]`: of a block its heads, then their mean; one of a rollout.
    pub attention: &'a [f32],
    /// Colours that were kept.
    pub basis: Option<&'a PcaBasis>,
    /// What a head says.
    pub classes: Option<Classes<'a>>,
}

/// The logits of a head, and how its classes are called and shown.
#[derive(Clone, Copy, Debug)]
pub struct Classes<'a> {
    /// `[1, classes, h', w']`.
    pub logits: &'a Tensor,
    /// A name each.
    pub names: &'a [String],
    /// A colour each.
    pub palette: &'a [[u8; 3]],
    /// Height and width of the map in pixels.
    pub size: [usize; 2],
}

impl Inputs<'_> {
    /// That lengths agree with the grid, and that what is needed is there.
    pub(super) fn check(&self, needs: &Needs) -> Result<()> {
        one_each("patches", self.seen.len(), self.grid)?;
        let area = self.seen.len();
        if needs.tokens.is_some() && area.checked_mul(self.channels) != Some(self.tokens.len()) {
            let [rows, cols] = self.grid;
            return Err(Error::input(format!(
                "tokens of {rows} × {cols} patches with {} channels: found {} values",
                self.channels,
                self.tokens.len()
            )));
        }
        let maps = self.attention.len();
        if needs.attention.is_some() && (maps == 0 || !maps.is_multiple_of(area)) {
            return Err(Error::input(format!(
                "maps of attention: expected {area} values each, found {maps}"
            )));
        }
        if needs.head.is_some() && self.classes.is_none() {
            return Err(Error::input("no head: its logits are missing"));
        }
        Ok(())
    }
}
