//! JSON that strangers wrote. It allows a key twice, and readers differ in which they take: here
//! such a text is refused, wherever in it the key stands.

use std::collections::HashMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::error::short;

/// The value of a text; a byte order mark before it is skipped.
pub(crate) fn value(text: &str) -> serde_json::Result<Value> {
    value_of_bytes(text.trim_start_matches('\u{feff}').as_bytes())
}

/// The value of the bytes of a text.
pub(crate) fn value_of_bytes(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).map(|Unique(value)| value)
}

/// The error at a key that was there before.
pub(crate) fn twice<E: Error>(key: &str) -> E {
    E::custom(format_args!("{}: present twice", short(key, 200)))
}

/// Hands the entries of an object to `put`, which says whether the key was there before.
fn entries<'de, A: MapAccess<'de>, V: Deserialize<'de>>(
    mut map: A,
    mut put: impl FnMut(String, V) -> bool,
) -> Result<(), A::Error> {
    while let Some(key) = map.next_key::<String>()? {
        if put(key.clone(), map.next_value()?) {
            return Err(twice(&key));
        }
    }
    Ok(())
}

/// A value in which no object has a key twice.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Unique;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value of JSON")
            }

            fn visit_unit<E>(self) -> Result<Unique, E> {
                Ok(Unique(Value::Null))
            }

            fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
                Ok(Unique(value.into()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Unique, A::Error> {
                let mut values = Vec::new();
                while let Some(Unique(value)) = list.next_element()? {
                    values.push(value);
                }
                Ok(Unique(values.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Unique, A::Error> {
                let mut object = Map::new();
                entries(map, |key, Unique(value)| object.insert(key, value).is_some())?;
                Ok(Unique(object.into()))
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// An object of texts in which no key is there twice.
pub(crate) struct Texts(pub(crate) HashMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Texts, A::Error> {
                let mut texts = HashMap::new();
                entries(map, |key, text| texts.insert(key, text).is_some())?;
                Ok(Texts(texts))
            }
        }

        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_is_there_once() {
        for text in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": null, "b": [], "\u0061": null}"#,
            r#"[0, {"b": {"c": {"a": {}, "a": {}}}}]"#,
        ] {
            let error = value(text).unwrap_err().to_string();
            assert!(error.starts_with("a: present twice at line 1 column "), "{error}");
        }
        let nested = r#"{"a": {"a": [{"a": 1}, {"a": 2}]}, "b": {"a": 3}}"#;
        assert_eq!(value(nested).unwrap(), serde_json::from_str::<Value>(nested).unwrap());
    }

    /// All else is as the library reads it.
    #[test]
    fn values_are_the_librarys() {
        for text in [
            "",
            "null",
            "tru",
            "true",
            "-0",
            "-1",
            "1e3",
            "1e999",
            "18446744073709551615",
            "0.1",
            "9223372036854775808",
            "-9223372036854775808",
            "\"\\u00e9\\n\"",
            "\"\\ud800\"",
            "[]",
            "[1,]",
            "{}",
            "{1:2}",
            "{\"a\":}",
            "{} 1",
            "[[[[null]]], {\"x\": [false]}]",
        ] {
            let expected = serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
            assert_eq!(value(text).map_err(|e| e.to_string()), expected, "{text}");
        }
        assert_eq!(value("\u{feff}{}").unwrap(), Value::Object(Map::new()));
        let deep = "[".repeat(10_000) + &"]".repeat(10_000);
        assert!(value(&deep).unwrap_err().to_string().starts_with("recursion limit exceeded"));
    }
}
