//! Checkpoints in every naming, sharded and not; and every way in which one can be wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use crate::common::*;
use internvit::weights::{StoredType, Values, init_checkpoint, write_safetensors};
use internvit::{Checkpoint, Tensor};

type Named = Vec<(String, Tensor)>;

/// The tensors of a small random checkpoint with all optional parts, canonical names, sorted.
fn canonical(folder: &Path, config: &str) -> Named {
    init_checkpoint("config.json", config, 1, StoredType::F32, folder, &|_, _| ()).unwrap();
    let mut list: Named = tensors(&folder.join("model.safetensors")).into_iter().collect();
    list.sort_by(|a, b| a.0.cmp(&b.0));
    list
}

fn write(path: &Path, list: &[(String, Tensor)]) {
    let views: Vec<_> =
        list.iter().map(|(n, t)| (n.clone(), t.shape.clone(), Values::F32(&t.values))).collect();
    write_safetensors(path, &views).unwrap();
}

fn small(extra: &str) -> String {
    config(16, 2, 32, 2, extra)
}

const RMS: &str = r#", "norm_type": "rms_norm", "qk_normalization": true"#;

/// (OpenGVLab, Hugging Face port, mmseg)
const NAMES: [(&str, &str, &str); 11] = [
    ("embeddings.class_embedding", "embeddings.cls_token", "cls_token"),
    ("embeddings.position_embedding", "embeddings.position_embeddings", "pos_embed"),
    ("embeddings.patch_embedding.", "embeddings.patch_embeddings.projection.", "patch_embed.proj."),
    ("encoder.layers.", "encoder.layer.", "blocks."),
    (".norm1.", ".layernorm_before.", ".norm1."),
    (".norm2.", ".layernorm_after.", ".norm2."),
    (".attn.proj.", ".attention.projection_layer.", ".attn.proj."),
    (".attn.q_norm.", ".attention.q_norm.", ".attn.q_norm."),
    (".attn.k_norm.", ".attention.k_norm.", ".attn.k_norm."),
    (".ls1", ".lambda_1", ".ls1.gamma"),
    (".ls2", ".lambda_2", ".ls2.gamma"),
];

fn port(list: &Named) -> Named {
    let mut out = Named::new();
    for (name, tensor) in list {
        let renamed = NAMES.iter().fold(name.clone(), |n, (from, to, _)| n.replace(from, to));
        match renamed.split_once(".attn.qkv.") {
            None => out.push((renamed, tensor.clone())),
            Some((layer, tail)) => {
                let third = tensor.values.len() / 3;
                for (i, q) in ["q", "k", "v"].into_iter().enumerate() {
                    let mut shape = tensor.shape.clone();
                    shape[0] /= 3;
                    let values = tensor.values[i * third..(i + 1) * third].to_vec();
                    out.push((
                        format!("{layer}.attention.{q}_proj.{tail}"),
                        Tensor { shape, values },
                    ));
                }
            }
        }
    }
    out
}

fn mmseg(list: &Named) -> Named {
    let rename =
        |name: &str| NAMES.iter().fold(name.to_string(), |n, (from, _, to)| n.replace(from, to));
    list.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
}

fn prefixed(prefix: &str, list: Named) -> Named {
    let mut out: Named =
        list.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)).collect();
    let other = Tensor { shape: vec![2, 2], values: vec![0.0; 4] };
    for name in ["language_model.lm_head.weight", "mlp1.0.weight", "decode_head.conv_seg.weight"] {
        out.push((name.into(), other.clone()));
    }
    out
}

fn assert_same(what: &str, checkpoint: &Checkpoint, list: &Named) {
    for (name, tensor) in list {
        assert_eq!(wait(checkpoint.tensor(name)).unwrap(), tensor.values, "{what}: {name}");
    }
}

#[test]
fn three_namings_with_and_without_prefix() {
    for extra in ["", RMS] {
        let folder = scratch("namings");
        let list = canonical(&folder, &small(extra));
        let cases = [
            ("plain", list.clone()),
            ("vlm", prefixed("vision_model.", list.clone())),
            ("port", port(&list)),
            ("port in a vlm", prefixed("model.vision_tower.", port(&list))),
            ("older port in a vlm", prefixed("vision_tower.", port(&list))),
            ("mmseg", mmseg(&list)),
            ("mmseg backbone", prefixed("backbone.", mmseg(&list))),
        ];
        for (what, tensors) in cases {
            write(&folder.join("model.safetensors"), &tensors);
            let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
            assert_same(what, &checkpoint, &list);
        }
    }
}

/// Two shards of vision tensors are read; a third, of the language model, need not exist.
#[test]
fn shards() {
    let folder = scratch("shards");
    let list = canonical(&folder, &small(""));
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    let (first, second) = list.split_at(list.len() / 2);
    write(&folder.join("a.safetensors"), first);
    write(&folder.join("b.safetensors"), second);
    let mut map = serde_json::Map::new();
    for (shard, list) in [("a.safetensors", first), ("b.safetensors", second)] {
        map.extend(list.iter().map(|(name, _)| (name.clone(), shard.into())));
    }
    map.insert("language_model.embed.weight".into(), "c.safetensors".into());
    let index = folder.join("model.safetensors.index.json");
    let save = |map: &serde_json::Map<String, serde_json::Value>| {
        std::fs::write(&index, serde_json::json!({ "weight_map": map }).to_string()).unwrap();
    };
    save(&map);
    assert_same("shards", &wait(Checkpoint::open_path(&folder)).unwrap(), &list);

    map.insert("encoder.layers.1.ls1".into(), "../outside.safetensors".into());
    save(&map);
    refused(&folder, "expected the name of a shard, found \"../outside.safetensors\"");
    map.insert("encoder.layers.1.ls1".into(), "gone.safetensors".into());
    save(&map);
    refused(&folder, "gone.safetensors: missing");
    std::fs::write(&index, "{").unwrap();
    refused(&folder, "not an index");
}

#[test]
fn half_types_are_read_exactly() {
    for (dtype, step) in [(StoredType::F16, 1.0 / 1024.0), (StoredType::Bf16, 1.0 / 128.0)] {
        let values = [0.0, 1.0, -2.5, 1.0 + step, 65504.0f32.min(1e4), 6e-5];
        let read = dtype.decode(&dtype.encode(&values));
        assert_eq!(read[..4], values[..4], "{dtype:?}");
        for (found, exact) in read.iter().zip(values) {
            assert!(
                (found - exact).abs() <= exact.abs() * step / 2.0,
                "{dtype:?}: {found} {exact}"
            );
        }
    }
}

fn refused(folder: &Path, expected: &str) {
    match wait(Checkpoint::open_path(folder)) {
        Ok(_) => panic!("accepted; expected: {expected}"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.contains(expected), "expected {expected:?} in {text:?}");
            assert!(!text.contains('\n'), "one line: {text:?}");
        }
    }
}

#[test]
fn every_wrong_tensor_is_named() {
    let folder = scratch("wrong-tensors");
    let list = canonical(&folder, &small(""));
    let file = folder.join("model.safetensors");
    let with = |change: &dyn Fn(&mut Named)| {
        let mut list = list.clone();
        change(&mut list);
        write(&file, &list);
    };
    let name = "encoder.layers.1.mlp.fc1.weight";
    let at = list.iter().position(|(n, _)| n == name).unwrap();

    with(&|l| drop(l.remove(at)));
    refused(&folder, "encoder.layers.1.mlp.fc1.weight: missing, expected shape [32, 16]");
    with(&|l| l[at].1.shape = vec![16, 32]);
    refused(&folder, "encoder.layers.1.mlp.fc1.weight: expected shape [32, 16], found [16, 32]");
    with(&|l| l.push(("encoder.layers.2.ls1".into(), l[0].1.clone())));
    refused(&folder, "model.safetensors: encoder.layers.2.ls1: unexpected tensor");
    with(&|l| l.push(("encoder.layers.0.attn.q_norm.weight".into(), l[0].1.clone())));
    refused(&folder, "q_norm.weight: unexpected tensor for this configuration");
    with(&|l| l.clear());
    refused(&folder, "no encoder in this checkpoint");
    with(&|l| {
        l.remove(at);
        l[0].1.shape = vec![1];
        l[0].1.values.truncate(1);
    });
    refused(&folder, "; "); // several problems in one error

    // q and k without v, in the port's naming.
    let mut names = port(&list);
    names.retain(|(n, _)| n != "encoder.layer.0.attention.v_proj.weight");
    write(&file, &names);
    refused(&folder, "expected 3 parts of it, found only");
}

#[test]
fn wrong_types_are_named() {
    let folder = scratch("wrong-types");
    canonical(&folder, &small(""));
    let file = folder.join("model.safetensors");
    let bytes = std::fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&bytes[8..2000]).replacen("\"F32\"", "\"I32\"", 1);
    let mut changed = bytes.clone();
    changed[8..8 + 1900].copy_from_slice(&text.as_bytes()[..1900]);
    std::fs::write(&file, changed).unwrap();
    refused(&folder, "expected type F32, F16 or BF16, found I32");
}

#[test]
fn damaged_files_are_refused() {
    let folder = scratch("damaged");
    canonical(&folder, &small(""));
    let file = folder.join("model.safetensors");
    let good = std::fs::read(&file).unwrap();
    let length = good.len();
    let header = |text: &str| [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat();
    let cases: [(Vec<u8>, &str); 8] = [
        (vec![], "0 bytes, expected at least 8"),
        (good[..5].to_vec(), "5 bytes, expected at least 8"),
        (good[..100].to_vec(), "cut short"),
        (good[..length - 1].to_vec(), "cut short or too long"),
        ([good.as_slice(), &[0]].concat(), "cut short or too long"),
        (u64::MAX.to_le_bytes().to_vec(), "cut short"),
        (header("{\"a\""), "header cannot be read"),
        (
            header(r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[4,20]}}"#),
            "header cannot be read",
        ),
    ];
    for (bytes, expected) in cases {
        std::fs::write(&file, bytes).unwrap();
        refused(&folder, expected);
    }
}

#[test]
fn missing_files_are_named() {
    let folder = scratch("missing");
    refused(&folder.join("nowhere"), "no such file or folder");
    refused(&folder, "model.safetensors: missing");
    canonical(&folder, &small(""));
    std::fs::remove_file(folder.join("config.json")).unwrap();
    refused(&folder, "config.json");
}

#[test]
fn names_given_twice_are_refused() {
    let file = scratch("twice").join("t.safetensors");
    let values = [0.0; 2];
    let list = ["a", "b", "a"].map(|name| (name.to_string(), vec![2], Values::F32(&values)));
    let error = write_safetensors(&file, &list).err().unwrap().to_string();
    assert!(error.ends_with("a: given twice, expected one tensor of a name"), "{error}");
    assert!(!file.exists());
}

#[test]
fn configurations_that_make_no_sense_are_refused() {
    let cases = [
        (config(16, 3, 32, 1, ""), "num_attention_heads: expected a divisor of hidden_size 16"),
        (config(16, 0, 32, 1, ""), "num_attention_heads: expected a whole number from 1"),
        (config(1048576, 8192, 32, 1, ""), "expected at most 32768 channels"),
        (small(r#", "hidden_act": "relu""#), "hidden_act: expected \"gelu\""),
        (small(r#", "norm_type": "batch_norm""#), "norm_type: expected"),
        (small(r#", "patch_size": 0"#), "patch_size: expected a whole number from 1"),
        (small(r#", "image_size": [56, 70]"#), "image_size: expected two equal numbers"),
        (small(r#", "qkv_bias": 1"#), "qkv_bias: expected true or false"),
        (small(r#", "model_type": "resnet""#), "model_type: expected dinov2, "),
        (small(r#", "layer_norm_eps": "x""#), "layer_norm_eps: expected a number"),
        ("[]".into(), "expected an object"),
        ("{".into(), "EOF"),
    ];
    for (text, expected) in cases {
        let error = internvit::model::parse_config("config.json", &text).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
        assert!(error.starts_with("config.json: "), "{error}");
    }
}

/// Absent keys take the defaults of the class that wrote the file.
#[test]
fn defaults_of_both_dialects() {
    use internvit::model::{CATALOGUE, NormKind, QkNorm, parse_config};
    let remote = parse_config("c", r#"{"model_type": "intern_vit_6b"}"#).unwrap();
    assert_eq!(remote, CATALOGUE[2].spec(), "InternViT-6B-224px");
    let port = parse_config("c", r#"{"model_type": "internvl_vision"}"#).unwrap();
    assert_eq!((port.sizes.hidden, port.sizes.layers, port.sizes.image), (1024, 24, 448));
    assert_eq!(
        (port.norm.kind, port.qk_norm, port.qkv_bias),
        (NormKind::Layer, QkNorm::None, false)
    );
    let inner = r#"{"model_type": "internvl_chat", "vision_config": {"num_hidden_layers": 45}}"#;
    assert_eq!(parse_config("c", inner).unwrap().sizes.layers, 45);
}

#[test]
fn init_is_reproducible() {
    let (a, b) = (scratch("init-a"), scratch("init-b"));
    let (one, two) = (canonical(&a, &small("")), canonical(&b, &small("")));
    assert_eq!(one, two);
    init_checkpoint("c", &small(""), 2, StoredType::F32, &b, &|_, _| ()).unwrap();
    assert_ne!(
        std::fs::read(a.join("model.safetensors")).unwrap(),
        std::fs::read(b.join("model.safetensors")).unwrap()
    );
}

/// Of a vision-language model only the encoder's bytes are taken, as a checkpoint of its own.
#[test]
fn extracts() {
    let folder = scratch("extracts");
    let list = canonical(&folder, &small(""));
    let large = Tensor { shape: vec![64, 4096], values: noise(2, 64 * 4096) };
    let language = ("language_model.embed".to_string(), large.clone());
    let head = ("lm_head.weight".to_string(), large);
    for (what, vision) in [
        ("vlm", prefixed("vision_model.", list.clone())),
        ("port in a vlm", prefixed("model.vision_tower.", port(&list))),
    ] {
        // The encoder in the middle, in two pieces.
        let (first, second) = vision.split_at(vision.len() / 2);
        let (one, other) = (std::slice::from_ref(&language), std::slice::from_ref(&head));
        let all = [one, first, other, second].concat();
        write(&folder.join("model.safetensors"), &all);
        let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
        let bytes = std::fs::read(folder.join("model.safetensors")).unwrap();
        let extracts = checkpoint.extracts();
        let [(name, Some(extract))] = extracts.as_slice() else { panic!("{what}: {extracts:?}") };
        assert!(name.ends_with("model.safetensors"), "{name}");
        let mut small = extract.header.clone();
        for (_, range) in &extract.ranges {
            small.extend_from_slice(&bytes[range.start as usize..range.end as usize]);
        }
        assert!(small.len() < bytes.len() / 10, "{what}: {} of {}", small.len(), bytes.len());
        std::fs::write(folder.join("model.safetensors"), small).unwrap();
        let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
        assert_same(what, &checkpoint, &list);
        assert_eq!(checkpoint.extracts()[0].1, None, "{what}: an encoder alone is taken whole");
    }
}
