//! Looking inside: features that stay on the device, queries and keys of a block, GPU beside twins.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::{Backend, Encoder, Task};
use crate::features::{Tensor, relative_l2};
use crate::gpu::Prepared;
use crate::images::{Fed, Images, check};
use crate::plan::{Value, record, record_attention};
use crate::view::Attention;
use crate::{Error, Result, reference};

/// Features that stay where they were computed until someone reads them.
pub struct Held {
    /// Pictures.
    pub batch: usize,
    /// Rows and columns of patches; unknown where embeddings were given.
    pub grid: Option<[usize; 2]>,
    /// Tokens before the patches.
    pub prefix: usize,
    pub(super) parts: BTreeMap<String, Vec<Part>>,
}

/// What one run computed for one tensor.
pub(super) struct Part {
    /// Pictures of the run, rows, columns.
    pub(super) shape: [usize; 3],
    pub(super) values: Values,
}

pub(super) enum Values {
    Host(Vec<f32>),
    Device(wgpu::Buffer),
}

impl Held {
    /// Names of the tensors: `last_hidden_state`, and `hidden_states.{i}` for those asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str)
    }

    /// Reads a tensor `[batch, tokens, C]`; `encoder` is the one that computed it.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such tensor, [`Error::Device`].
    pub async fn tensor(&self, encoder: &Encoder, name: &str) -> Result<Tensor> {
        let unknown = || Error::input(format!("no tensor called {name}"));
        let parts = self.parts.get(name).ok_or_else(unknown)?;
        let mut values = Vec::new();
        for part in parts {
            match (&part.values, &encoder.backend) {
                (Values::Host(host), _) if values.is_empty() => values.clone_from(host),
                (Values::Host(host), _) => values.extend_from_slice(host),
                (Values::Device(buffer), Backend::Gpu(gpu, _)) => {
                    values.extend(gpu.read(buffer).await?);
                }
                (Values::Device(_), Backend::Cpu) => {
                    return Err(Error::device("these features lie on another device"));
                }
            }
        }
        let [_, rows, cols] = parts.first().map_or([0; 3], |part| part.shape);
        Ok(Tensor { shape: vec![self.batch, rows, cols], values })
    }
}

impl Encoder {
    /// As [`Encoder::encode`]; with `keep` the features stay on the device.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub async fn hold(
        &mut self,
        images: Images<'_>,
        taps: &[usize],
        keep: bool,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Held> {
        let (input, batch) = check(images, taps, &self.checkpoint.spec)?;
        let spec = &self.checkpoint.spec;
        let (grid, prefix) = (input.grid(spec.sizes.patch), spec.prefix_tokens());
        let task = Task::Features(taps.to_vec());
        let parts = self.run_all(&task, input, batch, images, keep, progress).await?;
        Ok(Held { batch, grid, prefix, parts })
    }

    /// Queries and keys of block `layer` (from 1) for one picture, of whose tokens `hidden`
    /// `[tokens, C]` is what the block takes: `hidden_states.{layer - 1}`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such block, [`Error::Device`].
    pub async fn attention(&self, hidden: &[f32], layer: usize) -> Result<Attention> {
        let sizes = self.checkpoint.spec.sizes;
        if !(1..=sizes.layers).contains(&layer) {
            let text = format!("block {layer}: the model has blocks 1 to {}", sizes.layers);
            return Err(Error::input(text));
        }
        let channels = sizes.hidden;
        let tokens = hidden.len() / channels;
        let plan = record_attention(&self.checkpoint.spec, tokens, layer);
        let (Some(given), Some(qkv)) = (plan.slot("hidden_state"), plan.outputs().next()) else {
            unreachable!("the plan has an input and an output")
        };
        let inputs = [(given, Value::F32(hidden))];
        let mut planes = match &self.backend {
            Backend::Cpu => {
                let mut go_on = async |_: &_, _: &[f32]| ControlFlow::Continue(());
                let list = reference::run(&plan, 1, &self.checkpoint, &inputs, &mut go_on).await?;
                list.into_iter().next().map_or(Vec::new(), |(_, values)| values)
            }
            Backend::Gpu(gpu, weights) => {
                let mut prepared = Prepared::new(gpu, plan, weights).await?;
                let mut go_on = async |_, _| ControlFlow::Continue(());
                prepared.run(gpu, 1, &inputs, &mut go_on).await?;
                prepared.read(gpu, qkv, 1).await?
            }
        };
        planes.truncate(2 * tokens * channels);
        let keys = planes.split_off(tokens * channels);
        Ok(Attention { heads: sizes.heads, channels, queries: planes, keys })
    }

    /// Runs GPU and twins side by side on one batch and reports for each step the slot's name and
    /// the relative L2 difference, until `watch` stops.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; [`Error::Device`] where there is no GPU to compare with.
    pub async fn compare(
        &mut self,
        images: Images<'_>,
        watch: &mut impl AsyncFnMut(&str, f64) -> ControlFlow<()>,
    ) -> Result<()> {
        let (input, count) = check(images, &[], &self.checkpoint.spec)?;
        let position = match input.grid(self.checkpoint.spec.sizes.patch) {
            Some(grid) => Some(self.position(grid).await?),
            None => None,
        };
        let Backend::Gpu(gpu, weights) = &self.backend else {
            return Err(Error::device("bisect compares the GPU with the CPU, and there is no GPU"));
        };
        let plan = record(&self.checkpoint.spec, input, count, &[]);
        let mut prepared = Prepared::new(gpu, plan.clone(), weights).await?;
        let fed = Fed::new(images, 0, count);
        let inputs = fed.inputs(&plan, position.as_deref());
        let mut expected = Vec::new();
        reference::run(&plan, count, &self.checkpoint, &inputs, &mut async |_, values| {
            expected.push(values.to_vec());
            ControlFlow::Continue(())
        })
        .await?;
        let mut expected = expected.into_iter();
        let result = prepared
            .trace(gpu, count, &inputs, &mut async |at, values| {
                let name = &plan.slots[plan.steps[at].op.writes()].name;
                let twin = expected.next().unwrap_or_default();
                watch(name, relative_l2(&values, &twin)).await
            })
            .await;
        match result {
            Err(Error::Cancelled) => Ok(()),
            other => other,
        }
    }
}
