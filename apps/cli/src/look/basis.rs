//! A basis of principal components in a file: `mean` [C], `directions` [3, C], `ranges` [3, 2].

use std::path::Path;

use internvit::view::PcaBasis;
use internvit::weights::{Values, write_safetensors};
use internvit::{Error, Result};

use crate::input::read_tensor;

/// Reads a basis for tokens of `c` channels.
pub(super) async fn read(path: &Path, c: usize) -> Result<PcaBasis> {
    let (mean_shape, mean) = read_tensor::<1>(path, "mean").await?;
    let (directions_shape, directions) = read_tensor::<2>(path, "directions").await?;
    let (ranges_shape, ranges) = read_tensor::<2>(path, "ranges").await?;
    let shapes = (mean_shape, directions_shape, ranges_shape);
    if shapes != ([c], [3, c], [3, 2]) {
        let text = format!(
            "expected mean [{c}], directions [3, {c}] and ranges [3, 2] for this model, found \
             {mean_shape:?}, {directions_shape:?} and {ranges_shape:?}"
        );
        return Err(Error::checkpoint(path.display(), text));
    }
    Ok(PcaBasis {
        mean,
        directions: std::array::from_fn(|k| directions[k * c..][..c].to_vec()),
        ranges: std::array::from_fn(|k| [ranges[2 * k], ranges[2 * k + 1]]),
    })
}

/// Writes a basis.
pub(super) fn write(path: &Path, basis: &PcaBasis) -> Result<()> {
    let (directions, ranges) = (basis.directions.concat(), basis.ranges.concat());
    let c = basis.mean.len();
    let list = [
        ("mean".to_string(), vec![c], Values::F32(&basis.mean)),
        ("directions".to_string(), vec![3, c], Values::F32(&directions)),
        ("ranges".to_string(), vec![3, 2], Values::F32(&ranges)),
    ];
    write_safetensors(path, &list)
}
