//! A conversation: what was said, and the answer to it, token by token.

use std::ops::ControlFlow;

use super::Sampling;
use crate::features::Tensor;
use crate::session::{Memory, Session};
use crate::{Error, Result};

/// A conversation with a model. It outlives an answer that fails or is stopped: what was said stays.
#[derive(Default)]
pub struct Talk {
    ids: Vec<u32>,
    /// Which of them the model wrote: there are no pictures among these.
    written: Vec<bool>,
    /// Visual tokens of all pictures, in their order.
    visual: Vec<f32>,
    memory: Option<Memory>,
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
}

/// The memory grows by so many tokens.
const ROOM: usize = 256;

impl Talk {
    /// Adds a part of a prompt, and the visual tokens of the pictures in it. Where there is no room for these and one
    /// more token nothing is added.
    ///
    /// # Errors
    /// [`Error::Input`] where the model does not take as many tokens.
    pub fn say(&mut self, session: &Session, ids: &[u32], visual: Option<&Tensor>) -> Result<()> {
        let (all, most) = (self.ids.len() + ids.len(), session.language()?.length);
        if all >= most {
            return Err(Error::input(format!(
                "the conversation would have {all} tokens with its pictures, the model takes {most}: begin a new one, \
                 or cut pictures into fewer tiles"
            )));
        }
        self.ids.extend(ids);
        self.written.resize(self.ids.len(), false);
        self.visual.extend(visual.into_iter().flat_map(|tensor| &tensor.values));
        Ok(())
    }

    /// All tokens that were said.
    pub fn ids(&self) -> &[u32] {
        &self.ids
    }

    /// Takes back all but the first tokens, and all but the first values of visual tokens.
    pub fn take_back(&mut self, tokens: usize, values: usize) {
        self.ids.truncate(tokens);
        self.written.truncate(tokens);
        self.visual.truncate(values);
        // The last token is fed once more, for what follows it.
        if let Some(memory) = &mut self.memory {
            memory.take_back(tokens.saturating_sub(1));
        }
    }

    /// How many tokens an answer may have beside those that were said.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no language model.
    pub fn room(&self, session: &Session) -> Result<usize> {
        Ok(session.language()?.length.saturating_sub(self.ids.len()))
    }

    /// The answer: its tokens, of which the last may be one that ends it. `watch` is told each, with the logits that it
    /// was chosen by, and may stop the answer, which then is what was said so far. Where the device is lost it is opened
    /// again, and where f16 overflows the model goes on in f32 ([`Session::notes`] tells).
    ///
    /// # Errors
    /// [`Error::Input`] where visual tokens do not suit their places; as [`Session::feed`].
    pub async fn answer(
        &mut self,
        session: &mut Session,
        how: &Answering,
        watch: &mut dyn FnMut(u32, &[f32]) -> ControlFlow<()>,
    ) -> Result<Vec<u32>> {
        let (first, most) = (self.ids.len(), how.most.min(self.room(session)?));
        let mut mended = false;
        while let Err(error) = self.go_on(session, how, first + most, watch).await {
            if mended {
                return Err(error);
            }
            // What was answered so far is among what was said, so the answer goes on behind it.
            mended = true;
            session.mend(error).await?;
        }
        Ok(self.ids[first..].to_vec())
    }

    /// Says tokens until one ends the answer, or so many were said in all.
    async fn go_on(
        &mut self,
        session: &Session,
        how: &Answering,
        end: usize,
        watch: &mut dyn FnMut(u32, &[f32]) -> ControlFlow<()>,
    ) -> Result<()> {
        let (mut memory, mut logits) = self.remembered(session, how, end).await?;
        while self.ids.len() < end {
            let id = how.sampling.choose(&logits, &self.ids);
            self.ids.push(id);
            self.written.push(true);
            let stopped = watch(id, &logits).is_break() || how.stops.contains(&id);
            if stopped || self.ids.len() == end {
                break;
            }
            let embedding = session.embed(&[id]).await?;
            logits = session.feed(&mut memory, &embedding, false).await?;
        }
        self.memory = Some(memory);
        Ok(())
    }

    /// A memory of all that was said, with room for `end` tokens, and the logits of the next.
    async fn remembered(
        &mut self,
        session: &Session,
        how: &Answering,
        end: usize,
    ) -> Result<(Memory, Vec<f32>)> {
        let known = self.memory.take().filter(|memory| memory.capacity() >= end);
        let mut memory = match known {
            Some(memory) => memory,
            None => {
                let most = session.language()?.length;
                session.memory(end.next_multiple_of(ROOM).min(most))?
            }
        };
        let embeddings = self.embeddings(session, how, memory.len()).await?;
        let logits = session.feed(&mut memory, &embeddings, false).await?;
        Ok((memory, logits))
    }

    /// What the tokens from `first` on stand for.
    async fn embeddings(
        &self,
        session: &Session,
        how: &Answering,
        first: usize,
    ) -> Result<Vec<f32>> {
        let c = session.language()?.hidden;
        let is_place = |at: &usize| Some(self.ids[*at]) == how.picture && !self.written[*at];
        let skipped = (0..first).filter(is_place).count() * c;
        let places: Vec<usize> =
            (first..self.ids.len()).filter(is_place).map(|at| at - first).collect();
        let values = self.visual.get(skipped..).unwrap_or_default().to_vec();
        let visual = Tensor { shape: vec![values.len() / c, c], values };
        session.embed_at(&self.ids[first..], &places, &visual).await
    }
}
