//! The tower of a model that reads texts, and what joins it with that of pictures.

use super::repair::repaired;
use super::spec::Spec;

/// A text tower, complete.
#[derive(Clone, Debug, PartialEq)]
pub struct TextSpec {
    /// Its blocks: sizes, norms, MLP; patches and pictures have no meaning here.
    pub tower: Spec,
    /// Tokens that there are.
    pub vocabulary: usize,
    /// Tokens of a text at most.
    pub length: usize,
    /// Whether a token attends to those before it alone.
    pub causal: bool,
    /// Which token stands for the text.
    pub pool: TextPool,
    /// What is computed of it.
    pub head: TextHead,
    /// What texts are filled up with.
    pub padding: u32,
    /// How likeness becomes probability.
    pub joint: Joint,
    /// Whether texts are repaired before they are read, as open_clip does.
    pub repairs: bool,
}

impl TextSpec {
    /// A text as a tokenizer is given it, but for capital letters, of which all these models learned the small.
    pub fn plain(&self, text: &str) -> String {
        if self.repairs { repaired(text) } else { text.into() }
    }

    /// Tokens of a text, not more than the tower takes; the last `ends` of them stay, which end every text.
    /// Filled up where the tower looks at what stands behind a text: where tokens attend to those before them
    /// alone, that changes nothing.
    pub fn fitted(&self, mut ids: Vec<u32>, ends: usize) -> Vec<u32> {
        if ids.len() > self.length {
            let end = ids.len() - ends.min(self.length);
            let from = self.length - ends.min(self.length);
            ids.drain(from..end);
        }
        if !self.causal {
            ids.resize(self.length, self.padding);
        }
        ids
    }
}

/// The token that stands for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextPool {
    /// The first of those with the largest number.
    LargestId,
    /// The first with this number.
    FirstOf(u32),
    /// The last, padding included.
    Last,
}

/// What is computed of the token that stands for a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextHead {
    /// `text_features` with this number of channels, by a matrix alone.
    Projection(usize),
    /// `text_pooler_output` with this number of channels, by a linear layer; the features are the same.
    Pooler(usize),
}

/// How the likeness of a picture and texts becomes probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Joint {
    /// `softmax(e^scale · cosine)` over the texts.
    Softmax,
    /// `σ(e^scale · cosine + bias)` of each text.
    Sigmoid,
}
