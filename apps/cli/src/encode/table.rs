//! Features as a Parquet table: its columns, what it says of itself, writing, reading, joining.

mod columns;
mod embeddings;
mod rows;

pub(super) use embeddings::embeddings;

use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use columns::{ARROW, Widths, joined, message};
use half::f16;
use internvit::features::Summary;
use internvit::files::{NewFile, open_file};
use internvit::{Error, Result};
use parquet::basic::Encoding;
use parquet::column::reader::ColumnReader;
use parquet::column::writer::ColumnCloseResult;
use parquet::data_type::ByteArray;
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rows::{write_failures, write_rows};
use serde::{Deserialize, Serialize};

/// The key of the file's metadata that holds [`About`] as JSON.
const KEY: &str = "internvit";

/// The column of what stands for a whole photograph.
const CLS: &str = "cls_embedding";

/// The column of the patches' mean.
const MEAN: &str = "pooled_embedding";

/// The column of what is compared with texts.
const EMBEDS: &str = "image_embeds";

/// The column of the values of classes.
const LOGITS: &str = "logits";

/// The column of all patches.
const TOKENS: &str = "patch_tokens";

/// The columns of hidden states begin so.
const HIDDEN: &str = "hidden_states.";

/// The column of a hidden state.
fn hidden(layer: usize) -> String {
    format!("{HIDDEN}{layer}")
}

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
    /// Hidden states of which there are columns, counted from 0.
    #[serde(default)]
    pub(super) hidden_states: Vec<usize>,
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
    /// The length of the lists of a column, where all have the same.
    #[serde(default)]
    pub(super) widths: Widths,
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
    /// What stands for the whole picture.
    pub(super) summary: Summary,
    /// The hidden states that the settings name, `[tokens, C]`.
    pub(super) hidden: Vec<(usize, Vec<f32>)>,
    /// Empty unless they are wanted.
    pub(super) tokens: Vec<f16>,
}

impl Row {
    /// The list of a column of floats.
    fn floats(&self, column: &str) -> &[f32] {
        match column {
            CLS => &self.summary.cls,
            MEAN => &self.summary.mean,
            EMBEDS => &self.summary.embeds,
            LOGITS => &self.summary.logits,
            _ => {
                let found = self.hidden.iter().find(|(layer, _)| hidden(*layer) == column);
                found.map_or(&[], |(_, values)| values)
            }
        }
    }
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
        let mut writer = create(file, &about.settings)?;
        let mut widths = None;
        for file in files {
            if let Some(more) = copy(&mut writer, file)? {
                widths = Some(joined(widths, more));
            }
        }
        if !rows.is_empty() {
            widths = Some(joined(widths, columns::widths(rows, &about.settings)));
            let mut group = writer.next_row_group()?;
            write_rows(&mut group, rows)?;
            group.close()?;
        }
        let widths = widths.unwrap_or_default();
        tell(&mut writer, &About { failed: failures.len(), widths, ..about.clone() })?;
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

fn create(file: NewFile, settings: &Settings) -> Parquet<SerializedFileWriter<NewFile>> {
    let schema = parse_message_type(&message(settings))?;
    // Embeddings repeat nothing and have no useful order: no dictionaries, statistics or indices.
    let properties = WriterProperties::builder()
        .set_dictionary_enabled(false)
        .set_encoding(Encoding::PLAIN)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .build();
    SerializedFileWriter::new(file, Arc::new(schema), Arc::new(properties))
}

/// Adds what a file says of itself, and the columns for Arrow's readers.
fn tell(writer: &mut SerializedFileWriter<NewFile>, about: &About) -> Parquet<()> {
    let json = serde_json::to_string(about).map_err(|e| ParquetError::External(e.into()))?;
    let arrow = columns::arrow(&about.settings, &about.widths)
        .map_err(|e| ParquetError::External(e.into()))?;
    for (key, value) in [(KEY, json), (ARROW, arrow)] {
        writer.append_key_value_metadata(KeyValue::new(key.into(), value));
    }
    Ok(())
}

/// Appends the row groups with features of another file, byte by byte; the widths of its lists, where it
/// has rows with features.
fn copy(writer: &mut SerializedFileWriter<NewFile>, path: &Path) -> Parquet<Option<Widths>> {
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
    Ok(Some(about.widths).filter(|_| groups > 0))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests;
