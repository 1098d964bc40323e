//! The team of workers: jobs on their way to helpers, and what a helper is in the browser.

use js_sys::{Float32Array, Function, Promise};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::js::*;
use internvit::Error;
use internvit::cpu::{Helper, Jobs, Share, Task, Team};

/// A team whose jobs go through `ask(helper, task)`, which hands a copy over and gives a function
/// that waits for the answer: a Float32Array, or a promise of one.
pub(super) fn team(members: usize, ask: Function) -> Team {
    let (team, jobs) = Team::new(members);
    spawn_local(carry(jobs, ask));
    team
}

/// Hands each job over at once. To wait for an answer may hold up this thread, so it begins when
/// the engine has done its own part: what is spawned here runs behind what is ready already.
async fn carry(mut jobs: Jobs, ask: Function) {
    let mut kept = Kept::default();
    while let Ok(job) = jobs.recv().await {
        let asked = given(&job.task, &mut kept)
            .and_then(|task| ask.call2(&JsValue::NULL, &number(job.helper as f64), &task))
            .and_then(|answer| answer.dyn_into::<Function>());
        spawn_local(async move {
            let values = match asked.and_then(|answer| answer.call0(&JsValue::NULL)) {
                Ok(values) => JsFuture::from(Promise::resolve(&values)).await,
                Err(thrown) => Err(thrown),
            };
            let failed = |e: JsValue| Error::device(format!("a helper failed: {}", text(&e)));
            let values = values.and_then(|values| values.dyn_into::<Float32Array>());
            let values = values.map(|values| values.to_vec());
            // An engine that has given up no longer listens.
            let _ = job.answer.send(values.map_err(failed));
        });
    }
}

/// An array that is filled again for each task: to ask for memory takes longer than to copy.
#[derive(Default)]
struct Kept(Float32Array);

impl Kept {
    fn filled(&mut self, values: &[f32]) -> Float32Array {
        if self.0.length() as usize != values.len() {
            self.0 = Float32Array::new_with_length(values.len() as u32);
        }
        self.0.copy_from(values);
        self.0.clone()
    }
}

/// A task as the protocol has it.
fn given(task: &Task, kept: &mut Kept) -> JsResult<JsValue> {
    object(&[
        ("weight", (&task.weight).into()),
        ("x", kept.filled(&task.x).into()),
        ("through", to_js(&task.through)?),
    ])
}

/// A worker's part of a model; it does what the engine asks for and knows nothing else.
#[wasm_bindgen(js_name = Helper)]
pub struct JsHelper {
    helper: Helper,
    kept: Kept,
}

#[wasm_bindgen(js_class = Helper)]
impl JsHelper {
    /// Reads the part of member `member` (from 1) of `members`; the rest is given as to
    /// `Engine.load`.
    pub async fn load(
        config: String,
        #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
        #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
        member: usize,
        members: usize,
        words: bool,
    ) -> JsResult<JsHelper> {
        let mut checkpoint = checkpoint(&config, files, &read).await?;
        if words {
            add_text(&mut checkpoint).await?;
        }
        let share = Share { member, members };
        let helper = internvit::session::Session::helper(&checkpoint, share).await.map_err(js)?;
        Ok(Self { helper, kept: Kept::default() })
    }

    /// Its part of two products, and of what lies between, for rows `x`; `through` is batch and
    /// tokens, or nothing for the first product alone. The next answer may come in the same array.
    #[wasm_bindgen(unchecked_return_type = "Float32Array<ArrayBuffer>")]
    pub fn answer(
        &mut self,
        weight: String,
        x: Vec<f32>,
        #[wasm_bindgen(unchecked_param_type = "Task['through']")] through: JsValue,
    ) -> JsResult<Float32Array> {
        let through = serde_wasm_bindgen::from_value(through)?;
        let values = self.helper.answer(&Task { weight, x, through }).map_err(js)?;
        Ok(self.kept.filled(&values))
    }
}
