//! The columns of a table: as Parquet stores them, and as Arrow's readers take them.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, DataType, Field, Schema};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{CLS, EMBEDS, LOGITS, MEAN, Row, Settings, TOKENS, hidden};

/// The key under which Arrow's readers look for its schema.
pub(super) const ARROW: &str = "ARROW:schema";

/// What a column holds; all but the path and whole numbers of rows without features is null there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Path,
    Error,
    Number,
    Floats,
    Halves,
}

/// The columns in their order.
fn columns(settings: &Settings) -> Vec<(String, Kind)> {
    let mut columns = vec![("path".to_string(), Kind::Path)];
    let tiles: &[&str] = match settings.tiles {
        0 | 1 => &[],
        _ => &["tile", "tile_rows", "tile_cols"],
    };
    let numbers = [&["width", "height"], tiles, &["grid_h", "grid_w"]].concat();
    columns.extend(numbers.iter().map(|name| (name.to_string(), Kind::Number)));
    let lists =
        [(true, CLS), (true, MEAN), (settings.image_embeds, EMBEDS), (settings.logits, LOGITS)];
    let lists = lists.into_iter().filter(|(there, _)| *there);
    columns.extend(lists.map(|(_, name)| (name.to_string(), Kind::Floats)));
    columns.extend(settings.hidden_states.iter().map(|layer| (hidden(*layer), Kind::Floats)));
    if settings.patch_tokens {
        columns.push((TOKENS.into(), Kind::Halves));
    }
    columns.push(("error".into(), Kind::Error));
    columns
}

/// The columns as a Parquet message. Lists hold plain values, so that any reader takes them for one
/// block of memory.
pub(super) fn message(settings: &Settings) -> String {
    let column = |(name, kind): (String, Kind)| {
        let element = match kind {
            Kind::Path => return format!("required binary {name} (STRING);"),
            Kind::Error => return format!("optional binary {name} (STRING);"),
            Kind::Number => return format!("optional int32 {name};"),
            Kind::Floats => "float element",
            Kind::Halves => "fixed_len_byte_array(2) element (FLOAT16)",
        };
        format!("optional group {name} (LIST) {{ repeated group list {{ required {element}; }} }}")
    };
    let columns: Vec<String> = columns(settings).into_iter().map(column).collect();
    format!("message features {{ {} }}", columns.join(" "))
}

/// The length of the lists of a column, where all have the same: Parquet knows no such type, Arrow does.
pub(super) type Widths = BTreeMap<String, usize>;

/// Widths of the lists of some rows.
pub(super) fn widths(rows: &[Row], settings: &Settings) -> Widths {
    let lists = columns(settings).into_iter().filter(|(_, kind)| is_list(*kind));
    let width = |(name, kind): (String, Kind)| {
        let mut lengths = rows.iter().map(|row| match kind {
            Kind::Halves => row.tokens.len(),
            _ => row.floats(&name).len(),
        });
        let first = lengths.next()?;
        lengths.all(|length| length == first).then_some((name, first))
    };
    lists.filter_map(width).collect()
}

/// What is the same in both; `None` counts as no rows at all.
pub(super) fn joined(all: Option<Widths>, more: Widths) -> Widths {
    let Some(mut all) = all else { return more };
    all.retain(|name, width| more.get(name) == Some(width));
    all
}

fn is_list(kind: Kind) -> bool {
    matches!(kind, Kind::Floats | Kind::Halves)
}

/// The columns as Arrow's schema, in the form in which its readers find it in a file's metadata: lists of
/// one length as such, so that they become one matrix.
pub(super) fn arrow(settings: &Settings, widths: &Widths) -> Result<String, ArrowError> {
    let field = |(name, kind): (String, Kind)| {
        let element = match kind {
            Kind::Path => return Field::new(name, DataType::Utf8, false),
            Kind::Error => return Field::new(name, DataType::Utf8, true),
            Kind::Number => return Field::new(name, DataType::Int32, true),
            Kind::Floats => DataType::Float32,
            Kind::Halves => DataType::Float16,
        };
        let element = Arc::new(Field::new("element", element, false));
        let width = widths.get(&name).and_then(|width| i32::try_from(*width).ok());
        let list = match width {
            Some(width) => DataType::FixedSizeList(element, width),
            None => DataType::List(element),
        };
        Field::new(name, list, true)
    };
    let schema = Schema::new(columns(settings).into_iter().map(field).collect::<Vec<_>>());
    // A stream begins with the message that readers expect.
    let mut bytes = Vec::new();
    StreamWriter::try_new(&mut bytes, &schema)?;
    Ok(BASE64_STANDARD.encode(bytes))
}
