//! Answers that a device goes on with by itself: it takes the row of the token that it chose from a table of its own, so
//! several tokens are one submission.

use web_time::Instant;

use super::language::{Kept, Memory};
use super::{Executor, Session};
use crate::gpu::{Chain, Gpu, GpuWeights, Precision, States};
use crate::model::LanguageSpec;
use crate::plan::{LANGUAGE_TABLE, language_angles, record_next};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// How many tokens a submission may have, and what computes several.
#[derive(Default)]
pub(super) struct Ahead {
    /// By the time that the last ones took; 0 before any was measured.
    steps: usize,
    chain: Option<Chain>,
}

impl Ahead {
    /// Learns what a submission of `steps` tokens took: the next ones shall take `wanted` seconds, so that a stop is heard
    /// and no watchdog bites, and grow by small steps.
    pub(super) fn took(&mut self, steps: usize, seconds: f64, wanted: f64) {
        let fitting = (steps as f64 * wanted / seconds.max(1e-9)) as usize;
        self.steps = fitting.clamp(1, 2 * steps).min(Chain::MOST);
    }
}

impl Session {
    /// The tokens that follow the one numbered `id`, which is not remembered yet: each the likeliest, at most `most`, as
    /// many as are computed in one submission. None where tokens are computed one by one: on the CPU, on a device without a
    /// table, and where a token takes long. Where it fails the memory is empty.
    ///
    /// # Errors
    /// As [`Session::feed`].
    pub(crate) async fn ahead(
        &self,
        memory: &mut Memory,
        id: u32,
        most: usize,
    ) -> Result<Vec<u32>> {
        let spec = self.language()?;
        let (capacity, first) = (memory.capacity, memory.length);
        let (Executor::Gpu(gpu, weights), Kept::Gpu { states, ahead, .. }) =
            (&self.executor, &mut memory.kept)
        else {
            return Ok(Vec::new());
        };
        let steps = ahead.steps.min(most).min(capacity - first);
        let known = (id as usize) < spec.vocabulary;
        if steps < 2 || !known || !has_rows(gpu, &self.checkpoint, weights) {
            return Ok(Vec::new());
        }
        memory.length = 0;
        let start = Instant::now();
        if ahead.chain.is_none() {
            let plan = record_next(spec, capacity, !weights.has(LANGUAGE_TABLE));
            ahead.chain = Some(Chain::new(gpu, plan, weights, states).await?);
        }
        let Some(chain) = &ahead.chain else { unreachable!("it was prepared") };
        let found = chain.run(gpu, id, first, &language_angles(spec, first, steps)).await?;
        ahead.took(steps, start.elapsed().as_secs_f64(), gpu.submission);
        // What follows a value that is no number is none.
        let good = found.iter().take_while(|(_, logit)| logit.is_finite()).count();
        if good == 0 {
            return Err(not_finite());
        }
        memory.length = first + good;
        Ok(found[..good].iter().map(|(id, _)| *id).collect())
    }
}

/// What is wrong where a model's logits are no numbers.
pub(super) fn not_finite() -> Error {
    Error::NotFinite("the language model's logits hold NaN or infinity".into())
}

/// Whether rows of tokens, exactly those of the file, are on a device: in a table of their own, or in the head.
fn has_rows(gpu: &Gpu, checkpoint: &Checkpoint, weights: &GpuWeights) -> bool {
    weights.has(LANGUAGE_TABLE) || in_head(gpu, checkpoint)
}

/// Whether the head is the table, and is kept as the file has it: every other precision rounds.
fn in_head(gpu: &Gpu, checkpoint: &Checkpoint) -> bool {
    gpu.precision == Precision::F32 && checkpoint.head_is_table()
}

/// Puts the table of tokens beside a model's weights, where it takes at most a third of their memory, and the longest
/// conversation has room beside both.
pub(super) async fn with_table(
    gpu: &Gpu,
    checkpoint: &Checkpoint,
    mut weights: GpuWeights,
) -> Result<GpuWeights> {
    let Some(spec) = checkpoint.language().filter(|_| !in_head(gpu, checkpoint)) else {
        return Ok(weights);
    };
    let plan = record_next(spec, 1, false);
    let bytes = GpuWeights::table_bytes(&plan, checkpoint);
    let free = gpu.caps.free.map(|free| free.saturating_sub(gpu.held()));
    if 3 * bytes > weights.bytes() || free.is_some_and(|free| free < bytes + longest(gpu, spec)) {
        return Ok(weights);
    }
    match weights.add_tables(gpu, &plan, checkpoint).await {
        // It does without.
        Ok(()) | Err(Error::Device(_)) => Ok(weights),
        Err(error) => Err(error),
    }
}

/// Bytes of the longest conversation's keys and values.
fn longest(gpu: &Gpu, spec: &LanguageSpec) -> u64 {
    States::bytes(gpu, 2 * spec.key_heads * spec.head_dim) * (spec.layers * spec.length) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_come_to_take_the_time_wanted() {
        let after = |seconds: f64, rounds: usize| {
            let mut ahead = Ahead::default();
            ahead.took(1, seconds, 0.2);
            for _ in 1..rounds {
                let steps = ahead.steps;
                ahead.took(steps, seconds * steps as f64, 0.2);
            }
            ahead.steps
        };
        assert_eq!([1, 2, 3, 9].map(|rounds| after(0.001, rounds)), [2, 4, 8, Chain::MOST]);
        // What takes long is computed by itself.
        assert_eq!([1, 2, 9].map(|rounds| after(0.15, rounds)), [1; 3]);
        assert_eq!([1, 2, 9].map(|rounds| after(0.06, rounds)), [2, 3, 3]);
        assert_eq!(after(0.0, 4), Chain::MOST);
    }
}
