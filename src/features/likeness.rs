//! How alike pictures and texts are, by the features of a model with a tower for each.

use std::collections::BTreeMap;

use super::Tensor;
use crate::math::{self, dot};
use crate::{Error, Result};

/// What a model learned of its two towers' features together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// Cosines are multiplied by its exponential.
    pub scale: f32,
    /// Added to them then; 0 where the model has none.
    pub bias: f32,
    /// Whether each text has a probability of its own, or all of them share one.
    pub each: bool,
}

/// `image_embeds` and `text_embeds`, the features with length 1; `logits_per_image` `[pictures, texts]`,
/// `logits_per_text`, and `probabilities` `[pictures, texts]`.
///
/// # Errors
/// [`Error::Input`] where features of pictures `[pictures, C]` and of texts `[texts, C]` differ in C.
pub fn likeness(
    images: &Tensor,
    texts: &Tensor,
    scale: &Scale,
) -> Result<BTreeMap<String, Tensor>> {
    let Tensor { shape, values: logits } = likeness_logits(images, texts, scale)?;
    let (pictures, count) = (shape[0], shape[1]);
    let (images, texts) = (unit(images), unit(texts));
    let turned = (0..pictures * count).map(|at| logits[at % pictures * count + at / pictures]);
    let turned = Tensor { shape: vec![count, pictures], values: turned.collect() };
    let probabilities = logits.chunks_exact(count.max(1)).flat_map(|row| scale.probabilities(row));
    let shape = vec![pictures, count];
    let probabilities = Tensor { shape: shape.clone(), values: probabilities.collect() };
    let all = [
        ("logits_per_image", Tensor { shape, values: logits }),
        ("logits_per_text", turned),
        ("probabilities", probabilities),
        ("image_embeds", images),
        ("text_embeds", texts),
    ];
    Ok(all.into_iter().map(|(name, tensor)| (name.to_string(), tensor)).collect())
}

/// `logits_per_image` alone, `[pictures, texts]`.
///
/// # Errors
/// As [`likeness`].
pub fn likeness_logits(images: &Tensor, texts: &Tensor, scale: &Scale) -> Result<Tensor> {
    let (&[pictures, c], &[count, other]) = (images.shape.as_slice(), texts.shape.as_slice())
    else {
        return Err(Error::input("features of pictures and texts: expected two dimensions each"));
    };
    if c != other || c == 0 {
        return Err(Error::input(format!("{c} channels of pictures, {other} of texts")));
    }
    let (images, texts) = (unit(images), unit(texts));
    let row = |of: &Tensor, at: usize| of.values[at * c..][..c].to_vec();
    let logit = |picture: usize, text: usize| {
        scale.scale.exp() * dot(&row(&images, picture), &row(&texts, text)) + scale.bias
    };
    let values = (0..pictures * count).map(|at| logit(at / count, at % count)).collect();
    Ok(Tensor { shape: vec![pictures, count], values })
}

impl Scale {
    /// The probability of each of a picture's texts.
    pub fn probabilities(&self, logits: &[f32]) -> Vec<f32> {
        match self.each {
            true => logits.iter().map(|logit| 1.0 / (1.0 + (-logit).exp())).collect(),
            false => softmax(logits),
        }
    }
}

/// `softmax` of logits.
pub fn softmax(logits: &[f32]) -> Vec<f32> {
    let mut shares = logits.to_vec();
    math::softmax(&mut shares);
    shares
}

/// The directions of the means of each `each` rows `[n, C]`, to `[n / each, C]` of length 1; each row counts
/// alike, however long it is.
pub fn means(rows: &Tensor, each: usize) -> Tensor {
    let (c, each) = (rows.shape.last().copied().unwrap_or(1).max(1), each.max(1));
    let sums = |group: &[f32]| -> Vec<f32> {
        (0..c).map(|at| group.iter().skip(at).step_by(c).sum()).collect()
    };
    let values: Vec<f32> = unit(rows).values.chunks_exact(c * each).flat_map(sums).collect();
    unit(&Tensor { shape: vec![values.len() / c, c], values })
}

/// Rows `[n, C]` with length 1.
pub fn unit(rows: &Tensor) -> Tensor {
    let c = rows.shape.last().copied().unwrap_or(1).max(1);
    let one = |row: &[f32]| {
        let length = row.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
        row.iter().map(|v| (f64::from(*v) / length.max(1e-12)) as f32).collect::<Vec<_>>()
    };
    let values = rows.values.chunks_exact(c).flat_map(one).collect();
    Tensor { shape: rows.shape.clone(), values }
}
