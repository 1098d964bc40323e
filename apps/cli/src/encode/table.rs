//! Features as a Parquet table: its columns, what it says of itself, writing, reading, joining.

mod embeddings;

pub(super) use embeddings::embeddings;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use half::f16;
use internvit::files::{NewFile, open_file};
use internvit::{Error, Result};
use parquet::basic::Encoding;
use parquet::column::reader::ColumnReader;
use parquet::column::writer::{ColumnCloseResult, ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type,
};
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::{
    SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter,
};
use parquet::schema::parser::parse_message_type;
use serde::{Deserialize, Serialize};

/// The key of the file's metadata that holds [`About`] as JSON.
const KEY: &str = "internvit";

/// The column of what stands for a whole photograph.
const CLS: &str = "cls_embedding";

/// The column of what is compared with texts.
pub(super) const EMBEDS: &str = "image_embeds";

/// What decides over the values: one file holds features of one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Settings {
    /// Of the configuration and of all vectors among the weights.
    pub(super) model_digest: String,
    pub(super) dtype: String,
    pub(super) image_size: u32,
    pub(super) resize: String,
    pub(super) tiles: u32,
    pub(super) patch_tokens: bool,
    /// The colour under transparent pixels, where one was given.
    #[serde(default)]
    pub(super) background: Option<String>,
    /// Whether the model computes what is compared with texts, and values of classes.
    #[serde(default)]
    pub(super) image_embeds: bool,
    #[serde(default)]
    pub(super) logits: bool,
}

/// What a file says of itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) version: String,
    pub(super) model: String,
    #[serde(flatten)]
    pub(super) settings: Settings,
    /// How often rows were added, the first time included.
    pub(super) additions: u32,
    /// Photographs without features: the rows of the last row group, where there are any.
    pub(super) failed: usize,
    /// Values have overflown f16: from some row on, rows added later included, they are computed in f32.
    pub(super) overflowed: bool,
}

/// A picture's features, and where the picture comes from.
pub(super) struct Row {
    pub(super) path: String,
    /// Width and height of the photograph.
    pub(super) size: [u32; 2],
    /// The tile, from 0, and the rows and columns of tiles.
    pub(super) tile: [u32; 3],
    /// Rows and columns of patches.
    pub(super) grid: [usize; 2],
    pub(super) cls: Vec<f32>,
    pub(super) pooled: Vec<f32>,
    /// Empty where the model computes none.
    pub(super) embeds: Vec<f32>,
    pub(super) logits: Vec<f32>,
    /// Empty unless they are wanted.
    pub(super) tokens: Vec<f16>,
}

/// A photograph without features, and why.
#[derive(Clone)]
pub(super) struct Failure {
    pub(super) path: String,
    pub(super) reason: String,
}

/// A file as far as a later run needs it.
pub(super) struct Known {
    pub(super) about: About,
    /// Paths of the rows with features.
    pub(super) paths: Vec<String>,
    pub(super) failures: Vec<Failure>,
}

/// Writes the rows with features of other files as they are encoded there, then `rows`, then
/// `failures`; whole or not at all.
pub(super) fn write(
    path: &Path,
    about: &About,
    files: &[PathBuf],
    rows: &[Row],
    failures: &[Failure],
) -> Result<()> {
    let file = NewFile::create(path)?;
    let fill = || -> Parquet<NewFile> {
        let mut writer = create(file, &About { failed: failures.len(), ..about.clone() })?;
        for file in files {
            copy(&mut writer, file)?;
        }
        if !rows.is_empty() {
            let mut group = writer.next_row_group()?;
            write_rows(&mut group, rows)?;
            group.close()?;
        }
        if !failures.is_empty() {
            let mut group = writer.next_row_group()?;
            write_failures(&mut group, failures)?;
            group.close()?;
        }
        writer.into_inner()
    };
    guarded(path, || fill().map_err(|e| refuse(path, e)))?.finish()
}

/// Where the library panics the file is the cause: one that is damaged, or was made to do harm.
fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let reason = "a damaged Parquet file: choose another --out, or remove it";
        Err(Error::io(path.display(), std::io::Error::other(reason)))
    })
}

/// Reads what a file says of itself, and its paths and failures.
pub(super) fn read(path: &Path) -> Result<Known> {
    guarded(path, || known(path))
}

fn known(path: &Path) -> Result<Known> {
    let bad = |reason: String| Error::io(path.display(), std::io::Error::other(reason));
    let file = open_file(path).map_err(|e| Error::io(path.display(), e))?;
    let reader = SerializedFileReader::new(file)
        .map_err(|e| bad(format!("expected a Parquet file: {e}")))?;
    let about = about(&reader).map_err(|e| {
        bad(format!("expected a file that internvit encode wrote ({e}); choose another --out"))
    })?;
    let mut known = Known { about, paths: Vec::new(), failures: Vec::new() };
    for group in 0..reader.num_row_groups() {
        let fill = || -> Parquet<(Vec<String>, Vec<String>)> {
            let group = reader.get_row_group(group)?;
            let columns = group.metadata().num_columns();
            Ok((texts(group.as_ref(), 0)?, texts(group.as_ref(), columns.saturating_sub(1))?))
        };
        let (paths, reasons) = fill().map_err(|e| refuse(path, e))?;
        if reasons.is_empty() {
            known.paths.extend(paths);
        } else {
            let pairs = paths.into_iter().zip(reasons);
            known.failures.extend(pairs.map(|(path, reason)| Failure { path, reason }));
        }
    }
    Ok(known)
}

fn refuse(path: &Path, error: ParquetError) -> Error {
    Error::io(path.display(), std::io::Error::other(error))
}

fn about(reader: &SerializedFileReader<File>) -> std::result::Result<About, String> {
    let pairs = reader.metadata().file_metadata().key_value_metadata();
    let pair = pairs.and_then(|pairs| pairs.iter().find(|pair| pair.key == KEY));
    let text = pair.and_then(|pair| pair.value.as_deref()).ok_or("no such metadata")?;
    serde_json::from_str(text).map_err(|e| e.to_string())
}

/// Rows of a group at most: each is a picture.
const MOST_ROWS: usize = 1 << 28;

/// The values of a column of text, nulls left out.
fn texts(group: &dyn RowGroupReader, column: usize) -> Parquet<Vec<String>> {
    let rows = group.metadata().num_rows();
    let rows = usize::try_from(rows).ok().filter(|rows| *rows <= MOST_ROWS);
    let rows = rows.ok_or_else(|| ParquetError::General("a group of too many rows".into()))?;
    let ColumnReader::ByteArrayColumnReader(mut reader) = group.get_column_reader(column)? else {
        return Err(ParquetError::General(format!("column {column}: expected text")));
    };
    let (mut values, mut levels) = (Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut levels), None, &mut values)?;
    values.iter().map(|value: &ByteArray| Ok(value.as_utf8()?.to_string())).collect()
}

/// The columns. Lists hold plain values, so that any reader takes them for one block of memory.
fn schema(settings: &Settings) -> String {
    let list = |name: &str, element: &str| {
        format!("optional group {name} (LIST) {{ repeated group list {{ required {element}; }} }}")
    };
    let mut columns = vec!["required binary path (STRING);".to_string()];
    let mut integers = vec!["width", "height"];
    if settings.tiles > 1 {
        integers.extend(["tile", "tile_rows", "tile_cols"]);
    }
    integers.extend(["grid_h", "grid_w"]);
    columns.extend(integers.iter().map(|name| format!("optional int32 {name};")));
    columns.extend([CLS, "pooled_embedding"].map(|name| list(name, "float element")));
    let computed = [(settings.image_embeds, EMBEDS), (settings.logits, "logits")];
    let computed = computed.into_iter().filter(|(there, _)| *there);
    columns.extend(computed.map(|(_, name)| list(name, "float element")));
    if settings.patch_tokens {
        columns.push(list("patch_tokens", "fixed_len_byte_array(2) element (FLOAT16)"));
    }
    columns.push("optional binary error (STRING);".into());
    format!("message features {{ {} }}", columns.join(" "))
}

fn create(file: NewFile, about: &About) -> Parquet<SerializedFileWriter<NewFile>> {
    let schema = parse_message_type(&schema(&about.settings))?;
    let json = serde_json::to_string(about).map_err(|e| ParquetError::External(e.into()))?;
    // Embeddings repeat nothing and have no useful order: no dictionaries, statistics or indices.
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_key_value_metadata(Some(vec![KeyValue::new(KEY.into(), json)]))
        .build();
    SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
}

/// Appends the row groups with features of another file, byte by byte.
fn copy(writer: &mut SerializedFileWriter<NewFile>, path: &Path) -> Parquet<()> {
    let file = File::open(path)?;
    let reader = SerializedFileReader::new(file.try_clone()?)?;
    let about = about(&reader).map_err(ParquetError::General)?;
    let groups = reader.num_row_groups().saturating_sub(usize::from(about.failed > 0));
    for group in reader.metadata().row_groups().iter().take(groups) {
        let mut copied = writer.next_row_group()?;
        for column in group.columns() {
            let close = ColumnCloseResult {
                bytes_written: column.compressed_size() as u64,
                rows_written: group.num_rows() as u64,
                metadata: column.clone(),
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            copied.append_column(&file, close)?;
        }
        copied.close()?;
    }
    Ok(())
}

fn write_rows(group: &mut SerializedRowGroupWriter<'_, NewFile>, rows: &[Row]) -> Parquet<()> {
    while let Some(mut column) = group.next_column()? {
        let name = name(&mut column);
        match name.as_str() {
            "path" => put::<ByteArrayType>(&mut column, rows.iter().map(|r| text(&r.path)))?,
            "error" => nulls(&mut column, rows.len())?,
            CLS => lists::<FloatType>(&mut column, rows, |r| r.cls.clone())?,
            "pooled_embedding" => lists::<FloatType>(&mut column, rows, |r| r.pooled.clone())?,
            EMBEDS => lists::<FloatType>(&mut column, rows, |r| r.embeds.clone())?,
            "logits" => lists::<FloatType>(&mut column, rows, |r| r.logits.clone())?,
            "patch_tokens" => {
                lists::<FixedLenByteArrayType>(&mut column, rows, |r| halves(&r.tokens))?;
            }
            name => put::<Int32Type>(&mut column, rows.iter().map(|r| integer(r, name)))?,
        }
        column.close()?;
    }
    Ok(())
}

fn write_failures(
    group: &mut SerializedRowGroupWriter<'_, NewFile>,
    failures: &[Failure],
) -> Parquet<()> {
    while let Some(mut column) = group.next_column()? {
        match name(&mut column).as_str() {
            "path" => put::<ByteArrayType>(&mut column, failures.iter().map(|f| text(&f.path)))?,
            "error" => put::<ByteArrayType>(&mut column, failures.iter().map(|f| text(&f.reason)))?,
            _ => nulls(&mut column, failures.len())?,
        }
        column.close()?;
    }
    Ok(())
}

fn integer(row: &Row, column: &str) -> i32 {
    let value = match column {
        "width" => row.size[0],
        "height" => row.size[1],
        "tile" => row.tile[0],
        "tile_rows" => row.tile[1],
        "tile_cols" => row.tile[2],
        "grid_h" => row.grid[0] as u32,
        _ => row.grid[1] as u32,
    };
    value as i32
}

fn text(text: &str) -> ByteArray {
    text.as_bytes().to_vec().into()
}

/// Little-endian halves, which share one block of memory.
fn halves(values: &[f16]) -> Vec<FixedLenByteArray> {
    let bytes = ByteArray::from(values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>());
    (0..values.len()).map(|i| bytes.slice(2 * i, 2).into()).collect()
}

/// The column's name in the table.
fn name(column: &mut SerializedColumnWriter<'_>) -> String {
    let descriptor = match column.untyped() {
        ColumnWriter::Int32ColumnWriter(w) => w.get_descriptor(),
        ColumnWriter::FloatColumnWriter(w) => w.get_descriptor(),
        ColumnWriter::FixedLenByteArrayColumnWriter(w) => w.get_descriptor(),
        ColumnWriter::ByteArrayColumnWriter(w) => w.get_descriptor(),
        _ => return String::new(),
    };
    descriptor.path().parts().first().cloned().unwrap_or_default()
}

/// A value a row.
fn put<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    values: impl Iterator<Item = T::T>,
) -> Parquet<()> {
    let values: Vec<T::T> = values.collect();
    let there = column.typed::<T>().get_descriptor().max_def_level();
    column.typed::<T>().write_batch(&values, Some(&vec![there; values.len()]), None)?;
    Ok(())
}

/// A list a row.
fn lists<T: DataType>(
    column: &mut SerializedColumnWriter<'_>,
    rows: &[Row],
    of: impl Fn(&Row) -> Vec<T::T>,
) -> Parquet<()> {
    for row in rows {
        let values = of(row);
        let there = column.typed::<T>().get_descriptor().max_def_level();
        let follows: Vec<i16> = (0..values.len()).map(|i| i16::from(i > 0)).collect();
        let levels = vec![there; values.len()];
        column.typed::<T>().write_batch(&values, Some(&levels), Some(&follows))?;
    }
    Ok(())
}

fn nulls(column: &mut SerializedColumnWriter<'_>, rows: usize) -> Parquet<()> {
    fn none<T: DataType>(writer: &mut ColumnWriterImpl<'_, T>, rows: usize) -> Parquet<()> {
        let (levels, lists) = (vec![0; rows], writer.get_descriptor().max_rep_level() > 0);
        writer.write_batch(&[], Some(&levels), lists.then_some(&levels))?;
        Ok(())
    }
    match column.untyped() {
        ColumnWriter::Int32ColumnWriter(w) => none(w, rows),
        ColumnWriter::FloatColumnWriter(w) => none(w, rows),
        ColumnWriter::FixedLenByteArrayColumnWriter(w) => none(w, rows),
        ColumnWriter::ByteArrayColumnWriter(w) => none(w, rows),
        _ => Err(ParquetError::General("a column of another type".into())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
