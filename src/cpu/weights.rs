//! A checkpoint's tensors in memory, matrices packed as the product wants them.

use std::collections::HashMap;
use std::ops::ControlFlow;

use super::Matrix;
use crate::plan::{Op, Plan};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Every weight that plans of one spec use, by canonical name, as f32.
#[derive(Default)]
pub struct CpuWeights {
    matrices: HashMap<String, Matrix>,
    vectors: HashMap<String, Vec<f32>>,
    bytes: u64,
}

impl CpuWeights {
    /// Reads and packs what `plans` use from `checkpoint`. `progress` is told the stored bytes read
    /// so far and may stop, which ends with [`Error::Cancelled`].
    ///
    /// Memory: the weights as f32, and one tensor more while it is packed.
    pub async fn load(
        plans: &[Plan],
        checkpoint: &Checkpoint,
        progress: &mut impl AsyncFnMut(u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let mut this = Self::default();
        let mut done = 0;
        for (plan, step) in plans.iter().flat_map(|p| p.steps.iter().map(move |s| (p, s))) {
            for name in step.op.weights() {
                if this.matrices.contains_key(name) || this.vectors.contains_key(name) {
                    continue;
                }
                let values = checkpoint.tensor(name).await?;
                this.bytes += 4 * values.len() as u64;
                match &step.op {
                    Op::Linear { y, weight, .. } if weight == name => {
                        let y = &plan.slots[*y];
                        let matrix = Matrix::pack(&values, [y.planes, y.cols]);
                        this.matrices.insert(name.into(), matrix);
                    }
                    _ => {
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

    /// Bytes of all weights.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(super) fn matrix(&self, name: &str) -> Result<&Matrix> {
        self.matrices.get(name).ok_or_else(|| missing(name))
    }

    pub(super) fn vector(&self, name: &str) -> Result<&[f32]> {
        self.vectors.get(name).map(Vec::as_slice).ok_or_else(|| missing(name))
    }
}

fn missing(name: &str) -> Error {
    Error::device(format!("{name}: not loaded; load the model again"))
}
