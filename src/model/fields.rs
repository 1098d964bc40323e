//! The keys of a `config.json`, each read as what it must be.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use crate::error::list;
use crate::{Error, Result};

/// An object of a configuration, and the file that it is of.
pub(super) struct Fields<'a> {
    pub(super) file: &'a str,
    pub(super) map: &'a Map<String, Value>,
    /// The whole configuration, of which the map may be a part.
    pub(super) top: &'a Map<String, Value>,
}

/// The largest size that a configuration may name.
const LARGEST: u64 = 1 << 20;

impl<'a> Fields<'a> {
    pub(super) fn error(&self, reason: impl std::fmt::Display) -> Error {
        Error::config(self.file, reason)
    }

    /// The value of a key; `None` where it is null or absent.
    pub(super) fn get(&self, key: &str) -> Option<&'a Value> {
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// What the whole configuration calls itself, and its part for the encoder.
    pub(super) fn kinds(&self) -> [Option<&'a str>; 2] {
        [self.top, self.map].map(|map| map.get("model_type")?.as_str())
    }

    /// An object within this one; empty where there is none.
    pub(super) fn within(&self, key: &str) -> Fields<'a> {
        static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
        Fields { map: self.get(key).and_then(Value::as_object).unwrap_or(&NONE), ..*self }
    }

    /// A whole number above 0.
    pub(super) fn size(&self, key: &str, default: usize) -> Result<usize> {
        self.get(key).map_or(Ok(default), |value| self.count(key, value))
    }

    /// A square's side, written as a number or as a pair of equal numbers.
    pub(super) fn side(&self, key: &str, default: usize) -> Result<usize> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Array(pair)) => match pair.as_slice() {
                [a, b] if a == b => self.count(key, a),
                _ => Err(self.error(format_args!(
                    "{key}: expected two equal numbers, found {}",
                    Value::Array(pair.clone())
                ))),
            },
            Some(value) => self.count(key, value),
        }
    }

    /// A whole number from 0 on.
    pub(super) fn tally(&self, key: &str, default: usize) -> Result<usize> {
        match self.get(key) {
            Some(value) if value.as_u64() == Some(0) => Ok(0),
            _ => self.size(key, default),
        }
    }

    /// A list of whole numbers above 0.
    pub(super) fn counts(&self, key: &str, default: &[usize]) -> Result<Vec<usize>> {
        match self.get(key) {
            None => Ok(default.to_vec()),
            Some(Value::Array(list)) if !list.is_empty() => {
                list.iter().map(|value| self.count(key, value)).collect()
            }
            Some(value) => {
                Err(self.error(format_args!("{key}: expected whole numbers, found {value}")))
            }
        }
    }

    /// That a key, where it is there, has the one value that is computed here.
    pub(super) fn only(&self, key: &str, expected: Value) -> Result<()> {
        match self.get(key) {
            Some(value) if *value != expected => {
                Err(self.error(format_args!("{key}: expected {expected}, found {value}")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn count(&self, key: &str, value: &Value) -> Result<usize> {
        match value.as_u64() {
            Some(n) if (1..=LARGEST).contains(&n) => Ok(n as usize),
            _ => Err(self.error(format_args!(
                "{key}: expected a whole number from 1 to {LARGEST}, found {value}"
            ))),
        }
    }

    /// A number within a range.
    pub(super) fn number(&self, key: &str, default: f64, [low, high]: [f64; 2]) -> Result<f64> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().filter(|number| (low..=high).contains(number)).ok_or_else(|| {
            self.error(format_args!("{key}: expected a number from {low} to {high}, found {value}"))
        })
    }

    /// What a norm adds before the root.
    pub(super) fn eps(&self, key: &str, default: f64) -> Result<f32> {
        Ok(self.number(key, default, [0.0, 1.0])? as f32)
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(value) => {
                Err(self.error(format_args!("{key}: expected true or false, found {value}")))
            }
        }
    }

    /// One of several words, and what it stands for.
    pub(super) fn word<T: Copy>(&self, key: &str, default: &str, known: &[(&str, T)]) -> Result<T> {
        let found = self.get(key).map_or(Some(default), Value::as_str);
        let known_as = |word: &str| known.iter().find(|(name, _)| *name == word);
        found.and_then(known_as).map(|(_, meaning)| *meaning).ok_or_else(|| {
            let names: Vec<String> = known.iter().map(|(name, _)| format!("\"{name}\"")).collect();
            let expected = names.join(" or ");
            let found = self.map.get(key).unwrap_or(&Value::Null);
            self.error(format_args!("{key}: expected {expected}, found {found}"))
        })
    }

    /// The keys, for an error.
    pub(super) fn keys(&self) -> String {
        if self.map.is_empty() {
            "it is empty".into()
        } else {
            format!("it has {}", list(self.map.keys()))
        }
    }
}
