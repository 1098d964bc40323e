//! What the host makes for a plan, once a grid: prefix tokens and positions, angles, tables and rows of
//! windows. Each fills the shared slot of its name; nothing of it is computed on a device.

use super::position::{bilinear, prefix_and_positions, resized};
use super::record::{names, stages};
use crate::Result;
use crate::model::{Places, Relative, Rope, Spec};

/// The values of a shared slot.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The slot's name.
    pub slot: String,
    /// Its values.
    pub values: Vec<f32>,
}

/// All that the plans of `spec` take for a `grid` of patches beside the picture; `read` gives a tensor by its
/// canonical name.
///
/// # Errors
/// Those of `read`.
pub async fn host_inputs(
    spec: &Spec,
    grid: [usize; 2],
    read: &mut impl AsyncFnMut(&str) -> Result<Vec<f32>>,
) -> Result<Vec<Host>> {
    let mut list = Vec::new();
    let mut add = |slot: &str, values| list.push(Host { slot: slot.into(), values });
    if spec.has_embed() {
        let mut tokens = Vec::new();
        for name in names::prefix(spec) {
            tokens.extend(read(name).await?);
        }
        let table = match spec.position.table_rows(spec) {
            Some(_) => read(names::POSITION_TABLE).await?,
            None => Vec::new(),
        };
        add("position", prefix_and_positions(spec, grid, &tokens, &table));
    }
    if let Rope::Axial { theta, places, .. } = spec.rope {
        add("angles", angles(spec, grid, theta, places));
    }
    if spec.pool == crate::model::Pool::Map {
        add("probe", read("pool.probe").await?);
        add("probe.row", vec![0.0]);
    }
    if spec.relative != Relative::None && spec.windows.is_none() {
        let native = [spec.native_grid(); 2];
        let shared = match spec.relative.is_shared() {
            true => read(names::SHARED_BIAS).await?,
            false => Vec::new(),
        };
        // A table of their own for each block, or one for all.
        let blocks = if spec.relative.of_blocks() { spec.sizes.layers } else { 1 };
        for block in 0..blocks {
            let Some(slot) = names::relative_slot(spec.relative, block) else { continue };
            let mut table = shared.clone();
            if spec.relative.of_blocks() {
                let own = read(&names::block_bias(&format!("encoder.layers.{block}."))).await?;
                table.resize(own.len(), 0.0);
                table.iter_mut().zip(own).for_each(|(value, own)| *value += own);
            }
            add(&slot, relative_table(&table, spec.sizes.heads, native, grid));
        }
        add(names::RELATIVE_INDEX, relative_index(grid, spec.prefix_tokens()));
    }
    for stage in stages(spec, grid) {
        for shift in stage.shifts() {
            let name = |what: &str| stage.name(shift, what);
            add(&name("gather"), stage.gather(shift));
            add(&name("scatter"), stage.scatter(shift));
            add(&name("index"), stage.index(shift));
        }
        if stage.merges() {
            add(&stage.name(0, "merge"), stage.merge());
        }
        for block in 0..stage.depth {
            let scope = format!("encoder.layers.{}.blocks.{block}.", stage.number);
            let table = read(&names::block_bias(&scope)).await?;
            add(&stage.block(block, "relative"), stage.table(&table));
        }
    }
    Ok(list)
}

/// Cosines and sines of the angles of every token, `[tokens, d]`; prefix tokens are not turned.
fn angles(spec: &Spec, [rows, cols]: [usize; 2], theta: f32, places: Places) -> Vec<f32> {
    let quarter = spec.head_dim() / 4;
    let place = |at: usize, count: usize| match places {
        Places::Grid(side) => at as f64 * side as f64 / count as f64,
        Places::Centred => std::f64::consts::TAU * (2.0 * (at as f64 + 0.5) / count as f64 - 1.0),
    };
    let frequency = |i: usize| f64::from(theta).powf(-(i as f64) / quarter as f64);
    let mut values = Vec::new();
    for _ in 0..spec.prefix_tokens() {
        values.extend(std::iter::repeat_n(1.0, 2 * quarter));
        values.extend(std::iter::repeat_n(0.0, 2 * quarter));
    }
    for row in 0..rows {
        for col in 0..cols {
            let of = |place: f64| (0..quarter).map(move |i| place * frequency(i));
            let all: Vec<f64> = of(place(row, rows)).chain(of(place(col, cols))).collect();
            values.extend(all.iter().map(|angle| angle.cos() as f32));
            values.extend(all.iter().map(|angle| angle.sin() as f32));
        }
    }
    values
}

/// Entries of a table of `[rows, cols]` patches, beside those of the class token.
fn distances([rows, cols]: [usize; 2]) -> [usize; 2] {
    [2 * rows - 1, 2 * cols - 1]
}

/// A table `[distances + 3, heads]` of one grid for another; the class token's three rows stay.
fn relative_table(table: &[f32], heads: usize, from: [usize; 2], to: [usize; 2]) -> Vec<f32> {
    if from == to {
        return table.to_vec();
    }
    let [from, to] = [from, to].map(distances);
    let (body, rest) = table.split_at(from[0] * from[1] * heads);
    let mut values = resized(body, from, to, heads, bilinear);
    values.extend_from_slice(rest);
    values
}

/// Which entry of the table is added for each query and key, `[tokens, tokens]`.
fn relative_index(grid: [usize; 2], prefix: usize) -> Vec<f32> {
    let [rows, cols] = grid;
    let [down, across] = distances(grid);
    let (patches, body) = (rows * cols, down * across);
    let tokens = prefix + patches;
    let mut values = Vec::with_capacity(tokens * tokens);
    for query in 0..tokens {
        for key in 0..tokens {
            let entry = match (query.checked_sub(prefix), key.checked_sub(prefix)) {
                (None, None) => body + 2,
                (Some(_), None) => body + 1,
                (None, Some(_)) => body,
                (Some(q), Some(k)) => distance(q, k, cols, rows),
            };
            values.push(entry as f32);
        }
    }
    values
}

/// The entry for patches `q` and `k` of a grid of `rows` × `cols`.
pub(super) fn distance(q: usize, k: usize, cols: usize, rows: usize) -> usize {
    let down = q / cols + rows - 1 - k / cols;
    let across = q % cols + cols - 1 - k % cols;
    down * (2 * cols - 1) + across
}
