//! What `internvit look` writes in numbers.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use internvit::app::Photo;
use internvit::view::{Edges, Map};
use internvit::{Result, Tensor};

#[derive(Args)]
pub(super) struct Data {
    /// Where to write the patches' values as f32 [rows, cols]: .safetensors, .npz or .npy; pca adds
    /// an axis of 3 at the end, attention one at the front: heads, then their mean, or one head
    #[arg(long, value_name = "FILE")]
    pub(super) data: Option<PathBuf>,
    /// What --data has a value for. patches: the model's own values; pixels: values at each pixel of the
    /// photograph, interpolated as --edges says, NaN where the model did not look
    #[arg(long, value_name = "WHAT", requires = "data", default_value = "patches")]
    data_at: At,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum At {
    Patches,
    Pixels,
}

impl Data {
    /// The data of a map of a photograph; of one head where it is `alone`.
    pub(super) fn tensor(
        &self,
        map: &Map,
        alone: bool,
        photo: &Photo,
        edges: Edges,
    ) -> Result<Tensor> {
        let one;
        let map = match alone {
            true => {
                one = map.alone();
                &one
            }
            false => map,
        };
        match self.data_at {
            At::Patches => Ok(map.data()),
            At::Pixels => map.data_over(&photo.picture, photo.region, edges),
        }
    }
}
