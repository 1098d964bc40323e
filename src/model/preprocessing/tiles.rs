//! Into how many tiles a photograph is cut.

use serde_json::Value;

use super::Reader;
use crate::Result;

/// Tiles at most that InternVLs learned with.
pub(super) const TILES: u32 = 12;

/// The most tiles that may be asked for.
const MOST: f64 = 256.0;

impl Reader<'_> {
    /// How many tiles a photograph is cut into. Where it is cut is another question: `crop_to_patches` is of a program that
    /// makes pixels alone, one that answers questions always cuts.
    pub(super) fn tiles(&self) -> Result<Option<[u32; 2]>> {
        self.flag("crop_to_patches")?;
        let count = |key: &str| {
            let value = self.get(key);
            let wrong = |_: &Value| self.expected(key, "1 to 256 tiles");
            value.map(|value| whole(value, MOST).ok_or_else(|| wrong(value))).transpose()
        };
        match (count("min_patches")?, count("max_patches")?) {
            (None, None) => Ok(None),
            (least, most) => {
                let (least, most) = (least.unwrap_or(1), most.unwrap_or(TILES));
                if least > most {
                    let reason = format!("min_patches: expected at most {most}, found {least}");
                    return Err(self.error(reason));
                }
                Ok(Some([least, most]))
            }
        }
    }
}

/// A whole number from 1 to `most`.
pub(super) fn whole(value: &Value, most: f64) -> Option<u32> {
    let number = value.as_f64().filter(|n| (1.0..=most).contains(n) && n.fract() == 0.0);
    number.map(|number| number as u32)
}
