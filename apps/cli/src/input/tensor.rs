//! Tensors that are given in place of photographs.

use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use internvit::error::short;
use internvit::files::open_file;
use internvit::weights::{Source, read_header};
use internvit::{Error, Result, error};
use npyz::{DType, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::super::memory::budget;

/// The tensor `name` as f32, of a safetensors file or of NumPy's .npz; of .npy the one that is there.
/// It must have `N` dimensions.
pub(crate) async fn read_tensor<const N: usize>(
    path: &Path,
    name: &str,
) -> Result<([usize; N], Vec<f32>)> {
    let bad = |reason: String| Error::checkpoint(path.display(), reason);
    let (shape, values) = match head(path)? {
        [0x93, b'N', b'U', b'M'] => {
            let file = open(path)?;
            let length = file.metadata().map_err(|e| Error::io(path.display(), e))?.len();
            npy(BufReader::new(file), length, name).map_err(bad)?
        }
        [b'P', b'K', 3, 4] | [b'P', b'K', 5, 6] => npz(path, name)?,
        _ => safetensors(path, name).await?,
    };
    let expected = format!("{name}: expected {N} dimensions, found shape {shape:?}");
    Ok((<[usize; N]>::try_from(shape).map_err(|_| bad(expected))?, values))
}

fn open(path: &Path) -> Result<File> {
    open_file(path).map_err(|e| Error::io(path.display(), e))
}

fn head(path: &Path) -> Result<[u8; 4]> {
    let mut head = Vec::new();
    open(path)?.take(4).read_to_end(&mut head).map_err(|e| Error::io(path.display(), e))?;
    Ok(head.try_into().unwrap_or_default())
}

async fn safetensors(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let source = Source::file(path)?;
    let list = read_header(&source).await?;
    let bad = |reason: String| Error::checkpoint(path.display(), reason);
    let stored = list.iter().find(|s| s.key == name).ok_or_else(|| {
        let names = error::list(list.iter().map(|s| s.key.as_str()));
        bad(format!("expected a tensor {name}, found {names}"))
    })?;
    let dtype = stored.dtype.ok_or_else(|| {
        bad(format!("{name}: expected type F32, F16 or BF16, found {}", stored.dtype_name))
    })?;
    // Read, and as f32 beside that.
    let bytes = (stored.range.end - stored.range.start).saturating_mul(3);
    budget().check(format_args!("{}: {name}", path.display()), bytes)?;
    let bytes = source.read(stored.range.clone()).await?;
    Ok((stored.shape.clone(), dtype.decode(&bytes)))
}

/// An array of an archive of arrays.
fn npz(path: &Path, name: &str) -> Result<(Vec<usize>, Vec<f32>)> {
    let bad = |reason: String| Error::checkpoint(path.display(), reason);
    let broken = |e: zip::result::ZipError| bad(format!("not an archive of arrays: {e}"));
    let mut archive = ZipArchive::new(BufReader::new(open(path)?)).map_err(broken)?;
    let names: Vec<String> = archive.file_names().flatten().map(String::from).collect();
    let file = match archive.by_name(&format!("{name}.npy")) {
        Ok(file) => file,
        Err(zip::result::ZipError::FileNotFound) => {
            let names = error::list(names.iter().map(|name| name.trim_end_matches(".npy")));
            return Err(bad(format!("expected an array {name}, found {names}")));
        }
        Err(error) => return Err(broken(error)),
    };
    let length = file.size();
    npy(file, length, name).map_err(bad)
}

/// The most bytes of an array's header: numpy writes some hundred.
const HEADER: u64 = 1 << 16;

/// An array of floats, row-major, of `length` bytes with its header.
fn npy(
    mut reader: impl Read,
    length: u64,
    name: &str,
) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
    let broken = |e: std::io::Error| format!("{name}: not an array of NumPy's: {e}");
    // Magic, version, and the header's length in two bytes or in four.
    let mut start = [0; 12];
    reader.read_exact(&mut start).map_err(broken)?;
    let header = match start[6] {
        1 => u64::from(u16::from_le_bytes([start[8], start[9]])),
        _ => u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]])),
    };
    if header > HEADER.min(length) {
        return Err(format!("{name}: not an array of NumPy's: a header of {header} bytes"));
    }
    let reader = Cursor::new(start).chain(reader);
    // The library multiplies a shape's sides unchecked.
    let read = catch_unwind(AssertUnwindSafe(|| array(reader, length, name)));
    read.unwrap_or_else(|_| Err(format!("{name}: not an array of NumPy's: its header is broken")))
}

fn array(
    reader: impl Read,
    length: u64,
    name: &str,
) -> std::result::Result<(Vec<usize>, Vec<f32>), String> {
    let broken = |e: std::io::Error| format!("{name}: not an array of NumPy's: {e}");
    let file = NpyFile::new(reader).map_err(broken)?;
    let shape: Vec<usize> = file.shape().iter().map(|d| *d as usize).collect();
    if file.order() != Order::C {
        return Err(format!("{name}: expected row-major order; save it by np.ascontiguousarray"));
    }
    let kind = match file.dtype() {
        DType::Plain(kind) if kind.type_char() == TypeChar::Float => kind.size_field(),
        other => {
            let found = short(other.descr(), 100);
            return Err(format!("{name}: expected float32 or float64, found {found}"));
        }
    };
    let count = file.shape().iter().try_fold(kind, |product, side| product.checked_mul(*side));
    let Some(bytes) = count.filter(|bytes| *bytes <= length) else {
        return Err(format!("{name}: shape {shape:?} of {kind} bytes each in a file of {length}"));
    };
    // Read, and as f32 beside that.
    budget().check(name, bytes.saturating_mul(2)).map_err(|e| e.to_string())?;
    let values = match kind {
        4 => file.into_vec::<f32>(),
        8 => file.into_vec::<f64>().map(|list| list.into_iter().map(|v| v as f32).collect()),
        other => {
            return Err(format!("{name}: expected float32 or float64, found float{}", 8 * other));
        }
    };
    Ok((shape, values.map_err(broken)?))
}
