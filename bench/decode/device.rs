//! The same on a device: the best adapter, or the one that WGPU_ADAPTER_NAME names.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::time::Instant;

use internvit::Precision;
use internvit::gpu::{Chain, Choice, Gpu, GpuWeights, PreparedPlan, States, StepTime};
use internvit::model::{LanguageSpec, WeightKind};
use internvit::plan::{
    LANGUAGE_HEAD, LANGUAGE_TABLE, Linear, Op, Plan, Role, Slot, SlotId, Value, Wanted,
    language_angles, record_language, record_next,
};
use internvit::weights::random_tensor;

use super::{PROMPT, tensors};

/// Tokens of thirteen tiles, of which a part goes through the model at a time.
const TILES: usize = 3328;
const CHUNK: usize = 256;

/// Of an answer rounds of as many tokens one by one as then are one submission.
const ROUNDS: usize = 5;
const ANSWER: usize = 2 * ROUNDS * Chain::MOST + 3;

/// What is asked for: names of precisions, `prompt` for prompts too; all where nothing is.
pub(super) async fn main(spec: &LanguageSpec, words: &[String]) {
    let said = |word: &str| words.iter().any(|other| other == word);
    let all = [Precision::F32, Precision::Int8, Precision::Int4];
    let some: Vec<_> = all.into_iter().filter(|precision| said(precision.name())).collect();
    let mut tensors = tensors(spec);
    // Whatever its values are.
    tensors.insert(LANGUAGE_TABLE.into(), tensors[LANGUAGE_HEAD].clone());
    println!("weights    MB   one by one: ms   {} at once: ms   GB/s   of the copy", Chain::MOST);
    for precision in if some.is_empty() { &all[..] } else { &some } {
        let gpu = Gpu::open_as(&Choice::Auto, *precision).await.unwrap();
        let start = Instant::now();
        let clock = || start.elapsed().as_secs_f64();
        let copy = gpu.ceilings(&clock).await.unwrap().copy / 1e9;
        let plans = [record_language(spec, 1, 1, Wanted::Last)];
        let go_on = &mut async |_| ControlFlow::Continue(());
        let mut weights = GpuWeights::upload(&gpu, &plans, &tensors, go_on).await.unwrap();
        let bytes = weights.bytes() as f64;
        weights.add_tables(&gpu, &record_next(spec, 1, false), &tensors).await.unwrap();
        let mut model = Model { gpu: &gpu, spec, weights: &weights, states: States::default() };
        let (answer, at_once) = model.answer(&clock).await;
        let rate = bytes / answer / 1e9;
        println!(
            "{:7} {:>5.0} {:>16.1} {:>15.1} {rate:>6.1} {:>11.0} % of {copy:.1} GB/s: {}",
            precision.name(),
            bytes / 1e6,
            1e3 * answer,
            1e3 * at_once,
            100.0 * rate / copy,
            gpu.report.name
        );
        if some.is_empty() || said("prompt") {
            let (seconds, products) = model.prompt(&clock).await;
            let encoder = encoder(&gpu, &clock).await;
            println!(
                "        {TILES} tokens in {seconds:.1} s; products {products:.1} GFLOP/s, an encoder's {encoder:.1}"
            );
        }
    }
}

struct Model<'a> {
    gpu: &'a Gpu,
    spec: &'a LanguageSpec,
    weights: &'a GpuWeights,
    states: States,
}

/// Values for the inputs of a plan of `rows` tokens behind `first` others.
fn inputs(spec: &LanguageSpec, first: usize, rows: usize) -> [(&'static str, Vec<f32>); 3] {
    let embeddings = (0..rows * spec.hidden).map(|at| (at as f32).sin()).collect();
    let angles = language_angles(spec, first, rows);
    [("embeddings", embeddings), ("angles", angles), ("place", vec![first as f32])]
}

fn fed<'v>(plan: &Plan, given: &'v [(&'static str, Vec<f32>)]) -> Vec<(SlotId, Value<'v>)> {
    let slot = |name: &str| plan.slot(name).unwrap();
    given.iter().map(|(name, values)| (slot(name), Value::F32(values))).collect()
}

impl Model<'_> {
    async fn prepare(&self, rows: usize, wanted: Wanted) -> PreparedPlan {
        let plan = record_language(self.spec, rows, TILES + ANSWER, wanted);
        PreparedPlan::with_states(self.gpu, plan, self.weights, &self.states).await.unwrap()
    }

    /// Median seconds of a token behind a prompt, of rounds one by one, and of those in between that are one submission.
    async fn answer(&mut self, clock: &dyn Fn() -> f64) -> (f64, f64) {
        let go_on = &mut async |_, _| ControlFlow::Continue(());
        let mut prompt = self.prepare(PROMPT, Wanted::Nothing).await;
        let given = inputs(self.spec, 0, PROMPT);
        let plan = prompt.plan().clone();
        prompt.run(self.gpu, 1, &fed(&plan, &given), None, go_on).await.unwrap();
        let mut one = self.prepare(1, Wanted::Best(1)).await;
        let next = record_next(self.spec, TILES + ANSWER, false);
        let chain = Chain::new(self.gpu, next, self.weights, &self.states).await.unwrap();
        let plan = one.plan().clone();
        let best = plan.slot("best").unwrap();
        let (mut place, mut times, mut token) = (PROMPT, [Vec::new(), Vec::new()], 0);
        // The first round warms up.
        for round in 0..=ROUNDS {
            let count = if round == 0 { 1 } else { Chain::MOST };
            let start = Instant::now();
            for at in place..place + count {
                let given = inputs(self.spec, at, 1);
                one.run(self.gpu, 1, &fed(&plan, &given), None, go_on).await.unwrap();
                let found = one.read(self.gpu, best, 1).await.unwrap();
                assert!(found[0].is_finite());
                token = found[1] as u32;
            }
            let single = start.elapsed().as_secs_f64() / count as f64;
            place += count;
            let start = Instant::now();
            let angles = language_angles(self.spec, place, count);
            let found = chain.run(self.gpu, token, place, &angles).await.unwrap();
            assert!(found.len() == count && found.iter().all(|(_, logit)| logit.is_finite()));
            let at_once = start.elapsed().as_secs_f64() / count as f64;
            place += count;
            if round > 0 {
                times[0].push(single);
                times[1].push(at_once);
            }
        }
        let given = inputs(self.spec, place, 1);
        let steps = one.profile(self.gpu, 1, &fed(&plan, &given), clock, go_on).await.unwrap();
        by_operation("a token", &plan, &steps);
        let [one, at_once] = times.map(|mut list| {
            list.sort_by(f64::total_cmp);
            list[ROUNDS / 2]
        });
        (one, at_once)
    }

    /// Seconds of a prompt of thirteen tiles, and the rate of its last chunk's products, GFLOP/s.
    async fn prompt(&mut self, clock: &dyn Fn() -> f64) -> (f64, f64) {
        let go_on = &mut async |_, _| ControlFlow::Continue(());
        let mut chunk = self.prepare(CHUNK, Wanted::Nothing).await;
        let plan = chunk.plan().clone();
        let given = inputs(self.spec, 0, CHUNK);
        chunk.run(self.gpu, 1, &fed(&plan, &given), None, go_on).await.unwrap();
        // What is read comes behind all that was asked for.
        let place = plan.slot("place").unwrap();
        chunk.read(self.gpu, place, 1).await.unwrap();
        let start = Instant::now();
        for first in (0..TILES).step_by(CHUNK) {
            let given = inputs(self.spec, first, CHUNK);
            chunk.run(self.gpu, 1, &fed(&plan, &given), None, go_on).await.unwrap();
        }
        chunk.read(self.gpu, place, 1).await.unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let given = inputs(self.spec, TILES - CHUNK, CHUNK);
        let times = chunk.profile(self.gpu, 1, &fed(&plan, &given), clock, go_on).await.unwrap();
        by_operation("the last 256 tokens", &plan, &times);
        (seconds, rate(&plan, &times))
    }
}

/// Where the time of a plan goes, to standard error.
fn by_operation(what: &str, plan: &Plan, times: &[StepTime]) {
    let mut sums: HashMap<String, (f64, f64)> = HashMap::new();
    for (step, time) in plan.steps.iter().zip(times) {
        // Products by their weights, of all blocks together.
        let name = match &step.op {
            Op::Linear(op) => plan.slots[op.weight].name.replace(|c: char| c.is_ascii_digit(), ""),
            op => op.name().into(),
        };
        let (seconds, bytes) = sums.entry(name).or_default();
        (*seconds, *bytes) = (*seconds + time.seconds, *bytes + time.bytes);
    }
    let mut list: Vec<_> = sums.into_iter().collect();
    list.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    let say = |(name, (seconds, bytes)): &(String, (f64, f64))| {
        format!("{name} {:.1} ms, {:.1} GB/s", 1e3 * seconds, bytes / seconds / 1e9)
    };
    eprintln!("{what}: {}", list.iter().map(say).collect::<Vec<_>>().join("; "));
}

/// GFLOP/s of a plan's products.
fn rate(plan: &Plan, times: &[StepTime]) -> f64 {
    let products =
        plan.steps.iter().zip(times).filter(|(step, _)| matches!(step.op, Op::Linear(_)));
    let sum = |(flop, seconds), (step, time): (_, &StepTime)| {
        (flop + plan.flop(step, 1), seconds + time.seconds)
    };
    let (flop, seconds) = products.fold((0.0, 0.0), sum);
    flop / seconds / 1e9
}

/// The same of the products of an encoder's MLP, InternViT-300M's, with weights in as many bits.
async fn encoder(gpu: &Gpu, clock: &dyn Fn() -> f64) -> f64 {
    let mut plan = Plan::new(1);
    let x = plan.add(Slot::new("x", [1, 1025, 1024], Role::Input));
    let mut weights = HashMap::new();
    let mut last = x;
    for (name, out, k) in [("fc1", 4096, 1024), ("fc2", 1024, 4096)] {
        let role = Role::Weight(WeightKind::Matrix);
        let slot = Slot { block: Some(0), ..Slot::new(name, [1, out, k], role) };
        weights.insert(name.to_string(), random_tensor(1, name, &[out, k], WeightKind::Matrix));
        let weight = plan.add(slot);
        let y = plan.add(Slot::new(&format!("{name} y"), [1, 1025, out], Role::Temporary));
        plan.push(y, Op::Linear(Linear::new(last, weight)));
        last = y;
    }
    plan.output("y", last);
    let plans = std::slice::from_ref(&plan);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let held = GpuWeights::upload(gpu, plans, &weights, go_on).await.unwrap();
    let mut prepared = PreparedPlan::new(gpu, plan.clone(), &held).await.unwrap();
    let values: Vec<f32> = (0..1025 * 1024).map(|at| (at as f32).sin()).collect();
    let go_on = &mut async |_, _| ControlFlow::Continue(());
    let mut best: f64 = 0.0;
    for _ in 0..4 {
        let given = [(x, Value::F32(&values))];
        best =
            best.max(rate(&plan, &prepared.profile(gpu, 1, &given, clock, go_on).await.unwrap()));
    }
    best
}
