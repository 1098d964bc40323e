//! How timm and open_clip say within a model's configuration what becomes of photographs.

use serde_json::Value;

use super::{LARGEST, Preprocessing, Reader, SMALLEST, value_of};
use crate::image::{Normal, Resize};
use crate::model::Sizes;
use crate::{Error, Result};

/// As [`parse_preprocessing`](super::parse_preprocessing), of the `pretrained_cfg` of a `config.json`; `None` where it has none.
///
/// # Errors
/// As [`parse_preprocessing`](super::parse_preprocessing).
pub fn parse_pretrained(
    file: &str,
    config: &str,
    sizes: &Sizes,
) -> Result<Option<(Preprocessing, Option<String>)>> {
    let value = value_of(config).map_err(|e| Error::config(file, &e).caused_by(e))?;
    if let Some(map) = value.get("preprocess_cfg").and_then(Value::as_object) {
        let within = "preprocess_cfg.";
        let mut reader = Reader { file, map, sizes, within, notes: Vec::new() };
        let read = reader.open_clip()?;
        return Ok(Some((read, reader.note())));
    }
    let Some(map) = value.get("pretrained_cfg").and_then(Value::as_object) else {
        return Ok(None);
    };
    let mut reader = Reader { file, map, sizes, within: "pretrained_cfg.", notes: Vec::new() };
    let read = reader.timm()?;
    Ok(Some((read, reader.note())))
}

impl Reader<'_> {
    /// timm's keys: `input_size`, `crop_pct`, `crop_mode`, `interpolation`, `mean` and `std`.
    pub(super) fn timm(&mut self) -> Result<Preprocessing> {
        let normal = Normal {
            mean: self.three("mean", Normal::default().mean, -LARGEST)?,
            std: self.three("std", Normal::default().std, SMALLEST)?,
            ..Normal::default()
        };
        let filter = self.filter("interpolation")?;
        let mut read = Preprocessing { filter, normal, ..Preprocessing::default() };
        let size = match self.get("input_size") {
            None => self.sizes.image as u32,
            Some(Value::Array(list)) if list.len() == 3 && list[1] == list[2] => {
                self.length("input_size", &list[1])?
            }
            Some(_) => return Err(self.expected("input_size", "3 and two equal sides")),
        };
        let part = match self.get("crop_pct") {
            None => 1.0,
            Some(value) => self.number("crop_pct", value, [0.01, 1.0])?,
        };
        read.size = Some(size);
        match self.get("crop_mode").map_or(Some("center"), Value::as_str) {
            Some("center") => {
                read.resize = Resize::Crop;
                read.short = Some((f64::from(size) / part) as u32);
            }
            Some("squash") if part == 1.0 => {}
            _ => self.tell("crop_mode", "the whole photograph is squashed"),
        }
        self.fit_patches(&mut read, "input_size");
        Ok(read)
    }

    /// open_clip's keys: `mean`, `std`, `interpolation`, `resize_mode`; the size is the model's.
    pub(super) fn open_clip(&mut self) -> Result<Preprocessing> {
        let clip = Normal::clip();
        let normal = Normal {
            mean: self.three("mean", clip.mean, -LARGEST)?,
            std: self.three("std", clip.std, SMALLEST)?,
            ..clip
        };
        let filter = self.filter("interpolation")?;
        let resize = match self.get("resize_mode").map_or(Some("shortest"), Value::as_str) {
            Some("shortest") => Resize::Crop,
            Some("squash") => Resize::Squash,
            _ => {
                self.tell("resize_mode", "the whole photograph is squashed");
                Resize::Squash
            }
        };
        Ok(Preprocessing { resize, filter, normal, ..Preprocessing::default() })
    }
}
