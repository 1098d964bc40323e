//! The view of patches in groups.

use super::basis::rows_of;
use super::needs::Hidden;
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs, default_palette, kmeans};
use crate::{Error, Result};

/// Patches in groups, by k-means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clusters {
    /// The hidden state; the last if left out.
    pub layer: Option<usize>,
    /// How many, 2 to 32.
    pub k: usize,
}

impl Clusters {
    /// How many clusters there may be.
    pub const COUNT: std::ops::RangeInclusive<usize> = 2..=32;
}

impl Default for Clusters {
    fn default() -> Self {
        Self { layer: None, k: 6 }
    }
}

impl View for Clusters {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)?;
        fields.number("k", &mut self.k)
    }

    fn needs(&self) -> Needs {
        Needs { tokens: Hidden::of(self.layer), ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        let k = self.k;
        if !Self::COUNT.contains(&k) {
            let (least, most) = (Self::COUNT.start(), Self::COUNT.end());
            return Err(Error::input(format!("{k} clusters: expected {least} to {most}")));
        }
        let &Inputs { grid, seen, channels: c, tokens, .. } = inputs;
        let found = kmeans(&rows_of(tokens, c, seen), c, k)?.labels;
        let mut found = found.iter().map(|label| *label as i32);
        let label = |seen: &bool| if *seen { found.next().unwrap_or(-1) } else { -1 };
        let labels: Vec<i32> = seen.iter().map(label).collect();
        let names = (1..=k).map(|n| format!("Cluster {n}")).collect();
        let map = Map::labelled(&labels, grid, names, default_palette(k))?;
        let values = labels.iter().map(|label| *label as f32).collect();
        Ok(Map { values, shape: grid.to_vec(), outlined: true, ..map })
    }

    fn sentence(&self, map: &Map) -> String {
        let parts = map.shares.iter().filter(|share| **share > 0.0);
        let parts: Vec<_> = parts.map(|share| format!("{share:.1} %")).collect();
        format!("{} clusters hold {} of the patches.", parts.len(), parts.join(", "))
    }
}
