//! Rows into a group of columns.

use half::f16;
use internvit::files::NewFile;
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{
    ByteArray, ByteArrayType, DataType, FixedLenByteArray, FixedLenByteArrayType, FloatType,
    Int32Type,
};
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};

use super::{CLS, EMBEDS, Failure, HIDDEN, LOGITS, MEAN, Row, TOKENS};

/// Writes rows with features.
pub(super) fn write_rows(
    group: &mut SerializedRowGroupWriter<'_, NewFile>,
    rows: &[Row],
) -> Parquet<()> {
    while let Some(mut column) = group.next_column()? {
        let name = name(&mut column);
        match name.as_str() {
            "path" => put::<ByteArrayType>(&mut column, rows.iter().map(|r| text(&r.path)))?,
            "error" => nulls(&mut column, rows.len())?,
            TOKENS => lists::<FixedLenByteArrayType>(&mut column, rows, |r| halves(&r.tokens))?,
            list if [CLS, MEAN, EMBEDS, LOGITS].contains(&list) || list.starts_with(HIDDEN) => {
                lists::<FloatType>(&mut column, rows, |r| r.floats(list).to_vec())?;
            }
            name => put::<Int32Type>(&mut column, rows.iter().map(|r| integer(r, name)))?,
        }
        column.close()?;
    }
    Ok(())
}

/// Writes rows that have a path and an error.
pub(super) fn write_failures(
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
