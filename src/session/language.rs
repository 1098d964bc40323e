//! The language model: tokens in, logits out, and what it remembers of the tokens before.

use std::ops::ControlFlow;

use web_time::Instant;

use super::ahead::{Ahead, not_finite};
use super::{Executor, Session};
use crate::cpu::{self, Workspace};
use crate::features::{Tensor, first_not_finite};
use crate::gpu::{Gpu, PreparedPlan, States};
use crate::model::{LanguageSpec, no_language};
use crate::plan::{
    LANGUAGE_TABLE, Plan, SlotId, Value, Wanted, language_angles, record_language, record_visual,
};
use crate::progress::{LocalBoxFuture, Progress};
use crate::weights::Checkpoint;
use crate::{Error, Result};

/// Tokens that go through the model together where there are many.
const CHUNK: usize = 256;

/// What a language model remembers of a conversation: keys and values of every token, and the plans that were
/// prepared for it.
pub struct Memory {
    pub(super) capacity: usize,
    pub(super) length: usize,
    pub(super) kept: Kept,
}

pub(super) enum Kept {
    Gpu { states: States, plans: Vec<(Shape, PreparedPlan)>, ahead: Box<Ahead> },
    Cpu(Box<Workspace>),
}

/// Rows of a plan, and what it gives.
pub(super) type Shape = (usize, Wanted);

/// What a run of the language model gave.
#[derive(Default)]
pub struct Fed {
    /// Logits of the last token, or of all: `[1, vocabulary]`, `[tokens, vocabulary]`. Empty where the largest alone are
    /// wanted.
    pub logits: Vec<f32>,
    /// The largest logits of the last token, the largest first, with their tokens; where these are wanted.
    pub best: Vec<(u32, f32)>,
    /// Where the last token looked, `[layers, heads, tokens]` of all that are remembered: weights whose sum is 1. Only
    /// where it was wanted.
    pub attention: Option<Tensor>,
}

impl Memory {
    /// Tokens that there is room for.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Tokens that are remembered.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Forgets all but the first tokens.
    pub fn take_back(&mut self, length: usize) {
        self.length = self.length.min(length);
    }

    /// The same tokens were fed once more: what stood behind them is there as it was.
    pub(crate) fn restore(&mut self, length: usize) {
        self.length = self.length.max(length);
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// Plans that name what a checkpoint has beside the encoder, as far as it was asked for.
pub(super) fn weights(checkpoint: &Checkpoint) -> Vec<Plan> {
    let (c, prefix) = (checkpoint.spec.sizes.hidden, checkpoint.spec.prefix_tokens());
    let visual = checkpoint.visual().map(|visual| record_visual(visual, [2, 2], prefix, c));
    let language = checkpoint.language().map(|spec| record_language(spec, 1, 1, Wanted::Last));
    visual.into_iter().chain(language).collect()
}

impl Session {
    /// The language model.
    ///
    /// # Errors
    /// [`Error::Input`] where there is none, or it was not asked for.
    pub fn language(&self) -> Result<&LanguageSpec> {
        self.checkpoint.language().ok_or_else(|| no_language(self.checkpoint.name()))
    }

    /// Tokens of a conversation at most, beside those that `memory` has room for: what the model takes, and what the
    /// device has memory for.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no language model.
    pub fn longest(&self, memory: Option<&Memory>) -> Result<usize> {
        let spec = self.language()?;
        let capacity = memory.filter(|memory| self.holds(memory)).map_or(0, Memory::capacity);
        let held = match &self.executor {
            Executor::Gpu(gpu, _) => {
                States::rows(gpu, 2 * spec.key_heads * spec.head_dim, spec.layers, capacity)
            }
            Executor::Cpu(..) => usize::MAX,
        };
        Ok(spec.length.min(held))
    }

    /// An empty memory for this number of tokens.
    ///
    /// # Errors
    /// [`Error::Input`] where the model takes fewer, or is streamed, or the device has no memory for them.
    pub fn memory(&self, capacity: usize) -> Result<Memory> {
        self.resident()?;
        self.fits(capacity, None)?;
        let kept = match &self.executor {
            Executor::Gpu(..) => {
                Kept::Gpu { states: States::default(), plans: Vec::new(), ahead: Box::default() }
            }
            Executor::Cpu(..) => Kept::Cpu(Box::default()),
        };
        Ok(Memory { capacity, length: 0, kept })
    }

    /// Makes room for more tokens. Where it fails the memory is as before.
    ///
    /// # Errors
    /// As [`Session::memory`], [`Error::Device`], [`Error::Lost`].
    pub(crate) async fn grow(&self, memory: &mut Memory, capacity: usize) -> Result<()> {
        self.fits(capacity, Some(memory))?;
        // On the CPU rows become more by themselves.
        if let (Executor::Gpu(gpu, _), Kept::Gpu { states, plans, ahead }) =
            (&self.executor, &mut memory.kept)
        {
            plans.clear();
            **ahead = Ahead::default();
            states.grow(gpu, [memory.capacity, capacity]).await?;
        }
        memory.capacity = capacity;
        Ok(())
    }

    fn fits(&self, capacity: usize, memory: Option<&Memory>) -> Result<()> {
        let (length, most) = (self.language()?.length, self.longest(memory)?);
        if (1..=most).contains(&capacity) {
            return Ok(());
        }
        let why = match most < length {
            true => format!("the device has memory for {most}"),
            false => format!("the model takes at most {most}"),
        };
        Err(Error::input(format!(
            "{capacity} tokens: {why}, pictures and answer included; ask for less, or give fewer tiles"
        )))
    }

    /// Whether a memory lies on the device in use, and not on one that was lost or left since.
    pub(crate) fn holds(&self, memory: &Memory) -> bool {
        match (&self.executor, &memory.kept) {
            (Executor::Gpu(gpu, _), Kept::Gpu { states, .. }) => states.lie_on(gpu),
            (executor, kept) => {
                matches!((executor, kept), (Executor::Cpu(..), Kept::Cpu(_)))
            }
        }
    }

    /// What tokens stand for, `[tokens, C]`.
    ///
    /// # Errors
    /// [`Error::Input`] for a token that the model has not; [`Error::Io`].
    pub async fn embed(&self, ids: &[u32]) -> Result<Vec<f32>> {
        let spec = self.language()?;
        let mut values = Vec::with_capacity(ids.len() * spec.hidden);
        // The table is large, and a conversation has few of its rows.
        for id in ids {
            let row = *id as usize;
            if row >= spec.vocabulary {
                let last = spec.vocabulary - 1;
                return Err(Error::input(format!("token {id}: expected 0 to {last}")));
            }
            values.extend(self.checkpoint.rows(LANGUAGE_TABLE, row..row + 1).await?);
        }
        Ok(values)
    }

    /// What the tokens of a prompt stand for, `[tokens, C]`: those numbered `picture` are visual tokens, in their order.
    ///
    /// # Errors
    /// [`Error::Input`] where there are not as many of these as visual tokens, or a token is none of the model's.
    pub async fn embed_with(
        &self,
        ids: &[u32],
        picture: Option<u32>,
        visual: &Tensor,
    ) -> Result<Vec<f32>> {
        let places: Vec<usize> = (0..ids.len()).filter(|at| Some(ids[*at]) == picture).collect();
        self.embed_at(ids, &places, visual).await
    }

    /// The same with visual tokens in these places.
    pub(crate) async fn embed_at(
        &self,
        ids: &[u32],
        places: &[usize],
        visual: &Tensor,
    ) -> Result<Vec<f32>> {
        let c = self.language()?.hidden;
        let mut values = self.embed(ids).await?;
        let (wanted, given) = (places.len(), visual.values.len() / c);
        if wanted != given || !visual.values.len().is_multiple_of(c) {
            return Err(Error::input(format!(
                "{wanted} places for visual tokens in the prompt, but the pictures have {given}"
            )));
        }
        for (at, token) in places.iter().zip(visual.values.chunks_exact(c)) {
            values[at * c..][..c].copy_from_slice(token);
        }
        Ok(values)
    }

    /// Feeds tokens `[tokens, C]` behind those that are remembered. Where it fails the memory is empty. Of many tokens
    /// `progress` is told how many are fed, and may stop it; those that were fed stay.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no room, [`Error::Device`], [`Error::Lost`], [`Error::NotFinite`],
    /// [`Error::Cancelled`].
    pub fn feed<'a>(
        &'a self,
        memory: &'a mut Memory,
        embeddings: &'a [f32],
        wanted: Wanted,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<Fed>> {
        Box::pin(async move {
            let spec = self.language()?;
            let rows = embeddings.len() / spec.hidden;
            if rows == 0 || memory.length + rows > memory.capacity {
                return Err(Error::input(format!(
                    "{rows} tokens behind {} that are remembered, with room for {}",
                    memory.length, memory.capacity
                )));
            }
            let first = std::mem::take(&mut memory.length);
            let (mut logits, mut best, mut maps) = (Vec::new(), Vec::new(), Vec::new());
            for (number, chunk) in embeddings.chunks(CHUNK * spec.hidden).enumerate() {
                let place = first + number * CHUNK;
                if rows > CHUNK && progress.report(place - first, rows).await.is_break() {
                    memory.length = place;
                    return Err(Error::Cancelled);
                }
                let last = place + chunk.len() / spec.hidden == first + rows;
                let wanted = if last || wanted == Wanted::All { wanted } else { Wanted::Nothing };
                let mut found =
                    self.feed_chunk(spec, memory, chunk, place, wanted).await?.into_iter();
                let values = found.next().unwrap_or_default();
                match wanted.best() {
                    Some(count) => best = pairs(&values, count),
                    None => logits.extend(values),
                }
                maps.extend(found);
            }
            let largest: Vec<f32> = best.iter().map(|(_, logit)| *logit).collect();
            if first_not_finite(&logits).or(first_not_finite(&largest)).is_some() {
                return Err(not_finite());
            }
            memory.length = first + rows;
            if rows > CHUNK {
                // Whoever stops it now has what was wanted.
                let _ = progress.report(rows, rows).await;
            }
            let attention = wanted.attention().then(|| {
                // Of each head the tokens that are remembered, without the room behind them.
                let heads = maps.iter().flat_map(|map| map.chunks_exact(memory.capacity));
                let values = heads.flat_map(|head| &head[..memory.length]).copied().collect();
                Tensor { shape: vec![spec.layers, spec.heads, memory.length], values }
            });
            Ok(Fed { logits, best, attention })
        })
    }

    /// The outputs of a chunk's plan, in their order.
    async fn feed_chunk(
        &self,
        spec: &LanguageSpec,
        memory: &mut Memory,
        embeddings: &[f32],
        place: usize,
        wanted: Wanted,
    ) -> Result<Vec<Vec<f32>>> {
        let rows = embeddings.len() / spec.hidden;
        let angles = language_angles(spec, place, rows);
        let place = [place as f32];
        let given: [(&str, &[f32]); 3] =
            [("embeddings", embeddings), ("angles", &angles), ("place", &place)];
        let plan = |capacity| record_language(spec, rows, capacity, wanted);
        match (&self.executor, &mut memory.kept) {
            (Executor::Cpu(weights, _), Kept::Cpu(space)) => {
                let plan = plan(memory.capacity);
                let inputs = inputs(&plan, &given);
                let list = cpu::run_at_once(&plan, 1, weights, space, &inputs).await?;
                Ok(list.into_iter().map(|(_, values)| values).collect())
            }
            (Executor::Gpu(gpu, weights), Kept::Gpu { states, plans, ahead }) => {
                let shape = (rows, wanted);
                if plans.iter().all(|(known, _)| *known != shape) {
                    // What is left of a prompt has a length of its own, which does not come again.
                    plans.retain(|((rows, _), _)| [1, CHUNK].contains(rows));
                    let plan = plan(memory.capacity);
                    let prepared = PreparedPlan::with_states(gpu, plan, weights, states).await?;
                    plans.push((shape, prepared));
                }
                let found = plans.iter_mut().find(|(known, _)| *known == shape);
                let Some((_, prepared)) = found else { unreachable!("it was prepared") };
                let start = Instant::now();
                let found = run_on(gpu, prepared, &given).await?;
                if shape == (1, Wanted::Best(1)) {
                    ahead.took(1, start.elapsed().as_secs_f64(), gpu.submission);
                }
                Ok(found)
            }
            _ => Err(Error::device("the conversation belongs to another device; begin again")),
        }
    }
}

/// The largest logits with their tokens, of values that are followed by their numbers.
fn pairs(values: &[f32], count: usize) -> Vec<(u32, f32)> {
    let (logits, ids) = values.split_at(count);
    // Of a small vocabulary there may be fewer.
    let pairs = ids.iter().zip(logits).filter(|(_, logit)| **logit != f32::MIN);
    pairs.map(|(id, logit)| (*id as u32, *logit)).collect()
}

async fn run_on(
    gpu: &Gpu,
    prepared: &mut PreparedPlan,
    given: &[(&str, &[f32])],
) -> Result<Vec<Vec<f32>>> {
    let plan = prepared.plan().clone();
    let inputs = inputs(&plan, given);
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    prepared.run(gpu, 1, &inputs, None, go_on).await?;
    // All are on their way before the first is waited for.
    let mut readings = Vec::new();
    for (_, slot) in &plan.outputs {
        readings.push((*slot, prepared.begin_read(gpu, *slot, 1).await?));
    }
    let mut all = Vec::new();
    for (slot, reading) in readings {
        all.push(match reading {
            Some(reading) => reading.values(gpu).await?,
            None => prepared.read(gpu, slot, 1).await?,
        });
    }
    Ok(all)
}

/// A plan's inputs by their names.
fn inputs<'a>(plan: &Plan, given: &[(&str, &'a [f32])]) -> Vec<(SlotId, Value<'a>)> {
    let slot = |name: &str| plan.slot(name);
    given.iter().filter_map(|(name, values)| Some((slot(name)?, Value::F32(values)))).collect()
}
