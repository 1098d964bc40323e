//! The view of the first three principal components as red, green and blue.

use super::basis::{foreground_by_pca, rows_of};
use super::needs::Hidden;
use super::request::View;
use super::settings::Fields;
use super::{Inputs, Map, Needs, PcaBasis};
use crate::Result;

/// Three principal components as red, green and blue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pca {
    /// The hidden state; the last if left out.
    pub layer: Option<usize>,
    /// The foreground alone, in a basis of its own.
    pub foreground: bool,
    /// The other side for the foreground.
    pub swap: bool,
    /// Whose colours it has.
    pub basis: Basis,
}

/// Whose colours a PCA picture has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// Its own.
    #[default]
    Own,
    /// Its own, which are kept for those to come.
    Keep,
    /// Those kept before; its own where there are none for such tokens.
    Kept,
}

impl Basis {
    const WORDS: [(Self, &str); 3] =
        [(Self::Own, "own"), (Self::Keep, "keep"), (Self::Kept, "kept")];
}

impl View for Pca {
    fn settings(&mut self, fields: &mut Fields) -> Result<()> {
        fields.optional("layer", &mut self.layer)?;
        fields.flag("foreground", &mut self.foreground)?;
        fields.flag("swap", &mut self.swap)?;
        fields.word("basis", &mut self.basis, &Basis::WORDS)
    }

    fn needs(&self) -> Needs {
        let keeps_basis = self.basis == Basis::Keep;
        Needs { tokens: Hidden::of(self.layer), keeps_basis, ..Needs::default() }
    }

    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
        let &Inputs { grid: [rows, cols], seen, channels: c, tokens, .. } = inputs;
        let front = match self.foreground {
            true => {
                let front = foreground_by_pca(tokens, c, inputs.grid, seen)?.into_iter().zip(seen);
                front.map(|(front, seen)| *seen && front != self.swap).collect()
            }
            false => seen.to_vec(),
        };
        let shown = rows_of(tokens, c, &front);
        let kept = inputs.basis.filter(|kept| self.basis == Basis::Kept && kept.mean.len() == c);
        let basis = kept.cloned().map_or_else(|| PcaBasis::fit(&shown, c), Ok)?;
        let scores = basis.scores(tokens)?;
        let pixels = basis.colours_of(&scores).into_iter().zip(&front);
        let rgba = pixels.flat_map(|([r, g, b], front)| [r, g, b, 255 * u8::from(*front)]);
        Ok(Map {
            rgba: rgba.collect(),
            values: scores.into_flattened(),
            shape: vec![rows, cols, 3],
            opacity: 1.0,
            width: cols,
            height: rows,
            variance: basis.shares(&shown)?.map(|share| 100.0 * share),
            basis: Some(basis),
            ..Map::default()
        })
    }

    fn sentence(&self, map: &Map) -> String {
        let [r, g, b] = map.variance;
        let of = match self.foreground {
            true => format!("the foreground, which is {:.1} % of the patches", map.covered()),
            false => {
                let pixels = map.rgba.as_chunks::<4>().0.iter();
                format!("{} patches", pixels.filter(|[.., alpha]| *alpha > 0).count())
            }
        };
        format!(
            "Red, green and blue are three principal components with {r:.1} %, {g:.1} % and \
             {b:.1} % of the variance of {of}."
        )
    }
}
