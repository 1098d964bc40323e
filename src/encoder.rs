//! The façade: pictures in, features out.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use crate::features::{BlockAttention, Distances, Features, Scale, Tensor, row_count};
use crate::gpu::Gpu;
use crate::image::Picture;
use crate::images::{Images, check, padded};
use crate::model::{HeadKind, Pool, Spec};
use crate::plan::{
    Plan, Plane, RELATIVE_INDEX, Role, SlotId, Value, dense_layer, record_attention, record_dense,
    record_head_alone, relative_slot,
};
use crate::progress::{LocalBoxFuture, Progress};
use crate::session::{Compute, DeviceFeatures, Job, Residency, Session, Task, Words};
use crate::weights::{Checkpoint, Head};
use crate::{Error, Result};

/// A checkpoint on a device, that encodes pictures.
///
/// Its methods are asynchronous for pages, where a device must not be waited for; natively they
/// compute until they are done, and [`crate::Model`] is the blocking way to have one.
pub struct Encoder {
    session: Session,
}

impl Encoder {
    /// Brings `checkpoint` to a device: `&device`, an open [`Gpu`], or a [`Compute`] that says more.
    /// `progress` is told the bytes read and their total, and may stop the loading.
    ///
    /// # Errors
    /// [`Error::Device`] where the device is missing or too small, or computes no such precision,
    /// [`Error::Io`] and [`Error::Checkpoint`] where tensors cannot be read, [`Error::Cancelled`].
    pub async fn load(
        checkpoint: Checkpoint,
        compute: impl Into<Compute>,
        progress: &mut impl AsyncFnMut(u64, u64) -> ControlFlow<()>,
    ) -> Result<Self> {
        let session = Session::open(checkpoint, compute.into(), progress).await?;
        Ok(Self { session })
    }

    /// Lets go of the model and keeps its device, where another finds its kernels compiled; none on
    /// the CPU, or where the device was lost.
    pub fn into_gpu(self) -> Option<Gpu> {
        self.session.into_gpu()
    }

    /// What the checkpoint describes.
    pub fn spec(&self) -> &Spec {
        self.session.spec()
    }

    /// The checkpoint.
    pub fn checkpoint(&self) -> &Checkpoint {
        self.session.checkpoint()
    }

    /// The device in use; `None` for the CPU.
    pub fn gpu(&self) -> Option<&Gpu> {
        self.session.gpu()
    }

    /// Why the CPU computes although a GPU was hoped for.
    pub fn why_cpu(&self) -> Option<&str> {
        self.session.why_cpu()
    }

    /// What the encoder did by itself and the caller should know, a sentence each: it reopened a lost
    /// device, or left f16.
    pub fn notes(&self) -> &[String] {
        self.session.notes()
    }

    /// Bytes of weights on the device.
    pub fn weight_bytes(&self) -> u64 {
        self.session.weight_bytes()
    }

    /// Reads texts: `text_last_hidden_state` `[texts, tokens, C]` where they have equally many tokens,
    /// `text_pooler_output` and `text_features` `[texts, C]`.
    ///
    /// # Errors
    /// [`Error::Input`] where the model reads no texts, a text is empty or too long, or a token is none of its
    /// own; [`Error::Device`].
    pub async fn read_texts(&self, texts: &[Words]) -> Result<BTreeMap<String, Tensor>> {
        self.session.read_texts(texts).await
    }

    /// What pictures are compared with: the features of texts `[texts, C]`, not yet of length 1.
    ///
    /// # Errors
    /// As [`Encoder::read_texts`].
    pub async fn text_features(&self, texts: &[Words]) -> Result<Tensor> {
        let none = || Error::input("this model computes no features of texts");
        self.read_texts(texts).await?.remove("text_features").ok_or_else(none)
    }

    /// What the model learned of pictures and texts together.
    ///
    /// # Errors
    /// [`Error::Input`] where the model was not taught beside texts, or its tower for them was not asked for.
    pub async fn scale(&self) -> Result<Scale> {
        self.session.scale().await
    }

    /// What computes, for the programs of this project and its tests.
    #[doc(hidden)]
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// As [`Encoder::session`].
    #[doc(hidden)]
    pub fn session_mut(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Encodes `images`; `taps` are the hidden states wanted besides the last, 0 the embedding, i
    /// the output of block i. `progress` is told the block reached and the number of
    /// blocks, and may stop.
    ///
    /// Where the device is lost it is opened again, the weights are uploaded again, and the pictures
    /// computed once more; progress begins again. Values that are no numbers are never returned: in
    /// f16 the encoder goes on in f32 ([`Encoder::notes`] tells), else they are an error.
    ///
    /// # Errors
    /// [`Error::Input`] for pictures of different or unfit sizes and for unknown hidden states,
    /// [`Error::Device`], [`Error::Lost`] where the device was lost twice, [`Error::NotFinite`],
    /// [`Error::Cancelled`].
    pub async fn encode(
        &mut self,
        images: Images<'_>,
        taps: &[usize],
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Features> {
        let held = self.encode_to(images, taps, Residency::Host, progress).await?;
        let mut tensors = BTreeMap::new();
        for name in held.names() {
            tensors.insert(name.to_string(), held.tensor(&self.session, name).await?);
        }
        Ok(Features { batch: held.batch, grid: held.grid, prefix: held.prefix, tensors })
    }

    /// The segmentation head's logits `[batch, classes, h', w']` for pictures of one size; h' and
    /// w' are the patch grid's for a linear head, four times as many for UPerNet.
    ///
    /// # Errors
    /// As [`Encoder::encode`]; [`Error::Input`] where the model has no head.
    pub async fn segment(
        &mut self,
        images: Images<'_>,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<Tensor> {
        let (input, count) = check(images, &[], &self.checkpoint().spec)?;
        let Some(grid) = input.grid(self.checkpoint().spec.sizes.patch) else {
            return Err(Error::input("segmentation takes pictures, not embeddings"));
        };
        self.head_for(grid)?;
        let job = Job { task: &Task::Logits, input, count, images, residency: Residency::Host };
        let parts = self.session.run_all(job, progress).await?;
        let held =
            DeviceFeatures { batch: count, grid: None, prefix: 0, class_token: false, parts };
        let logits = held.tensor(&self.session, "logits").await?.values;
        Ok(planar(&logits, count, self.head_for(grid)?, grid))
    }

    /// The head, where there is one that can take `grid` patches.
    fn head_for(&self, [rows, cols]: [usize; 2]) -> Result<&Head> {
        let none = || Error::input(format!("{}: no segmentation head", self.checkpoint().name()));
        let head = self.checkpoint().head.as_ref().ok_or_else(none)?;
        if head.spec.kind == HeadKind::Uper && rows.min(cols) < 2 {
            return Err(Error::input("UPerNet takes pictures of at least 2 × 2 patches"));
        }
        Ok(head)
    }

    /// As [`Encoder::encode`], with the features left where `residency` says.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub async fn encode_to(
        &mut self,
        images: Images<'_>,
        taps: &[usize],
        residency: Residency,
        progress: &mut impl AsyncFnMut(usize, usize) -> ControlFlow<()>,
    ) -> Result<DeviceFeatures> {
        self.encode_as(images, taps, residency, progress).await
    }

    /// The same, compiled once whatever is told of the progress.
    fn encode_as<'a>(
        &'a mut self,
        images: Images<'a>,
        taps: &'a [usize],
        residency: Residency,
        progress: &'a mut dyn Progress<usize>,
    ) -> LocalBoxFuture<'a, Result<DeviceFeatures>> {
        Box::pin(async move {
            let spec = &self.checkpoint().spec;
            let padded = padded(images, spec);
            let images = match &padded {
                Some((shape, values)) => Images::PixelValues { shape: *shape, values },
                None => images,
            };
            let (input, batch) = check(images, taps, spec)?;
            let grid = input.grid(spec.sizes.patch).map(|grid| spec.last_grid(grid));
            let (prefix, class_token) = (spec.prefix_tokens(), spec.pool == Pool::Cls);
            let task = Task::Features(taps.to_vec());
            let job = Job { task: &task, input, count: batch, images, residency };
            let parts = self.session.run_all(job, progress).await?;
            Ok(DeviceFeatures { batch, grid, prefix, class_token, parts })
        })
    }

    /// Encodes a photograph as a whole, as the model's preprocessing wants it.
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    pub fn whole<'a>(&'a mut self, photo: &'a Picture) -> LocalBoxFuture<'a, Result<Features>> {
        Box::pin(async move {
            let spec = self.spec();
            let picture = spec.preprocessing.fit(&spec.sizes, None, None).apply(photo)?;
            let images = Images::Pictures(std::slice::from_ref(&picture));
            let go_on = &mut async |_, _| ControlFlow::Continue(());
            self.encode(images, &[], go_on).await
        })
    }

    /// Queries and keys of block `layer` (from 1) for one picture of `grid` patches, of whose tokens
    /// `hidden` `[tokens, C]` is what the block takes: `hidden_states.{layer - 1}`.
    ///
    /// # Errors
    /// [`Error::Input`] where there is no such block, or where scores are of more than queries and keys;
    /// [`Error::Device`].
    pub async fn attention(
        &self,
        hidden: &[f32],
        grid: [usize; 2],
        layer: usize,
    ) -> Result<BlockAttention> {
        let sizes = self.spec().sizes;
        if self.spec().windows.is_some() {
            let text = "attention is not shown for this model: a patch attends within windows, which \
                        are others in every second block";
            return Err(Error::input(text));
        }
        if !(1..=sizes.layers).contains(&layer) {
            let text = format!("block {layer}: the model has blocks 1 to {}", sizes.layers);
            return Err(Error::input(text));
        }
        let channels = sizes.hidden;
        let tokens = row_count("a hidden state", hidden, channels)?;
        let (plan, [q, k]) = record_attention(&self.checkpoint().spec, tokens, layer);
        let values = self.run_on(plan, hidden, grid, &[q.slot, k.slot]).await?;
        let plane = |values: &[f32], Plane { plane, .. }: Plane| {
            values[plane * tokens * channels..][..tokens * channels].to_vec()
        };
        let (queries, keys) = (plane(&values[0], q), plane(&values[1], k));
        let distances = self.distances(grid, layer).await?;
        Ok(BlockAttention { heads: sizes.heads, channels, queries, keys, distances })
    }

    /// What distances add to scores in block `layer`, from 1, where they do.
    async fn distances(&self, grid: [usize; 2], layer: usize) -> Result<Option<Distances>> {
        let Some(table) = relative_slot(self.spec().relative, layer - 1) else { return Ok(None) };
        let made = self.session.made_for(grid).await?;
        let values = |name: &str| {
            let found = made.iter().find(|host| host.slot == name);
            found.map_or(&[][..], |host| &host.values)
        };
        let index = values(RELATIVE_INDEX).iter().map(|at| *at as u32).collect();
        Ok(Some(Distances { table: values(&table).to_vec(), index }))
    }

    /// The hidden state that [`Encoder::dense`] takes.
    ///
    /// # Errors
    /// [`Error::Input`] where the model compares no pictures with texts.
    pub fn dense_layer(&self) -> Result<usize> {
        let none = || Error::input("this model was not taught beside texts, so words find nothing");
        self.spec().image_features().map(|_| dense_layer(self.spec())).ok_or_else(none)
    }

    /// What texts are compared with, of every token of one picture: `[tokens, width]`, not yet of length 1.
    /// `hidden` `[tokens, C]` is the hidden state [`Encoder::dense_layer`] of a picture of `grid` patches.
    ///
    /// # Errors
    /// [`Error::Input`] where the model compares no pictures with texts; [`Error::Device`].
    pub async fn dense(&self, hidden: &[f32], grid: [usize; 2]) -> Result<Tensor> {
        let spec = self.spec();
        self.dense_layer()?;
        let tokens = row_count("a hidden state", hidden, spec.sizes.hidden)?;
        let plan = record_dense(spec, tokens);
        let (_, slot) = plan.outputs[0];
        let width = plan.slots[slot].cols;
        let values = self.run_on(plan, hidden, grid, &[slot]).await?.concat();
        Ok(Tensor { shape: vec![tokens, width], values })
    }

    /// Runs a plan whose input is the hidden state of one picture of `grid` patches.
    fn run_on<'a>(
        &'a self,
        plan: Plan,
        hidden: &'a [f32],
        grid: [usize; 2],
        outputs: &'a [SlotId],
    ) -> LocalBoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let Some(given) = plan.slot("hidden_state") else {
                unreachable!("the plan has an input")
            };
            let tokens = plan.slots[given].rows;
            if tokens == 0 {
                return Err(Error::input("a hidden state without tokens"));
            }
            let host = match plan.slot("angles") {
                Some(_) => Some(self.session.made_for(grid).await?),
                None => None,
            };
            let made = host.as_deref().unwrap_or_default().iter().filter_map(|made| {
                let slot = plan.slot(&made.slot)?;
                (plan.slots[slot].len(1) == made.values.len())
                    .then_some((slot, Value::F32(&made.values)))
            });
            let inputs: Vec<(SlotId, Value<'_>)> =
                [(given, Value::F32(hidden))].into_iter().chain(made).collect();
            if inputs.len() == 1 && plan.slot("angles").is_some() {
                return Err(Error::input(format!("{tokens} tokens of a grid of {grid:?} patches")));
            }
            self.session.run_plan(plan, &inputs, outputs).await
        })
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
        let values = self.session.run_plan(plan, &inputs, &[logits]).await?;
        Ok(planar(&values[0], 1, head, grid))
    }
}

/// Logits as the plan leaves them, `[count, h'·w', padded classes]`, to `[count, classes, h', w']`.
fn planar(logits: &[f32], count: usize, head: &Head, grid: [usize; 2]) -> Tensor {
    let [height, width] = grid.map(|n| n * head.spec.scale());
    let (classes, padded) = (head.spec.classes, head.padded_classes());
    let mut values = Vec::with_capacity(count * classes * height * width);
    for picture in logits.chunks_exact(height * width * padded) {
        for class in 0..classes {
            values.extend(picture.iter().skip(class).step_by(padded));
        }
    }
    Tensor { shape: vec![count, classes, height, width], values }
}
