//! What is asked, as a form of files and fields.

use axum::body::Body;
use axum::http::StatusCode;
use multer::{Field, Multipart};
use serde_json::Value;

use super::asked::{Asked, Input};
use super::refusal::Refusal;

/// Reads a form: a part with a file's name or a picture's type is a photograph, `input` and `text` are
/// texts, the others OpenAI's fields.
pub(super) async fn read(bytes: Vec<u8>, boundary: String) -> Result<Asked, Refusal> {
    let mut form = Multipart::new(Body::from(bytes).into_data_stream(), boundary);
    let mut asked = Asked::default();
    while let Some(field) = form.next_field().await.map_err(bad)? {
        take(&mut asked, field).await?;
    }
    asked.some()
}

async fn take(asked: &mut Asked, field: Field<'_>) -> Result<(), Refusal> {
    let name = field.name().unwrap_or_default().to_string();
    let pictured = field.content_type().is_some_and(|kind| kind.type_() == "image");
    let is_file = field.file_name().is_some() || pictured;
    let bytes = field.bytes().await.map_err(bad)?.to_vec();
    if is_file {
        asked.inputs.push(Input::Photo(bytes));
        return Ok(());
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Err(asked.bad(&format!("{name}: no UTF-8; a photograph's part has a filename")));
    };
    match name.as_str() {
        "input" => asked.bare(text),
        "text" => asked.text(text),
        _ => asked.set(&name, &Value::String(text)),
    }
}

fn bad(error: multer::Error) -> Refusal {
    let text = format!("no multipart/form-data: {error}");
    Refusal::new(StatusCode::BAD_REQUEST, "invalid_multipart", text)
}

/// The boundary of a form, where this is the type of one.
pub(super) fn boundary(kind: &str) -> Result<Option<String>, Refusal> {
    match multer::parse_boundary(kind) {
        Ok(boundary) => Ok(Some(boundary)),
        Err(multer::Error::NoBoundary) => Err(bad(multer::Error::NoBoundary)),
        Err(_) => Ok(None),
    }
}
