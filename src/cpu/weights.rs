//! A checkpoint's tensors in memory, matrices packed as the product wants them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::fused_pair::{FusedPair, PairShare};
use super::{Codes, Matrix, Share, Team};
use crate::model::WeightKind;
use crate::plan::{Plan, Role, Slot};
use crate::weights::{QuantFormat, WeightSource, fits, free_memory};
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name, as f32, or matrices in 8 or 4 bits; in the
/// browser matrices in 16 bits where the checkpoint has them so, and in a team the engine's part.
#[derive(Default)]
pub struct CpuWeights {
    matrices: HashMap<String, Matrix>,
    vectors: HashMap<String, Vec<f32>>,
    /// The engine's parts in a team, by the name of the first matrix.
    parts: HashMap<String, PairShare>,
    bytes: u64,
    /// In how many bits matrices of blocks are asked for.
    quant: Option<QuantFormat>,
    team: Option<Team>,
}

impl CpuWeights {
    /// None, of blocks that are to be read when their turn comes.
    pub fn streamed(quant: Option<QuantFormat>) -> Self {
        Self { quant, ..Self::default() }
    }

    /// Reads and packs what `plans` use from `source`, of pairs the engine's part where there
    /// is a team; matrices of blocks in few bits where that is asked for with `quant`, or they are stored
    /// so. `progress` is told the stored bytes done so far and may stop, which ends with
    /// [`Error::Cancelled`].
    ///
    /// Memory: the weights, and one tensor as f32 twice while it is packed.
    ///
    /// # Errors
    /// [`crate::Error::Device`] where they do not fit the memory; [`crate::Error::Io`] and
    /// [`crate::Error::Checkpoint`] where a tensor cannot be read.
    pub async fn load<'a>(
        plans: &[Plan],
        source: impl Into<WeightSource<'a>>,
        quant: Option<QuantFormat>,
        team: Option<Team>,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let source = source.into();
        if team.is_none() {
            fits(whole(plans, source, quant), free_memory(), "this computer")?;
        }
        let mut this = Self { quant, team, ..Self::default() };
        let mut done = 0;
        let mut shared = Vec::new();
        if let Some(share) = this.team.as_ref().map(Team::share) {
            this.parts = load_parts(plans, source, share, &mut async |names| {
                done += names.iter().map(|name| source.stored_bytes(name)).sum::<u64>();
                shared.extend_from_slice(names);
                progress(done).await
            })
            .await?;
            this.bytes = this.parts.values().map(PairShare::bytes).sum();
        }
        for slot in used(plans) {
            let name = slot.name.as_str();
            let known = shared.iter().any(|shared| shared == name);
            if known || this.matrices.contains_key(name) || this.vectors.contains_key(name) {
                continue;
            }
            if slot.role == Role::Weight(WeightKind::Matrix) {
                let matrix = load_matrix(slot, source, quant).await?;
                this.bytes += matrix.bytes();
                this.matrices.insert(name.into(), matrix);
            } else {
                let values = source.tensor(name).await?;
                this.bytes += 4 * values.len() as u64;
                this.vectors.insert(name.into(), values);
            }
            done += source.stored_bytes(name);
            if progress(done).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
        Ok(this)
    }

    /// Bytes of all weights; in a team the engine's.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes of a value of a slot: fewer than 4 of a matrix in few bits.
    pub fn value_bytes(&self, slot: &Slot) -> f64 {
        let matrix = self.matrices.get(&slot.name);
        matrix.map_or(4.0, |matrix| matrix.bytes() as f64 / slot.len(1) as f64)
    }

    /// In how many bits matrices of blocks are asked for.
    pub fn quant(&self) -> Option<QuantFormat> {
        self.quant
    }

    /// The others, where there are any.
    pub(super) fn team(&self) -> Option<&Team> {
        self.team.as_ref()
    }

    /// The engine's part of the pair that begins with the matrix `name`.
    pub(super) fn part(&self, name: &str) -> Option<&PairShare> {
        self.parts.get(name)
    }

    pub(super) fn matrix(&self, name: &str) -> Result<&Matrix> {
        self.matrices.get(name).ok_or_else(|| missing(name))
    }

    pub(super) fn vector(&self, name: &str) -> Result<&[f32]> {
        self.vectors.get(name).map(Vec::as_slice).ok_or_else(|| missing(name))
    }
}

/// Reads and packs a matrix.
async fn load_matrix(
    slot: &Slot,
    source: WeightSource<'_>,
    quant: Option<QuantFormat>,
) -> Result<Matrix> {
    let (name, out) = (slot.name.as_str(), slot.rows);
    if let Some(planes) = Codes::load(slot, source, quant).await? {
        return Ok(Matrix::coded(planes, [out, slot.cols]));
    }
    let values = source.tensor(name).await?;
    let planes: Vec<_> = values.chunks_exact(values.len() / slot.planes).collect();
    Ok(Matrix::pack_columns(&planes, out, 0..out, source.stored_type(name)))
}

/// Bytes of all that `plans` use.
fn whole(plans: &[Plan], source: WeightSource<'_>, quant: Option<QuantFormat>) -> u64 {
    let bytes = |slot: &Slot| Codes::size(slot, source, quant).unwrap_or(4 * slot.len(1));
    let sizes: HashMap<&str, usize> =
        used(plans).map(|slot| (slot.name.as_str(), bytes(slot))).collect();
    sizes.values().map(|bytes| *bytes as u64).sum()
}

/// The weights that steps use.
fn used(plans: &[Plan]) -> impl Iterator<Item = &Slot> {
    let steps = plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, step)));
    steps.flat_map(|(plan, step)| plan.weights_of(step))
}

/// A member's parts of all pairs of `plans`, by the name of the first matrix. `told` is given
/// the names of both.
pub(super) async fn load_parts(
    plans: &[Plan],
    source: WeightSource<'_>,
    share: Share,
    on_progress: &mut impl AsyncFnMut(&[String; 2]) -> ControlFlow<()>,
) -> Result<HashMap<String, PairShare>> {
    let mut parts = HashMap::new();
    for plan in plans {
        for pair in FusedPair::all(plan) {
            let [first, _] = &pair.weights;
            if parts.contains_key(first) {
                continue;
            }
            if let Some(part) = PairShare::load(plan, &pair, source, share).await? {
                parts.insert(first.clone(), part);
            }
            if on_progress(&pair.weights).await.is_break() {
                return Err(Error::Cancelled);
            }
        }
    }
    Ok(parts)
}

fn missing(name: &str) -> Error {
    Error::device(format!("{name}: not loaded; load the model again"))
}
