//! Texts through the tower that reads them.

use std::collections::BTreeMap;

use super::Session;
use crate::features::{Scale, Tensor};
use crate::model::{Joint, TextPool, TextSpec};
use crate::plan::{SlotId, TEXT_POSITIONS, TOKEN_TABLE, Value, record_text};
use crate::{Error, Result};

/// What hides a key from a query: added to a score, it leaves no weight.
const HIDDEN: f32 = -1e30;

/// A text as numbers of tokens, and which of them are no padding; all, where that is not said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// Numbers of tokens.
    pub ids: Vec<u32>,
    /// For each whether other tokens may attend to it.
    pub attended: Option<Vec<bool>>,
}

impl Session {
    /// As [`crate::Encoder::read_texts`].
    pub(crate) async fn read_texts(&self, texts: &[Words]) -> Result<BTreeMap<String, Tensor>> {
        let none =
            || Error::input(format!("{}: this model reads no texts", self.checkpoint.name()));
        let spec = self.checkpoint.text().ok_or_else(none)?;
        let positions = self.checkpoint.tensor(TEXT_POSITIONS).await?;
        let mut all: BTreeMap<String, Tensor> = BTreeMap::new();
        let one_length = texts.windows(2).all(|two| two[0].ids.len() == two[1].ids.len());
        for text in texts {
            check(spec, text)?;
            for (name, Tensor { shape, values }) in self.read_text(spec, text, &positions).await? {
                if shape.len() == 3 && !one_length {
                    continue;
                }
                let known = all.entry(name).or_insert(Tensor { shape, values: Vec::new() });
                known.shape[0] = known.values.len() / values.len() + 1;
                known.values.extend(values);
            }
        }
        Ok(all)
    }

    /// As [`crate::Encoder::scale`].
    pub(crate) async fn scale(&self) -> Result<Scale> {
        let known = |name| self.checkpoint.manifest.tensors.contains_key(name);
        let each = match self.checkpoint.text() {
            Some(text) => text.joint == Joint::Sigmoid,
            None if known("logit_scale") => false,
            None => {
                let name = self.checkpoint.name();
                return Err(Error::input(format!("{name}: this model reads no texts")));
            }
        };
        let mut learned = [0.0; 2];
        for (value, name) in learned.iter_mut().zip(["logit_scale", "logit_bias"]) {
            if known(name) {
                *value = self.checkpoint.tensor(name).await?.first().copied().unwrap_or_default();
            }
        }
        let [scale, bias] = learned;
        Ok(Scale { scale, bias, each })
    }

    async fn read_text(
        &self,
        spec: &TextSpec,
        text: &Words,
        positions: &[f32],
    ) -> Result<Vec<(String, Tensor)>> {
        let (n, c, heads) = (text.ids.len(), spec.tower.sizes.hidden, spec.tower.sizes.heads);
        let mut embeddings = Vec::with_capacity(n * c);
        // The table is large, and a text has few of its rows.
        for id in &text.ids {
            let row = *id as usize;
            embeddings.extend(self.checkpoint.rows(TOKEN_TABLE, row..row + 1).await?);
        }
        let hidden = |query: usize, key: usize| {
            let attended = text.attended.as_ref().is_none_or(|attended| attended[key]);
            spec.causal && key > query || !attended
        };
        let index: Vec<f32> =
            (0..n * n).map(|at| f32::from(u8::from(hidden(at / n, at % n)))).collect();
        let mask = [vec![0.0; heads], vec![HIDDEN; heads]].concat();
        let row = [pooled(spec.pool, &text.ids) as f32];
        let plan = record_text(spec, n, 1);
        let given: [(&str, &[f32]); 5] = [
            ("embeddings", &embeddings),
            ("position", &positions[..n * c]),
            ("mask", &mask),
            ("mask.index", &index),
            ("pooled.row", &row),
        ];
        let inputs: Vec<(SlotId, Value<'_>)> = given
            .into_iter()
            .filter_map(|(name, values)| Some((plan.slot(name)?, Value::F32(values))))
            .collect();
        let outputs = plan.outputs.clone();
        let shapes: Vec<Vec<usize>> = outputs
            .iter()
            .map(|(name, slot)| {
                let slot = &plan.slots[*slot];
                if name.ends_with("state") {
                    vec![1, slot.rows, slot.cols]
                } else {
                    vec![1, slot.cols]
                }
            })
            .collect();
        let slots: Vec<SlotId> = outputs.iter().map(|(_, slot)| *slot).collect();
        let values = self.run_plan(plan, &inputs, &slots).await?;
        let named = outputs.into_iter().zip(shapes).zip(values);
        Ok(named.map(|(((name, _), shape), values)| (name, Tensor { shape, values })).collect())
    }
}

fn check(spec: &TextSpec, text: &Words) -> Result<()> {
    let (found, most) = (text.ids.len(), spec.length);
    if !(1..=most).contains(&found) {
        return Err(Error::input(format!("a text of {found} tokens: expected 1 to {most}")));
    }
    if let Some(id) = text.ids.iter().find(|id| **id as usize >= spec.vocabulary) {
        let last = spec.vocabulary - 1;
        return Err(Error::input(format!("token {id}: expected 0 to {last}")));
    }
    match &text.attended {
        Some(attended) if attended.len() != found => {
            Err(Error::input(format!("a text of {found} tokens with a mask of {}", attended.len())))
        }
        _ => Ok(()),
    }
}

/// The place of the token that stands for a text.
fn pooled(pool: TextPool, ids: &[u32]) -> usize {
    let first = |id: u32| ids.iter().position(|other| *other == id);
    match pool {
        TextPool::Last => ids.len() - 1,
        TextPool::LargestId => ids.iter().max().and_then(|id| first(*id)).unwrap_or(0),
        TextPool::FirstOf(id) => first(id).unwrap_or(0),
    }
}
