//! A checkpoint's tensors in memory, matrices packed as the product wants them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::fused_pair::{FusedPair, PairShare};
use super::{Matrix, Share, Team};
use crate::model::WeightKind;
use crate::plan::{Plan, Role, Slot};
use crate::weights::{WeightSource, fits, free_memory};
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name, as f32; in the browser matrices in 16
/// bits where the checkpoint has them so, and in a team the engine's part.
#[derive(Default)]
pub struct CpuWeights {
    matrices: HashMap<String, Matrix>,
    vectors: HashMap<String, Vec<f32>>,
    /// The engine's parts in a team, by the name of the first matrix.
    parts: HashMap<String, PairShare>,
    bytes: u64,
    team: Option<Team>,
}

impl CpuWeights {
    /// Reads and packs what `plans` use from `source`, of pairs the engine's part where there
    /// is a team. `progress` is told the stored bytes done so far and may stop, which ends
    /// with [`Error::Cancelled`].
    ///
    /// Memory: the weights, and one tensor as f32 twice while it is packed.
    pub async fn load<'a>(
        plans: &[Plan],
        source: impl Into<WeightSource<'a>>,
        team: Option<Team>,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let source = source.into();
        if team.is_none() {
            fits(whole(plans), free_memory(), "this computer")?;
        }
        let mut this = Self { team, ..Self::default() };
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
            let values = source.tensor(name).await?;
            if slot.role == Role::Weight(WeightKind::Matrix) {
                let planes: Vec<_> = values.chunks_exact(values.len() / slot.planes).collect();
                let stored = source.stored_type(name);
                let matrix = Matrix::pack_columns(&planes, slot.rows, 0..slot.rows, stored);
                this.bytes += matrix.bytes();
                this.matrices.insert(name.into(), matrix);
            } else {
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

/// Bytes of all that `plans` use, as f32.
fn whole(plans: &[Plan]) -> u64 {
    let sizes: HashMap<&str, usize> =
        used(plans).map(|slot| (slot.name.as_str(), slot.len(1))).collect();
    sizes.values().map(|values| 4 * *values as u64).sum()
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
