//! The view of the classes of the model's own segmentation head.

use super::needs::Head;
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs, labels};
use crate::Result;

/// The classes of the model's own head.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Segmentation {}

impl View for Segmentation {
    fn settings(&mut self, _: &mut Fields) -> Result<()> {
        Ok(())
    }

    fn needs(&self) -> Needs {
        Needs { head: Some(Head::Own), ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        classes(inputs)
    }

    fn sentence(&self, map: &Map) -> String {
        parts(map)
    }
}

/// Classes follow edges of the photograph, which are to be seen.
const OPACITY: f32 = 0.6;

/// The class of each pixel, by a head's logits; pixels of patches that show nothing have none.
pub(super) fn classes(inputs: &Inputs<'_>) -> Result<Map> {
    let Some(classes) = inputs.classes else { return Ok(Map::default()) };
    let ([rows, cols], [height, width]) = (inputs.grid, classes.size);
    let patch = |at: usize| at / width * rows / height * cols + at % width * cols / width;
    let mut found = labels(classes.logits, classes.size)?;
    if inputs.seen.contains(&false) {
        let hidden = found.iter_mut().enumerate().filter(|(at, _)| !inputs.seen[patch(*at)]);
        hidden.for_each(|(_, label)| *label = -1);
    }
    let (names, palette) = (classes.names.to_vec(), classes.palette.to_vec());
    let map = Map::labelled(&found, classes.size, names, palette)?;
    let logits = classes.logits;
    let (values, shape) = (logits.values.clone(), logits.shape.clone());
    Ok(Map { values, shape, opacity: OPACITY, ..map })
}

/// The classes that have a share, and their shares.
pub(super) fn parts(map: &Map) -> String {
    let parts = map.names.iter().zip(&map.shares).filter(|(_, share)| **share > 0.0);
    let parts: Vec<_> = parts.map(|(name, share)| format!("{name} {share:.1} %")).collect();
    format!("{}.", parts.join(", "))
}
