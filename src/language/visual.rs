//! Visual tokens of pictures.

use std::ops::ControlFlow;

use crate::encoder::Encoder;
use crate::features::Tensor;
use crate::images::Images;
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
        let Some(visual) = self.checkpoint().visual().copied() else {
            return Err(Error::input("the model was not opened with its visual tokens"));
        };
        let (prefix, sizes) = (self.spec().prefix_tokens(), self.spec().sizes);
        let last = visual.layer == sizes.layers;
        let taps = if last { vec![] } else { vec![visual.layer] };
        let mut features = self.encode(images, &taps, progress).await?;
        let Some(grid) = features.grid.filter(|grid| grid.iter().all(|n| n.is_multiple_of(2)))
        else {
            let side = 2 * sizes.patch;
            return Err(Error::input(format!(
                "visual tokens are made of pictures whose sides are multiples of {side} pixels"
            )));
        };
        let name = match last {
            true => "last_hidden_state".to_string(),
            false => format!("hidden_states.{}", visual.layer),
        };
        let Some(hidden) = features.tensors.remove(&name) else { unreachable!("it was asked for") };
        let plan = record_visual(&visual, grid, prefix, sizes.hidden);
        let (given, output) = (plan.slot("hidden_state"), plan.outputs[0].1);
        let (Some(given), Some(index)) = (given, plan.slot("squares")) else {
            unreachable!("the plan has both")
        };
        let squares = squares(&visual, grid, prefix);
        let count = hidden.values.len() / plan.slots[given].len(1);
        let mut values = Vec::new();
        for picture in hidden.values.chunks_exact(plan.slots[given].len(1)) {
            let inputs = [(given, Value::F32(picture)), (index, Value::F32(&squares))];
            values.extend(self.run_plan(plan.clone(), &inputs, &[output]).await?.concat());
        }
        Ok(Tensor { shape: vec![count, squares.len() / 4, visual.width], values })
    }

    /// What the tokens of a prompt stand for, `[tokens, C]`: those numbered `picture` are visual tokens, in their order.
    ///
    /// # Errors
    /// [`Error::Input`] where there are not as many of these as visual tokens, or a token is none of the model's.
    pub async fn embed_with(&self, ids: &[u32], picture: u32, visual: &Tensor) -> Result<Vec<f32>> {
        let c = self.language()?.hidden;
        let mut values = self.embed(ids).await?;
        let places = || ids.iter().enumerate().filter(|(_, id)| **id == picture);
        let (places_left, given) = (places().count(), visual.values.len() / c);
        if places_left != given || !visual.values.len().is_multiple_of(c) {
            return Err(Error::input(format!(
                "{places_left} places for visual tokens in the prompt, but the pictures have {given}"
            )));
        }
        for ((at, _), token) in places().zip(visual.values.chunks_exact(c)) {
            values[at * c..][..c].copy_from_slice(token);
        }
        Ok(values)
    }
}
