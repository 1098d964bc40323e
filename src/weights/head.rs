//! A segmentation head's tensors: found by mmseg's names, and folded into what the plan uses.
//!
//! The plan's names are `head.{module}.{weight,bias}`. BatchNorm (eps 1e-5, running statistics) is
//! folded into the convolution before or after it; convolutions become matrices `[out, k·k·in]` in
//! the order y, x, channel; transposed convolutions `[4·out, in]`, one plane a pixel of the 2 × 2;
//! classes are padded with zeros to a multiple of 4.

use std::collections::{BTreeMap, HashMap};

use super::{Layout, Part, Source, Stored, Tensor};
use crate::error::list;
use crate::features::first_not_finite;
use crate::model::{BATCH_NORM, HeadKind, HeadSpec};
use crate::order::sort_by;
use crate::{Error, Result};

/// A head, and where its tensors are.
pub struct Head {
    /// What the head is.
    pub spec: HeadSpec,
    /// Channels of the decoder.
    pub channels: usize,
    /// By mmseg's names, as stored.
    pub tensors: BTreeMap<String, Tensor>,
}

/// Whether a key, without the backbone's prefix, is a head's.
pub(super) fn is_head(key: &str) -> bool {
    key.starts_with("decode_head.") || key.starts_with("up")
}

/// BatchNorm's eps in mmseg.
const EPS: f64 = 1e-5;

impl Head {
    /// Finds the head's tensors among those of file number `file`, called `name`; `c` are the
    /// channels of a level.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where the description makes no sense, or a tensor is missing or of
    /// another shape.
    pub fn new(
        spec: HeadSpec,
        c: usize,
        files: &[(String, Vec<Stored>)],
        prefix: &str,
    ) -> Result<Self> {
        let name = files.last().map_or("", |(name, _)| name.as_str());
        // A head that a caller describes has not passed the configuration's checks.
        spec.check().map_err(|reason| Error::checkpoint(name, reason))?;
        let mut found = HashMap::new();
        for (file, (_, list)) in files.iter().enumerate() {
            for stored in list {
                let key = stored.key.strip_prefix(prefix).unwrap_or(&stored.key);
                if is_head(key) {
                    found.insert(key.to_string(), (file, stored));
                }
            }
        }
        let seg = found.get("decode_head.conv_seg.weight").ok_or_else(|| {
            Error::checkpoint(name, "decode_head.conv_seg.weight: missing, expected for the head")
        })?;
        let channels = seg.1.shape.get(1).copied().unwrap_or(0);
        let norm = found.contains_key("decode_head.norm.weight");
        let (mut tensors, mut problems) = (BTreeMap::new(), Vec::new());
        for (key, shape, _) in spec.wanted(c, channels, norm) {
            match found.remove(&key) {
                None => problems.push(format!("{key}: missing, expected shape {shape:?}")),
                Some((file, stored)) => match stored.dtype {
                    Some(dtype) if stored.shape == shape => {
                        let part = Part::whole(file, stored, dtype, shape[0]);
                        tensors.insert(
                            key,
                            Tensor {
                                shape,
                                parts: vec![part],
                                layout: Layout::Rows,
                                quantized: None,
                                block_matrix: false,
                            },
                        );
                    }
                    _ => problems.push(format!(
                        "{key}: expected shape {shape:?} of F32, F16 or BF16, found {:?} of {}",
                        stored.shape, stored.dtype_name
                    )),
                },
            }
        }
        // A counter that training leaves behind is no tensor of the head.
        let mut extra: Vec<_> =
            found.into_keys().filter(|key| !key.ends_with("num_batches_tracked")).collect();
        sort_by(&mut extra, Ord::cmp);
        problems.extend(extra.iter().map(|key| format!("{key}: unexpected tensor")));
        if channels == 0 || channels % 4 != 0 {
            problems.push(format!("{channels} channels: expected a multiple of 4 above 0"));
        }
        match problems.is_empty() {
            true => Ok(Self { spec, channels, tensors }),
            false => Err(Error::checkpoint(name, list(problems))),
        }
    }

    /// Bytes of all tensors as stored.
    pub fn bytes(&self) -> u64 {
        self.tensors.values().flat_map(|t| &t.parts).map(|p| p.range.end - p.range.start).sum()
    }

    /// Classes, rounded up to what the kernels write.
    pub fn padded_classes(&self) -> usize {
        self.spec.classes.next_multiple_of(4)
    }

    /// The tensor that the plan calls `head.{name}`.
    pub(super) async fn tensor(&self, files: &[Source], name: &str) -> Result<Vec<f32>> {
        let values = self.folded(files, name).await?;
        match first_not_finite(&values) {
            None => Ok(values),
            Some(at) => Err(Error::checkpoint(
                files.last().map_or("head", Source::name),
                format!(
                    "head.{name}: value {at}, with its norm folded in, is beyond f32: expected \
                     trained weights"
                ),
            )),
        }
    }

    async fn folded(&self, files: &[Source], name: &str) -> Result<Vec<f32>> {
        let (module, part) = name.rsplit_once('.').unwrap_or((name, ""));
        if module == "conv_seg" {
            let mut values = self.classifier(files, part).await?;
            values.resize(values.len() / self.spec.classes * self.padded_classes(), 0.0);
            return Ok(values);
        }
        if module == "up1.1" {
            return self.raw(files, name).await;
        }
        if module.starts_with("up") {
            let values = self.raw(files, name).await?;
            return Ok(match part {
                "weight" => planes(&values),
                _ => values.repeat(4),
            });
        }
        let (scale, shift) = self.batch_norm(files, &format!("decode_head.{module}.bn")).await?;
        if part == "bias" {
            return Ok(shift);
        }
        let w = self.raw(files, &format!("decode_head.{module}.conv.weight")).await?;
        let row = w.len() / scale.len();
        let taps = if module.contains("fpn") || module == "bottleneck" { 9 } else { 1 };
        Ok(w.chunks_exact(row)
            .zip(&scale)
            .flat_map(|(filter, scale)| {
                let value = move |i: usize| filter[i % (row / taps) * taps + i / (row / taps)];
                (0..row).map(move |i| value(i) * scale)
            })
            .collect())
    }

    /// The last 1 × 1 convolution, a BatchNorm before it folded in.
    async fn classifier(&self, files: &[Source], part: &str) -> Result<Vec<f32>> {
        let w = self.raw(files, "decode_head.conv_seg.weight").await?;
        let norm = self.spec.kind == HeadKind::Linear
            && self.tensors.contains_key("decode_head.norm.weight");
        if !norm {
            return match part {
                "weight" => Ok(w),
                _ => self.raw(files, "decode_head.conv_seg.bias").await,
            };
        }
        let (scale, shift) = self.batch_norm(files, "decode_head.norm").await?;
        let rows = w.chunks_exact(scale.len());
        if part == "weight" {
            return Ok(rows.flat_map(|row| row.iter().zip(&scale).map(|(w, s)| w * s)).collect());
        }
        let bias = self.raw(files, "decode_head.conv_seg.bias").await?;
        let added = rows.map(|row| {
            row.iter().zip(&shift).map(|(w, t)| f64::from(*w) * f64::from(*t)).sum::<f64>()
        });
        Ok(bias.iter().zip(added).map(|(b, a)| (f64::from(*b) + a) as f32).collect())
    }

    /// BatchNorm as `x · scale + shift`.
    async fn batch_norm(&self, files: &[Source], name: &str) -> Result<(Vec<f32>, Vec<f32>)> {
        let mut parts = Vec::new();
        for (part, _) in BATCH_NORM {
            parts.push(self.raw(files, &format!("{name}.{part}")).await?);
        }
        let folded = (0..parts[0].len()).map(|i| {
            let [weight, bias, mean, var] = [0, 1, 2, 3].map(|p| f64::from(parts[p][i]));
            let scale = weight / (var + EPS).sqrt();
            (scale as f32, (bias - mean * scale) as f32)
        });
        Ok(folded.unzip())
    }

    async fn raw(&self, files: &[Source], key: &str) -> Result<Vec<f32>> {
        let part =
            self.tensors.get(key).and_then(|tensor| tensor.parts.first()).ok_or_else(|| {
                Error::checkpoint("head", format!("{key}: not a tensor of this head"))
            })?;
        let file = &files[part.file];
        let values = part.dtype.decode(&file.read(part.range.clone()).await?);
        sound(file.name(), key, &values)?;
        Ok(values)
    }
}

/// Refuses what no trained head holds, whichever way it comes.
pub(super) fn sound(file: &str, key: &str, values: &[f32]) -> Result<()> {
    let bad = |reason: String| Err(Error::checkpoint(file, format!("{key}: {reason}")));
    if let Some(at) = first_not_finite(values) {
        return bad(format!("value {at} is {}, expected a number", values[at]));
    }
    if key.ends_with("running_var")
        && let Some(at) = values.iter().position(|value| *value < 0.0)
    {
        return bad(format!("value {at} is {}, expected a variance of at least 0", values[at]));
    }
    if key == "decode_head.conv_seg.weight" && values.iter().all(|value| *value == 0.0) {
        return bad("all values are 0, expected trained weights".into());
    }
    Ok(())
}

/// A transposed convolution `[in, out, 2, 2]` as `[4·out, in]`, planes in the order y, x.
fn planes(w: &[f32]) -> Vec<f32> {
    let c = ((w.len() / 4) as f64).sqrt() as usize;
    let mut out = Vec::with_capacity(w.len());
    for plane in 0..4 {
        for o in 0..c {
            out.extend((0..c).map(|i| w[(i * c + o) * 4 + plane]));
        }
    }
    out
}
