//! What was taught, on a photograph: a walk from what was named, and soft masks.

use super::{Album, Example, Photo};
use crate::features::side_by_side;
use crate::view::{Cells, Edges, Head, Refine, Soft, part, probabilities};
use crate::weights::{LinearHead, Method};
use crate::{Encoder, Error, Result, Tensor};

impl Photo {
    /// The probabilities `[1, classes, rows, cols]` of a head that walks, from its logits on patches and
    /// from what was named here.
    pub(super) async fn walk(
        &mut self,
        encoder: &Encoder,
        head: &LinearHead,
        logits: &[f32],
        named: &[Example],
    ) -> Result<Tensor> {
        self.join(encoder, &head.layers).await?;
        let Some((_, cells)) = &self.cells else { return Err(Error::input("no cells")) };
        let (classes, sides @ [rows, cols]) = (head.names.len(), cells.sides());
        let prior = probabilities(logits, self.grid(), sides);
        let mut marks = Vec::new();
        for example in named {
            marks.extend(self.cells_of(example, sides).map(|cell| (cell, example.class)));
        }
        let values = cells.spread(&prior, classes, &marks)?;
        Ok(Tensor { shape: vec![1, classes, rows, cols], values })
    }

    /// Joins the photograph's cells by some layers, unless they are.
    async fn join(&mut self, encoder: &Encoder, layers: &[usize]) -> Result<()> {
        if self.cells.as_ref().is_some_and(|(known, _)| known == layers) {
            return Ok(());
        }
        let mut list = Vec::new();
        for layer in layers {
            list.push(self.read_all(encoder, &[*layer]).await?);
        }
        let c = encoder.spec().sizes.hidden;
        side_by_side(&list, c)?;
        let cells = Cells::new(&list, c, self.grid(), self.seen(), &self.picture, self.region)?;
        self.cells = Some((layers.to_vec(), cells));
        Ok(())
    }

    /// The cells that an example names: the one of its pixel, or those of its patch.
    fn cells_of(
        &self,
        example: &Example,
        [rows, cols]: [usize; 2],
    ) -> impl Iterator<Item = usize> + use<> {
        let [across, down] = [cols / self.grid()[1].max(1), rows / self.grid()[0].max(1)];
        let [left, top, width, height] = self.region;
        let (first, size) = match example.at {
            Some([x, y]) => {
                let part = |at: u32, from: f64, length: f64, n: usize| {
                    (((f64::from(at) + 0.5 - from) / length * n as f64).max(0.0) as usize)
                        .min(n - 1)
                };
                ([part(y, top, height, rows), part(x, left, width, cols)], [1, 1])
            }
            None => {
                let patches = self.grid()[1].max(1);
                let (row, col) = (example.token / patches, example.token % patches);
                ([row * down, col * across], [down, across])
            }
        };
        let all = (0..size[0]).flat_map(move |y| (0..size[1]).map(move |x| [y, x]));
        all.map(move |[y, x]| (first[0] + y) * cols + first[1] + x)
    }
}

impl Album {
    /// Takes over a head and the examples that it was fitted to.
    pub fn learn(&mut self, head: LinearHead, examples: &[Example]) {
        (self.head, self.examples) = (Some(head), examples.to_vec());
    }

    /// The probabilities of the classes that were taught, on the part of a photograph that the encoder
    /// saw.
    ///
    /// # Errors
    /// As [`Album::logits`].
    pub async fn soft(&mut self, encoder: &Encoder, id: u32, refine: Refine) -> Result<Soft> {
        self.soft_within(encoder, id, refine, self.side()).await
    }

    /// As [`Album::soft`], with at most `side` pixels on the longer side; as many as the photograph has
    /// without.
    ///
    /// # Errors
    /// As [`Album::logits`].
    pub async fn soft_within(
        &mut self,
        encoder: &Encoder,
        id: u32,
        refine: Refine,
        side: Option<u32>,
    ) -> Result<Soft> {
        let Tensor { shape, values } = self.logits(encoder, id, Head::Taught).await?;
        let walks = self.head.as_ref().is_some_and(|head| head.method == Method::Walk);
        let sides = [shape[2], shape[3]];
        let values = if walks { values } else { probabilities(&values, sides, sides) };
        let photo = self.photo_mut(id)?;
        if refine.edges == Edges::Photograph {
            return Soft::along(values, photo.guide(sides, side)?.clone(), refine);
        }
        let size = photo.fine(side).map(|length| length as usize);
        Soft::new(values, sides, &part(&photo.picture, photo.region)?, size, refine)
    }
}
