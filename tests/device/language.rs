//! Language models and visual tokens against float64 references: by the plain twins, on the CPU and on a device.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use internvit::gpu::Precision;
use internvit::language::{Answering, Look, Said, Talk};
use internvit::plan::{Role, SlotId, Value, Wanted, language_angles, record_language};
use internvit::{Checkpoint, Compute, Device, Encoder, Images, Tensor, reference};

use super::common::*;

mod gguf;
mod talk;

const MODELS: [&str; 5] = [
    "internvl_qwen2_hf",
    "internvl_qwen2_openvl",
    "internvl_qwen3_hf",
    "internvl_qwen3_openvl",
    "internvl_internlm2_openvl",
];

/// Logits may be this far off, which the next word never is by less than a hundred times as much.
const TOLERANCE: f32 = 1e-3;

fn folder(name: &str) -> std::path::PathBuf {
    golden("internvl").join(name)
}

fn expected(name: &str) -> HashMap<String, Tensor> {
    tensors(&folder(name).join("expected.safetensors"))
}

fn pixels(name: &str) -> Tensor {
    tensors(&folder(name).join("input.safetensors")).remove("pixel_values").unwrap()
}

/// Whole numbers of a tensor.
fn ids(name: &str, file: &str, tensor: &str) -> Vec<u32> {
    let source = internvit::Source::file(&folder(name).join(file)).unwrap();
    let list = wait(internvit::weights::read_header(&source)).unwrap();
    let stored = list.into_iter().find(|stored| stored.key == tensor).unwrap();
    let bytes = wait(source.read(stored.range)).unwrap();
    bytes.as_chunks().0.iter().map(|id| i64::from_le_bytes(*id) as u32).collect()
}

fn open(name: &str) -> Checkpoint {
    let checkpoint = wait(Checkpoint::open_path(&folder(name))).unwrap();
    wait(checkpoint.with_language()).unwrap()
}

/// The CPU, and the device where there is one.
fn devices() -> Vec<Device> {
    [Some(Device::Cpu), gpu().map(|_| Device::Gpu)].into_iter().flatten().collect()
}

#[track_caller]
fn near(what: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(off <= TOLERANCE, "{what}: off by {off}");
}

fn images(pixels: &Tensor) -> Images<'_> {
    let shape = pixels.shape.as_slice().try_into().unwrap();
    Images::PixelValues { shape, values: &pixels.values }
}

#[test]
fn visual_tokens_of_both_dialects() {
    for name in ["visual_hf", "visual_openvl"].into_iter().chain(MODELS) {
        let (expected, pixels) = (expected(name), pixels(name));
        for device in devices() {
            let checkpoint = wait(Checkpoint::open_path(&folder(name))).unwrap();
            let checkpoint = wait(checkpoint.with_visual()).unwrap();
            let mut encoder = wait(Encoder::load(checkpoint, &device, &mut on_bytes)).unwrap();
            let found = wait(encoder.visual_tokens(images(&pixels), &mut on)).unwrap();
            let expected = &expected["visual_tokens"];
            assert_eq!(found.shape, expected.shape);
            assert_close(&format!("{name} {device:?}"), &found.values, &expected.values, 1e-5);
        }
    }
}

/// The order of squares and the layer are of the configuration.
#[test]
fn visual_tokens_by_the_configuration() {
    for (name, change, tensor) in [
        ("visual_openvl", ["\"v2\"", "\"v1\""], "visual_tokens.v1"),
        (
            "visual_openvl",
            ["\"select_layer\": -1", "\"select_layer\": -2"],
            "visual_tokens.select_layer_-2",
        ),
        (
            "visual_hf",
            ["\"vision_feature_layer\": -1", "\"vision_feature_layer\": -2"],
            "visual_tokens.select_layer_-2",
        ),
    ] {
        let config = std::fs::read_to_string(folder(name).join("config.json")).unwrap();
        assert!(config.contains(change[0]), "{name}: {}", change[0]);
        let config = config.replace(change[0], change[1]);
        let file = internvit::Source::file(&folder(name).join("model.safetensors")).unwrap();
        let checkpoint = wait(Checkpoint::open(name, &config, vec![file])).unwrap();
        let checkpoint = wait(checkpoint.with_visual()).unwrap();
        let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let found = wait(encoder.visual_tokens(images(&pixels(name)), &mut on)).unwrap();
        assert_close(tensor, &found.values, &expected(name)[tensor].values, 1e-5);
    }
}

/// By the twins alone: the whole prompt, and once more in two parts, the second behind what the first left.
#[test]
fn twins_compute_every_language_model() {
    for name in MODELS {
        let (checkpoint, expected) = (open(name), expected(name));
        let spec = checkpoint.language().unwrap();
        let embeddings = &expected["inputs_embeds"].values;
        let rows = embeddings.len() / spec.hidden;
        let logits = &expected["logits"].values;
        for parts in [vec![rows], vec![rows / 3, rows - rows / 3]] {
            let (mut states, mut first): (HashMap<String, Vec<f32>>, usize) = Default::default();
            for rows in parts {
                let plan = record_language(spec, rows, 64, Wanted::All);
                let angles = language_angles(spec, first, rows);
                let place = [first as f32];
                let own = &embeddings[first * spec.hidden..][..rows * spec.hidden];
                let mut inputs: Vec<(SlotId, Value<'_>)> = Vec::new();
                for (slot, values) in [("embeddings", own), ("angles", &angles), ("place", &place)]
                {
                    inputs.push((plan.slot(slot).unwrap(), Value::F32(values)));
                }
                for (id, slot) in plan.slots.iter().enumerate() {
                    if let Some(values) = states.get(&slot.name) {
                        inputs.push((id, Value::F32(values)));
                    }
                }
                let go_on = &mut async |_: &_, _: &[f32]| ControlFlow::Continue(());
                let found = wait(reference::run(&plan, 1, &checkpoint, &inputs, go_on)).unwrap();
                let kept = |id: SlotId| plan.slots[id].role == Role::State;
                let output = found.iter().find(|(id, _)| !kept(*id)).unwrap();
                let own = &logits[first * spec.vocabulary..][..rows * spec.vocabulary];
                near(&format!("{name} from {first}"), &output.1, own);
                let of = |(id, values): (SlotId, Vec<f32>)| {
                    kept(id).then(|| (plan.slots[id].name.clone(), values))
                };
                states = found.into_iter().filter_map(of).collect();
                first += rows;
            }
        }
    }
}

/// Pictures and words in, words out: all logits of the prompt, then one token after the other.
#[test]
fn every_language_model_says_what_the_reference_says() {
    for name in MODELS {
        let expected = expected(name);
        let prompt = ids(name, "input.safetensors", "input_ids");
        let answer = ids(name, "expected.safetensors", "generated");
        for device in devices() {
            let what = format!("{name} {device:?}");
            let mut encoder = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
            let tokens = wait(encoder.visual_tokens(images(&pixels(name)), &mut on)).unwrap();
            let case = std::fs::read_to_string(folder(name).join("case.json")).unwrap();
            let case: serde_json::Value = serde_json::from_str(&case).unwrap();
            let picture = case["img_context_token_id"].as_u64().unwrap() as u32;
            let embeddings =
                wait(encoder.session().embed_with(&prompt, Some(picture), &tokens)).unwrap();
            let given = &expected["inputs_embeds"].values;
            assert_close(&what, &embeddings, given, 1e-5);
            let mut memory = encoder.session().memory(64).unwrap();
            let all = wait(encoder.session().feed(&mut memory, &embeddings, Wanted::All, &mut on))
                .unwrap()
                .logits;
            near(&what, &all, &expected["logits"].values);
            let width = encoder.session().language().unwrap().vocabulary;
            let mut logits = all[all.len() - width..].to_vec();
            for (step, id) in answer.iter().enumerate() {
                let said = &expected["generated_logits"].values[step * width..][..width];
                near(&format!("{what} step {step}"), &logits, said);
                let best = (0..width).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
                assert_eq!(best as u32, *id, "{what} step {step}");
                let next = wait(encoder.session().embed(&[*id])).unwrap();
                logits = wait(encoder.session().feed(&mut memory, &next, Wanted::Last, &mut on))
                    .unwrap()
                    .logits;
            }
            assert_eq!(memory.len(), prompt.len() + answer.len());
            let room = 64 - memory.len();
            let much = vec![0.0; (room + 1) * encoder.session().language().unwrap().hidden];
            let fed = wait(encoder.session().feed(&mut memory, &much, Wanted::Last, &mut on));
            refused("no room", fed, "with room for 64");
        }
    }
}

#[test]
fn a_tower_alone_speaks_not() {
    let tower = || wait(Checkpoint::open_path(&golden("encoder_hf_native"))).unwrap();
    refused("visual", wait(tower().with_visual()), "makes no visual tokens");
    refused("language", wait(tower().with_language()), "makes no visual tokens");
    // The configuration of the whole, with the files of the tower.
    refused("projector", wait(open_without("mlp1").with_visual()), "the vision tower alone");
    refused(
        "language",
        wait(open_without("language_model").with_language()),
        "the vision tower alone",
    );
}

/// InternVL without the tensors whose names begin so.
fn open_without(start: &str) -> Checkpoint {
    let from = folder("internvl_qwen3_openvl");
    let to = scratch(start);
    std::fs::copy(from.join("config.json"), to.join("config.json")).unwrap();
    let mut list: Vec<(String, Tensor)> =
        tensors(&from.join("model.safetensors")).into_iter().collect();
    list.retain(|(name, _)| !name.starts_with(start));
    let list: Vec<_> = list
        .iter()
        .map(|(name, t)| {
            (name.clone(), t.shape.clone(), internvit::weights::Values::F32(&t.values))
        })
        .collect();
    internvit::weights::write_safetensors(&to.join("model.safetensors"), &list).unwrap();
    wait(Checkpoint::open_path(&to)).unwrap()
}

/// A conversation, and an answer in whose middle the device is lost.
#[test]
fn a_conversation_outlives_its_device() {
    let name = "internvl_qwen3_openvl";
    let prompt = ids(name, "input.safetensors", "input_ids");
    let answer = ids(name, "expected.safetensors", "generated");
    let how = Answering { most: 8, picture: Some(311), ..Answering::default() };
    for device in devices() {
        let mut encoder = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
        let visual = wait(encoder.visual_tokens(images(&pixels(name)), &mut on)).unwrap();
        let told = |encoder: &mut Encoder, parts: &[&[u32]], lost: bool| {
            let (mut talk, mut said) = (Talk::default(), Vec::new());
            for (number, part) in parts.iter().enumerate() {
                talk.say(encoder, part, Some(&visual).filter(|_| number == 0)).unwrap();
                let faults = encoder.gpu().filter(|_| lost).map(|gpu| gpu.fault_injector());
                let mut step = 0;
                let watch = &mut |_: Said<'_>| {
                    step += 1;
                    if step == 4 {
                        faults.iter().for_each(|faults| faults.lose_after(&[1]));
                    }
                    ControlFlow::Continue(())
                };
                said = wait(talk.answer(encoder, &how, &mut on, watch)).unwrap();
            }
            (talk.ids().to_vec(), said)
        };
        let (first, said) = told(&mut encoder, &[&prompt], false);
        assert_eq!(said, answer[..8], "{device:?}");
        // The second answer is that of one prompt with all that was said before.
        let (all, second) = told(&mut encoder, &[&prompt, &[5, 6, 7]], false);
        let whole = [&first[..], &[5, 6, 7]].concat();
        assert_eq!(all[..whole.len()], whole);
        assert_eq!(told(&mut encoder, &[&whole], false).1, second, "{device:?}");
        // What was taken back is said once more.
        let mut talk = Talk::default();
        talk.say(&encoder, &prompt, Some(&visual)).unwrap();
        let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
        for _ in 0..2 {
            talk.take_back(prompt.len(), visual.values.len());
            let said = wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap();
            assert_eq!(said, answer[..8], "{device:?}");
        }
        // A token for pictures that the model writes itself stands for none.
        let mut text = |picture| {
            let how = Answering { picture, ..how.clone() };
            let mut talk = Talk::default();
            let mut said = Vec::new();
            for _ in 0..2 {
                talk.say(&encoder, &[5, 6, 7], None).unwrap();
                said.extend(wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap());
            }
            said
        };
        let said = text(None);
        let last = said[7];
        assert!(![5, 6, 7].contains(&last));
        assert_eq!(text(Some(last)), said, "{device:?}");
        if encoder.gpu().is_some() {
            assert_eq!(told(&mut encoder, &[&prompt, &[5, 6, 7]], true).1, second, "lost");
            assert!(encoder.notes().iter().any(|note| note.contains("the answer goes on")));
        }
    }
}

/// The same while it answers and when it is asked later, also behind a device that was lost between the two; and what
/// follows is as if nobody had asked.
#[test]
fn an_answer_tells_where_it_looked() {
    for name in ["internvl_qwen2_openvl", "internvl_qwen3_hf"] {
        let prompt = ids(name, "input.safetensors", "input_ids");
        let answer = ids(name, "expected.safetensors", "generated");
        let case = std::fs::read_to_string(folder(name).join("case.json")).unwrap();
        let case: serde_json::Value = serde_json::from_str(&case).unwrap();
        let picture = Some(case["img_context_token_id"].as_u64().unwrap() as u32);
        let how = Answering { most: 4, picture, attention: true, ..Answering::default() };
        for device in devices() {
            let what = format!("{name} {device:?}");
            let mut encoder = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
            let visual = wait(encoder.visual_tokens(images(&pixels(name)), &mut on)).unwrap();
            let mut talk = Talk::default();
            talk.say(&encoder, &prompt, Some(&visual)).unwrap();
            let mut live: Vec<Tensor> = Vec::new();
            let watch = &mut |said: Said<'_>| {
                live.push(said.attention.unwrap().clone());
                ControlFlow::Continue(())
            };
            let said = wait(talk.answer(&mut encoder, &how, &mut on, watch)).unwrap();
            assert_eq!(said, answer[..4], "{what}");
            let tokens = visual.shape[0] * visual.shape[1];
            assert_eq!(talk.places(&how).len(), tokens, "{what}");
            let spec = encoder.session().language().unwrap();
            let sides = [spec.layers, spec.heads];
            for (step, seen) in live.iter().enumerate() {
                if step == 2 {
                    encoder.gpu().iter().for_each(|gpu| gpu.lose());
                }
                let at = prompt.len() + step;
                assert_eq!(seen.shape, [sides[0], sides[1], at], "{what}");
                let sum = |head: &[f32]| head.iter().map(|x| f64::from(*x)).sum::<f64>();
                assert!(
                    seen.values.chunks(at).all(|head| (sum(head) - 1.0).abs() < 1e-5),
                    "{what}"
                );
                let later = wait(talk.attention(&mut encoder, &how, at)).unwrap();
                assert_eq!(later.shape, seen.shape, "{what}");
                assert_close(&format!("{what} step {step}"), &later.values, &seen.values, 1e-4);
                let mean = Look::default().weights(&later).unwrap();
                assert!((sum(&mean) - 1.0).abs() < 1e-5, "{what}");
            }
            refused(&what, wait(talk.attention(&mut encoder, &how, 0)), "behind the first of");
            let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
            let said = wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap();
            assert_eq!(said, answer[4..8], "{what}");
        }
    }
}

/// In 16, 8 and 4 bits the model says nearly the same; on a device states are f16 then.
#[test]
fn fewer_bits_say_nearly_the_same() {
    let cpu = |precision| Compute::from(&Device::Cpu).precision(precision);
    for name in MODELS {
        let whole = wait(Encoder::load(open(name), cpu(Precision::F32), &mut on_bytes)).unwrap();
        for (precision, least) in [(Precision::Int8, 0.999), (Precision::Int4, 0.98)] {
            let encoder = wait(Encoder::load(open(name), cpu(precision), &mut on_bytes)).unwrap();
            says_nearly(name, &encoder, least, &format!("{name} {precision:?} on the CPU"));
            // Of some models 4 bits want more inputs than the least matrices have.
            let most = whole.weight_bytes() / if precision == Precision::Int8 { 2 } else { 1 };
            assert!(encoder.weight_bytes() < most, "{name} {precision:?}");
        }
    }
    for (precision, least) in
        [(Precision::F16, 0.9999), (Precision::Int8, 0.999), (Precision::Int4, 0.98)]
    {
        let Some(gpu) = gpu_as(precision) else { return };
        let name = "internvl_qwen2_openvl";
        let encoder = wait(Encoder::load(open(name), gpu, &mut on_bytes)).unwrap();
        says_nearly(name, &encoder, least, &format!("{name} {precision:?}"));
    }
}

/// All logits of the prompt at once, and once more of its last tokens alone, behind the others.
fn says_nearly(name: &str, encoder: &Encoder, least: f64, what: &str) {
    let expected = expected(name);
    let given = &expected["inputs_embeds"].values;
    let (width, vocabulary) = (
        encoder.session().language().unwrap().hidden,
        encoder.session().language().unwrap().vocabulary,
    );
    let mut memory = encoder.session().memory(64).unwrap();
    let all =
        wait(encoder.session().feed(&mut memory, given, Wanted::All, &mut on)).unwrap().logits;
    let [a, b] = [&all, &expected["logits"].values];
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(a * b)).sum::<f64>();
    let cosine = dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
    println!("{what}: {cosine:.6}");
    assert!(cosine > least, "{what}: {cosine}");
    let tokens = given.len() / width;
    for last in [1, 2, 5] {
        memory.take_back(tokens - last);
        let given = &given[(tokens - last) * width..];
        let found =
            wait(encoder.session().feed(&mut memory, given, Wanted::Last, &mut on)).unwrap().logits;
        let alone = &all[(tokens - 1) * vocabulary..];
        assert_close(&format!("{what}, {last} alone"), &found, alone, 5e-3);
    }
}
