//! The view of where a token looks through all blocks: attention rollout.

use super::attention::looks;
use super::math::middle;
use super::needs::Looks;
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs};
use crate::Result;

/// Where a token looks through all blocks up to one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rollout {
    /// The block, from 1; the last if left out.
    pub layer: Option<usize>,
    /// The patch that asks; the class token if left out.
    pub token: Option<usize>,
}

impl View for Rollout {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)?;
        fields.optional("token", &mut self.token)
    }

    fn needs(&self) -> Needs {
        let looks = Looks { block: self.layer, through: true, patch: self.token };
        Needs { attention: Some(looks), ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        // Half of every block is the token itself, so no patch comes near 0: the middle of the values
        // makes a range in which they can be told apart.
        let values = inputs.attention.to_vec();
        let range = middle(&values);
        Map::heat(values, inputs.grid, range)
    }

    fn sentence(&self, map: &Map) -> String {
        let blocks = self.layer.map_or("all blocks".into(), |layer| format!("blocks 1 to {layer}"));
        format!("Through {blocks}: {}", looks(self.token, &map.values))
    }
}
