//! Several tokens of an answer in one submission: the same answer as token by token, whatever stops it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use internvit::gpu::Precision;
use internvit::language::{Answering, Said, Sampling, Talk};
use internvit::{Checkpoint, Encoder, Tensor};

use super::common::*;
use super::gguf::{As, language};

/// Untied, of two types of heads; and one whose head is the table of tokens.
const MODELS: [&str; 4] =
    ["internvl_qwen3_hf", "internvl_internlm2_openvl", "internvl_qwen2_openvl", "chat_tiny"];

/// Seconds of a submission: tokens one by one, and as many at once as there may be.
const ONE_BY_ONE: f64 = 0.0;
const AT_ONCE: f64 = 1e9;

const PROMPT: [u32; 3] = [5, 6, 7];

fn open(name: &str) -> Checkpoint {
    let checkpoint = wait(Checkpoint::open_path(&golden("internvl").join(name))).unwrap();
    wait(checkpoint.with_language()).unwrap()
}

fn load(checkpoint: Checkpoint, precision: Precision, submission: f64) -> Option<Encoder> {
    let mut gpu = gpu_as(precision)?;
    gpu.submission = submission;
    Some(wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap())
}

fn submissions(encoder: &Encoder) -> u64 {
    encoder.gpu().unwrap().submissions()
}

fn begin(encoder: &Encoder) -> Talk {
    let mut talk = Talk::default();
    talk.say(encoder, &PROMPT, None).unwrap();
    talk
}

fn likeliest(most: usize) -> Answering {
    Answering { most, ..Answering::default() }
}

fn answer(encoder: &mut Encoder, talk: &mut Talk, how: &Answering) -> Vec<u32> {
    let mut told = Vec::new();
    let watch = &mut |said: Said<'_>| {
        told.push(said.id);
        ControlFlow::Continue(())
    };
    let said = wait(talk.answer(encoder, how, &mut on, watch)).unwrap();
    assert_eq!(told, said);
    said
}

/// An answer of one model, token by token.
fn expected(name: &str, precision: Precision, most: usize) -> Option<Vec<u32>> {
    let mut encoder = load(open(name), precision, ONE_BY_ONE)?;
    let mut talk = begin(&encoder);
    Some(answer(&mut encoder, &mut talk, &likeliest(most)))
}

/// What takes two submissions a token, its steps and what is read, takes one for eight of them.
#[test]
fn eight_tokens_are_one_submission() {
    for precision in [Precision::F32, Precision::F16, Precision::Int8] {
        for name in MODELS {
            let what = format!("{name} {precision:?}");
            let Some(mut encoder) = load(open(name), precision, ONE_BY_ONE) else { return };
            let (mut talk, before) = (begin(&encoder), submissions(&encoder));
            let single = answer(&mut encoder, &mut talk, &likeliest(40));
            assert_eq!(submissions(&encoder) - before, 80, "{what}");
            let mut encoder = load(open(name), precision, AT_ONCE).unwrap();
            let (mut talk, before) = (begin(&encoder), submissions(&encoder));
            assert_eq!(answer(&mut encoder, &mut talk, &likeliest(40)), single, "{what}");
            // The prompt's and one alone, then 2, 4, 8, 8, 8, 8.
            assert_eq!(submissions(&encoder) - before, 2 + 2 + 6, "{what}");
        }
    }
}

/// Tables are kept as files have them: in 16 bits of either type, and in 32.
#[test]
fn rows_are_those_of_the_file() {
    let name = "internvl_qwen3_openvl";
    for how in [As::F32, As::F16, As::Bf16] {
        let file = scratch(&format!("{how:?}")).join("model.gguf");
        language(&golden("internvl").join(name), "qwen3", how).write(&file);
        let open = || wait(wait(Checkpoint::open_path(&file)).unwrap().with_language()).unwrap();
        let said = [ONE_BY_ONE, AT_ONCE].map(|submission| {
            let mut encoder = load(open(), Precision::F32, submission)?;
            let (mut talk, before) = (begin(&encoder), submissions(&encoder));
            let said = answer(&mut encoder, &mut talk, &likeliest(24));
            Some((said, submissions(&encoder) - before))
        });
        let [Some((single, many)), Some((said, few))] = said else { return };
        assert_eq!(said, single, "{how:?}");
        assert!(few < many / 4, "{how:?}: {few} and {many} submissions");
    }
}

/// What was computed behind the end of an answer is as if it had not been.
#[test]
fn nothing_is_left_of_what_follows_the_end() {
    for name in MODELS {
        let Some(single) = expected(name, Precision::F32, 40) else { return };
        let mut encoder = load(open(name), Precision::F32, ONE_BY_ONE).unwrap();
        // Those that were not said before.
        let fresh = |at: &usize| !single[..*at].contains(&single[*at]);
        let ends: Vec<usize> = (3..40).filter(fresh).take(4).collect();
        assert!(ends.len() > 1, "{name}: {single:?}");
        for end in ends {
            let stop = single[end];
            let how = Answering { stops: vec![stop], ..likeliest(40) };
            let [first, second] = [ONE_BY_ONE, AT_ONCE].map(|submission| {
                let gpu = encoder.gpu().unwrap().reopen(Precision::F32);
                let mut gpu = wait(gpu).unwrap();
                gpu.submission = submission;
                encoder = wait(Encoder::load(open(name), gpu, &mut on_bytes)).unwrap();
                let mut talk = begin(&encoder);
                let said = answer(&mut encoder, &mut talk, &how);
                assert_eq!(said, single[..=end]);
                talk.say(&encoder, &[9, 8], None).unwrap();
                let next = answer(&mut encoder, &mut talk, &likeliest(20));
                talk.take_back(PROMPT.len() + 3, 0);
                let again = answer(&mut encoder, &mut talk, &likeliest(20));
                assert_eq!(again, single[3..23]);
                next
            });
            assert_eq!(first, second, "{name} {stop}");
        }
    }
}

/// Whoever stops behind every token is told each, at no more submissions; another choice goes on from there.
#[test]
fn a_stop_is_heard_between_any_two() {
    let name = MODELS[0];
    let Some(single) = expected(name, Precision::F32, 40) else { return };
    let mut encoder = load(open(name), Precision::F32, AT_ONCE).unwrap();
    let (mut talk, before) = (begin(&encoder), submissions(&encoder));
    let stop = &mut |_: Said<'_>| ControlFlow::Break(());
    for (at, id) in single.iter().enumerate() {
        let said = wait(talk.answer(&mut encoder, &likeliest(40 - at), &mut on, stop)).unwrap();
        assert_eq!(said, [*id], "{at}");
    }
    assert_eq!(submissions(&encoder) - before, 10);
    let spec = encoder.session().language().unwrap();
    let (layers, heads) = (spec.layers, spec.heads);
    let sampling = Sampling { temperature: 1.5, top_k: 8, seed: 3, ..Sampling::default() };
    let drawn = Answering { sampling, ..likeliest(9) };
    let seen = Answering { attention: true, ..likeliest(6) };
    let mut alone = load(open(name), Precision::F32, ONE_BY_ONE).unwrap();
    for stopped in [3, 6, 10] {
        let mut both = [&mut encoder, &mut alone].map(|encoder| {
            let (mut talk, mut left) = (begin(encoder), stopped);
            let watch = &mut |_: Said<'_>| {
                left -= 1;
                if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            };
            wait(talk.answer(encoder, &likeliest(40), &mut on, watch)).unwrap();
            // Where it looked is asked in the middle, and changes nothing.
            let looked = wait(talk.attention(encoder, &seen, PROMPT.len() + 1)).unwrap();
            assert_eq!(looked.shape, [layers, heads, PROMPT.len() + 1]);
            let next = answer(encoder, &mut talk, &likeliest(5));
            let drawn = answer(encoder, &mut talk, &drawn);
            let mut maps: Vec<Tensor> = Vec::new();
            let watch = &mut |said: Said<'_>| {
                maps.push(said.attention.unwrap().clone());
                ControlFlow::Continue(())
            };
            let told = wait(talk.answer(encoder, &seen, &mut on, watch)).unwrap();
            (next, drawn, told, looked, maps)
        });
        assert_eq!(both[0].4.len(), 6);
        for (a, b) in std::mem::take(&mut both[0].4).iter().zip(&std::mem::take(&mut both[1].4)) {
            assert_close("live", &a.values, &b.values, 1e-6);
        }
        let [a, b] = &both;
        assert_eq!((&a.0, &a.1, &a.2), (&b.0, &b.1, &b.2), "{stopped}");
        assert_close("later", &a.3.values, &b.3.values, 1e-6);
        assert_eq!(a.0, single[stopped..stopped + 5]);
    }
}

/// A device that is lost in any of the submissions: the answer goes on as if it had not been.
#[test]
fn an_answer_outlives_its_device() {
    let name = MODELS[0];
    let Some(single) = expected(name, Precision::F32, 40) else { return };
    for lost in 0..10 {
        let mut encoder = load(open(name), Precision::F32, AT_ONCE).unwrap();
        let mut talk = begin(&encoder);
        encoder.gpu().unwrap().fault_injector().lose_after(&[lost]);
        assert_eq!(answer(&mut encoder, &mut talk, &likeliest(40)), single, "{lost}");
        assert!(encoder.notes()[0].contains("the answer goes on"), "{lost}");
    }
}

/// An answer ends where there is no more room, and the memory grows on the way there.
#[test]
fn the_context_ends_at_the_same_token() {
    let name = MODELS[2];
    let said = [ONE_BY_ONE, AT_ONCE].map(|submission| {
        let (mut gpu, checkpoint) = (gpu()?, open(name));
        let spec = checkpoint.language().unwrap();
        gpu.submission = submission;
        gpu.caps.max_binding = (2 * spec.key_heads * spec.head_dim * 4 * 530) as u64;
        let mut encoder = wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap();
        let mut talk = begin(&encoder);
        let said = answer(&mut encoder, &mut talk, &likeliest(usize::MAX));
        assert_eq!(said.len(), encoder.session().longest(None).unwrap() - PROMPT.len());
        assert_eq!(talk.room(&encoder).unwrap(), 0);
        Some(said)
    });
    assert_eq!(said[0], said[1]);
}

/// What is no number is found at its token, and those before it are told.
#[test]
fn a_bad_row_is_told_where_it_is_fed() {
    let name = MODELS[0];
    let Some(single) = expected(name, Precision::F32, 12) else { return };
    let first = |id: &u32| single.iter().position(|other| other == id).unwrap();
    let at = (5..12).find(|at| first(&single[*at]) == *at).unwrap();
    let (from, to) = (golden("internvl").join(name), scratch("bad"));
    std::fs::copy(from.join("config.json"), to.join("config.json")).unwrap();
    let mut list = tensors(&from.join("model.safetensors"));
    let table = list.get_mut("language_model.model.embed_tokens.weight").unwrap();
    let c = table.shape[1];
    table.values[single[at] as usize * c] = f32::NAN;
    let list: Vec<_> = list
        .iter()
        .map(|(name, t)| {
            (name.clone(), t.shape.clone(), internvit::weights::Values::F32(&t.values))
        })
        .collect();
    internvit::weights::write_safetensors(&to.join("model.safetensors"), &list).unwrap();
    for submission in [ONE_BY_ONE, AT_ONCE] {
        let bad = wait(wait(Checkpoint::open_path(&to)).unwrap().with_language()).unwrap();
        let mut encoder = load(bad, Precision::F32, submission).unwrap();
        let (mut talk, mut told) = (begin(&encoder), Vec::new());
        let watch = &mut |said: Said<'_>| {
            told.push(said.id);
            ControlFlow::Continue(())
        };
        let said = wait(talk.answer(&mut encoder, &likeliest(12), &mut on, watch));
        refused("a bad row", said.map(drop), "NaN or infinity");
        assert_eq!(told, single[..=at], "{submission}");
    }
}

/// The table is kept where the longest conversation has room beside it, and not a byte before; the answer is the same.
#[test]
fn without_room_for_the_table_tokens_come_one_by_one() {
    let name = MODELS[0];
    let Some(single) = expected(name, Precision::Int8, 24) else { return };
    let encoder = load(open(name), Precision::Int8, AT_ONCE).unwrap();
    let (spec, held) = (encoder.session().language().unwrap(), encoder.gpu().unwrap().held());
    let table = (2 * spec.vocabulary.next_multiple_of(64) * spec.hidden) as u64;
    let states = (2 * 2 * spec.key_heads * spec.head_dim * spec.layers * spec.length) as u64;
    for (less, kept, expected) in [(0, held, 2 + 2 + 4), (1, held - table, 2 * 24)] {
        let mut gpu = gpu_as(Precision::Int8).unwrap();
        (gpu.submission, gpu.caps.free) = (AT_ONCE, Some(held + states - less));
        let mut encoder = wait(Encoder::load(open(name), gpu, &mut on_bytes)).unwrap();
        assert_eq!(encoder.gpu().unwrap().held(), kept);
        let (mut talk, before) = (begin(&encoder), submissions(&encoder));
        assert_eq!(answer(&mut encoder, &mut talk, &likeliest(24)), single);
        assert_eq!(submissions(&encoder) - before, expected);
    }
}

/// What one model computed ahead is not said for another that goes on.
#[test]
fn another_model_goes_on_with_its_own_tokens() {
    let names = ["internvl_qwen3_hf", "internvl_qwen2_openvl"];
    let load = |name: &str| load(open(name), Precision::F32, AT_ONCE);
    let (Some(mut one), Some(mut other)) = (load(names[0]), load(names[1])) else { return };
    let (mut talk, mut left) = (begin(&one), 6);
    let watch = &mut |_: Said<'_>| {
        left -= 1;
        if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let first = wait(talk.answer(&mut one, &likeliest(40), &mut on, watch)).unwrap();
    let next = answer(&mut other, &mut talk, &likeliest(8));
    let mut fresh = Talk::default();
    fresh.say(&other, &[&PROMPT[..], &first].concat(), None).unwrap();
    assert_eq!(next, answer(&mut other, &mut fresh, &likeliest(8)));
    let mut own = begin(&one);
    own.say(&one, &first, None).unwrap();
    assert_ne!(next, answer(&mut one, &mut own, &likeliest(8)));
}
