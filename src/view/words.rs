//! Which patches match a text, by a model that was taught pictures beside texts.
//!
//! Such a model compares a text with the whole picture. Each patch has what it would say alone: [`Hidden::Dense`].

use super::math::extent;
use super::needs::Hidden;
use super::request::View;
use super::settings::Fields;
use super::similarity::{heat, similarity};
use super::{Inputs, Map, Needs};
use crate::{Error, Result};

/// Cosines of the patches with a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// The text.
    pub text: String,
}

impl View for Words {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.text("text", &mut self.text)
    }

    fn needs(&self) -> Needs {
        let text = Some(self.text.clone());
        Needs { tokens: Some(Hidden::Dense), text, ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        if self.text.trim().is_empty() {
            return Err(Error::input("words: the text to compare with is missing"));
        }
        heat(similarity(inputs.query, inputs.tokens)?, inputs.grid)
    }

    fn sentence(&self, map: &Map) -> String {
        let [low, high] = extent(&map.values);
        format!("Cosines with “{}” run from {low:.3} to {high:.3}.", self.text)
    }
}
