//! The view of where a token looks in one block.

use super::math::{extent, middle};
use super::needs::Looks;
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs};
use crate::{Error, Result};

/// Where a token looks in one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attention {
    /// The block, from 1; the last if left out.
    pub layer: Option<usize>,
    /// The patch that asks; the class token if left out.
    pub token: Option<usize>,
    /// The head, from 0; the mean of all if left out.
    pub head: Option<usize>,
}

impl View for Attention {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)?;
        fields.optional("token", &mut self.token)?;
        fields.optional("head", &mut self.head)
    }

    fn needs(&self) -> Needs {
        let looks = Looks { block: self.layer, through: false, patch: self.token };
        Needs { attention: Some(looks), ..Needs::default() }
    }

    /// The data are the maps of all heads, then their mean.
    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        let [rows, cols] = inputs.grid;
        let maps = inputs.attention.len() / (rows * cols);
        let heads = maps - 1;
        if let Some(head) = self.head.filter(|head| *head >= heads) {
            return Err(Error::input(format!("head {head}: the model has {heads}, from 0")));
        }
        let plane = self.head.unwrap_or(heads);
        let shown = inputs.attention[plane * rows * cols..][..rows * cols].to_vec();
        // From none at all, so that heads can be compared; some patches draw far more than others
        // wherever one asks, and without them the rest can be told apart.
        let range = [0.0, middle(&shown)[1]];
        let (values, shape) = (inputs.attention.to_vec(), vec![maps, rows, cols]);
        Ok(Map { values, shape, plane: Some(plane), ..Map::heat(shown, inputs.grid, range)? })
    }

    fn sentence(&self, map: &Map) -> String {
        let block = self.layer.map_or("The last block".into(), |layer| format!("Block {layer}"));
        let heads = map.shape.first().map_or(0, |maps| maps - 1);
        let who = self.head.map_or(format!("mean of {heads} heads"), |head| format!("head {head}"));
        format!("{block}, {who}: {}", looks(self.token, map.shown()))
    }
}

/// How much of its attention a token gives to the patches.
pub(super) fn looks(patch: Option<usize>, map: &[f32]) -> String {
    let who = patch.map_or("the class token", |_| "the patch at the point");
    let (sum, most) = (100.0 * map.iter().sum::<f32>(), 100.0 * extent(map)[1]);
    format!("{who} gives patches {sum:.1} % of its attention, one at most {most:.2} %.")
}
