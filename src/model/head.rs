//! Segmentation heads on multi-level features, as mmsegmentation builds them.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::spec::Spec;
use super::weight::WeightKind::{self, Bias, Gain, Matrix};
use crate::error::counted;
use crate::{Error, Result, json};

/// A segmentation head: what stands under `segmentation` in `config.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadSpec {
    /// Which head.
    pub kind: HeadKind,
    /// 0-based blocks whose outputs it takes.
    pub out_indices: Vec<usize>,
    /// Number of classes.
    pub classes: usize,
    /// Their names; empty where the configuration gives none.
    pub names: Vec<String>,
    /// Their colours; empty where the configuration gives none.
    pub palette: Vec<[u8; 3]>,
    /// Photographs are taken whole, as the head was taught, and not window by window.
    pub whole: bool,
}

/// Which head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadKind {
    /// BatchNorm (where its tensors exist) and a 1 × 1 convolution, on one level or on several side
    /// by side.
    Linear,
    /// A feature pyramid of four levels and UPerNet.
    Uper,
}

/// How many classes a head may have: each has a value for every patch.
const CLASSES: RangeInclusive<u64> = 1..=MAX_CLASSES as u64;

/// The most classes of a head.
pub const MAX_CLASSES: usize = 4096;

/// The most blocks whose outputs stand side by side: as many as an encoder may have.
const LEVELS: usize = 1 << 10;

/// Scales of UPerNet's pyramid pooling.
pub const POOL_SCALES: [usize; 4] = [1, 2, 3, 6];

/// The `segmentation` object of a `config.json`; `None` where there is none.
///
/// # Errors
/// [`Error::Config`] where it is no JSON, or describes no head of this encoder.
pub fn parse_head(file: &str, text: &str, spec: &Spec) -> Result<Option<HeadSpec>> {
    let bad = |reason: String| Error::config(file, reason);
    let top = json::value(text).map_err(|e| bad(e.to_string()))?;
    let Some(map) = top.get("segmentation").filter(|v| !v.is_null()) else { return Ok(None) };
    let kind = match map["head"].as_str() {
        Some("linear") => HeadKind::Linear,
        Some("uper") => HeadKind::Uper,
        _ => {
            return Err(bad(format!(
                "segmentation.head: expected \"linear\" or \"uper\", found {}",
                map["head"]
            )));
        }
    };
    let right =
        |n: usize| if kind == HeadKind::Linear { (1..=LEVELS).contains(&n) } else { n == 4 };
    let layers = spec.sizes.layers;
    let indices: Option<Vec<usize>> = map["out_indices"].as_array().and_then(|list| {
        list.iter().map(|v| v.as_u64().map(|i| i as usize).filter(|i| *i < layers)).collect()
    });
    let out_indices = indices.filter(|list| right(list.len())).ok_or_else(|| {
        bad(format!(
            "segmentation.out_indices: expected {} numbers below {layers}, found {}",
            if kind == HeadKind::Linear { "one or more" } else { "4" },
            map["out_indices"]
        ))
    })?;
    let classes = map["num_classes"].as_u64().filter(|n| CLASSES.contains(n)).ok_or_else(|| {
        let (least, most) = (CLASSES.start(), CLASSES.end());
        bad(format!(
            "segmentation.num_classes: expected a number from {least} to {most}, found {}",
            map["num_classes"]
        ))
    })? as usize;
    let mut names: Vec<String> = list(map, "classes", classes, file)?;
    let mut palette: Vec<[u8; 3]> = list(map, "palette", classes, file)?;
    if classes == 150 && names.is_empty() {
        names = ade20k().map(|(_, name)| name.to_string()).collect();
        if palette.is_empty() {
            palette = ade20k().map(|(colour, _)| colour).collect();
        }
    }
    let whole = map["whole"].as_bool().unwrap_or(false);
    Ok(Some(HeadSpec { kind, out_indices, classes, names, palette, whole }))
}

/// ADE20K's 150 classes, for which the published heads were trained, with the colours in which they
/// are usually shown.
pub fn ade20k() -> impl Iterator<Item = ([u8; 3], &'static str)> {
    include_str!("ade20k.txt").lines().filter_map(|line| {
        let (colour, name) = line.split_once(' ')?;
        let [_, r, g, b] = u32::from_str_radix(colour, 16).ok()?.to_be_bytes();
        Some(([r, g, b], name))
    })
}

/// An optional list with one entry a class.
fn list<T: serde::de::DeserializeOwned>(
    map: &Value,
    key: &str,
    classes: usize,
    file: &str,
) -> Result<Vec<T>> {
    if map[key].is_null() {
        return Ok(Vec::new());
    }
    let found: Option<Vec<T>> = serde_json::from_value(map[key].clone()).ok();
    found.filter(|list| list.len() == classes).ok_or_else(|| {
        let reason =
            format!("segmentation.{key}: expected one entry for each of {classes} classes");
        Error::config(file, reason)
    })
}

impl HeadSpec {
    /// That it is one which can be computed, wherever it comes from.
    ///
    /// # Errors
    /// What was expected and found.
    pub fn check(&self) -> std::result::Result<(), String> {
        let (least, most) = (CLASSES.start(), CLASSES.end());
        let fits = |n: usize| n == 0 || n == self.classes;
        let levels = self.out_indices.len();
        if !CLASSES.contains(&(self.classes as u64)) {
            let found = counted(self.classes as u64, "class");
            Err(format!("{found}: expected {least} to {most}"))
        } else if !fits(self.names.len()) || !fits(self.palette.len()) {
            Err(format!(
                "{} names and {} colours: expected one for each of {} classes, or none",
                self.names.len(),
                self.palette.len(),
                self.classes
            ))
        } else if self.kind == HeadKind::Uper && levels != 4 || !(1..=LEVELS).contains(&levels) {
            let found = counted(levels as u64, "level");
            Err(format!("{found}: expected 4 for UPerNet, else 1 to {LEVELS}"))
        } else {
            Ok(())
        }
    }

    /// Rows of logits for each row of patches; likewise columns.
    pub fn scale(&self) -> usize {
        if self.kind == HeadKind::Uper { 4 } else { 1 }
    }

    /// The tensors of the head as mmseg names them, with their shapes, for levels of `c` channels
    /// and a decoder of `d` channels, and how they are used. `norm` says whether a linear head has its BatchNorm.
    pub fn wanted(&self, c: usize, d: usize, norm: bool) -> Vec<(String, Vec<usize>, WeightKind)> {
        let mut list = Vec::new();
        let mut add = |name: &str, shape: &[usize], kind| {
            list.push((name.to_string(), shape.to_vec(), kind));
        };
        let side_by_side = c * self.out_indices.len();
        let input = if self.kind == HeadKind::Linear { side_by_side } else { d };
        add("decode_head.conv_seg.weight", &[self.classes, input, 1, 1], Matrix);
        add("decode_head.conv_seg.bias", &[self.classes], Bias);
        if self.kind == HeadKind::Linear {
            for (name, kind) in BATCH_NORM.iter().filter(|_| norm) {
                add(&format!("decode_head.norm.{name}"), &[side_by_side], *kind);
            }
            return list;
        }
        for up in ["up1.0", "up1.3", "up2.0"] {
            add(&format!("{up}.weight"), &[c, c, 2, 2], Matrix);
            add(&format!("{up}.bias"), &[c], Bias);
        }
        add("up1.1.weight", &[c], Gain);
        add("up1.1.bias", &[c], Bias);
        for (name, inputs, side) in self.convolutions(c, d) {
            add(&format!("decode_head.{name}.conv.weight"), &[d, inputs, side, side], Matrix);
            for (part, kind) in BATCH_NORM {
                add(&format!("decode_head.{name}.bn.{part}"), &[d], kind);
            }
        }
        list
    }

    /// UPerNet's convolutions with BatchNorm: name, input channels, side of the kernel.
    fn convolutions(&self, c: usize, d: usize) -> Vec<(String, usize, usize)> {
        let numbered = |name: &str, n: usize| {
            (0..n).map(|i| name.replace('#', &i.to_string())).collect::<Vec<_>>()
        };
        let mut list: Vec<(String, usize, usize)> = Vec::new();
        list.extend(numbered("psp_modules.#.1", 4).into_iter().map(|name| (name, c, 1)));
        list.extend(numbered("lateral_convs.#", 3).into_iter().map(|name| (name, c, 1)));
        list.extend(numbered("fpn_convs.#", 3).into_iter().map(|name| (name, d, 3)));
        list.push(("bottleneck".into(), c + 4 * d, 3));
        list.push(("fpn_bottleneck".into(), 4 * d, 3));
        list
    }
}

/// The tensors of a BatchNorm with running statistics.
pub const BATCH_NORM: [(&str, WeightKind); 4] =
    [("weight", Gain), ("bias", Bias), ("running_mean", Bias), ("running_var", Gain)];
