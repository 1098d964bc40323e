//! Plans beside an encoding's: for one picture, and step by step beside the twins.

use std::ops::ControlFlow;

use super::{Executor, Session};
use crate::cpu::{self, Supply, Workspace};
use crate::features::{first_not_finite, relative_l2};
use crate::gpu::PreparedPlan;
use crate::images::{Images, PlanInputs, check};
use crate::plan::{Plan, SlotId, Value, record};
use crate::progress::LocalBoxFuture;
use crate::{Error, Result, reference};

impl Session {
    /// Runs a plan for one picture and returns some of its outputs.
    pub(crate) fn run_plan<'a>(
        &'a self,
        plan: Plan,
        inputs: &'a [(SlotId, Value<'a>)],
        outputs: &'a [SlotId],
    ) -> LocalBoxFuture<'a, Result<Vec<Vec<f32>>>> {
        Box::pin(async move {
            let names: Vec<_> = outputs.iter().map(|slot| plan.slots[*slot].name.clone()).collect();
            let mut all = Vec::new();
            match &self.executor {
                Executor::Cpu(weights, _) => {
                    let mut go_on = async |_: &[_]| ControlFlow::Continue(());
                    let mut space = Workspace::default();
                    let supply = match self.streamed {
                        true => Supply::Read((&self.checkpoint).into(), weights.quant()),
                        false => Supply::Held(weights),
                    };
                    let list = cpu::run(&plan, 1, supply, &mut space, inputs, &mut go_on).await?;
                    for output in outputs {
                        let found = list.iter().find(|(slot, _)| slot == output);
                        all.push(found.map_or(Vec::new(), |(_, values)| values.clone()));
                    }
                }
                Executor::Gpu(gpu, weights) => {
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
        let host = self.host_inputs(input).await?;
        let Executor::Gpu(gpu, weights) = &self.executor else {
            return Err(Error::device("bisect compares the GPU with the CPU, and there is no GPU"));
        };
        let plan = record(&self.checkpoint.spec, input, count, &[]);
        let mut prepared = PreparedPlan::new(gpu, plan.clone(), weights).await?;
        let fed = PlanInputs::new(images, &self.checkpoint.spec, 0, count)?;
        let inputs = fed.inputs(&plan, &host);
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
