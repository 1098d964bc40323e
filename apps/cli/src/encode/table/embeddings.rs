//! What stands for each photograph of a table.

use std::path::Path;

use internvit::files::open_file;
use internvit::{Error, Result};
use parquet::column::reader::ColumnReader;
use parquet::errors::{ParquetError, Result as Parquet};
use parquet::file::reader::{FileReader, RowGroupReader, SerializedFileReader};

use super::{About, CLS, EMBEDS, about, guarded, refuse, texts};

/// Features of photographs by their paths.
pub(in super::super) type Known = Vec<(String, Vec<f32>)>;

/// Photographs by their paths, each with the features by which it is compared: those for texts where the
/// model computes them, else what stands for the whole photograph.
pub(in super::super) fn embeddings(path: &Path) -> Result<(About, Known)> {
    guarded(path, || {
        let file = open_file(path).map_err(|e| Error::io(path.display(), e))?;
        let reader = SerializedFileReader::new(file).map_err(|e| refuse(path, e))?;
        let about = about(&reader).map_err(|e| {
            Error::input(format!(
                "{}: expected a file that internvit encode wrote ({e})",
                path.display()
            ))
        })?;
        let rows = read(&reader, &about).map_err(|e| refuse(path, e))?;
        Ok((about, rows))
    })
}

fn read(reader: &dyn FileReader, about: &About) -> Parquet<Known> {
    let name = if about.settings.image_embeds { EMBEDS } else { CLS };
    let groups = reader.num_row_groups().saturating_sub(usize::from(about.failed > 0));
    let mut all = Vec::new();
    for group in 0..groups {
        let group = reader.get_row_group(group)?;
        let paths = texts(group.as_ref(), 0)?;
        let values = floats(group.as_ref(), name)?;
        let width = values.len() / paths.len().max(1);
        if width == 0 || !values.len().is_multiple_of(width) {
            return Err(ParquetError::General(format!("{name}: rows of different lengths")));
        }
        all.extend(paths.into_iter().zip(values.chunks_exact(width).map(<[f32]>::to_vec)));
    }
    Ok(all)
}

/// All values of a column of lists.
fn floats(group: &dyn RowGroupReader, name: &str) -> Parquet<Vec<f32>> {
    let columns = group.metadata().columns();
    let named = |path: &[String]| path.first().is_some_and(|part| part == name);
    let place = columns.iter().position(|column| named(column.column_path().parts()));
    let none = || ParquetError::General(format!("no column {name}"));
    let ColumnReader::FloatColumnReader(mut reader) =
        group.get_column_reader(place.ok_or_else(none)?)?
    else {
        return Err(ParquetError::General(format!("{name}: expected numbers")));
    };
    let rows = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
    let (mut values, mut there, mut follows) = (Vec::new(), Vec::new(), Vec::new());
    reader.read_records(rows, Some(&mut there), Some(&mut follows), &mut values)?;
    Ok(values)
}
