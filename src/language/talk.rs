//! A conversation: what was said, and the answer to it, token by token.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};

use super::Sampling;
use crate::features::Tensor;
use crate::plan::Wanted;
use crate::progress::Progress;
use crate::session::{Fed, Memory, Session};
use crate::{Encoder, Error, Result};

/// A conversation with a model. It outlives an answer that fails or is stopped: what was said stays.
#[derive(Default)]
pub struct Talk {
    ids: Vec<u32>,
    /// Which of them the model wrote: there are no pictures among these.
    written: Vec<bool>,
    /// Visual tokens of all pictures, in their order.
    visual: Vec<f32>,
    memory: Option<Memory>,
    /// Tokens that follow these where the likeliest are taken: a device computed them at once with one that was said. They
    /// are remembered, but for the last.
    ahead: VecDeque<u32>,
}

/// How an answer is made.
#[derive(Clone, Debug, Default)]
pub struct Answering {
    /// How tokens are chosen.
    pub sampling: Sampling,
    /// The tokens that end it.
    pub stops: Vec<u32>,
    /// Tokens at most.
    pub most: usize,
    /// The token that stands where visual tokens are.
    pub picture: Option<u32>,
    /// Whether it is told where the model looked.
    pub attention: bool,
    /// Whether all logits are told; a device reads the largest alone where that is enough to choose by.
    pub logits: bool,
}

/// A token of an answer.
#[derive(Debug)]
pub struct Said<'a> {
    /// Its number.
    pub id: u32,
    /// The logits that it was chosen by, where they are asked for.
    pub logits: &'a [f32],
    /// Where the model looked when it chose it, as [`Talk::attention`] gives it; where that is asked for.
    pub attention: Option<&'a Tensor>,
}

/// The memory begins with room for this number of tokens behind those that were said.
const ROOM: usize = 256;

impl Talk {
    /// Adds a part of a prompt, and the visual tokens of the pictures in it. Where the model does not take it nothing is
    /// added.
    ///
    /// # Errors
    /// As [`Talk::takes`].
    pub fn say(&mut self, encoder: &Encoder, ids: &[u32], visual: Option<&Tensor>) -> Result<()> {
        self.takes(encoder, ids)?;
        self.forget_ahead();
        self.ids.extend(ids);
        self.written.resize(self.ids.len(), false);
        self.visual.extend(visual.into_iter().flat_map(|tensor| &tensor.values));
        Ok(())
    }

    /// Whether the model has these tokens, and there is room for them, and one behind them.
    ///
    /// # Errors
    /// [`Error::Input`] where it is not so.
    pub fn takes(&self, encoder: &Encoder, ids: &[u32]) -> Result<()> {
        let count = encoder.session().language()?.vocabulary;
        if let Some(id) = ids.iter().find(|id| **id as usize >= count) {
            return Err(Error::input(format!(
                "token {id}, which the tokenizer has and the model, of {count}, has not: expected the model's own tokenizer"
            )));
        }
        self.fits(encoder, ids.len())
    }

    /// Whether there is room for so many tokens more, and one behind them.
    ///
    /// # Errors
    /// [`Error::Input`] where there is not.
    pub fn fits(&self, encoder: &Encoder, tokens: usize) -> Result<()> {
        let session = encoder.session();
        let (all, most) = (self.ids.len() + tokens, session.longest(self.memory.as_ref())?);
        if all < most {
            return Ok(());
        }
        let takes = if most < session.language()?.length { "device" } else { "model" };
        Err(Error::input(format!(
            "the conversation would have {all} tokens with its pictures, the {takes} takes {most}: begin a new one, or \
             cut pictures into fewer tiles"
        )))
    }

    /// All tokens that were said.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Takes back all but the first tokens, and all but the first values of visual tokens.
    pub fn take_back(&mut self, tokens: usize, values: usize) {
        self.ahead.clear();
        self.ids.truncate(tokens);
        self.written.truncate(tokens);
        self.visual.truncate(values);
        // The last token is fed once more, for what follows it.
        if let Some(memory) = &mut self.memory {
            memory.take_back(tokens.saturating_sub(1));
        }
    }

    /// Forgets what was computed ahead of what was said.
    fn forget_ahead(&mut self) {
        if !self.ahead.is_empty() {
            self.take_back(self.ids.len(), self.visual.len());
        }
    }

    /// How many tokens an answer may have beside those that were said.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no language model.
    pub fn room(&self, encoder: &Encoder) -> Result<usize> {
        Ok(encoder.session().longest(self.memory.as_ref())?.saturating_sub(self.ids.len()))
    }

    /// The places of visual tokens among all that was said.
    pub fn places(&self, how: &Answering) -> Vec<usize> {
        (0..self.ids.len()).filter(|at| self.is_place(*at, how)).collect()
    }

    fn is_place(&self, at: usize, how: &Answering) -> bool {
        Some(self.ids[at]) == how.picture && !self.written[at]
    }

    /// Where the model looked when it chose the token in place `at`: the attention of the token before it to all up to
    /// there, `[layers, heads, at]`, weights whose sum is 1. It takes as long as a token of an answer, once the conversation
    /// is remembered. Where the device is lost it is opened again, as for an answer.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such token, or it is the first; as [`Session::feed`].
    pub async fn attention(
        &mut self,
        encoder: &mut Encoder,
        how: &Answering,
        at: usize,
    ) -> Result<Tensor> {
        let session = encoder.session_mut();
        if !(1..self.ids.len()).contains(&at) {
            let count = self.ids.len();
            return Err(Error::input(format!(
                "token {at}: expected one behind the first of {count}"
            )));
        }
        match self.look(session, how, at).await {
            Ok(found) => Ok(found),
            Err(error) => {
                session.mend(error).await?;
                self.look(session, how, at).await
            }
        }
    }

    async fn look(&mut self, session: &Session, how: &Answering, at: usize) -> Result<Tensor> {
        let mut memory = self.memory(session, at).await?;
        let known = memory.len();
        memory.take_back(at - 1);
        let embeddings = self.embeddings(session, how, memory.len()..at).await?;
        let go_on = &mut async |_: usize, _: usize| ControlFlow::Continue(());
        let fed = session.feed(&mut memory, &embeddings, Wanted::Attention, go_on).await?;
        memory.restore(known);
        self.memory = Some(memory);
        fed.attention.ok_or_else(|| Error::device("the model did not tell where it looks"))
    }

    /// The answer: its tokens, of which the last may be one that ends it. `watch` is told each and may stop the answer,
    /// which then is what was said so far; so may `progress`, which is told how many tokens of a long prompt are read. Where
    /// the device is lost it is opened again, and where f16 overflows the model goes on in f32 ([`Encoder::notes`] tells).
    ///
    /// # Errors
    /// [`Error::Input`] where visual tokens do not suit their places; as [`Session::feed`].
    pub async fn answer(
        &mut self,
        encoder: &mut Encoder,
        how: &Answering,
        progress: &mut dyn Progress<usize>,
        watch: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>,
    ) -> Result<Vec<u32>> {
        let (first, most) = (self.ids.len(), how.most.min(self.room(encoder)?));
        let session = encoder.session_mut();
        let mut mended = false;
        while let Err(error) = self.go_on(session, how, first + most, progress, watch).await {
            if matches!(error, Error::Cancelled) {
                break;
            }
            if mended {
                return Err(error);
            }
            // What was answered so far is among what was said, so the answer goes on behind it.
            mended = true;
            session.mend(error).await?;
        }
        Ok(self.ids[first..].to_vec())
    }

    /// Says tokens until one ends the answer, or this number were said in all.
    async fn go_on(
        &mut self,
        session: &Session,
        how: &Answering,
        end: usize,
        progress: &mut dyn Progress<usize>,
        watch: &mut dyn FnMut(Said<'_>) -> ControlFlow<()>,
    ) -> Result<()> {
        let best = how.sampling.candidates().filter(|_| !how.logits);
        let wanted = match (best, how.attention) {
            (Some(count), false) => Wanted::Best(count),
            (Some(count), true) => Wanted::BestAttention(count),
            (None, false) => Wanted::Last,
            (None, true) => Wanted::Attention,
        };
        // Only of these a device knows by itself which is chosen.
        let likeliest = wanted == Wanted::Best(1);
        let same = self.memory.as_ref().is_some_and(|memory| session.holds(memory));
        if !likeliest || !same {
            self.forget_ahead();
        }
        while self.ids.len() < end {
            if likeliest && self.ahead.is_empty() {
                self.look_ahead(session, how, end).await?;
            }
            let (id, fed) = match self.ahead.pop_front() {
                Some(id) => (id, Fed::default()),
                None => self.next(session, how, wanted, progress).await?,
            };
            self.ids.push(id);
            self.written.push(true);
            let Fed { logits, attention, .. } = &fed;
            let said = Said { id, logits, attention: attention.as_ref() };
            let stopped = watch(said).is_break();
            if how.stops.contains(&id) {
                self.forget_ahead();
                break;
            }
            if stopped {
                break;
            }
        }
        Ok(())
    }

    /// Computes the tokens behind the last one at once, as many as the session takes, where it alone is not remembered.
    async fn look_ahead(&mut self, session: &Session, how: &Answering, end: usize) -> Result<()> {
        let mut memory = self.memory(session, self.ids.len()).await?;
        let last = memory.len();
        if last + 1 == self.ids.len() && !self.is_place(last, how) {
            self.ahead = session.ahead(&mut memory, self.ids[last], end - last - 1).await?.into();
        }
        self.memory = Some(memory);
        Ok(())
    }

    /// The next token, and what it was chosen by.
    async fn next(
        &mut self,
        session: &Session,
        how: &Answering,
        wanted: Wanted,
        progress: &mut dyn Progress<usize>,
    ) -> Result<(u32, Fed)> {
        // First all that is not remembered, then the last token alone.
        let mut memory = self.memory(session, self.ids.len()).await?;
        let known = memory.len();
        let embeddings = self.embeddings(session, how, known..self.ids.len()).await?;
        let fed = session.feed(&mut memory, &embeddings, wanted, progress).await;
        if let Err(Error::Cancelled) = fed {
            // What was read stays.
            self.memory = Some(memory);
            return Err(Error::Cancelled);
        }
        let mut fed = fed?;
        let id = match how.sampling.choose_among(&fed.best, self.ids.len()) {
            Some(id) => id,
            None => {
                if wanted.best().is_some() {
                    // More are as likely as the last of these: all logits decide.
                    let last = self.ids.len() - 1;
                    memory.take_back(last);
                    let given = self.embeddings(session, how, last..last + 1).await?;
                    let again = session.feed(&mut memory, &given, Wanted::Last, progress);
                    fed.logits = again.await?.logits;
                }
                how.sampling.choose(&fed.logits, &self.ids)
            }
        };
        self.memory = Some(memory);
        Ok((id, fed))
    }

    /// The memory with room for `end` tokens; an empty one where it went with its device.
    async fn memory(&mut self, session: &Session, end: usize) -> Result<Memory> {
        let most = session.longest(self.memory.as_ref())?;
        let rooms = |tokens: usize| tokens.next_multiple_of(ROOM).min(most);
        let Some(mut memory) = self.memory.take().filter(|memory| session.holds(memory)) else {
            return session.memory(rooms(end + ROOM));
        };
        if memory.capacity() < end {
            // Twice as many, so that it does not grow often; as many as are needed where there is no memory for these.
            let mut grown = session.grow(&mut memory, rooms(2 * end)).await;
            if let Err(Error::Device(_)) = grown {
                grown = session.grow(&mut memory, rooms(end)).await;
            }
            if let Err(error) = grown {
                self.memory = Some(memory);
                return Err(error);
            }
        }
        Ok(memory)
    }

    /// What some tokens stand for.
    async fn embeddings(
        &self,
        session: &Session,
        how: &Answering,
        tokens: Range<usize>,
    ) -> Result<Vec<f32>> {
        let c = session.language()?.hidden;
        let places = |list: Range<usize>| list.filter(|at| self.is_place(*at, how));
        let skipped = places(0..tokens.start).count();
        let places: Vec<usize> = places(tokens.clone()).map(|at| at - tokens.start).collect();
        let visual = self.visual.get(skipped * c..).unwrap_or_default();
        // All that are left for the last tokens: where there are too many or too few, they suit no prompt.
        let count = if tokens.end == self.ids.len() { visual.len() } else { places.len() * c };
        let values = visual[..count.min(visual.len())].to_vec();
        let visual = Tensor { shape: vec![values.len() / c, c], values };
        session.embed_at(&self.ids[tokens], &places, &visual).await
    }
}
