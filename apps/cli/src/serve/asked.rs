//! What is asked: OpenAI's fields, read from JSON.

use axum::http::StatusCode;
use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use internvit::error::{list, short};
use serde_json::{Map, Value};

use super::refusal::Refusal;

/// What an embedding is wanted of.
#[derive(Debug, PartialEq)]
pub(super) enum Input {
    Text(String),
    /// The bytes of a file.
    Photo(Vec<u8>),
    /// Where a photograph lies.
    Address(String),
}

/// A request for embeddings.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) model: Option<String>,
    pub(super) inputs: Vec<Input>,
    /// Whether values are wanted as the base64 of their bytes.
    pub(super) packed: bool,
    pub(super) dimensions: Option<u64>,
}

/// The fields there are.
const FIELDS: [&str; 5] = ["model", "input", "encoding_format", "dimensions", "user"];

/// The types of a part of the input.
const TYPES: [&str; 4] = ["text", "image_url", "input_text", "input_image"];

/// With or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What to do in place of naming an address.
pub(super) const INSTEAD: &str =
    "send the photograph itself, as a data URL (data:image/png;base64,…) or in multipart/form-data";

impl Asked {
    pub(super) fn of_json(bytes: &[u8]) -> Result<Self, Refusal> {
        let bad = |why: String| Refusal::new(StatusCode::BAD_REQUEST, "invalid_json", why);
        let value: Value =
            serde_json::from_slice(bytes).map_err(|e| bad(format!("no JSON: {e}")))?;
        let Value::Object(fields) = value else {
            return Err(bad(format!("expected a JSON object with {}", list(FIELDS))));
        };
        let mut asked = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                "input" => asked.take(value)?,
                _ => asked.set(&name, &value)?,
            }
        }
        asked.some()
    }

    /// That anything is asked for.
    pub(super) fn some(self) -> Result<Self, Refusal> {
        match self.inputs.is_empty() {
            true => Err(Refusal::bad(
                "input",
                "input: expected a photograph or a text, or a list of them",
            )),
            false => Ok(self),
        }
    }

    /// A field but the input.
    pub(super) fn set(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        let text = value.as_str();
        match (name, text) {
            ("model", Some(text)) => self.model = Some(text.into()),
            ("model", None) if value.is_null() => {}
            ("model", None) => return Err(Refusal::bad("model", "model: expected a name")),
            ("encoding_format", _) => {
                self.packed = match text {
                    Some("base64") => true,
                    Some("float") => false,
                    None if value.is_null() => false,
                    _ => {
                        let expected = "encoding_format: expected \"float\" or \"base64\"";
                        return Err(Refusal::bad("encoding_format", expected));
                    }
                }
            }
            ("dimensions", _) if value.is_null() => {}
            ("dimensions", _) => {
                let number = value.as_u64().or_else(|| text?.parse().ok());
                let none = || Refusal::bad("dimensions", "dimensions: expected a number");
                self.dimensions = Some(number.ok_or_else(none)?);
            }
            ("user", _) => {}
            _ => {
                let text =
                    format!("{}: no such field; there are {}", short(name, 100), list(FIELDS));
                return Err(Refusal::new(StatusCode::BAD_REQUEST, "unknown_field", text));
            }
        }
        Ok(())
    }

    /// The input: a text, a photograph, or a list of them.
    fn take(&mut self, value: Value) -> Result<(), Refusal> {
        let items = match value {
            Value::Array(items) => items,
            one => vec![one],
        };
        for item in items {
            match item {
                Value::String(text) => self.bare(text)?,
                Value::Object(part) => self.part(&part)?,
                Value::Number(_) | Value::Array(_) => {
                    return Err(self.bad("numbers of tokens are not taken: give the text"));
                }
                _ => return Err(self.bad("expected a text, or a part with text or image_url")),
            }
        }
        Ok(())
    }

    /// A text of which nothing says what it is: an address alone is a photograph's.
    pub(super) fn bare(&mut self, text: String) -> Result<(), Refusal> {
        let alone = text.trim();
        match is_address(alone) && !alone.contains(char::is_whitespace) {
            true => self.photo(alone),
            false => self.text(text),
        }
    }

    /// A text, which may be the data URL of a photograph.
    pub(super) fn text(&mut self, text: String) -> Result<(), Refusal> {
        if is(&text, "data:") {
            return self.photo(&text);
        }
        if text.trim().is_empty() {
            return Err(self.bad("the text is empty"));
        }
        self.inputs.push(Input::Text(text));
        Ok(())
    }

    fn part(&mut self, part: &Map<String, Value>) -> Result<(), Refusal> {
        if let Some(kind) = part.get("type")
            && !TYPES.iter().any(|known| kind == known)
        {
            let kind = short(kind, 100);
            return Err(self.bad(&format!("type {kind}: expected one of {}", list(TYPES))));
        }
        let image = part.get("image_url").or_else(|| part.get("image"));
        let address = image.map(|image| image.get("url").unwrap_or(image));
        match (part.get("text").and_then(Value::as_str), address.and_then(Value::as_str)) {
            (Some(text), None) if image.is_none() => self.text(text.into()),
            (None, Some(url)) if !part.contains_key("text") => self.photo(url),
            _ => Err(self.bad("expected either text or image_url, and in it a text")),
        }
    }

    /// A photograph by its data URL.
    fn photo(&mut self, url: &str) -> Result<(), Refusal> {
        if is_address(url) {
            self.inputs.push(Input::Address(url.into()));
            return Ok(());
        }
        let parts = if is(url, "data:") { url.split_once(',') } else { None };
        let packed = |(kind, _): &(&str, &str)| kind.to_ascii_lowercase().ends_with(";base64");
        let Some((_, data)) = parts.filter(packed) else {
            let found = short(url, 60);
            return Err(self.bad(&format!("{found}: no data URL of base64: {INSTEAD}")));
        };
        let clean: Vec<u8> = data.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
        let bytes = BASE64.decode(clean).map_err(|e| self.bad(&format!("no base64: {e}")))?;
        self.inputs.push(Input::Photo(bytes));
        Ok(())
    }

    /// The refusal of the input that comes next.
    pub(super) fn bad(&self, why: &str) -> Refusal {
        Refusal::bad("input", format!("input[{}]: {why}", self.inputs.len()))
    }
}

fn is_address(text: &str) -> bool {
    is(text, "http:") || is(text, "https:")
}

/// Whether a text begins so, in small letters or capitals.
fn is(text: &str, begin: &str) -> bool {
    text.get(..begin.len()).is_some_and(|first| first.eq_ignore_ascii_case(begin))
}
