//! What few bits cost a language model, on the CPU: `cargo bench --bench decode -- quality` of random weights of
//! Qwen2-0.5B's shape, `… -- quality FILE.gguf` of those of a file, for a prompt with its answer in f32 from standard
//! input, as `internvit chat "A question" --model FILE.gguf --json` prints them.

use std::collections::HashMap;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use internvit::Checkpoint;
use internvit::cpu::{CpuWeights, Workspace, run_at_once};
use internvit::model::{LanguageSpec, WeightKind};
use internvit::plan::{LANGUAGE_TABLE, SlotId, Value, Wanted, language_angles, record_language};
use internvit::weights::{QuantFormat, WeightSource, random_tensor};

use super::tensors;

/// Positions of random tokens.
const POSITIONS: usize = 64;

/// Compares random weights.
pub(super) async fn random(spec: &LanguageSpec) {
    let tensors: HashMap<String, Vec<f32>> = tensors(spec);
    let shape = [POSITIONS, spec.hidden];
    let embeddings = random_tensor(2, "tokens", &shape, WeightKind::Table);
    compare(spec, (&tensors).into(), &embeddings, 0).await;
}

/// Compares those of a file, at the positions whose next token belongs to the answer.
pub(super) async fn file(path: &str) {
    let checkpoint = Checkpoint::open_path(Path::new(path)).await.unwrap();
    let checkpoint = checkpoint.with_language().await.unwrap();
    let spec = checkpoint.language().unwrap().clone();
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).unwrap();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap();
    let ids = |key: &str| said[key].as_array().unwrap().clone();
    let (prompt, answer) = (ids("input_ids"), ids("generated"));
    let mut embeddings = Vec::new();
    // The last token of the answer is followed by nothing.
    for id in prompt.iter().chain(&answer[..answer.len() - 1]) {
        let id = id.as_u64().unwrap() as usize;
        embeddings.extend(checkpoint.rows(LANGUAGE_TABLE, id..id + 1).await.unwrap());
    }
    compare(&spec, (&checkpoint).into(), &embeddings, prompt.len() - 1).await;
}

/// Cosines with the logits of f32, and how often the largest is the same, at the positions from `first` on.
async fn compare(spec: &LanguageSpec, source: WeightSource<'_>, embeddings: &[f32], first: usize) {
    let expected = logits(spec, source, None, embeddings).await;
    println!("weights   cosine: mean      least   largest logit equal   before the first other");
    for (name, quant) in [("int8", QuantFormat::Int8), ("int4", QuantFormat::Int4)] {
        let found = logits(spec, source, Some(quant), embeddings).await;
        let rows = expected.chunks(spec.vocabulary).zip(found.chunks(spec.vocabulary)).skip(first);
        let rows: Vec<_> = rows.map(|(a, b)| (cosine(a, b), largest(a) == largest(b))).collect();
        let count = rows.len();
        let mean = rows.iter().map(|row| row.0).sum::<f64>() / count as f64;
        let least = rows.iter().map(|row| row.0).fold(1.0, f64::min);
        let equal = rows.iter().filter(|row| row.1).count();
        let same = rows.iter().take_while(|row| row.1).count();
        println!("{name:7} {mean:>14.6} {least:>10.6} {equal:>14} of {count:<4} {same:>24}");
    }
}

/// The logits of all positions, `[positions, vocabulary]`.
async fn logits(
    spec: &LanguageSpec,
    source: WeightSource<'_>,
    quant: Option<QuantFormat>,
    embeddings: &[f32],
) -> Vec<f32> {
    let rows = embeddings.len() / spec.hidden;
    let plan = record_language(spec, rows, rows, Wanted::All);
    let go_on = &mut async |_| ControlFlow::Continue(());
    let plans = std::slice::from_ref(&plan);
    let weights = CpuWeights::load(plans, source, quant, None, go_on).await.unwrap();
    let angles = language_angles(spec, 0, rows);
    let given: [(&str, &[f32]); 3] =
        [("embeddings", embeddings), ("angles", &angles), ("place", &[0.0])];
    let inputs: Vec<(SlotId, Value<'_>)> =
        given.map(|(name, values)| (plan.slot(name).unwrap(), Value::F32(values))).into();
    let space = &mut Workspace::default();
    let outputs = run_at_once(&plan, 1, &weights, space, &inputs).await.unwrap();
    outputs.into_iter().next().unwrap().1
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

/// The place of the largest value.
fn largest(row: &[f32]) -> usize {
    (0..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}
