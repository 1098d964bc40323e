//! What of a picture's features stands for the whole of it.

use super::{Features, unit};

/// What stands for a whole picture; tables of many photographs have a column of each.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// What the model pools, for most the class token; where it pools nothing its first special token, else
    /// the mean of the patches: `[C]`.
    pub cls: Vec<f32>,
    /// What the model pools, else the mean of the patches, `[C]`.
    pub pooled: Vec<f32>,
    /// The mean of the patches of the last hidden state, summed in f64, `[C]`.
    pub mean: Vec<f32>,
    /// What is compared with texts, of length 1, `[P]`; empty where the model computes no such thing.
    pub embeds: Vec<f32>,
    /// Values of the model's own classes, `[classes]`; empty where it has none.
    pub logits: Vec<f32>,
}

impl Features {
    /// What stands for each picture; `channels` are those of what is compared with texts, as
    /// [`Features::image_features`] takes them.
    pub fn summaries(&self, channels: Option<usize>) -> Vec<Summary> {
        let Some(last) = self.tensors.get("last_hidden_state") else { return Vec::new() };
        let [_, tokens, c] = last.shape[..] else { return Vec::new() };
        let embeds = self.image_features(channels).map(unit);
        let mut all = Vec::new();
        for (place, values) in last.values.chunks_exact((tokens * c).max(1)).enumerate() {
            // Of what is computed once a picture.
            let once = |tensor: Option<&super::Tensor>| {
                let row = tensor.map(|t| &t.values[place * t.shape[1]..][..t.shape[1]]);
                row.map_or(Vec::new(), <[f32]>::to_vec)
            };
            let mean = mean(&values[self.prefix * c..], c);
            let (whole, first) = (once(self.tensors.get("pooler_output")), &values[..c]);
            let (cls, pooled) = match (whole.is_empty(), self.prefix) {
                (false, _) => (whole.clone(), whole),
                (true, 0) => (mean.clone(), mean.clone()),
                (true, _) => (first.to_vec(), mean.clone()),
            };
            let (embeds, logits) = (once(embeds.as_ref()), once(self.tensors.get("logits")));
            all.push(Summary { cls, pooled, mean, embeds, logits });
        }
        all
    }
}

/// The mean of rows of `c` values, summed in f64.
fn mean(rows: &[f32], c: usize) -> Vec<f32> {
    let count = (rows.len() / c.max(1)) as f64;
    let sum = |i: usize| rows.iter().skip(i).step_by(c).map(|v| f64::from(*v)).sum::<f64>();
    (0..c).map(|i| (sum(i) / count) as f32).collect()
}
