//! A checkpoint's tensors in memory, matrices packed as the product wants them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::{Matrix, Share, Team};
use crate::plan::{Finish, Op, Plan, Slot};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name, as f32; in the browser matrices in 16
/// bits where the checkpoint has them so, and in a team the engine's part.
#[derive(Default)]
pub struct CpuWeights {
    matrices: HashMap<String, Matrix>,
    vectors: HashMap<String, Vec<f32>>,
    bytes: u64,
    team: Option<Team>,
}

/// What a helper keeps for a product.
pub(super) struct SharedLinear {
    pub(super) matrix: Matrix,
    pub(super) bias: Option<Vec<f32>>,
    pub(super) finish: Finish,
}

impl CpuWeights {
    /// Reads and packs what `plans` use from `checkpoint`, of large matrices the engine's part where
    /// there is a team. `progress` is told the stored bytes done so far and may stop, which ends
    /// with [`Error::Cancelled`].
    ///
    /// Memory: the weights, and one tensor as f32 twice while it is packed.
    pub async fn load(
        plans: &[Plan],
        checkpoint: &Checkpoint,
        team: Option<Team>,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let share = team.as_ref().map_or(Share::ALONE, Team::share);
        let mut this = Self { team, ..Self::default() };
        let mut done = 0;
        for (plan, op) in operations(plans) {
            for name in op.weights() {
                if this.matrices.contains_key(name) || this.vectors.contains_key(name) {
                    continue;
                }
                match op {
                    Op::Linear { y, weight, .. } if weight == name => {
                        let matrix = matrix(checkpoint, op, &plan.slots[*y], share).await?;
                        this.bytes += matrix.bytes();
                        this.matrices.insert(name.into(), matrix);
                    }
                    _ => {
                        let values = checkpoint.tensor(name).await?;
                        this.bytes += 4 * values.len() as u64;
                        this.vectors.insert(name.into(), values);
                    }
                }
                done += checkpoint.stored_bytes(name);
                if progress(done).await.is_break() {
                    return Err(Error::Cancelled);
                }
            }
        }
        Ok(this)
    }

    /// What a helper keeps: its part of each matrix that is shared.
    pub(super) async fn load_shared(
        plans: &[Plan],
        checkpoint: &Checkpoint,
        share: Share,
    ) -> Result<HashMap<String, SharedLinear>> {
        let mut found = HashMap::new();
        for (plan, op) in operations(plans) {
            let Op::Linear { y, weight, bias, finish, .. } = op else { continue };
            let y = &plan.slots[*y];
            if !is_shared(op) || share.columns(y.cols).is_empty() || found.contains_key(weight) {
                continue;
            }
            let bias = match bias {
                Some(name) => Some(checkpoint.tensor(name).await?),
                None => None,
            };
            let matrix = matrix(checkpoint, op, y, share).await?;
            found.insert(weight.clone(), SharedLinear { matrix, bias, finish: finish.clone() });
        }
        Ok(found)
    }

    /// Bytes of all weights; in a team the engine's.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The others, where there are any.
    pub(super) fn team(&self) -> Option<&Team> {
        self.team.as_ref()
    }

    pub(super) fn matrix(&self, name: &str) -> Result<&Matrix> {
        self.matrices.get(name).ok_or_else(|| missing(name))
    }

    pub(super) fn vector(&self, name: &str) -> Result<&[f32]> {
        self.vectors.get(name).map(Vec::as_slice).ok_or_else(|| missing(name))
    }
}

fn operations(plans: &[Plan]) -> impl Iterator<Item = (&Plan, &Op)> {
    plans.iter().flat_map(|plan| plan.steps.iter().map(move |step| (plan, &step.op)))
}

/// The encoder's own products; those of a head are small, or convolutions.
fn is_shared(op: &Op) -> bool {
    matches!(op, Op::Linear { weight, window: None, .. } if !weight.starts_with("head."))
}

/// A member's part of the matrix of `op`, which writes `y`.
async fn matrix(checkpoint: &Checkpoint, op: &Op, y: &Slot, share: Share) -> Result<Matrix> {
    let [name, ..] = op.weights()[..] else { unreachable!("a product has a weight") };
    let columns = if is_shared(op) { share.columns(y.cols) } else { 0..y.cols };
    let stored = checkpoint.stored_type(name);
    if columns.len() == y.cols {
        let w = checkpoint.tensor(name).await?;
        let planes: Vec<_> = w.chunks_exact(w.len() / y.planes).collect();
        return Ok(Matrix::pack_columns(&planes, y.cols, columns, stored));
    }
    let mut planes = Vec::new();
    for plane in 0..y.planes {
        let first = plane * y.cols;
        let rows = first + columns.start..first + columns.end;
        planes.push(checkpoint.rows(name, rows).await?);
    }
    Ok(Matrix::pack_columns(&planes, y.cols, columns, stored))
}

fn missing(name: &str) -> Error {
    Error::device(format!("{name}: not loaded; load the model again"))
}
