//! Segmentation heads in files of their own.

use super::{Checkpoint, Source, read_header, read_metadata};
use crate::model::{HeadKind, HeadSpec, parse_head};
use crate::{Error, Result};

/// The tensor of a head that has a value for each class.
const BIAS: &str = "decode_head.conv_seg.bias";

impl Checkpoint {
    /// Takes the segmentation head of a file of its own, in place of any other: as the file's metadata or the
    /// model's configuration describes it, or a linear head on the last block.
    ///
    /// # Errors
    /// [`Error::Config`] where the description is none; as [`Checkpoint::attach_head`].
    pub async fn attach_head_file(&mut self, file: Source) -> Result<()> {
        let said = read_metadata(&file, "segmentation").await?;
        let own = said.map(|text| format!("{{\"segmentation\": {text}}}"));
        let (name, config) = match &own {
            Some(config) => (file.name(), config),
            None => ("config.json", &self.config),
        };
        let spec = match parse_head(name, config, &self.spec)? {
            Some(spec) => spec,
            None => {
                let list = read_header(&file).await?;
                let bias = list.iter().find(|stored| stored.key == BIAS);
                let classes = bias.and_then(|stored| stored.shape.first().copied());
                let missing = || Error::checkpoint(file.name(), format!("{BIAS}: missing"));
                HeadSpec {
                    kind: HeadKind::Linear,
                    out_indices: vec![self.spec.sizes.layers - 1],
                    classes: classes.ok_or_else(missing)?,
                    names: Vec::new(),
                    palette: Vec::new(),
                    whole: false,
                }
            }
        };
        self.attach_head(spec, file).await
    }
}
