//! A plan whose steps take microseconds: a thread that had to be woken for each would cost more than they do.

use std::ops::ControlFlow;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::{CpuWeights, Outputs, Supply, Workspace, run};
use crate::plan::{Plan, SlotId, Step, Value};
use crate::{Error, Result, parallel};

/// As [`run`], with weights in memory and without progress, all of it on one of the threads that share the
/// work.
///
/// # Errors
/// As [`run`].
pub async fn run_at_once(
    plan: &Plan,
    batch: usize,
    weights: &CpuWeights,
    workspace: &mut Workspace,
    inputs: &[(SlotId, Value<'_>)],
) -> Result<Outputs> {
    let go_on = async |_: &[Step]| ControlFlow::Continue(());
    if weights.team().is_some() {
        // Others answer meanwhile.
        return run(plan, batch, Supply::Held(weights), workspace, inputs, &mut { go_on }).await;
    }
    parallel::scope(move |_| {
        let mut go_on = go_on;
        let run = run(plan, batch, Supply::Held(weights), workspace, inputs, &mut go_on);
        match pin!(run).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outputs) => outputs,
            Poll::Pending => Err(Error::device("a step waits for another that nothing computes")),
        }
    })
}
