//! A taught head as a file: mmseg's linear head, its classes and its block in the metadata.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::head::sound;
use super::{Source, StoredType, read_header, read_metadata};
use crate::features::{Classifier, first_not_finite};
use crate::model::{HeadKind, MAX_CLASSES, Spec, parse_head};
use crate::{Error, Result, json};

/// How classes are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// Each patch by itself, by logistic regression on its features.
    #[default]
    Linear,
    /// Cells a quarter as large as patches: a random walk goes along likeness of features and colours to what was named, and seldom
    /// ends by what logistic regression says.
    Walk,
}

impl Method {
    /// The blocks whose outputs it takes unless others are named, of `last`: for a walk the one after two
    /// thirds too, where features still lie near edges.
    pub fn layers(self, last: usize) -> Vec<usize> {
        let mut layers = vec![last];
        if self == Self::Walk {
            layers.insert(0, (2 * last).div_ceil(3));
            layers.dedup();
        }
        layers
    }
}

impl std::str::FromStr for Method {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "linear" => Ok(Self::Linear),
            "walk" => Ok(Self::Walk),
            _ => Err("expected linear or walk".into()),
        }
    }
}

/// BatchNorm statistics and a 1 × 1 convolution on the patch tokens of one block, or of several
/// side by side: C is the sum of their channels.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearHead {
    /// The blocks whose outputs it takes, from 1.
    pub layers: Vec<usize>,
    /// The classes' names.
    pub names: Vec<String>,
    /// The classes' colours.
    pub palette: Vec<[u8; 3]>,
    /// What they are told apart by.
    pub classifier: Classifier,
    /// How they are told apart with it.
    pub method: Method,
}

impl LinearHead {
    /// The bytes of its safetensors file, f32.
    ///
    /// # Errors
    /// [`Error::Input`] where lengths do not fit each other.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let Classifier { mean, variance, weight, bias } = &self.classifier;
        let (classes, c) = (self.names.len(), mean.len());
        let indices: Option<Vec<usize>> = self.layers.iter().map(|n| n.checked_sub(1)).collect();
        let indices = indices
            .ok_or_else(|| Error::input("layer 0: a head takes outputs of blocks, from 1"))?;
        if !(1..=MAX_CLASSES).contains(&classes) {
            return Err(Error::input(format!("{classes} classes: expected 1 to {MAX_CLASSES}")));
        }
        let mut segmentation = json!({
            "head": "linear", "out_indices": indices, "num_classes": classes,
            "classes": self.names, "palette": self.palette, "whole": true,
        });
        if self.method != Method::Linear {
            segmentation["method"] = json!(self.method);
        }
        let (ones, zeros) = (vec![1.0f32; c], vec![0.0f32; c]);
        let list: [(&str, Vec<usize>, &[f32]); 6] = [
            ("norm.weight", vec![c], &ones),
            ("norm.bias", vec![c], &zeros),
            ("norm.running_mean", vec![c], mean),
            ("norm.running_var", vec![c], variance),
            ("conv_seg.weight", vec![classes, c, 1, 1], weight),
            ("conv_seg.bias", vec![classes], bias),
        ];
        let list = list.map(|(name, shape, values)| {
            (format!("decode_head.{name}"), shape, StoredType::F32.encode(values))
        });
        let mut views = Vec::new();
        for (name, shape, bytes) in &list {
            let dtype = safetensors::Dtype::F32;
            let view = safetensors::tensor::TensorView::new(dtype, shape.clone(), bytes);
            views.push((name, view.map_err(|e| Error::input(format!("{name}: {e}")))?));
        }
        let metadata = HashMap::from([("segmentation".to_string(), segmentation.to_string())]);
        safetensors::serialize(views, Some(metadata)).map_err(|e| Error::input(e.to_string()))
    }

    /// Reads a head that [`LinearHead::to_bytes`] wrote, for a model of `spec`.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] and [`Error::Config`] for other files, and for heads of other models.
    pub async fn read(source: &Source, spec: &Spec) -> Result<Self> {
        let file = source.name();
        let bad = |reason: String| Error::checkpoint(file, reason);
        let said = read_metadata(source, "segmentation").await?.ok_or_else(|| {
            bad("no classes in its metadata: expected a head that was taught and exported".into())
        })?;
        let method = json::value(&said).ok().and_then(|map| map.get("method").cloned());
        let method = match method {
            None => Method::Linear,
            Some(word) => serde_json::from_value(word.clone()).map_err(|_| {
                bad(format!("method: expected \"linear\" or \"walk\", found {word}"))
            })?,
        };
        let head = parse_head(file, &format!("{{\"segmentation\": {said}}}"), spec)?;
        let head = head.filter(|h| h.kind == HeadKind::Linear && h.names.len() == h.classes);
        let head = head.ok_or_else(|| bad("expected a linear head with named classes".into()))?;
        let list = read_header(source).await?;
        let (classes, c) = (head.classes, spec.sizes.hidden * head.out_indices.len());
        let mut parts = Vec::new();
        let wanted: [(&str, Vec<usize>); 6] = [
            ("norm.weight", vec![c]),
            ("norm.bias", vec![c]),
            ("norm.running_mean", vec![c]),
            ("norm.running_var", vec![c]),
            ("conv_seg.weight", vec![classes, c, 1, 1]),
            ("conv_seg.bias", vec![classes]),
        ];
        for (name, shape) in wanted {
            let name = format!("decode_head.{name}");
            let stored = list.iter().find(|s| s.key == name);
            let stored = stored.ok_or_else(|| bad(format!("{name}: missing")))?;
            let dtype = stored.dtype.filter(|_| stored.shape == shape).ok_or_else(|| {
                bad(format!("{name}: expected shape {shape:?}, found {:?}", stored.shape))
            })?;
            let values = dtype.decode(&source.read(stored.range.clone()).await?);
            sound(file, &name, &values)?;
            parts.push(values);
        }
        let Ok([scale, shift, mean, variance, mut weight, mut bias]) =
            <[Vec<f32>; 6]>::try_from(parts)
        else {
            unreachable!("six tensors")
        };
        // A scale and shift of BatchNorm's own goes into the convolution.
        for (row, bias) in weight.chunks_exact_mut(c).zip(&mut bias) {
            *bias += row.iter().zip(&shift).map(|(w, s)| w * s).sum::<f32>();
            row.iter_mut().zip(&scale).for_each(|(w, s)| *w *= s);
        }
        if first_not_finite(&weight).or(first_not_finite(&bias)).is_some() {
            return Err(bad(
                "decode_head.conv_seg: with its norm folded in it is beyond f32".into()
            ));
        }
        let layers = head.out_indices.iter().map(|index| index + 1).collect();
        let classifier = Classifier { mean, variance, weight, bias };
        Ok(Self { layers, names: head.names, palette: head.palette, classifier, method })
    }
}
