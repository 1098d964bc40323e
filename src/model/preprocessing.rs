//! How photographs become the pixels that a model was trained with: `preprocessor_config.json` of
//! Hugging Face's image processors, and timm's `pretrained_cfg`.

mod pretrained;
mod tiles;

pub use pretrained::parse_pretrained;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use self::tiles::{TILES, whole};
use super::spec::Sizes;
use crate::image::{Filter, Fit, Normal, Resize};
use crate::{Error, Result, json};

/// How photographs become a model's pixels; by default as InternVL makes them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Side of the square, or the short side of [`Resize::Native`]; the model's image if `None`.
    pub size: Option<u32>,
    /// The short side before a crop; `size` if `None`.
    pub short: Option<u32>,
    /// How the aspect ratio is handled.
    pub resize: Resize,
    /// What weighs the pixels.
    pub filter: Filter,
    /// How bytes become values.
    pub normal: Normal,
    /// Whether resized pixels are not rounded to bytes.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// Tiles at least and at most into which a photograph is cut, where the settings say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tiles: Option<[u32; 2]>,
}

impl Preprocessing {
    /// How photographs are brought to the size of a model of these `sizes`; `resize` and `size` are
    /// what the caller wants in place of its own.
    pub fn fit(&self, sizes: &Sizes, resize: Option<Resize>, size: Option<u32>) -> Fit {
        let own = self.size.unwrap_or(sizes.image as u32);
        let size = size.unwrap_or(own);
        // A crop of another size leaves out the same part.
        let short = u64::from(self.short.unwrap_or(own)) * u64::from(size) / u64::from(own.max(1));
        Fit {
            resize: resize.unwrap_or(self.resize),
            size,
            short: u32::try_from(short).unwrap_or(u32::MAX).max(size),
            patch: sizes.patch as u32,
            filter: self.filter,
            exact: self.exact,
            least: self.tiles.map_or(1, |[least, _]| least),
        }
    }

    /// Tiles at most into which a conversation's photographs are cut where nobody says how many.
    pub fn most_tiles(&self) -> u32 {
        self.tiles.map_or(TILES, |[_, most]| most)
    }
}

/// Reads the text of a `preprocessor_config.json`, or of a `processor_config.json`, for a model of these `sizes`; `file` names it in
/// errors. Keys that are absent keep InternVL's values. A sentence tells what cannot be obeyed.
///
/// # Errors
/// [`Error::Config`] where it is not JSON, or a value makes no sense.
pub fn parse_preprocessing(
    file: &str,
    text: &str,
    sizes: &Sizes,
) -> Result<(Preprocessing, Option<String>)> {
    let value = value_of(text).map_err(|e| Error::config(file, &e).caused_by(e))?;
    let map = value.as_object().ok_or_else(|| Error::config(file, "expected an object"))?;
    let (map, within) = match map.get(IMAGES).and_then(Value::as_object) {
        Some(inner) => (inner, "image_processor."),
        None => (map, ""),
    };
    let mut reader = Reader { file, map, sizes, within, notes: Vec::new() };
    let read = reader.processor()?;
    Ok((read, reader.note()))
}

/// Of the text of a `processor_config.json` the part that is a `preprocessor_config.json`; `None` where
/// it has none.
///
/// # Errors
/// [`Error::Config`] where it is not JSON, or the part is no object.
pub fn image_processor(file: &str, text: &str) -> Result<Option<String>> {
    let value = value_of(text).map_err(|e| Error::config(file, &e).caused_by(e))?;
    if !value.is_object() {
        return Err(Error::config(file, "expected an object"));
    }
    match value.get(IMAGES).filter(|inner| !inner.is_null()) {
        None => Ok(None),
        Some(inner) if inner.is_object() => Ok(Some(format!("{inner:#}\n"))),
        Some(other) => {
            Err(Error::config(file, format!("{IMAGES}: expected an object, found {other}")))
        }
    }
}

/// What the part is called.
const IMAGES: &str = "image_processor";

/// The value of a text of JSON. Python writes numbers that are none without quotes; with them they
/// are refused by the name of their key.
fn value_of(text: &str) -> serde_json::Result<Value> {
    json::value(text).or_else(|error| {
        let quoted = text.replace("-Infinity", "\"−∞\"").replace("Infinity", "\"∞\"");
        json::value(&quoted.replace("NaN", "\"NaN\"")).map_err(|_| error)
    })
}

/// The longest side that may be asked for, in pixels.
const LONGEST: f64 = 16384.0;

/// A size as the processors write it.
#[derive(Clone, Copy)]
enum Side {
    /// A number alone, whose meaning depends on the processor.
    Plain(u32),
    /// Equal height and width.
    Square(u32),
    /// The short side.
    Short(u32),
}

struct Reader<'a> {
    file: &'a str,
    map: &'a Map<String, Value>,
    sizes: &'a Sizes,
    /// What stands before keys in messages.
    within: &'static str,
    notes: Vec<String>,
}

impl Reader<'_> {
    fn processor(&mut self) -> Result<Preprocessing> {
        let mut read = Preprocessing {
            filter: self.filter("resample")?,
            normal: self.normal()?,
            ..Preprocessing::default()
        };
        let cropped = self.side("crop_size")?;
        let cuts = self.flag("do_center_crop")?.unwrap_or(cropped.is_some());
        let kind = ["image_processor_type", "feature_extractor_type"];
        let kind = kind.iter().find_map(|key| self.map.get(*key)?.as_str());
        let keeps = match (self.flag("default_to_square")?, kind) {
            (Some(square), _) => !square,
            (None, Some(kind)) => kind.starts_with("CLIP"),
            (None, None) => cuts,
        };
        let size = self.side("size")?.map(|side| match side {
            Side::Plain(side) if keeps => Side::Short(side),
            Side::Plain(side) => Side::Square(side),
            side => side,
        });
        let cut = cropped.filter(|_| cuts).map(Side::length);
        match (size, cut) {
            (Some(Side::Short(short)), cut) if cuts => {
                let size = cut.unwrap_or(short);
                (read.resize, read.size, read.short) = (Resize::Crop, Some(size), Some(short));
                if short < size {
                    self.tell("crop_size", "nothing is padded; the photograph is enlarged to it");
                    read.short = None;
                }
            }
            (Some(Side::Short(short)), _) => {
                (read.resize, read.size) = (Resize::Native, Some(short));
            }
            (Some(side), Some(cut)) if side.length() > cut => {
                (read.resize, read.size) = (Resize::Middle, Some(cut));
                read.short = Some(side.length());
            }
            (Some(side), Some(cut)) if side.length() < cut => {
                self.tell("crop_size", "nothing is padded; the photograph is squashed to it");
                read.size = Some(cut);
            }
            (Some(side), _) => read.size = Some(side.length()),
            (None, Some(cut)) => (read.resize, read.size) = (Resize::Crop, Some(cut)),
            (None, None) if cuts => read.resize = Resize::Crop,
            (None, None) => {}
        }
        // Of these classes the one that resizes what was divided already.
        read.exact = kind.is_some_and(|kind| kind.starts_with("DINOv3ViT"));
        read.tiles = self.tiles()?;
        self.whole_or_padded(&mut read)?;
        self.fit_patches(&mut read, "size");
        self.undone()?;
        Ok(read)
    }

    /// Photographs that are padded to a square, or keep their aspect ratio within a number of patches.
    fn whole_or_padded(&mut self, read: &mut Preprocessing) -> Result<()> {
        if let Some(value) = self.get("max_num_patches") {
            let most = self.number("max_num_patches", value, [1.0, LONGEST])?;
            let side = most.sqrt().floor() as u32;
            if f64::from(side * side) != most {
                self.tell("max_num_patches", &format!("{} are taken", side * side));
            }
            (read.resize, read.short) = (Resize::Patches, None);
            read.size = Some(side * self.sizes.patch as u32);
        } else if let Some(colour) = self.get("background_color")
            && self.flag("do_pad")? != Some(false)
        {
            if *colour != serde_json::json!([127, 127, 127]) {
                self.tell("background_color", "the border is grey, 127");
            }
            (read.resize, read.short) = (Resize::Pad, None);
        }
        Ok(())
    }

    /// Takes the model's own size where patches do not fill the one asked for.
    fn fit_patches(&mut self, read: &mut Preprocessing, key: &str) {
        let patch = self.sizes.patch as u32;
        let image = self.sizes.image as u32;
        // Of a model's own size what is no whole patch is left out at the right and the bottom.
        if read.resize == Resize::Native
            || read.size.is_none_or(|size| size.is_multiple_of(patch) || size == image)
        {
            return;
        }
        let key = if self.map.contains_key("crop_size") { "crop_size" } else { key };
        self.tell(key, &format!("patches have {patch} pixels, so {image} is taken"));
        (read.size, read.short) = (None, None);
    }

    fn normal(&self) -> Result<Normal> {
        let mut normal = Normal::default();
        let factor = match self.get("rescale_factor") {
            None => 1.0 / 255.0,
            Some(value) => self.number("rescale_factor", value, [1e-9, LARGEST])?,
        };
        normal.divisor = (1.0 / factor) as f32;
        normal.mean = self.three("image_mean", normal.mean, -LARGEST)?;
        normal.std = self.three("image_std", normal.std, SMALLEST)?;
        if self.flag("do_rescale")? == Some(false) {
            normal.divisor = 1.0;
        }
        if self.flag("do_normalize")? == Some(false) {
            (normal.mean, normal.std) = ([0.0; 3], [1.0; 3]);
        }
        Ok(normal)
    }

    /// Tells which steps are asked for, or not, that are not done, or always.
    fn undone(&mut self) -> Result<()> {
        let done = [
            "do_resize",
            "do_center_crop",
            "do_rescale",
            "do_normalize",
            "do_convert_rgb",
            // It belongs to a number of patches, or to a colour.
            "do_pad",
        ];
        if !self.map.contains_key("background_color")
            && self.map.get("do_pad") == Some(&true.into())
        {
            self.tell("do_pad", "this is not done");
        }
        if self.flag("do_resize")? == Some(false) {
            self.tell("do_resize", "photographs are resized all the same");
        }
        let others = self.map.keys().filter(|key| key.starts_with("do_"));
        let others: Vec<String> =
            others.filter(|key| !done.contains(&key.as_str())).cloned().collect();
        for key in others.iter().filter(|key| self.map[*key] == true) {
            self.tell(key, "this is not done");
        }
        if self.map.get("crop_to_patches") == Some(&Value::Bool(true)) {
            self.tell(
                "crop_to_patches",
                "tiles are cut in a conversation, elsewhere where they are asked for",
            );
        }
        Ok(())
    }

    /// Pillow's number of a filter, or its name.
    fn filter(&mut self, key: &str) -> Result<Filter> {
        let names = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];
        let Some(value) = self.get(key) else { return Ok(Filter::default()) };
        let number = value.as_u64().and_then(|n| names.get(n as usize).copied());
        let word = value.as_str().map(str::to_ascii_lowercase);
        let word = word.and_then(|word| names.into_iter().find(|name| *name == word));
        let Some(name) = number.or(word) else {
            return Err(self.expected(key, "Pillow's number of a filter, 0 to 5, or its name"));
        };
        let filter = Filter::ALL.into_iter().find(|filter| filter.name() == name);
        if filter.is_none() {
            self.tell(key, &format!("this is {name}; bicubic is taken"));
        }
        Ok(filter.unwrap_or_default())
    }

    /// A number, or `height` and `width`, or `shortest_edge`.
    fn side(&mut self, key: &str) -> Result<Option<Side>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let map = match value {
            Value::Object(map) => map,
            Value::Array(pair) if pair.len() == 2 => {
                let (height, width) = (pair[0].clone(), pair[1].clone());
                &Map::from_iter([("height".into(), height), ("width".into(), width)])
            }
            value => return self.length(key, value).map(|side| Some(Side::Plain(side))),
        };
        let length = |name: &str| {
            let value = map.get(name).filter(|value| !value.is_null());
            value.map(|value| self.length(&format!("{key}.{name}"), value)).transpose()
        };
        let (height, width) = (length("height")?, length("width")?);
        let (short, long) = (length("shortest_edge")?, length("longest_edge")?);
        match (height, width, short, long) {
            (Some(height), Some(width), ..) if height == width => Ok(Some(Side::Square(height))),
            (None, None, Some(short), None) => Ok(Some(Side::Short(short))),
            (Some(_), Some(_), ..) | (None, None, _, Some(_)) => {
                let image = self.sizes.image;
                self.tell(key, &format!("photographs become {image} × {image} pixels"));
                Ok(None)
            }
            _ => Err(self.expected(key, "a number, height and width, or shortest_edge")),
        }
    }

    fn get(&self, key: &str) -> Option<&Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        let value = self.get(key);
        let wrong = |_: &Value| self.expected(key, "true or false");
        value.map(|value| value.as_bool().ok_or_else(|| wrong(value))).transpose()
    }

    fn three(&self, key: &str, default: [f32; 3], least: f64) -> Result<[f32; 3]> {
        let number = |value: &Value| self.number(key, value, [least, LARGEST]);
        match self.get(key) {
            None => Ok(default),
            Some(Value::Array(list)) => match list.as_slice() {
                [r, g, b] => Ok([number(r)? as f32, number(g)? as f32, number(b)? as f32]),
                _ => Err(self.expected(key, "three numbers")),
            },
            Some(value) => Ok([number(value)? as f32; 3]),
        }
    }

    fn number(&self, key: &str, value: &Value, [least, most]: [f64; 2]) -> Result<f64> {
        let number = value.as_f64().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            self.error(format!("{key}: expected a number from {least} to {most}, found {value}"))
        })
    }

    fn length(&self, key: &str, value: &Value) -> Result<u32> {
        whole(value, LONGEST).ok_or_else(|| {
            let text =
                format!("{key}: expected 1 to {LONGEST} pixels, a whole number, found {value}");
            self.error(text)
        })
    }

    fn expected(&self, key: &str, expected: &str) -> Error {
        let found = self.map.get(key).unwrap_or(&Value::Null);
        self.error(format!("{key}: expected {expected}, found {found}"))
    }

    fn error(&self, reason: String) -> Error {
        Error::config(self.file, format!("{}{reason}", self.within))
    }

    /// Notes what is done in place of what a key says.
    fn tell(&mut self, key: &str, done: &str) {
        let value = self.map.get(key).unwrap_or(&Value::Null);
        self.notes.push(format!("{}{key} is {value}: {done}", self.within));
    }

    fn note(&self) -> Option<String> {
        let all = self.notes.join("; ");
        (!all.is_empty()).then(|| crate::error::one_line(format!("{}: {all}", self.file)))
    }
}

/// Deviations and factors beyond these bounds would make infinity of bytes, or nothing.
const SMALLEST: f64 = 1e-6;
const LARGEST: f64 = 1e6;

impl Side {
    fn length(self) -> u32 {
        let (Self::Plain(side) | Self::Square(side) | Self::Short(side)) = self;
        side
    }
}
