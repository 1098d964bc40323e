//! The team of workers: jobs on their way to helpers, and what a helper is in the browser.

use js_sys::{Float32Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::js::*;
use crate::cpu::{Helper, Jobs, Share, Task, Team};
use crate::{Encoder, Error};

/// A team whose jobs go through `ask(helper, task) -> Promise<Float32Array>`.
pub(super) fn team(members: usize, ask: Function) -> Team {
    let (team, jobs) = Team::new(members);
    spawn_local(carry(jobs, ask));
    team
}

/// Posts each job at once; its answer is awaited beside.
async fn carry(mut jobs: Jobs, ask: Function) {
    while let Ok(job) = jobs.recv().await {
        let asked = given(&job.task)
            .and_then(|task| ask.call2(&JsValue::NULL, &number(job.helper as f64), &task));
        spawn_local(async move {
            let values = match asked {
                Ok(promise) => JsFuture::from(Promise::resolve(&promise)).await,
                Err(thrown) => Err(thrown),
            };
            let failed = |e: JsValue| Error::device(format!("a helper failed: {}", text(&e)));
            let values = values.map(|values| Float32Array::new(&values).to_vec());
            // An engine that has given up no longer listens.
            let _ = job.answer.send(values.map_err(failed));
        });
    }
}

/// A task as `protocol.ts` has it.
fn given(task: &Task) -> JsResult<JsValue> {
    object(&[
        ("weight", (&task.weight).into()),
        ("x", Float32Array::from(task.x.as_slice()).into()),
        ("through", to_js(&task.through)?),
    ])
}

/// A worker's part of a model; it does what the engine asks for and knows nothing else.
#[wasm_bindgen(js_name = Helper)]
pub struct JsHelper(Helper);

#[wasm_bindgen(js_class = Helper)]
impl JsHelper {
    /// Reads the part of member `member` (from 1) of `members`; the rest is given as to
    /// `Engine.load`.
    pub async fn load(
        config: String,
        files: JsValue,
        read: Function,
        member: usize,
        members: usize,
    ) -> JsResult<JsHelper> {
        let checkpoint = checkpoint(&config, files, &read).await?;
        let share = Share { member, members };
        Ok(Self(Encoder::helper(&checkpoint, share).await.map_err(js)?))
    }

    /// Its part of two products, and of what lies between, for rows `x`; `through` is batch and
    /// tokens, or nothing for the first product alone.
    pub fn answer(&self, weight: String, x: Vec<f32>, through: JsValue) -> JsResult<Vec<f32>> {
        let through = serde_wasm_bindgen::from_value(through)?;
        self.0.answer(&Task { weight, x, through }).map_err(js)
    }
}
