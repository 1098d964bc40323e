//! Visual tokens of pictures.

use std::ops::ControlFlow;

use crate::encoder::Encoder;
use crate::features::{Features, Tensor};
use crate::images::Images;
use crate::model::VisualSpec;
use crate::plan::{Value, record_visual, squares};
use crate::{Error, Result};

impl Encoder {
    /// What a language model is given of pictures, `[pictures, h·w / 4, width]` of a grid of h × w patches. Of a picture
    /// in tiles each is one. The checkpoint is one that was opened [`with_visual`](crate::Checkpoint::with_visual).
    ///
    /// # Errors
    /// [`Error::Input`] where the model makes none, or a grid has an odd side; else as [`Encoder::encode`].
    pub async fn visual_tokens(
        &mut self,
        images: Images<'_>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Tensor> {
        let taps = Vec::from_iter(self.visual_tap()?);
        let features = self.encode(images, &taps, progress).await?;
        self.project(&features).await
    }

    /// The hidden state that visual tokens are made of; none where it is the last one.
    ///
    /// # Errors
    /// [`Error::Input`] where the model was not opened with its visual tokens.
    pub fn visual_tap(&self) -> Result<Option<usize>> {
        Ok(Some(self.visual()?.layer).filter(|layer| *layer < self.spec().sizes.layers))
    }

    fn visual(&self) -> Result<VisualSpec> {
        self.checkpoint().sees()?;
        let none = || Error::input("the model was not opened with its visual tokens");
        self.checkpoint().visual().copied().ok_or_else(none)
    }

    /// Visual tokens of features that were encoded with [`Encoder::visual_tap`].
    ///
    /// # Errors
    /// As [`Encoder::visual_tokens`].
    pub async fn project(&self, features: &Features) -> Result<Tensor> {
        let (visual, prefix, sizes) = (self.visual()?, features.prefix, self.spec().sizes);
        let even = |grid: &[usize; 2]| grid.iter().all(|n| n.is_multiple_of(2));
        let Some(grid) = features.grid.filter(even) else {
            let side = 2 * sizes.patch;
            return Err(Error::input(format!(
                "visual tokens are made of pictures whose sides are multiples of {side} pixels"
            )));
        };
        let name = match self.visual_tap()? {
            None => "last_hidden_state".to_string(),
            Some(layer) => format!("hidden_states.{layer}"),
        };
        let none = || Error::input(format!("visual tokens are made of {name}, which is not there"));
        let hidden = features.tensors.get(&name).ok_or_else(none)?;
        let plan = record_visual(&visual, grid, prefix, sizes.hidden);
        let (given, output) = (plan.slot("hidden_state"), plan.outputs[0].1);
        let (Some(given), Some(index)) = (given, plan.slot("squares")) else {
            unreachable!("the plan has both")
        };
        let squares = squares(&visual, grid, prefix);
        let mut values = Vec::new();
        for picture in hidden.values.chunks_exact(plan.slots[given].len(1)) {
            let inputs = [(given, Value::F32(picture)), (index, Value::F32(&squares))];
            values
                .extend(self.session().run_plan(plan.clone(), &inputs, &[output]).await?.concat());
        }
        Ok(Tensor { shape: vec![features.batch, squares.len() / 4, visual.width], values })
    }
}
