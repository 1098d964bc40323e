//! A photograph on the page: its features, kept on the device, and the views drawn from them.

use std::collections::BTreeMap;

use super::lesson::taught_logits;
use super::map::{Map, coloured};
use super::request::{Basis, Request};
use crate::encoder::Held;
use crate::features::side_by_side;
use crate::image::{Alpha, Picture};
use crate::view::{
    Attention, Example, PcaBasis, clusters, default_palette, extent, foreground_among, heat_grid,
    labels, middle, norms, rows_of, similarity, stitch,
};
use crate::weights::LinearHead;
use crate::{Encoder, Error, Result, Tensor};

/// A photograph and what was computed of it.
pub(super) struct Photo {
    pub(super) picture: Picture,
    pub(super) held: Held,
    /// Rows and columns of tiles; a thumbnail may follow them.
    pub(super) board: [usize; 2],
    /// The part that the encoder saw: left, top, width, height in pixels.
    pub(super) region: [f64; 4],
    pub(super) milliseconds: f64,
    /// Which patches show anything: all that are not wholly transparent, `[rows, cols]`.
    pub(super) seen: Vec<bool>,
    /// Patch tokens of the layer that was last looked at, `[rows·cols, C]`.
    tokens: Option<(usize, Vec<f32>)>,
    /// Queries and keys of blocks, for each tile.
    attention: BTreeMap<usize, Vec<Attention>>,
}

/// Pixels of the longer side of a map of labels.
const SIDE: f64 = 768.0;

impl Photo {
    pub(super) fn new(
        picture: Picture,
        held: Held,
        board: [usize; 2],
        region: [f64; 4],
        milliseconds: f64,
    ) -> Self {
        let (attention, seen) = (BTreeMap::new(), Vec::new());
        let this =
            Self { picture, held, board, region, milliseconds, seen, tokens: None, attention };
        let [rows, cols] = this.grid();
        Self { seen: vec![true; rows * cols], ..this }
    }

    /// Leaves wholly transparent patches out, unless there are no others.
    pub(super) fn leave_out(&mut self, alpha: &Alpha) {
        let seen: Vec<bool> =
            alpha.clear(self.region, self.grid()).into_iter().map(|clear| !clear).collect();
        if seen.contains(&true) {
            self.seen = seen;
        }
    }

    /// Rows and columns of patches over all tiles.
    pub(super) fn grid(&self) -> [usize; 2] {
        let [rows, cols] = self.held.grid.unwrap_or_default();
        [rows * self.board[0], cols * self.board[1]]
    }

    /// Reads a layer's patch tokens, unless they were read last.
    pub(super) async fn read(&mut self, encoder: &Encoder, layer: usize) -> Result<&[f32]> {
        if self.tokens.as_ref().is_none_or(|(known, _)| *known != layer) {
            let tensor = self.held.tensor(encoder, &format!("hidden_states.{layer}")).await?;
            self.tokens = Some((layer, self.stitch(&tensor.values, tensor.shape[2])?));
        }
        Ok(self.tokens.as_ref().map_or(&[], |(_, tokens)| tokens))
    }

    /// The patch tokens of several layers, side by side.
    pub(super) async fn read_all(
        &mut self,
        encoder: &Encoder,
        layers: &[usize],
    ) -> Result<Vec<f32>> {
        let mut list = Vec::new();
        for layer in layers {
            list.push(self.read(encoder, *layer).await?.to_vec());
        }
        side_by_side(&list, encoder.spec().sizes.hidden)
    }

    /// The patches of `tokens` that show anything, and which of these are the examples
    /// `(patch, class)` among them.
    pub(super) fn taught_by(
        &self,
        tokens: &[f32],
        c: usize,
        examples: &[Example],
    ) -> Result<(Vec<f32>, Vec<Example>)> {
        let mut own = Vec::new();
        for (patch, class) in examples {
            let seen = self.seen.get(*patch);
            if *seen.ok_or_else(|| Error::input(format!("no patch {patch}")))? {
                own.push((self.seen[..*patch].iter().filter(|seen| **seen).count(), *class));
            }
        }
        Ok((rows_of(tokens, c, &self.seen), own))
    }

    /// Queries and keys of a block, for each tile.
    async fn attend(&mut self, encoder: &Encoder, layer: usize) -> Result<&[Attention]> {
        if !self.attention.contains_key(&layer) {
            let name = format!("hidden_states.{}", layer.saturating_sub(1));
            let tensor = self.held.tensor(encoder, &name).await?;
            let mut list = Vec::new();
            let tile = tensor.shape[1] * tensor.shape[2];
            for tokens in tensor.values.chunks_exact(tile).take(self.board[0] * self.board[1]) {
                list.push(encoder.attention(tokens, layer).await?);
            }
            self.attention.insert(layer, list);
        }
        Ok(&self.attention[&layer])
    }

    fn stitch(&self, values: &[f32], c: usize) -> Result<Vec<f32>> {
        stitch(values, c, self.held.prefix, self.held.grid.unwrap_or_default(), self.board)
    }

    /// The tile of a patch, and its token there.
    fn place(&self, patch: usize) -> Result<(usize, usize)> {
        let ([rows, cols], [all_rows, all_cols]) =
            (self.held.grid.unwrap_or_default(), self.grid());
        if patch >= all_rows * all_cols {
            return Err(Error::input(format!("no patch {patch}")));
        }
        let (row, col) = (patch / all_cols, patch % all_cols);
        let tile = row / rows * self.board[1] + col / cols;
        Ok((tile, self.held.prefix + row % rows * cols + col % cols))
    }

    /// Where the class token of every tile, or one patch, looks: a map `[rows, cols]` for each head
    /// and then their mean, `[heads + 1, rows, cols]`. Other tiles than the patch's are 0.
    async fn attention(
        &mut self,
        encoder: &Encoder,
        layer: usize,
        token: Option<usize>,
    ) -> Result<Vec<f32>> {
        let query = token.map(|patch| self.place(patch)).transpose()?;
        let heads = encoder.spec().sizes.heads;
        let list = self.attend(encoder, layer).await?;
        let mut rows = vec![Vec::new(); heads + 1];
        for (tile, attention) in list.iter().enumerate() {
            let asked = query.filter(|(own, _)| *own == tile).map(|(_, token)| token);
            let token = if query.is_none() { Some(0) } else { asked };
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

    /// Attention rollout from block `layer` down to the embedding, `[rows, cols]`.
    async fn rollout(
        &mut self,
        encoder: &Encoder,
        layer: usize,
        token: Option<usize>,
    ) -> Result<Vec<f32>> {
        let query = token.map(|patch| self.place(patch)).transpose()?;
        let mut rows: Vec<Vec<f64>> = Vec::new();
        for block in (1..=layer).rev() {
            for (tile, attention) in self.attend(encoder, block).await?.iter().enumerate() {
                if block == layer {
                    let mut row = vec![0.0; attention.tokens()];
                    match query {
                        None => row[0] = 1.0,
                        Some((own, token)) if own == tile => row[token] = 1.0,
                        Some(_) => {}
                    }
                    rows.push(row);
                }
                rows[tile] = attention.through(&rows[tile])?;
            }
        }
        let all: Vec<f32> = rows.iter().flatten().map(|v| *v as f32).collect();
        self.stitch(&all, 1)
    }

    /// A view. `query` is the token that similarity compares with; `kept` are the colours that PCA
    /// pictures share.
    pub(super) async fn show(
        &mut self,
        encoder: &Encoder,
        request: Request,
        query: &[f32],
        kept: &mut Option<PcaBasis>,
        taught: Option<&LinearHead>,
    ) -> Result<Map> {
        let c = encoder.spec().sizes.hidden;
        match request {
            Request::Pca { layer, foreground, swap, basis } => {
                let tokens = self.read(encoder, layer).await?.to_vec();
                self.pca(&tokens, c, foreground.then_some(swap == Some(true)), basis, kept)
            }
            Request::Similarity { layer, .. } => {
                let values = similarity(query, self.read(encoder, layer).await?)?;
                self.similarity(values)
            }
            Request::Attention { layer, token, head } => {
                let maps = self.attention(encoder, layer, token).await?;
                self.attention_map(maps, head)
            }
            Request::Rollout { layer, token } => {
                let values = self.rollout(encoder, layer, token).await?;
                let range = middle(&values);
                self.heat(values, range)
            }
            Request::Clusters { layer, k } => {
                let tokens = self.read(encoder, layer).await?.to_vec();
                let found = clusters(&rows_of(&tokens, c, &self.seen), c, k.clamp(2, 32))?;
                self.clusters(&found.labels, k)
            }
            Request::Norms { layer } => {
                let values = norms(self.read(encoder, layer).await?, c)?;
                let range = extent(&values);
                self.heat(values, range)
            }
            Request::Segmentation {} => self.segment(encoder).await,
            Request::Taught {} => {
                let none = || Error::input("nothing has been taught yet");
                let head = taught.ok_or_else(none)?;
                let [rows, cols] = self.grid();
                let values = taught_logits(head, &self.read_all(encoder, &head.layers).await?)?;
                let shape = vec![1, head.names.len(), rows, cols];
                self.classes(Tensor { shape, values }, head.names.clone(), head.palette.clone())
            }
        }
    }

    /// The model's own segmentation head, on the features that are there.
    async fn segment(&mut self, encoder: &Encoder) -> Result<Map> {
        let head = encoder.checkpoint().head.as_ref().map(|head| head.spec.clone());
        let Some(head) = head else {
            return Err(Error::input("this model has no segmentation head"));
        };
        let mut levels = Vec::new();
        for index in &head.out_indices {
            levels.push(self.read(encoder, index + 1).await?.to_vec());
        }
        let logits = encoder.segment_features(&levels, self.grid()).await?;
        let names = (0..head.classes).map(|class| {
            head.names.get(class).cloned().unwrap_or_else(|| format!("class {class}"))
        });
        let palette = match head.palette.is_empty() {
            true => default_palette(head.classes),
            false => head.palette,
        };
        self.classes(logits, names.collect(), palette)
    }

    /// Which patches are foreground, and a basis of these alone; with `swap` the other side.
    fn foreground(&self, tokens: &[f32], c: usize, swap: bool) -> Result<(Vec<bool>, PcaBasis)> {
        let all = PcaBasis::fit(&rows_of(tokens, c, &self.seen), c)?;
        let first: Vec<f32> = all.scores(tokens)?.iter().map(|score| score[0]).collect();
        let front = foreground_among(&first, self.grid(), &self.seen)?;
        let side: Vec<bool> =
            front.iter().zip(&self.seen).map(|(front, seen)| *seen && *front != swap).collect();
        let basis = PcaBasis::fit(&rows_of(tokens, c, &side), c)?;
        Ok((side, basis))
    }

    /// The three strongest directions as red, green and blue; without `side` for all patches, with
    /// it the background (swapped where it is true) is transparent.
    fn pca(
        &self,
        tokens: &[f32],
        c: usize,
        side: Option<bool>,
        basis: Basis,
        kept: &mut Option<PcaBasis>,
    ) -> Result<Map> {
        let grid = self.grid();
        let (front, own) = match side {
            Some(swap) => self.foreground(tokens, c, swap)?,
            None => (self.seen.clone(), PcaBasis::fit(&rows_of(tokens, c, &self.seen), c)?),
        };
        if basis == Basis::Keep {
            *kept = Some(own.clone());
        }
        let kept = kept.as_ref().filter(|k| basis == Basis::Kept && k.mean.len() == c);
        let used = kept.unwrap_or(&own);
        let pixels = used.colours(tokens)?.into_iter().zip(&front);
        Ok(Map {
            values: used.scores(tokens)?.into_flattened(),
            shape: vec![grid[0], grid[1], 3],
            rgba: pixels
                .flat_map(|([r, g, b], in_front)| [r, g, b, 255 * u8::from(*in_front)])
                .collect(),
            width: grid[1],
            height: grid[0],
            ..Map::default()
        })
    }

    /// One value a patch, as colours from dark to bright.
    fn heat(&self, values: Vec<f32>, range: [f32; 2]) -> Result<Map> {
        let grid = self.grid();
        let shown = &values[values.len() - grid[0] * grid[1]..];
        let colours = heat_grid(shown, grid, range)?.rgb;
        let rgba = colours.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
        let shape = match values.len() / (grid[0] * grid[1]) {
            1 => grid.to_vec(),
            maps => vec![maps, grid[0], grid[1]],
        };
        let (height, width, range) = (grid[0], grid[1], Some(range));
        Ok(Map { values, shape, rgba, width, height, range, ..Map::default() })
    }

    fn similarity(&self, values: Vec<f32>) -> Result<Map> {
        let best = (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b]));
        let [low, high] = extent(&values);
        Ok(Map { best, ..self.heat(values, [low.min(high - 1e-3), high])? })
    }

    /// Attention of one head, or the mean of all; `maps` is `[heads + 1, rows, cols]`.
    fn attention_map(&self, maps: Vec<f32>, head: Option<usize>) -> Result<Map> {
        let [rows, cols] = self.grid();
        let area = rows * cols;
        let last = maps.len() / area - 1;
        let shown = &maps[head.unwrap_or(last).min(last) * area..][..area];
        // A few patches may draw nearly everything to themselves: the rest is to be seen too.
        let range = [0.0, middle(shown)[1]];
        let map = self.heat(shown.to_vec(), range)?;
        Ok(Map { values: maps, shape: vec![last + 1, rows, cols], ..map })
    }

    /// Clusters of the patches that show anything, in their order.
    fn clusters(&self, found: &[usize], k: usize) -> Result<Map> {
        let grid = self.grid();
        let mut found = found.iter();
        let label = |seen: &bool| match seen {
            true => found.next().map_or(-1, |label| *label as i32),
            false => -1,
        };
        let labels: Vec<i32> = self.seen.iter().map(label).collect();
        let names = (1..=k).map(|n| format!("Cluster {n}")).collect();
        let values = labels.iter().map(|label| *label as f32).collect();
        let map = coloured(labels, grid, names, default_palette(k))?;
        Ok(Map { values, shape: grid.to_vec(), ..map })
    }

    /// The classes of a head's logits `[1, classes, h', w']`, over the region at pixel size.
    fn classes(&self, logits: Tensor, names: Vec<String>, palette: Vec<[u8; 3]>) -> Result<Map> {
        let scale = (SIDE / self.region[2].max(self.region[3])).min(1.0);
        let size = [self.region[3], self.region[2]].map(|side| (side * scale).round().max(1.0));
        let size = size.map(|side| side as usize);
        let [rows, cols] = self.grid();
        let patch =
            |at: usize| at / size[1] * rows / size[0] * cols + at % size[1] * cols / size[1];
        let seen = |at: usize| self.seen[patch(at)];
        let found = labels(&logits, size)?.into_iter().enumerate();
        let found = found.map(|(at, label)| if seen(at) { label } else { -1 }).collect();
        let map = coloured(found, size, names, palette)?;
        Ok(Map { values: logits.values, shape: logits.shape, ..map })
    }
}
