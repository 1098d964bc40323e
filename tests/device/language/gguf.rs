//! The same models in GGUF: they say what the reference says.

use super::*;
use crate::gguf::{As, File, language, projector};

/// The fixtures that become GGUF, and the architecture that llama.cpp has for each.
const KINDS: [(&str, &str); 4] = [
    ("internvl_qwen2_openvl", "qwen2"),
    ("internvl_qwen3_openvl", "qwen3"),
    ("internvl_internlm2_openvl", "internlm2"),
    ("internvl_internlm2_openvl", "llama"),
];

fn open_both(name: &str, model: &File, tower: &File) -> Checkpoint {
    let to = scratch(name);
    model.write(&to.join("model.gguf"));
    tower.write(&to.join("mmproj-model.gguf"));
    let checkpoint = wait(Checkpoint::open_path(&to)).unwrap();
    wait(checkpoint.with_language()).unwrap()
}

/// Whole numbers and values of bf16 are the same in f32 and bf16, so logits are the reference's.
#[test]
fn every_language_model_says_the_same() {
    for (name, kind) in KINDS {
        let expected = expected(name);
        let prompt = ids(name, "input.safetensors", "input_ids");
        let answer = ids(name, "expected.safetensors", "generated");
        let case = std::fs::read_to_string(folder(name).join("case.json")).unwrap();
        let case: serde_json::Value = serde_json::from_str(&case).unwrap();
        let picture = Some(case["img_context_token_id"].as_u64().unwrap() as u32);
        for how in [As::F32, As::Bf16] {
            let (model, tower) =
                (language(&folder(name), kind, how), projector(&folder(name), how));
            for device in devices() {
                let what = format!("{name} {kind} {how:?} {device:?}");
                let checkpoint = open_both(kind, &model, &tower);
                let mut encoder = wait(Encoder::load(checkpoint, &device, &mut on_bytes)).unwrap();
                let tokens = wait(encoder.visual_tokens(images(&pixels(name)), &mut on)).unwrap();
                let visual = &expected["visual_tokens"].values;
                assert_close(&what, &tokens.values, visual, 1e-5);
                let given = wait(encoder.session().embed_with(&prompt, picture, &tokens)).unwrap();
                let mut memory = encoder.session().memory(64).unwrap();
                let all = wait(encoder.session().feed(&mut memory, &given, Wanted::All, &mut on))
                    .unwrap()
                    .logits;
                near(&what, &all, &expected["logits"].values);
                let mut talk = Talk::default();
                talk.say(&encoder, &prompt, Some(&tokens)).unwrap();
                let how = Answering { most: answer.len(), picture, ..Answering::default() };
                let go_on = &mut |_: Said<'_>| ControlFlow::Continue(());
                assert_eq!(
                    wait(talk.answer(&mut encoder, &how, &mut on, go_on)).unwrap(),
                    answer,
                    "{what}"
                );
            }
        }
    }
}

/// The weights of blocks are what the file says of them, whoever computes; and the more bits, the nearer.
#[test]
fn fewer_bits_say_nearly_the_same_in_gguf() {
    for (name, kind) in KINDS {
        for (how, least) in [(As::F16, 0.9999), (As::Q8_0, 0.9995), (As::Q4_0, 0.93)] {
            let checkpoint = || {
                open_both(kind, &language(&folder(name), kind, how), &projector(&folder(name), how))
            };
            for device in devices() {
                let encoder = wait(Encoder::load(checkpoint(), &device, &mut on_bytes)).unwrap();
                says_nearly(name, &encoder, least, &format!("{name} {kind} {how:?} {device:?}"));
            }
        }
    }
}

/// What a model says behind three tokens.
fn say(encoder: &mut Encoder) -> Vec<u32> {
    let how = Answering { most: 8, ..Answering::default() };
    let mut talk = Talk::default();
    talk.say(encoder, &[5, 6, 7], None).unwrap();
    wait(talk.answer(encoder, &how, &mut on, &mut |_: Said<'_>| ControlFlow::Continue(()))).unwrap()
}

/// One that sees nothing talks all the same.
#[test]
fn a_language_model_alone_speaks() {
    let name = "internvl_qwen2_openvl";
    let to = scratch("alone");
    language(&folder(name), "qwen2", As::F32).write(&to.join("model.gguf"));
    let checkpoint = || wait(Checkpoint::open_path(&to)).unwrap();
    let loaded = wait(Encoder::load(checkpoint(), &Device::Cpu, &mut on_bytes));
    refused("load", loaded, "sees no pictures");
    refused("visual", wait(checkpoint().with_visual()), "sees no pictures");
    for device in devices() {
        let alone = wait(checkpoint().with_language()).unwrap();
        let mut encoder = wait(Encoder::load(alone, &device, &mut on_bytes)).unwrap();
        let mut whole = wait(Encoder::load(open(name), &device, &mut on_bytes)).unwrap();
        assert_eq!(say(&mut encoder), say(&mut whole), "{device:?}");
        let seen = wait(encoder.encode(images(&pixels(name)), &[], &mut on));
        refused("pictures", seen, "sees no pictures");
    }
}

/// What Hugging Face calls the tensors of Llama's form.
const LLAMA: [(&str, &str); 11] = [
    ("token_embd.", "model.embed_tokens."),
    ("output_norm.", "model.norm."),
    ("attn_output.", "self_attn.o_proj."),
    ("output.", "lm_head."),
    ("blk.", "model.layers."),
    ("attn_norm.", "input_layernorm."),
    ("ffn_norm.", "post_attention_layernorm."),
    ("attn_q.", "self_attn.q_proj."),
    ("attn_k.", "self_attn.k_proj."),
    ("attn_v.", "self_attn.v_proj."),
    ("ffn_", "mlp."),
];

/// Llama's form in safetensors, without a tower: InternLM2's with its packed rows in order.
#[test]
fn a_llama_of_safetensors_speaks() {
    let (name, to) = ("internvl_internlm2_openvl", scratch("llama"));
    // As Qwen2's, whose rows keep Hugging Face's order.
    let file = language(&folder(name), "qwen2", As::F32);
    let list: Vec<(String, Vec<usize>, Vec<f32>)> = file
        .tensors
        .iter()
        .map(|(key, shape, _, bytes)| {
            let key = LLAMA.iter().fold(key.clone(), |key, (from, to)| key.replacen(from, to, 1));
            let key = ["gate", "up", "down"].iter().fold(key, |key, part| {
                key.replace(&format!("mlp.{part}."), &format!("mlp.{part}_proj."))
            });
            let values = bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            (key, shape.clone(), values)
        })
        .collect();
    let values = |values| internvit::weights::Values::F32(values);
    let views: Vec<_> =
        list.iter().map(|(key, shape, v)| (key.clone(), shape.clone(), values(v))).collect();
    internvit::weights::write_safetensors(&to.join("model.safetensors"), &views).unwrap();
    let config = r#"{"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64,
        "intermediate_size": 112, "num_attention_heads": 4, "num_key_value_heads": 2, "num_hidden_layers": 2,
        "vocab_size": 300, "rms_norm_eps": 1e-5, "rope_theta": 1000000, "max_position_embeddings": 32768}"#;
    std::fs::write(to.join("config.json"), config).unwrap();
    let alone = wait(wait(Checkpoint::open_path(&to)).unwrap().with_language()).unwrap();
    let mut encoder = wait(Encoder::load(alone, &Device::Cpu, &mut on_bytes)).unwrap();
    let mut whole = wait(Encoder::load(open(name), &Device::Cpu, &mut on_bytes)).unwrap();
    assert_eq!(say(&mut encoder), say(&mut whole));
}
