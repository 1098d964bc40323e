//! Results of a run, where they were computed or read back.

use std::collections::BTreeMap;

use super::{Executor, Session};
use crate::features::Tensor;
use crate::gpu::{Buffer, Reading};
use crate::plan::POOLED;
use crate::progress::LocalBoxFuture;
use crate::{Error, Result};

/// Where results are when a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Residency {
    /// In the host's memory.
    Host,
    /// On the device that computed them, until they are read.
    Device,
}

/// Features that stay where they were computed until someone reads them.
pub struct DeviceFeatures {
    /// Pictures.
    pub batch: usize,
    /// Rows and columns of patches; unknown where embeddings were given.
    pub grid: Option<[usize; 2]>,
    /// Tokens before the patches.
    pub prefix: usize,
    /// Whether token 0 stands for the whole picture, as it is.
    pub(crate) class_token: bool,
    pub(crate) parts: BTreeMap<String, Vec<Part>>,
}

/// What one run computed for one tensor.
pub(crate) struct Part {
    /// Pictures of the run, rows, columns.
    pub(crate) shape: [usize; 3],
    pub(crate) values: Values,
}

pub(crate) enum Values {
    Host(Vec<f32>),
    /// Being read back; runs leave none behind.
    Coming(Reading),
    Device(Buffer),
}

/// The pooled token.
const POOLER: &str = "pooler_output";

/// The values of classes, and those of two classifiers whose mean they are.
const LOGITS: &str = "logits";
const DISTILLED: [&str; 2] = ["cls_logits", "distillation_logits"];

impl DeviceFeatures {
    /// Names of the tensors: `last_hidden_state`, `pooler_output` where the model pools, what else it
    /// computes of that, and `hidden_states.{i}` for those asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let pooler = self.class_token && !self.parts.contains_key(POOLER);
        let both = DISTILLED.iter().all(|name| self.parts.contains_key(*name));
        let derived = pooler.then_some(POOLER).into_iter().chain(both.then_some(LOGITS));
        self.parts.keys().map(String::as_str).chain(derived)
    }

    /// Tokens of a picture and channels of a token.
    pub fn shape(&self) -> (usize, usize) {
        let part = self.parts.get("last_hidden_state").and_then(|parts| parts.first());
        part.map_or((0, 0), |part| (part.shape[1], part.shape[2]))
    }

    /// The buffer of a tensor that stays on a device, f32 `[pictures, tokens, C]`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such tensor, [`Error::Device`] where it is not on a device, or
    /// was computed in several runs.
    pub fn buffer(&self, name: &str) -> Result<&Buffer> {
        let unknown = || Error::input(format!("no tensor called {name}"));
        match self.parts.get(name).ok_or_else(unknown)?.as_slice() {
            [Part { values: Values::Device(buffer), .. }] => Ok(buffer),
            [_] => Err(Error::device(format!("{name} lies in the host's memory"))),
            more => Err(Error::device(format!("{name} was computed in {} runs", more.len()))),
        }
    }

    /// Reads a tensor `[batch, tokens, C]`, or one of the pooled token `[batch, C]`; `session` is the one that computed it.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such tensor, [`Error::Lost`] where it lay on a device that was
    /// lost, [`Error::Device`].
    pub fn tensor<'a>(
        &'a self,
        session: &'a Session,
        name: &'a str,
    ) -> LocalBoxFuture<'a, Result<Tensor>> {
        Box::pin(async move {
            if name == POOLER && self.class_token && !self.parts.contains_key(POOLER) {
                let last = self.tensor(session, "last_hidden_state").await?;
                let (tokens, c) = (last.shape[1], last.shape[2]);
                let first = last.values.chunks_exact(tokens * c).flat_map(|picture| &picture[..c]);
                return Ok(Tensor { shape: vec![self.batch, c], values: first.copied().collect() });
            }
            if name == LOGITS && !self.parts.contains_key(LOGITS) {
                let mut mean = self.tensor(session, DISTILLED[0]).await?;
                let other = self.tensor(session, DISTILLED[1]).await?;
                let pairs = mean.values.iter_mut().zip(other.values);
                pairs.for_each(|(mean, other)| *mean = (*mean + other) / 2.0);
                return Ok(mean);
            }
            let unknown = || Error::input(format!("no tensor called {name}"));
            let parts = self.parts.get(name).ok_or_else(unknown)?;
            let mut values = Vec::new();
            for part in parts {
                match (&part.values, &session.executor) {
                    (Values::Host(host), _) if values.is_empty() => values.clone_from(host),
                    (Values::Host(host), _) => values.extend_from_slice(host),
                    (Values::Device(buffer), Executor::Gpu(gpu, _)) => {
                        values.extend(gpu.read(buffer).await?);
                    }
                    (Values::Coming(_) | Values::Device(_), _) => {
                        return Err(Error::device("these features lie on another device"));
                    }
                }
            }
            let [_, rows, cols] = parts.first().map_or([0; 3], |part| part.shape);
            let shape = match POOLED.contains(&name) {
                true => vec![self.batch, cols],
                false => vec![self.batch, rows, cols],
            };
            Ok(Tensor { shape, values })
        })
    }
}
