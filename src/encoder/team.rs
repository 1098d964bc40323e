//! An encoder whose work is shared by a team: where threads share no memory.

use std::ops::ControlFlow;

use super::{Encoder, all_weights};
use crate::Result;
use crate::cpu::{Helper, Share, Team};
use crate::weights::Checkpoint;

impl Encoder {
    /// Brings the engine's part of `checkpoint` to the CPU; whoever has the team's jobs carries them
    /// to the helpers. `progress` is told as by [`Encoder::load`].
    ///
    /// # Errors
    /// As [`Encoder::load`]. A helper that fails ends an encode with its error.
    pub async fn with_team(
        checkpoint: Checkpoint,
        team: Team,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        Self::on_cpu(checkpoint, None, Some(team), progress).await
    }

    /// A helper's part of `checkpoint`.
    ///
    /// # Errors
    /// As [`Encoder::load`].
    pub async fn helper(checkpoint: &Checkpoint, share: Share) -> Result<Helper> {
        Helper::load(&all_weights(checkpoint), checkpoint, share).await
    }
}
