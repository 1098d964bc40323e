//! Looking inside: features that stay on the device, queries and keys of a block, GPU beside twins.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::run::{Job, Task};
use super::{Backend, Encoder, planar};
use crate::cpu::{self, Supply, Workspace};
use crate::features::{BlockAttention, Tensor, first_not_finite, relative_l2, row_count};
use crate::gpu::{Buffer, PreparedPlan, Reading};
use crate::images::{Fed, Images, check};
use crate::plan::{Plan, Plane, Role, SlotId, Value, record, record_attention, record_head_alone};
use crate::progress::LocalBoxFuture;
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
    /// Being read back; runs leave none behind.
    Coming(Reading),
    Device(Buffer),
}

impl Held {
    /// Names of the tensors: `last_hidden_state`, `pooler_output`, and `hidden_states.{i}` for those
    /// asked for.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parts.keys().map(String::as_str).chain(["pooler_output"])
    }

    /// Tokens of a picture and channels of a token.
    pub fn shape(&self) -> (usize, usize) {
        let part = self.parts.get("last_hidden_state").and_then(|parts| parts.first());
        part.map_or((0, 0), |part| (part.shape[1], part.shape[2]))
    }

    /// Reads a tensor `[batch, tokens, C]`, or `pooler_output` `[batch, C]`, the first token;
    /// `encoder` is the one that computed it.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such tensor, [`Error::Lost`] where it lay on a device that was
    /// lost, [`Error::Device`].
    pub fn tensor<'a>(
        &'a self,
        encoder: &'a Encoder,
        name: &'a str,
    ) -> LocalBoxFuture<'a, Result<Tensor>> {
        Box::pin(async move {
            if name == "pooler_output" {
                let last = self.tensor(encoder, "last_hidden_state").await?;
                let (tokens, c) = (last.shape[1], last.shape[2]);
                let first = last.values.chunks_exact(tokens * c).flat_map(|picture| &picture[..c]);
                return Ok(Tensor { shape: vec![self.batch, c], values: first.copied().collect() });
            }
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
                    (Values::Coming(_) | Values::Device(_), _) => {
                        return Err(Error::device("these features lie on another device"));
                    }
                }
            }
            let [_, rows, cols] = parts.first().map_or([0; 3], |part| part.shape);
            Ok(Tensor { shape: vec![self.batch, rows, cols], values })
        })
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
        let job = Job { task: &task, input, count: batch, images, keep };
        let parts = self.run_all(job, progress).await?;
        Ok(Held { batch, grid, prefix, parts })
    }

    /// Queries and keys of block `layer` (from 1) for one picture, of whose tokens `hidden`
    /// `[tokens, C]` is what the block takes: `hidden_states.{layer - 1}`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such block, [`Error::Device`].
    pub async fn attention(&self, hidden: &[f32], layer: usize) -> Result<BlockAttention> {
        let sizes = self.spec().sizes;
        if !(1..=sizes.layers).contains(&layer) {
            let text = format!("block {layer}: the model has blocks 1 to {}", sizes.layers);
            return Err(Error::input(text));
        }
        let channels = sizes.hidden;
        let tokens = row_count("a hidden state", hidden, channels)?;
        if tokens == 0 {
            return Err(Error::input("a hidden state without tokens"));
        }
        let (plan, [q, k]) = record_attention(&self.checkpoint.spec, tokens, layer);
        let Some(given) = plan.slot("hidden_state") else { unreachable!("the plan has an input") };
        let inputs = [(given, Value::F32(hidden))];
        let values = self.run_plan(plan, &inputs, &[q.slot, k.slot]).await?;
        let plane = |values: &[f32], Plane { plane, .. }: Plane| {
            values[plane * tokens * channels..][..tokens * channels].to_vec()
        };
        let (queries, keys) = (plane(&values[0], q), plane(&values[1], k));
        Ok(BlockAttention { heads: sizes.heads, channels, queries, keys })
    }

    /// The segmentation head alone, on features: `levels` are the outputs of the blocks that its
    /// `out_indices` name, each `[rows·cols, C]` without prefix. Logits `[1, classes, h', w']`, as
    /// [`Encoder::segment`] gives them.
    ///
    /// # Errors
    /// [`Error::Input`] where the model has no head, [`Error::Device`].
    pub async fn segment_features(&self, levels: &[Vec<f32>], grid: [usize; 2]) -> Result<Tensor> {
        let head = self.head_for(grid)?;
        let plan = record_head_alone(self.spec(), &head.spec, head.channels, grid);
        let Some(logits) = plan.slot("logits") else { unreachable!("a head gives logits") };
        let given = plan.slots.iter().enumerate().filter(|(_, slot)| slot.role == Role::Input);
        let inputs: Vec<(SlotId, Value<'_>)> =
            given.zip(levels).map(|((id, _), level)| (id, Value::F32(level))).collect();
        let values = self.run_plan(plan, &inputs, &[logits]).await?;
        Ok(planar(&values[0], 1, head, grid))
    }

    /// Runs a plan for one picture and returns some of its outputs.
    fn run_plan<'a>(
        &'a self,
        plan: Plan,
        inputs: &'a [(SlotId, Value<'a>)],
        outputs: &'a [SlotId],
    ) -> LocalBoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let names: Vec<_> = outputs.iter().map(|slot| plan.slots[*slot].name.clone()).collect();
            let mut all = Vec::new();
            match &self.backend {
                Backend::Cpu(weights, _) => {
                    let mut go_on = async |_: &[_]| ControlFlow::Continue(());
                    let mut space = Workspace::default();
                    let supply = match self.streamed {
                        true => Supply::Read((&self.checkpoint).into()),
                        false => Supply::Held(weights),
                    };
                    let list = cpu::run(&plan, 1, supply, &mut space, inputs, &mut go_on).await?;
                    for output in outputs {
                        let found = list.iter().find(|(slot, _)| slot == output);
                        all.push(found.map_or(Vec::new(), |(_, values)| values.clone()));
                    }
                }
                Backend::Gpu(gpu, weights) => {
                    let mut prepared = PreparedPlan::new(gpu, plan, weights).await?;
                    let streamer = weights.streamer(&self.checkpoint);
                    let mut go_on = async |_, _| ControlFlow::Continue(());
                    prepared.run(gpu, 1, inputs, streamer, &mut go_on).await?;
                    for output in outputs {
                        all.push(prepared.read(gpu, *output, 1).await?);
                    }
                }
            }
            for (name, values) in names.iter().zip(&all) {
                if first_not_finite(values).is_some() {
                    return Err(Error::NotFinite(format!("{name} holds NaN or infinity")));
                }
            }
            Ok(all)
        })
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
        self.resident()?;
        let (input, count) = check(images, &[], &self.checkpoint.spec)?;
        let position = self.position(input).await?;
        let Backend::Gpu(gpu, weights) = &self.backend else {
            return Err(Error::device("bisect compares the GPU with the CPU, and there is no GPU"));
        };
        let plan = record(&self.checkpoint.spec, input, count, &[]);
        let mut prepared = PreparedPlan::new(gpu, plan.clone(), weights).await?;
        let fed = Fed::new(images, 0, count)?;
        let inputs = fed.inputs(&plan, position.as_deref());
        let mut expected = Vec::new();
        reference::run(&plan, count, &self.checkpoint, &inputs, &mut async |_, values| {
            expected.push(values.to_vec());
            ControlFlow::Continue(())
        })
        .await?;
        let result = prepared
            .trace(gpu, count, &inputs, &mut async |at, values| {
                let name = &plan.slots[plan.steps[at].y].name;
                watch(name, relative_l2(&values, &expected[at])).await
            })
            .await;
        match result {
            Err(Error::Cancelled) => Ok(()),
            other => other,
        }
    }
}
