//! How fast a language model answers: random weights of InternVL3-1B's (Qwen2.5-0.5B's) shape, in f32, 8 and 4 bits, on
//! the CPU beside a plain read of memory, on a device beside its copy and the encoder's products.
//!
//!     cargo bench --bench decode
//!     cargo bench --bench decode -- gpu [f32] [int8] [int4] [prompt]
//!     cargo bench --bench decode -- answer FILE.gguf int8
//!     cargo bench --bench decode -- loads [MATRICES]
//!     cargo bench --bench decode -- steps DIR [int8]
//!     cargo bench --bench decode -- memory DIR [int8]
//!     cargo bench --bench decode -- quality [FILE.gguf]
//!
//! A token reads every weight once, so GB/s are the bytes of all weights by the median time of a token.
#![allow(clippy::unwrap_used, missing_docs, reason = "a benchmark")]

#[path = "decode/device.rs"]
mod device;
#[path = "decode/loads.rs"]
mod loads;
#[path = "decode/memory.rs"]
mod memory;
#[path = "decode/quality.rs"]
mod quality;
#[path = "decode/steps.rs"]
mod steps;

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use internvit::cpu::{CpuWeights, Workspace, run_at_once};
use internvit::model::{LanguageSpec, parse_language};
use internvit::plan::{
    LANGUAGE_TABLE, Role, SlotId, Value, Wanted, language_angles, record_language,
};
use internvit::weights::{QuantFormat, WeightSource, random_tensor};
use internvit::{Checkpoint, Precision};
use rayon::prelude::*;

const CONFIG: &str = r#"{ "llm_config": {
    "architectures": ["Qwen2ForCausalLM"], "hidden_size": 896, "intermediate_size": 4864,
    "num_hidden_layers": 24, "num_attention_heads": 14, "num_key_value_heads": 2,
    "vocab_size": 151674, "max_position_embeddings": 32768, "rms_norm_eps": 1e-6,
    "rope_theta": 1000000.0, "hidden_act": "silu"
} }"#;

/// Tokens of the prompt, and of the answer.
const PROMPT: usize = 256;
const ANSWER: usize = 48;

/// Bytes of the plain read: more than caches hold.
const READ: usize = 1 << 30;

fn main() {
    let spec = parse_language("config.json", CONFIG).unwrap().unwrap();
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Cargo says `--bench` behind them.
    let asked: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    match asked[..] {
        ["answer", file, name] => return pollster::block_on(answer(file, name)),
        ["steps", folder, ref bits @ ..] => {
            return pollster::block_on(steps::main(folder, named(bits, Precision::F32)));
        }
        ["memory", folder, ref bits @ ..] => {
            return pollster::block_on(memory::main(folder, named(bits, Precision::Int4)));
        }
        ["quality"] => return pollster::block_on(quality::random(&spec)),
        ["quality", file] => return pollster::block_on(quality::file(file)),
        ["loads", ref matrices @ ..] => {
            let matrices = matrices.first().map_or(loads::MATRICES, |word| word.parse().unwrap());
            return pollster::block_on(loads::main(matrices));
        }
        _ => {}
    }
    if words.iter().any(|word| word == "gpu") {
        return pollster::block_on(device::main(&spec, &words));
    }
    let tensors = tensors(&spec);
    answers(&spec, (&tensors).into(), &[]);
}

/// The precision that is named, or else the usual one.
fn named(words: &[&str], usual: Precision) -> Precision {
    words.first().map_or(usual, |word| word.parse().unwrap())
}

/// Answers of a file of GGUF, with weights in one of [`FORMATS`].
async fn answer(file: &str, name: &str) {
    let checkpoint = Checkpoint::open_path(Path::new(file)).await.unwrap();
    let checkpoint = checkpoint.with_language().await.unwrap();
    answers(checkpoint.language().unwrap(), (&checkpoint).into(), &[name]);
}

/// How weights are kept.
const FORMATS: [(&str, Option<QuantFormat>); 3] =
    [("f32", None), ("int8", Some(QuantFormat::Int8)), ("int4", Some(QuantFormat::Int4))];

/// A line for each format that is named, for all where none is.
fn answers(spec: &LanguageSpec, source: WeightSource<'_>, names: &[&str]) {
    let ceiling = read();
    println!("{} threads; a plain read: {ceiling:.1} GB/s", rayon::current_num_threads());
    println!("weights    MB   prompt: tokens/s   answer: tokens/s     GB/s   of the read");
    for (name, quant) in FORMATS {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let plans = [record_language(spec, 1, 1, Wanted::Last)];
        let go_on = &mut async |_| ControlFlow::Continue(());
        let load = CpuWeights::load(&plans, source, quant, None, go_on);
        let weights = pollster::block_on(load).unwrap();
        let (prompt, answer) = speeds(spec, &weights);
        let bytes = weights.bytes() as f64;
        let rate = bytes * answer / 1e9;
        println!(
            "{name:7} {:>5.0} {prompt:>18.1} {answer:>18.1} {rate:>8.1} {:>10.0} %",
            bytes / 1e6,
            100.0 * rate / ceiling
        );
    }
}

/// GB/s of all threads that read memory, the best of five.
fn read() -> f64 {
    let list = vec![1u64; READ / 8];
    let pass = |_| {
        let start = Instant::now();
        let parts = list.par_chunks(1 << 17).map(|part| {
            let lanes = part.as_chunks::<16>().0.iter();
            lanes.fold([0; 16], |sum, v| std::array::from_fn(|i| sum[i] ^ v[i]))
        });
        black_box(parts.reduce(|| [0; 16], |a, b| std::array::from_fn(|i| a[i] ^ b[i])));
        READ as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..5).map(pass).fold(0.0, f64::max)
}

/// All weights but the table of tokens, of which an answer reads single rows from the file.
fn tensors(spec: &LanguageSpec) -> HashMap<String, Vec<f32>> {
    let plan = record_language(spec, 1, 1, Wanted::Last);
    let used: Vec<_> = plan.weights().filter(|slot| slot.name != LANGUAGE_TABLE).collect();
    let made = used.into_par_iter().map(|slot| {
        let Role::Weight(kind) = slot.role else { unreachable!("a weight") };
        let shape = [slot.planes * slot.rows, slot.cols];
        let shape = if shape[0] == 1 { &shape[1..] } else { &shape[..] };
        (slot.name.clone(), random_tensor(1, &slot.name, shape, kind))
    });
    made.collect()
}

/// Tokens a second of a prompt, and by the median time of the answer's.
fn speeds(spec: &LanguageSpec, weights: &CpuWeights) -> (f64, f64) {
    let mut space = Workspace::default();
    // Twice: the first prompt finds memory that nobody used yet.
    feed(spec, weights, &mut space, 0, PROMPT);
    let prompt = feed(spec, weights, &mut space, 0, PROMPT);
    let mut times: Vec<f64> =
        (0..ANSWER).map(|at| feed(spec, weights, &mut space, PROMPT + at, 1)).collect();
    times.sort_by(f64::total_cmp);
    (PROMPT as f64 / prompt, 1.0 / times[ANSWER / 2])
}

/// Seconds of `rows` tokens behind the first ones.
fn feed(
    spec: &LanguageSpec,
    weights: &CpuWeights,
    space: &mut Workspace,
    first: usize,
    rows: usize,
) -> f64 {
    let embeddings: Vec<f32> = (0..rows * spec.hidden).map(|at| (at as f32).sin()).collect();
    let start = Instant::now();
    let plan = record_language(spec, rows, PROMPT + ANSWER, Wanted::Last);
    let angles = language_angles(spec, first, rows);
    let place = [first as f32];
    let given: [(&str, &[f32]); 3] =
        [("embeddings", &embeddings), ("angles", &angles), ("place", &place)];
    let inputs: Vec<(SlotId, Value<'_>)> =
        given.map(|(name, values)| (plan.slot(name).unwrap(), Value::F32(values))).into();
    let outputs = pollster::block_on(run_at_once(&plan, 1, weights, space, &inputs)).unwrap();
    assert!(outputs[0].1.iter().all(|logit| logit.is_finite()));
    start.elapsed().as_secs_f64()
}
