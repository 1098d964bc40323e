//! The settings of a request by their names: what a command's flags and a page's JSON both become.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::list;
use crate::{Error, Result};

/// The value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Yes or no.
    Flag(bool),
    /// A whole number.
    Number(usize),
    /// A word.
    Text(String),
}

/// Settings by name, the name of the view under `view` among them. One that is `None` counts as
/// left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings(Vec<(String, Option<Setting>)>);

impl Settings {
    /// The settings of a view, of which nothing is said yet.
    pub fn of(view: &str) -> Self {
        let mut settings = Self::default();
        settings.set("view", Setting::Text(view.into()));
        settings
    }

    /// Sets one.
    pub fn set(&mut self, name: &str, value: Setting) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.into(), Some(value)));
    }

    /// Takes one out, with what it was.
    pub(super) fn take(&mut self, name: &str) -> Option<Setting> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        self.0.remove(at).1
    }
}

/// How a view's settings are read where a request names them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Read,
    Write,
}

/// Carries settings between a view's own fields and their names. Each view names its settings once;
/// reading, writing and listing them go through that.
pub(super) struct Fields {
    way: Way,
    settings: Settings,
    names: Vec<&'static str>,
}

impl Fields {
    /// Fields that are set from `settings`.
    pub(super) fn reading(settings: Settings) -> Self {
        Self { way: Way::Read, settings, names: Vec::new() }
    }

    /// Fields that are written to settings of their own.
    pub(super) fn writing() -> Self {
        Self { way: Way::Write, settings: Settings::default(), names: Vec::new() }
    }

    /// A whole number that may be left out.
    pub(super) fn optional(&mut self, name: &'static str, field: &mut Option<usize>) -> Result<()> {
        self.carry(name, field.map(Setting::Number), |value| {
            *field = match value {
                None => None,
                Some(Setting::Number(number)) => Some(number),
                Some(other) => return Err(wrong(name, "a whole number", &other)),
            };
            Ok(())
        })
    }

    /// A whole number; left out, the field stays as it is.
    pub(super) fn number(&mut self, name: &'static str, field: &mut usize) -> Result<()> {
        let mut given = Some(*field);
        self.optional(name, &mut given)?;
        *field = given.unwrap_or(*field);
        Ok(())
    }

    /// A text; left out, the field stays as it is.
    pub(super) fn text(&mut self, name: &'static str, field: &mut String) -> Result<()> {
        self.carry(name, Some(Setting::Text(field.clone())), |value| {
            match value {
                None => {}
                Some(Setting::Text(text)) => *field = text,
                Some(other) => return Err(wrong(name, "a text", &other)),
            }
            Ok(())
        })
    }

    /// Yes or no; no where it is left out.
    pub(super) fn flag(&mut self, name: &'static str, field: &mut bool) -> Result<()> {
        self.carry(name, Some(Setting::Flag(*field)), |value| {
            *field = match value {
                None => false,
                Some(Setting::Flag(flag)) => flag,
                Some(other) => return Err(wrong(name, "true or false", &other)),
            };
            Ok(())
        })
    }

    /// One of some words; left out, the field stays as it is.
    pub(super) fn word<T: Copy + PartialEq>(
        &mut self,
        name: &'static str,
        field: &mut T,
        words: &[(T, &'static str)],
    ) -> Result<()> {
        let own = words.iter().find(|(value, _)| value == field);
        let own = own.map(|(_, word)| Setting::Text((*word).into()));
        self.carry(name, own, |given| {
            let Some(given) = given else { return Ok(()) };
            let found = words.iter().find(|(_, word)| given == Setting::Text((*word).into()));
            let known = || list(words.iter().map(|(_, word)| word));
            let (value, _) = found.ok_or_else(|| wrong(name, &known(), &given))?;
            *field = *value;
            Ok(())
        })
    }

    /// Writes what a field holds, or hands what was given to `read`.
    fn carry(
        &mut self,
        name: &'static str,
        own: Option<Setting>,
        read: impl FnOnce(Option<Setting>) -> Result<()>,
    ) -> Result<()> {
        self.names.push(name);
        match self.way {
            Way::Read => read(self.settings.take(name)),
            Way::Write => {
                self.settings.0.push((name.into(), own));
                Ok(())
            }
        }
    }

    /// That all that was given was read.
    pub(super) fn finish(self, view: &str) -> Result<()> {
        let left = self.settings.0.iter().find(|(_, value)| value.is_some());
        let Some((name, _)) = left else { return Ok(()) };
        let known = list(&self.names);
        Err(Error::input(format!("view {view}: no setting {name}; it has {known}")))
    }

    /// What was written, without what is left out.
    pub(super) fn written(mut self) -> Settings {
        self.settings.0.retain(|(_, value)| value.is_some());
        self.settings
    }

    /// The names of all.
    pub(super) fn names(self) -> Vec<&'static str> {
        self.names
    }
}

fn wrong(name: &str, expected: &str, found: &Setting) -> Error {
    Error::input(format!("{name}: expected {expected}, found {found}"))
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => flag.fmt(f),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => f.write_str(&crate::error::short(text, 80)),
        }
    }
}

impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

/// Takes an object, in a list: a map of its own would be more code of the page's module.
struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Settings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of settings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Settings, A::Error> {
        let mut settings = Settings::default();
        while let Some(entry) = map.next_entry()? {
            settings.0.push(entry);
        }
        Ok(settings)
    }
}

impl Serialize for Setting {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Flag(flag) => serializer.serialize_bool(*flag),
            Self::Number(number) => serializer.serialize_u64(*number as u64),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Setting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

/// Takes whatever value there is: derived code for an enum would be several times as large.
struct Any;

impl Visitor<'_> for Any {
    type Value = Setting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true, false, a whole number or a word")
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Setting, E> {
        Ok(Setting::Flag(flag))
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> std::result::Result<Setting, E> {
        usize::try_from(number).map(Setting::Number).map_err(E::custom)
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> std::result::Result<Setting, E> {
        usize::try_from(number).map(Setting::Number).map_err(E::custom)
    }

    fn visit_str<E>(self, text: &str) -> std::result::Result<Setting, E> {
        Ok(Setting::Text(text.into()))
    }
}
