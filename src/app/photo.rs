//! A photograph, its features, and what was read of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use web_time::Instant;

use super::shape::Laid;
use super::{Example, Shape};
use crate::cpu::Guide;
use crate::features::{BlockAttention, side_by_side};
use crate::image::{Alpha, Picture, resize};
use crate::session::DeviceFeatures;
use crate::view::{Board, Cells, Head, Hidden, Looks, part, patch_under};
use crate::weights::{LinearHead, Method};
use crate::{Encoder, Error, Features, Images, Result, Tensor};

/// A photograph and what was computed of it.
pub struct Photo {
    /// The photograph, upright.
    pub picture: Picture,
    /// Its features, of all pictures that it became.
    pub held: DeviceFeatures,
    /// The part that the encoder saw: left, top, width, height in pixels.
    pub region: [f64; 4],
    /// What encoding took.
    pub seconds: f64,
    /// Where the patches of these pictures lie.
    board: Board,
    /// Which patches show anything: all that are not wholly transparent, `[rows, cols]`.
    seen: Vec<bool>,
    /// Patch tokens of the hidden state that was last looked at, `[rows·cols, C]`.
    tokens: Option<(Hidden, Vec<f32>)>,
    /// What was last drawn along its edges.
    guide: Option<Guide>,
    /// Queries and keys of blocks, for each tile.
    attention: BTreeMap<usize, Vec<BlockAttention>>,
    /// What the encoder says of the photograph as its preprocessing wants it.
    pub(super) whole: Option<Features>,
    /// Likeness of neighbours by some layers, of a walk.
    pub(super) cells: Option<(Vec<usize>, Cells)>,
}

/// What is kept of a photograph's features.
#[derive(Clone, Copy, Debug)]
pub struct Keep<'a> {
    /// The hidden states besides the last.
    pub taps: &'a [usize],
    /// Where they are until they are read.
    pub residency: crate::session::Residency,
}

/// Bytes of queries and keys that a photograph keeps.
const ATTENTION: usize = 256 << 20;

impl Photo {
    /// Encodes a photograph. `progress` is told how many steps of how many are done, and may stop.
    ///
    /// # Errors
    /// As [`Shape::lay_out`] and [`Encoder::encode`].
    pub async fn encode(
        encoder: &mut Encoder,
        picture: Picture,
        shape: &Shape,
        keep: Keep<'_>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Self> {
        let Laid { pictures, board, region } = shape.lay_out(&picture)?;
        let start = Instant::now();
        let images = Images::Pictures(&pictures);
        let held = encoder.encode_to(images, keep.taps, keep.residency, progress).await?;
        let seconds = start.elapsed().as_secs_f64();
        Ok(Self { seconds, ..Self::new(picture, held, board, region) })
    }

    /// A photograph of features that are there already: `board` says where the patches of the pictures lie
    /// that `held` begins with, `region` is the part that they show.
    pub fn new(picture: Picture, held: DeviceFeatures, board: Board, region: [f64; 4]) -> Self {
        let [rows, cols] = board.grid();
        let seen = vec![true; rows * cols];
        Self {
            picture,
            held,
            region,
            seconds: 0.0,
            board,
            seen,
            tokens: None,
            guide: None,
            attention: BTreeMap::new(),
            whole: None,
            cells: None,
        }
    }

    /// Leaves wholly transparent patches out, unless there are no others.
    pub fn leave_out(&mut self, alpha: &Alpha) {
        let clear = alpha.clear(self.region, self.grid()).into_iter();
        let seen: Vec<bool> = clear.map(|clear| !clear).collect();
        if seen.contains(&true) {
            (self.seen, self.cells) = (seen, None);
        }
    }

    /// Which patches show anything, `[rows, cols]`.
    pub fn seen(&self) -> &[bool] {
        &self.seen
    }

    /// The part that the encoder saw, with at most `side` pixels on its longer side, as a guide for maps
    /// of `grid` rows and columns. The last one is kept.
    ///
    /// # Errors
    /// As [`Guide::new`] and [`part`].
    pub fn guide(&mut self, grid: [usize; 2], side: Option<u32>) -> Result<&Guide> {
        let [height, width] = self.fine(side);
        let size = [height, width].map(|length| length as usize);
        let fits = |guide: &Guide| guide.shape().grid == grid && guide.shape().size == size;
        let guide = match self.guide.take().filter(fits) {
            Some(guide) => guide,
            None => {
                let seen = part(&self.picture, self.region)?;
                let seen = match [seen.height, seen.width] == [height, width] {
                    true => seen,
                    false => resize(&seen, width, height)?,
                };
                Guide::new(seen, grid)?
            }
        };
        Ok(self.guide.insert(guide))
    }

    /// Height and width of the part that the encoder saw, with at most `side` pixels on its longer side.
    pub(super) fn fine(&self, side: Option<u32>) -> [u32; 2] {
        let [_, _, width, height] = self.region;
        let scale = side.map_or(1.0, |side| (f64::from(side) / width.max(height)).min(1.0));
        [height, width].map(|length| (length * scale).round().max(1.0) as u32)
    }

    /// Rows and columns of patches over all pictures.
    pub fn grid(&self) -> [usize; 2] {
        self.board.grid()
    }

    /// The patch that shows the photograph's pixel `[x, y]`; `None` where the encoder did not see it.
    ///
    /// # Errors
    /// [`Error::Input`] for a point outside the photograph.
    pub fn patch(&self, [x, y]: [u32; 2]) -> Result<Option<usize>> {
        let Picture { width, height, .. } = self.picture;
        if x >= width || y >= height {
            return Err(Error::input(format!(
                "{x},{y}: outside the photograph of {width} × {height} pixels"
            )));
        }
        Ok(patch_under([x, y], self.grid(), &self.picture, self.region))
    }

    /// The patch tokens of a hidden state, read unless they were read last.
    pub(super) async fn read(&mut self, encoder: &Encoder, state: Hidden) -> Result<&[f32]> {
        if self.tokens.as_ref().is_none_or(|(known, _)| *known != state) {
            let tensor = match state {
                Hidden::Dense => self.dense(encoder).await?,
                state => self.held.tensor(encoder.session(), &state.name()).await?,
            };
            let [_, tokens, c] = tensor.shape[..] else { return Err(Error::input("no tokens")) };
            let values = self.board.spread(tensor.values, tokens, c);
            self.tokens = Some((state, self.stitch(&values, c)?));
        }
        Ok(self.last_read())
    }

    /// The tokens that were read last.
    pub(super) fn last_read(&self) -> &[f32] {
        self.tokens.as_ref().map_or(&[], |(_, tokens)| tokens)
    }

    /// The token of one patch.
    pub(super) async fn token(
        &mut self,
        encoder: &Encoder,
        state: Hidden,
        patch: usize,
    ) -> Result<Vec<f32>> {
        let [rows, cols] = self.grid();
        let tokens = self.read(encoder, state).await?;
        let c = tokens.len() / (rows * cols);
        let found = tokens.chunks_exact(c.max(1)).nth(patch);
        found.map(<[f32]>::to_vec).ok_or_else(|| no_patch(patch))
    }

    /// The patch tokens of several layers, side by side.
    pub(super) async fn read_all(
        &mut self,
        encoder: &Encoder,
        layers: &[usize],
    ) -> Result<Vec<f32>> {
        let mut list = Vec::new();
        for layer in layers {
            list.push(self.read(encoder, Hidden::Layer(*layer)).await?.to_vec());
        }
        side_by_side(&list, encoder.spec().sizes.hidden)
    }

    /// The logits `[1, classes, h', w']` of a head on the features that are there; `taught` is the one
    /// that was taught, and `named` are its examples here.
    pub(super) async fn classify(
        &mut self,
        encoder: &Encoder,
        head: Head,
        taught: Option<&LinearHead>,
        named: &[Example],
    ) -> Result<Tensor> {
        match head {
            Head::Own => self.segment(encoder).await,
            Head::Taught => {
                let head = taught.ok_or_else(|| Error::input("nothing has been taught yet"))?;
                let [rows, cols] = self.grid();
                let tokens = self.read_all(encoder, &head.layers).await?;
                let values = head.classifier.logits(&tokens)?;
                if head.method == Method::Walk {
                    return self.walk(encoder, head, &values, named).await;
                }
                Ok(Tensor { shape: vec![1, head.names.len(), rows, cols], values })
            }
        }
    }

    /// The logits of the model's own head.
    async fn segment(&mut self, encoder: &Encoder) -> Result<Tensor> {
        let none = || Error::input("this model has no segmentation head");
        let head = encoder.checkpoint().head.as_ref().ok_or_else(none)?;
        let mut levels = Vec::new();
        for index in &head.spec.out_indices {
            levels.push(self.read(encoder, Hidden::Layer(index + 1)).await?.to_vec());
        }
        encoder.segment_features(&levels, self.grid()).await
    }

    /// Maps of attention, `[maps, rows, cols]`: of one block every head's and then their mean, or one
    /// of a rollout through all blocks from this one down. Tiles that hold another patch than the one
    /// that asks are 0; the class token of every tile asks about its own, and of shifted pictures the same
    /// patch of each. `tell` is told the blocks
    /// that are done, and their number.
    pub(super) async fn look(
        &mut self,
        encoder: &Encoder,
        looks: Looks,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>> {
        let layers = encoder.spec().sizes.layers;
        let block = looks.block.unwrap_or(layers);
        if !(1..=layers).contains(&block) {
            let text = format!("block {block}: the model has blocks 1 to {layers}");
            return Err(Error::input(text));
        }
        if looks.patch.is_none() && !encoder.spec().prefix.cls {
            return Err(Error::input("this model has no class token: name a patch"));
        }
        let place = |patch| self.board.place(patch).ok_or_else(|| no_patch(patch));
        let place = |patch| {
            place(patch).map(|(tile, patch)| Asked {
                tile: (!self.board.is_shifted()).then_some(tile),
                token: self.held.prefix + patch,
            })
        };
        let asked = looks.patch.map(place).transpose()?;
        match looks.through {
            true => self.rollout(encoder, block, asked, tell).await,
            false => self.attention(encoder, block, asked).await,
        }
    }

    /// Every head's row of attention, then their mean.
    async fn attention(
        &mut self,
        encoder: &Encoder,
        block: usize,
        asked: Option<Asked>,
    ) -> Result<Vec<f32>> {
        let heads = encoder.spec().sizes.heads;
        let list = self.attend(encoder, block).await?;
        let mut rows = vec![Vec::new(); heads + 1];
        for (tile, attention) in list.iter().enumerate() {
            let token = token_in(tile, asked);
            for (head, row) in rows.iter_mut().enumerate() {
                row.extend(match token {
                    None => vec![0.0; attention.tokens()],
                    Some(token) if head == heads => attention.mean(token)?,
                    Some(token) => attention.row(head, token)?,
                });
            }
        }
        let maps = rows.iter().map(|row| self.stitch(row, 1)).collect::<Result<Vec<_>>>()?;
        Ok(maps.concat())
    }

    /// Attention rollout from block `last` down to the embedding.
    async fn rollout(
        &mut self,
        encoder: &Encoder,
        last: usize,
        asked: Option<Asked>,
        tell: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>> {
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for block in (1..=last).rev() {
            for (tile, attention) in self.attend(encoder, block).await?.iter().enumerate() {
                if block == last {
                    let mut row = vec![0.0; attention.tokens()];
                    token_in(tile, asked).into_iter().for_each(|token| row[token] = 1.0);
                    rows.push(row);
                }
                rows[tile] = attention.through(&rows[tile])?;
            }
            tell(last + 1 - block, last);
        }
        let all: Vec<f32> = rows.iter().flatten().map(|v| *v as f32).collect();
        self.stitch(&all, 1)
    }

    /// Queries and keys of a block, for each tile.
    async fn attend(&mut self, encoder: &Encoder, block: usize) -> Result<&[BlockAttention]> {
        if !self.attention.contains_key(&block) {
            let tensor =
                self.held.tensor(encoder.session(), &Hidden::Layer(block - 1).name()).await?;
            let mut list = Vec::new();
            let tile = tensor.shape[1] * tensor.shape[2];
            let grid = self.held.grid.unwrap_or([tensor.shape[1] - self.held.prefix, 1]);
            for tokens in tensor.values.chunks_exact(tile).take(self.board.pictures()) {
                list.push(encoder.attention(tokens, grid, block).await?);
            }
            if self.attention.values().chain([&list]).map(|list| bytes(list)).sum::<usize>()
                > ATTENTION
            {
                self.attention.clear();
            }
            self.attention.insert(block, list);
        }
        Ok(&self.attention[&block])
    }

    fn stitch(&self, values: &[f32], c: usize) -> Result<Vec<f32>> {
        self.board.stitch(values, c, self.held.prefix)
    }
}

/// The token of a patch that asks.
#[derive(Clone, Copy)]
struct Asked {
    /// The tile that has it; without one every picture, each of which is shifted.
    tile: Option<usize>,
    token: usize,
}

/// The token of a tile that asks: the class token of each, or the one of a patch in its tile.
fn token_in(tile: usize, asked: Option<Asked>) -> Option<usize> {
    let Some(asked) = asked else { return Some(0) };
    asked.tile.is_none_or(|own| own == tile).then_some(asked.token)
}

fn bytes(list: &[BlockAttention]) -> usize {
    list.iter().map(|attention| 8 * attention.keys.len()).sum()
}

pub(super) fn no_patch(patch: usize) -> Error {
    Error::input(format!("no patch {patch}"))
}
