//! A taught head as a file: mmseg's linear head, its classes and its block in the metadata.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::head::sound;
use super::{Source, Stored, StoredType, read_header, read_metadata};
use crate::features::{Classifier, Hidden, first_not_finite};
use crate::model::{HeadKind, MAX_CLASSES, Spec, parse_head};
use crate::{Error, Result, json};

/// How classes are told apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Method {
    /// Each patch by itself, by logistic regression on its features.
    #[default]
    Linear,
    /// Each patch by itself, by a small network with one hidden layer.
    Mlp,
    /// Cells a quarter as large as patches: a random walk goes along likeness of features, colours and
    /// textures to what was named, and seldom ends by what logistic regression says.
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
            "mlp" => Ok(Self::Mlp),
            "walk" => Ok(Self::Walk),
            _ => Err("expected walk, linear or mlp".into()),
        }
    }
}

/// How the classes of a file are told apart; `None` where it is no head that was taught.
///
/// # Errors
/// As [`read_metadata`]; [`Error::Checkpoint`] for a method that there is not.
pub async fn taught_method(source: &Source) -> Result<Option<Method>> {
    let said = read_metadata(source, "segmentation").await?;
    let method = said.map(|said| method_in(&said)).transpose();
    method.map_err(|reason| Error::checkpoint(source.name(), reason))
}

fn method_in(said: &str) -> std::result::Result<Method, String> {
    let method = json::value(said).ok().and_then(|map| map.get("method").cloned());
    let Some(word) = method else { return Ok(Method::default()) };
    serde_json::from_value(word.clone())
        .map_err(|_| format!("method: expected \"linear\", \"mlp\" or \"walk\", found {word}"))
}

/// Units of a hidden layer at most.
const MAX_UNITS: usize = 4096;

/// BatchNorm statistics, for a network its hidden layer, and a 1 × 1 convolution on the patch tokens of one block, or of several
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
        let Classifier { mean, variance, hidden, weight, bias } = &self.classifier;
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
        let units = hidden.as_ref().map_or(c, |hidden| hidden.bias.len());
        let mut list: Vec<(&str, Vec<usize>, &[f32])> = vec![
            ("norm.weight", vec![c], &ones),
            ("norm.bias", vec![c], &zeros),
            ("norm.running_mean", vec![c], mean),
            ("norm.running_var", vec![c], variance),
            ("conv_seg.weight", vec![classes, units, 1, 1], weight),
            ("conv_seg.bias", vec![classes], bias),
        ];
        if let Some(Hidden { weight, bias }) = hidden {
            list.push(("hidden.weight", vec![units, c], weight));
            list.push(("hidden.bias", vec![units], bias));
        }
        let list = list.into_iter().map(|(name, shape, values)| {
            (format!("decode_head.{name}"), shape, StoredType::F32.encode(values))
        });
        let list: Vec<_> = list.collect();
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
        let method = method_in(&said).map_err(bad)?;
        let head = parse_head(file, &format!("{{\"segmentation\": {said}}}"), spec)?;
        let head = head.filter(|h| h.kind == HeadKind::Linear && h.names.len() == h.classes);
        let head = head.ok_or_else(|| bad("expected a linear head with named classes".into()))?;
        let list = read_header(source).await?;
        let (classes, c) = (head.classes, spec.sizes.hidden * head.out_indices.len());
        let key = |name: &str| format!("decode_head.{name}");
        let units = match method {
            Method::Mlp => Some(units(file, &list)?),
            Method::Linear | Method::Walk => None,
        };
        let mut wanted: Vec<(&str, Vec<usize>)> = vec![
            ("norm.weight", vec![c]),
            ("norm.bias", vec![c]),
            ("norm.running_mean", vec![c]),
            ("norm.running_var", vec![c]),
            ("conv_seg.weight", vec![classes, units.unwrap_or(c), 1, 1]),
            ("conv_seg.bias", vec![classes]),
        ];
        if let Some(units) = units {
            wanted.push(("hidden.weight", vec![units, c]));
            wanted.push(("hidden.bias", vec![units]));
        }
        let mut parts = Vec::new();
        for (name, shape) in wanted {
            let name = key(name);
            let stored = list.iter().find(|s| s.key == name);
            let stored = stored.ok_or_else(|| bad(format!("{name}: missing")))?;
            let dtype = stored.dtype.filter(|_| stored.shape == shape).ok_or_else(|| {
                bad(format!("{name}: expected shape {shape:?}, found {:?}", stored.shape))
            })?;
            let values = dtype.decode(&source.read(stored.range.clone()).await?);
            sound(file, &name, &values)?;
            parts.push(values);
        }
        let mut parts = parts.into_iter();
        let mut next = || parts.next().unwrap_or_default();
        let [scale, shift, mean, variance] = [(); 4].map(|()| next());
        let (mut weight, mut bias) = (next(), next());
        let mut hidden = units.map(|_| Hidden { weight: next(), bias: next() });
        // A scale and shift of BatchNorm's own goes into what follows it.
        let (name, first, offsets) = match &mut hidden {
            Some(Hidden { weight, bias }) => ("hidden", weight, bias),
            None => ("conv_seg", &mut weight, &mut bias),
        };
        for (row, bias) in first.chunks_exact_mut(c).zip(offsets.iter_mut()) {
            *bias += row.iter().zip(&shift).map(|(w, s)| w * s).sum::<f32>();
            row.iter_mut().zip(&scale).for_each(|(w, s)| *w *= s);
        }
        if first_not_finite(first).or(first_not_finite(offsets)).is_some() {
            return Err(bad(format!(
                "decode_head.{name}: with its norm folded in it is beyond f32"
            )));
        }
        let layers = head.out_indices.iter().map(|index| index + 1).collect();
        let classifier = Classifier { mean, variance, hidden, weight, bias };
        Ok(Self { layers, names: head.names, palette: head.palette, classifier, method })
    }
}

/// How many units the hidden layer of a file has.
fn units(file: &str, list: &[Stored]) -> Result<usize> {
    let name = "decode_head.hidden.bias";
    let found = list.iter().find(|stored| stored.key == name);
    match found.map(|stored| &stored.shape[..]) {
        Some([units]) if (1..=MAX_UNITS).contains(units) => Ok(*units),
        Some(other) => Err(Error::checkpoint(
            file,
            format!("{name}: expected 1 to {MAX_UNITS} units, found {other:?}"),
        )),
        None => Err(Error::checkpoint(file, format!("{name}: missing"))),
    }
}
