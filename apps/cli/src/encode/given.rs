//! A model's inputs by their names in transformers, read from a file; all that it computes of them.

use std::collections::BTreeMap;
use std::path::Path;

use internvit::features::{likeness, unit};
use internvit::model::Pool;
use internvit::session::Words;
use internvit::weights::{Source, Stored, read_header};
use internvit::{Checkpoint, Encoder, Error, Features, Images, Result, Tensor};

use serde_json::json;

use super::super::memory::budget;
use super::super::model::Model;
use super::super::progress::Share;
use super::super::{output, print_json, tell};
use super::{Args, encode};

/// Inputs by their names.
pub(crate) struct Inputs {
    name: String,
    floats: BTreeMap<String, Tensor>,
    integers: BTreeMap<String, Integers>,
}

/// Features of texts `[texts, C]` that were made elsewhere.
const TEXT_EMBEDS: &str = "text_embeds";

/// Opens a model for inputs with texts.
pub(super) async fn open(model: &Model, inputs: &Inputs) -> Result<Checkpoint> {
    let checkpoint = model.open_joint().await?;
    if checkpoint.text().is_none() && !inputs.floats.contains_key(TEXT_EMBEDS) {
        note!(
            "input_ids: this model reads texts with a language model, which is not run here; {TEXT_EMBEDS} \
             [texts, {}] would be compared with the pictures",
            checkpoint.spec.image_features().unwrap_or_default()
        );
    }
    Ok(checkpoint)
}

/// Whole numbers, row-major.
struct Integers {
    shape: Vec<usize>,
    values: Vec<i64>,
}

/// The names that are read; others in the file are left alone.
const FLOATS: [&str; 3] = ["pixel_values", "pixel_embeds", TEXT_EMBEDS];
const INTEGERS: [&str; 4] =
    ["input_ids", "attention_mask", "spatial_shapes", "pixel_attention_mask"];

impl Inputs {
    pub(crate) async fn read(path: &Path) -> Result<Self> {
        let source = Source::file(path)?;
        let name = path.display().to_string();
        let mut this = Self { name, floats: BTreeMap::new(), integers: BTreeMap::new() };
        for stored in read_header(&source).await? {
            let key = stored.key.as_str();
            let integers = INTEGERS.contains(&key);
            if !integers && !FLOATS.contains(&key) {
                continue;
            }
            // Read, and as wider numbers beside that.
            let bytes = (stored.range.end - stored.range.start).saturating_mul(3);
            budget().check(format_args!("{}: {key}", this.name), bytes)?;
            let bytes = source.read(stored.range.clone()).await?;
            let shape = stored.shape.clone();
            if integers {
                let values =
                    decode(&stored, &bytes).ok_or_else(|| this.wrong(&stored, "I64 or I32"))?;
                this.integers.insert(stored.key, Integers { shape, values });
            } else {
                let dtype = stored.dtype.ok_or_else(|| this.wrong(&stored, "F32, F16 or BF16"))?;
                this.floats.insert(stored.key, Tensor { shape, values: dtype.decode(&bytes) });
            }
        }
        let pictures = this.floats.keys().any(|name| name != TEXT_EMBEDS);
        if !pictures && !this.integers.contains_key("input_ids") {
            return Err(this.bad("expected pixel_values, pixel_embeds or input_ids"));
        }
        Ok(this)
    }

    /// Whether there are texts, or features of some.
    pub(super) fn has_texts(&self) -> bool {
        self.integers.contains_key("input_ids") || self.floats.contains_key(TEXT_EMBEDS)
    }

    fn bad(&self, reason: impl std::fmt::Display) -> Error {
        Error::input(format!("{}: {reason}", self.name))
    }

    fn wrong(&self, stored: &Stored, expected: &str) -> Error {
        self.bad(format_args!(
            "{}: expected type {expected}, found {}",
            stored.key, stored.dtype_name
        ))
    }

    /// Rows and columns of a matrix of whole numbers.
    fn matrix(&self, name: &str) -> Result<Option<(usize, usize, &[i64])>> {
        let Some(Integers { shape, values }) = self.integers.get(name) else { return Ok(None) };
        match shape[..] {
            [rows, cols] if rows > 0 && cols > 0 => Ok(Some((rows, cols, values))),
            _ => {
                Err(self.bad(format_args!("{name}: expected 2 dimensions, found shape {shape:?}")))
            }
        }
    }

    /// The texts.
    pub(crate) fn words(&self) -> Result<Vec<Words>> {
        let Some((rows, cols, ids)) = self.matrix("input_ids")? else { return Ok(Vec::new()) };
        let mask = self.matrix("attention_mask")?;
        if let Some((r, c, _)) = mask.filter(|(r, c, _)| [*r, *c] != [rows, cols]) {
            let found = [r, c];
            return Err(self
                .bad(format_args!("attention_mask: expected [{rows}, {cols}], found {found:?}")));
        }
        let mut all = Vec::new();
        for (row, ids) in ids.chunks_exact(cols).enumerate() {
            let id = |id: &i64| {
                u32::try_from(*id)
                    .map_err(|_| self.bad(format_args!("input_ids: {id} is no token")))
            };
            let ids = ids.iter().map(id).collect::<Result<_>>()?;
            let attended = mask
                .map(|(_, _, mask)| mask[row * cols..][..cols].iter().map(|v| *v != 0).collect());
            all.push(Words { ids, attended });
        }
        Ok(all)
    }

    /// The pictures, as pixels `[pictures, 3, height, width]`.
    pub(crate) fn pixels(&self) -> Result<Option<([usize; 4], &[f32])>> {
        let Some(Tensor { shape, values }) = self.floats.get("pixel_values") else {
            return Ok(None);
        };
        let expected = "expected [pictures, 3, height, width]";
        let found = <[usize; 4]>::try_from(shape.as_slice())
            .map_err(|_| self.bad(format_args!("pixel_values of shape {shape:?}: {expected}")))?;
        Ok(Some((found, values)))
    }

    /// The grid of each picture whose patches are given row by row.
    fn grids(&self, patches: usize) -> Result<Vec<[usize; 2]>> {
        let shapes = self.matrix("spatial_shapes")?;
        let (_, _, shapes) = shapes.filter(|(_, cols, _)| *cols == 2).ok_or_else(|| {
            self.bad("pixel_values [pictures, patches, values] want spatial_shapes [pictures, 2]")
        })?;
        let mask = self.matrix("pixel_attention_mask")?;
        let mut grids = Vec::new();
        for (row, shape) in shapes.chunks_exact(2).enumerate() {
            let sides = [shape[0], shape[1]].map(|side| usize::try_from(side).unwrap_or(0));
            let count = sides[0].saturating_mul(sides[1]);
            let bad =
                |what| self.bad(format_args!("{what}, row {row}: {sides:?} of {patches} patches"));
            if !(1..=patches).contains(&count) {
                return Err(bad("spatial_shapes"));
            }
            let marked = mask.map(|(_, cols, mask)| {
                mask.iter().skip(row * cols).take(cols).filter(|v| **v != 0).count()
            });
            if marked.is_some_and(|marked| marked != count) {
                return Err(bad("pixel_attention_mask"));
            }
            grids.push(sides);
        }
        Ok(grids)
    }
}

/// Little-endian whole numbers, where they are of a known type.
fn decode(stored: &Stored, bytes: &[u8]) -> Option<Vec<i64>> {
    match stored.dtype_name.as_str() {
        "I64" => Some(bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect()),
        "I32" => {
            Some(bytes.as_chunks().0.iter().map(|b| i64::from(i32::from_le_bytes(*b))).collect())
        }
        _ => None,
    }
}

/// Computes all that the inputs ask for, and writes it.
pub(super) async fn write(
    encoder: &mut Encoder,
    inputs: &Inputs,
    args: &Args,
    bar: &Share,
) -> Result<()> {
    let outputs = outputs(encoder, inputs, &args.taps, bar).await?;
    bar.finish();
    tell(encoder);
    let list: Vec<(String, Tensor)> = outputs.into_iter().collect();
    if let Some(out) = &args.out {
        output::write(out, &list, &[])?;
    }
    if args.json {
        let shapes = list.iter().map(|(name, tensor)| (name.clone(), json!(tensor.shape)));
        let shapes: serde_json::Map<_, _> = shapes.collect();
        let out = args.out.as_ref().map(|out| out.display().to_string());
        print_json(&json!({ "out": out, "outputs": shapes }));
    } else {
        let shapes = list.iter().map(|(name, tensor)| format!("{name} {:?}", tensor.shape));
        report!("{}", shapes.collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

/// What InternVL-14B calls what InternVL-C computes; its embeddings have not yet length 1.
const C_NAMES: [(&str, &str); 3] = [
    ("image_features", "image_embeds.c"),
    ("logits_per_image", "logits_per_image.c"),
    ("last_hidden_state", "vision.last_hidden_state"),
];

/// All outputs by their names: of pictures, of texts, and of both together.
async fn outputs(
    encoder: &mut Encoder,
    inputs: &Inputs,
    taps: &[usize],
    bar: &Share,
) -> Result<BTreeMap<String, Tensor>> {
    let features = pictures(encoder, inputs, taps, bar).await?;
    let images = features
        .as_ref()
        .and_then(|features| features.image_features(encoder.spec().image_features()));
    let mut all = BTreeMap::new();
    let words = inputs.words()?;
    if !words.is_empty() && encoder.checkpoint().text().is_some() {
        all = encoder.read_texts(&words).await?;
    }
    let texts = all.get("text_features").or_else(|| inputs.floats.get(TEXT_EMBEDS));
    match (images, texts) {
        (Some(images), Some(texts)) => {
            all.extend(likeness(images, texts, &encoder.scale().await?)?)
        }
        (Some(images), None) => drop(all.insert("image_embeds".into(), unit(images))),
        (None, Some(texts)) => drop(all.insert("text_embeds".into(), unit(texts))),
        (None, None) => {}
    }
    all.extend(features.map_or(BTreeMap::new(), |features| features.tensors));
    // InternVL-14B embeds pictures in two ways, C and G, and calls its tower's output that of vision.
    if matches!(encoder.spec().pool, Pool::MeanQuery { .. }) {
        for (name, own) in C_NAMES {
            all.extend(all.get(name).cloned().map(|tensor| (own.to_string(), tensor)));
        }
    }
    Ok(all)
}

/// Features of the pictures, where there are any.
async fn pictures(
    encoder: &mut Encoder,
    inputs: &Inputs,
    taps: &[usize],
    bar: &Share,
) -> Result<Option<Features>> {
    if let Some(Tensor { shape, values }) = inputs.floats.get("pixel_embeds") {
        let shape = <[usize; 3]>::try_from(shape.as_slice());
        let shape = shape.map_err(|_| inputs.bad("pixel_embeds: expected 3 dimensions"))?;
        let images = Images::PixelEmbeds { shape, values };
        return encode(encoder, images, taps, bar).await.map(Some);
    }
    let Some(Tensor { shape, values }) = inputs.floats.get("pixel_values") else { return Ok(None) };
    match shape[..] {
        [batch, channels, height, width] => {
            let images = Images::PixelValues { shape: [batch, channels, height, width], values };
            encode(encoder, images, taps, bar).await.map(Some)
        }
        [batch, patches, length] => {
            let (patch, expected) = (encoder.spec().sizes.patch, encoder.spec().patch_values());
            let grids = inputs.grids(patches)?;
            if length != expected || grids.len() != batch || batch == 0 {
                return Err(inputs.bad(format_args!(
                    "pixel_values of shape {shape:?}: expected {} pictures of patches of {expected} values",
                    grids.len()
                )));
            }
            let mut all: Option<Features> = None;
            for (grid, rows) in grids.iter().zip(values.chunks_exact(patches * length)) {
                let pixels = planar(rows, *grid, patch);
                let [height, width] = grid.map(|side| side * patch);
                let images = Images::PixelValues { shape: [1, 3, height, width], values: &pixels };
                let mut features = encode(encoder, images, taps, bar).await?;
                filled(&mut features, patches);
                match &mut all {
                    None => all = Some(features),
                    Some(all) => super::append(all, features),
                }
            }
            Ok(all)
        }
        _ => Err(inputs.bad(format_args!(
            "pixel_values of shape {shape:?}: expected [pictures, 3, height, width], or \
             [pictures, patches, values] with spatial_shapes"
        ))),
    }
}

/// Patches `[rows·cols, side·side·3]`, a pixel's colours side by side, as pixels `[3, height, width]`.
fn planar(patches: &[f32], [rows, cols]: [usize; 2], side: usize) -> Vec<f32> {
    let (height, width) = (rows * side, cols * side);
    let mut pixels = Vec::with_capacity(3 * height * width);
    for channel in 0..3 {
        for at in 0..height * width {
            let (y, x) = (at / width, at % width);
            let patch = y / side * cols + x / side;
            pixels.push(patches[((patch * side + y % side) * side + x % side) * 3 + channel]);
        }
    }
    pixels
}

/// Adds rows of zeros to the tokens of a picture up to those of this number of patches.
fn filled(features: &mut Features, patches: usize) {
    let tokens = features.prefix + patches;
    for tensor in features.tensors.values_mut().filter(|tensor| tensor.shape.len() == 3) {
        tensor.values.resize(tokens * tensor.shape[2], 0.0);
        tensor.shape[1] = tokens;
    }
    features.grid = None;
}
