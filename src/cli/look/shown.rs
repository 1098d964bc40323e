//! What each view shows: a picture, values on the patch grid, and a sentence.

use internvit::image::Picture;
use internvit::view::{
    PcaBasis, beside, blend, default_palette, extent, heat, heat_grid, mark, middle, outline,
    paint, paint_patches, patch_centre, pca_foreground, shares,
};
use internvit::{Encoder, Features, Result, Tensor, view};

use super::{Args, Seen};
use crate::cli::progress;

/// What a view shows.
pub(super) struct Shown {
    pub(super) picture: Picture,
    pub(super) data: Tensor,
    /// A sentence for people.
    pub(super) said: String,
    /// The basis of the colours, where there is one.
    pub(super) basis: Option<PcaBasis>,
}

pub(super) fn pca(seen: &Seen, args: &Args, given: Option<PcaBasis>) -> Result<Shown> {
    let tokens = seen.patches(args.tap)?;
    let (n, c) = (tokens.shape[1], tokens.shape[2]);
    let (front, own) = match args.foreground {
        true => pca_foreground(&tokens.values, c, seen.grid)?,
        false => (vec![true; n], PcaBasis::fit(&tokens.values, c)?),
    };
    let basis = given.unwrap_or(own);
    let colours = basis.colours(&tokens.values)?;
    let over = if args.foreground {
        let kept: Vec<_> = colours.iter().zip(&front).map(|(rgb, f)| f.then_some(*rgb)).collect();
        paint_patches(&kept, seen.grid, &seen.photo, seen.region)?
    } else {
        let (rows, cols) = (seen.grid[0] as u32, seen.grid[1] as u32);
        let grid = Picture { width: cols, height: rows, rgb: colours.concat() };
        paint(&grid, &seen.photo, seen.region)?
    };
    let rows = tokens.values.chunks_exact(c).zip(&front).filter(|(_, front)| **front);
    let inside: Vec<f32> = rows.flat_map(|(row, _)| row).copied().collect();
    let [r, g, b] = basis.shares(&inside)?.map(|share| 100.0 * share);
    let count = front.iter().filter(|front| **front).count();
    let of = match args.foreground {
        true => format!("the foreground, which is {:.1} % of the patches", share(count, n)),
        false => format!("{n} patches"),
    };
    let said = format!(
        "Red, green and blue are three principal components with {r:.1} %, {g:.1} % and {b:.1} % \
         of the variance of {of}."
    );
    let data = seen.grid_of(basis.scores(&tokens.values)?.concat(), &[3]);
    let picture = blend(&seen.photo, &over, args.opacity())?;
    Ok(Shown { picture, data, said, basis: Some(basis) })
}

pub(super) fn similarity(
    seen: &Seen,
    other: Option<&Seen>,
    at: usize,
    args: &Args,
) -> Result<Shown> {
    let (tokens, there) = (seen.patches(args.tap)?, other.unwrap_or(seen));
    let c = tokens.shape[2];
    let query = &tokens.values[at * c..][..c];
    let cosines = view::similarity(query, &there.patches(args.tap)?.values)?;
    // All of them: cosines have no outliers, and the best match is to be the brightest.
    let [low, high] = extent(&cosines);
    let painted = there.heat(&cosines, [low, high], args)?;
    let said = format!("Cosines with the patch at the point run from {low:.3} to {high:.3}");
    let (picture, said) = match (other, &args.other) {
        (Some(other), Some(path)) => {
            let best = (0..cosines.len()).rev().max_by(|a, b| cosines[*a].total_cmp(&cosines[*b]));
            let place = patch_centre(best.unwrap_or(0), other.grid, &other.photo, other.region)?;
            let (mut left, mut right) = (seen.photo.clone(), painted);
            mark(&mut left, args.at.unwrap_or_default());
            mark(&mut right, place);
            let [x, y] = place;
            (beside(&left, &right)?, format!("{said}, the best at {x},{y} of {}.", path.display()))
        }
        _ => (marked(painted, args), format!("{said}.")),
    };
    Ok(Shown { picture, data: there.grid_of(cosines, &[]), said, basis: None })
}

pub(super) async fn attention(
    seen: &Seen,
    at: Option<usize>,
    args: &Args,
    encoder: &Encoder,
) -> Result<Shown> {
    let block = args.block(encoder);
    let found = encoder.attention(&hidden(&seen.features, block)?, block).await?;
    let prefix = seen.features.prefix;
    let query = at.map_or(0, |patch| prefix + patch);
    let rows = match args.head {
        Some(head) => vec![found.row(head, query)?],
        None => {
            let heads = (0..found.heads).map(|head| found.row(head, query));
            heads.chain([found.mean(query)]).collect::<Result<_>>()?
        }
    };
    let patches: Vec<&[f32]> = rows.iter().map(|row| &row[prefix..]).collect();
    let map = patches.last().copied().unwrap_or_default();
    let who = args.head.map_or(format!("mean of {} heads", found.heads), |h| format!("head {h}"));
    let said = format!("Block {block}, {who}: {}", looks(at, map));
    let data =
        Tensor { shape: vec![patches.len(), seen.grid[0], seen.grid[1]], values: patches.concat() };
    Ok(Shown { picture: marked(seen.looked(map, args)?, args), data, said, basis: None })
}

pub(super) async fn rollout(
    seen: &Seen,
    at: Option<usize>,
    args: &Args,
    encoder: &Encoder,
) -> Result<Shown> {
    let block = args.block(encoder);
    let (prefix, n) = (seen.features.prefix, seen.features.tensors["last_hidden_state"].shape[1]);
    let mut row = vec![0.0; n];
    row[at.map_or(0, |patch| prefix + patch)] = 1.0;
    let bar = progress::Share::new("rolling out", block);
    for layer in (1..=block).rev() {
        row = encoder.attention(&hidden(&seen.features, layer)?, layer).await?.through(&row)?;
        bar.next();
    }
    bar.finish();
    let map: Vec<f32> = row[prefix..].iter().map(|v| *v as f32).collect();
    let said = format!("Through blocks 1 to {block}: {}", looks(at, &map));
    let picture = marked(seen.looked(&map, args)?, args);
    Ok(Shown { picture, data: seen.grid_of(map, &[]), said, basis: None })
}

pub(super) fn clusters(seen: &Seen, args: &Args) -> Result<Shown> {
    let tokens = seen.patches(args.tap)?;
    let k = args.clusters.unwrap_or(6) as usize;
    let found = view::clusters(&tokens.values, tokens.shape[2], k)?.labels;
    let palette = default_palette(k);
    let colours: Vec<_> = found.iter().map(|label| Some(palette[*label])).collect();
    let over = paint_patches(&colours, seen.grid, &seen.photo, seen.region)?;
    let mut picture = blend(&seen.photo, &over, args.opacity())?;
    outline(&found, seen.grid, &mut picture, seen.region)?;
    let labels: Vec<i32> = found.iter().map(|label| *label as i32).collect();
    let parts: Vec<_> = shares(&labels, k)?
        .into_iter()
        .filter(|share| *share > 0.0)
        .map(|share| format!("{share:.1} %"))
        .collect();
    let said = format!("{} clusters hold {} of the patches.", parts.len(), parts.join(", "));
    let data = seen.grid_of(found.iter().map(|label| *label as f32).collect(), &[]);
    Ok(Shown { picture, data, said, basis: None })
}

pub(super) fn norms(seen: &Seen, args: &Args) -> Result<Shown> {
    let tokens = seen.patches(args.tap)?;
    let lengths = view::norms(&tokens.values, tokens.shape[2])?;
    // All of them, with sharp edges: a single outlier is what this view is for.
    let [low, high] = extent(&lengths);
    let span = (high - low).max(f32::MIN_POSITIVE);
    let colours: Vec<_> = lengths.iter().map(|v| Some(heat((v - low) / span))).collect();
    let over = paint_patches(&colours, seen.grid, &seen.photo, seen.region)?;
    let picture = blend(&seen.photo, &over, args.opacity())?;
    let [most, least] = [middle(&lengths)[1], middle(&lengths)[0]];
    let said = format!(
        "Norms run from {low:.2} to {high:.2}; the middle 98 % from {least:.2} to {most:.2}."
    );
    Ok(Shown { picture, data: seen.grid_of(lengths, &[]), said, basis: None })
}

impl Seen {
    /// Values on the patch grid, `[rows, cols]` and what a patch has.
    fn grid_of(&self, values: Vec<f32>, each: &[usize]) -> Tensor {
        Tensor { shape: self.grid.iter().chain(each).copied().collect(), values }
    }

    /// A heat map over the photograph.
    fn heat(&self, values: &[f32], range: [f32; 2], args: &Args) -> Result<Picture> {
        let over = paint(&heat_grid(values, self.grid, range)?, &self.photo, self.region)?;
        blend(&self.photo, &over, args.opacity())
    }

    /// Attention over the photograph. Some patches draw far more than others wherever one asks, so
    /// that only the middle 98 % make a range in which the rest can be told apart.
    fn looked(&self, values: &[f32], args: &Args) -> Result<Picture> {
        self.heat(values, middle(values), args)
    }
}

/// All tokens that block `block` takes.
fn hidden(features: &Features, block: usize) -> Result<Vec<f32>> {
    Ok(features.tokens(&format!("hidden_states.{}", block - 1), ..)?.values)
}

fn looks(at: Option<usize>, map: &[f32]) -> String {
    let who = at.map_or("the class token", |_| "the patch at the point");
    let (sum, most) = (100.0 * map.iter().sum::<f32>(), 100.0 * extent(map)[1]);
    format!("{who} gives patches {sum:.1} % of its attention, one at most {most:.2} %.")
}

fn marked(mut picture: Picture, args: &Args) -> Picture {
    if let Some(point) = args.at {
        mark(&mut picture, point);
    }
    picture
}

fn share(part: usize, of: usize) -> f64 {
    100.0 * part as f64 / of.max(1) as f64
}
