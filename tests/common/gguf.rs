//! Files of GGUF for tests, written as llama.cpp's converter writes them: of InternVL's fixtures in OpenGVLab's naming.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, unreachable_pub, reason = "tests")]

use std::collections::BTreeMap;
use std::path::Path;

use half::f16;
use internvit::Tensor;
use internvit::weights::StoredType;
use serde_json::Value;

use crate::common::*;

/// A file in the making.
#[derive(Clone, Default)]
pub struct File {
    /// Keys with their types and values as they are written.
    pub keys: Vec<(String, Vec<u8>)>,
    /// Names, shapes with the outermost dimension first, numbers of types, bytes.
    pub tensors: Vec<(String, Vec<usize>, u32, Vec<u8>)>,
}

/// How matrices are written; vectors and what has no whole blocks are F32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum As {
    F32,
    F16,
    Bf16,
    Q8_0,
    Q4_0,
}

fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl File {
    pub fn string(&mut self, key: &str, value: &str) {
        self.keys.push((key.into(), [&8u32.to_le_bytes()[..], &text(value)].concat()));
    }

    pub fn number(&mut self, key: &str, value: u64) {
        let value = u32::try_from(value).unwrap();
        self.keys.push((key.into(), [4u32.to_le_bytes(), value.to_le_bytes()].concat()));
    }

    fn short(&mut self, key: &str, value: u16) {
        self.keys.push((key.into(), [&2u32.to_le_bytes()[..], &value.to_le_bytes()].concat()));
    }

    /// The file in parts, as llama-gguf-split makes them: the first has all keys.
    pub fn parts(self, count: usize) -> Vec<Self> {
        let each = self.tensors.len().div_ceil(count);
        let mut tensors = self.tensors.into_iter();
        let part = |number: usize| {
            let keys = if number == 0 { self.keys.clone() } else { Vec::new() };
            let mut part = Self { keys, tensors: tensors.by_ref().take(each).collect() };
            part.short("split.no", number as u16);
            part.short("split.count", count as u16);
            part
        };
        (0..count).map(part).collect()
    }

    pub fn float(&mut self, key: &str, value: f64) {
        self.keys.push((key.into(), [6u32.to_le_bytes(), (value as f32).to_le_bytes()].concat()));
    }

    pub fn flag(&mut self, key: &str, value: bool) {
        self.keys.push((key.into(), [&7u32.to_le_bytes()[..], &[u8::from(value)]].concat()));
    }

    fn list(&mut self, key: &str, kind: u32, values: &[Vec<u8>]) {
        let head = [9u32.to_le_bytes(), kind.to_le_bytes()].concat();
        let count = (values.len() as u64).to_le_bytes();
        self.keys.push((key.into(), [&head, &count[..], &values.concat()].concat()));
    }

    pub fn strings<'a>(&mut self, key: &str, values: impl IntoIterator<Item = &'a str>) {
        self.list(key, 8, &values.into_iter().map(text).collect::<Vec<_>>());
    }

    pub fn floats(&mut self, key: &str, values: &[f32]) {
        self.list(
            key,
            6,
            &values.iter().map(|value| value.to_le_bytes().into()).collect::<Vec<_>>(),
        );
    }

    pub fn integers(&mut self, key: &str, values: &[i32]) {
        self.list(
            key,
            5,
            &values.iter().map(|value| value.to_le_bytes().into()).collect::<Vec<_>>(),
        );
    }

    /// Takes the place of a key that is there.
    pub fn change(&mut self, key: &str, set: impl FnOnce(&mut Self)) {
        let before = self.keys.len();
        self.keys.retain(|(known, _)| known != key);
        assert_eq!(self.keys.len() + 1, before, "{key}");
        set(self);
    }

    pub fn tensor(&mut self, name: &str, tensor: &Tensor, how: As) {
        let row = *tensor.shape.last().unwrap();
        let how = match how {
            _ if tensor.shape.len() < 2 || name.contains("embd") && name.starts_with("v.") => {
                As::F32
            }
            As::Q8_0 | As::Q4_0 if !row.is_multiple_of(32) => As::F32,
            how => how,
        };
        let (number, bytes) = match how {
            As::F32 => (0, StoredType::F32.encode(&tensor.values)),
            As::F16 => (1, StoredType::F16.encode(&tensor.values)),
            As::Bf16 => (30, StoredType::Bf16.encode(&tensor.values)),
            As::Q4_0 => (2, tensor.values.chunks(32).flat_map(q4_0).collect()),
            As::Q8_0 => (8, tensor.values.chunks(32).flat_map(q8_0).collect()),
        };
        self.tensors.push((name.into(), tensor.shape.clone(), number, bytes));
    }

    /// What describes the tensors, and where their values begin.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = b"GGUF".to_vec();
        head.extend(3u32.to_le_bytes());
        head.extend((self.tensors.len() as u64).to_le_bytes());
        head.extend((self.keys.len() as u64).to_le_bytes());
        for (key, value) in &self.keys {
            head.extend(text(key));
            head.extend(value);
        }
        let mut data = Vec::new();
        for (name, shape, number, bytes) in &self.tensors {
            head.extend(text(name));
            head.extend((shape.len() as u32).to_le_bytes());
            shape.iter().rev().for_each(|side| head.extend((*side as u64).to_le_bytes()));
            head.extend(number.to_le_bytes());
            head.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        head.resize(head.len().next_multiple_of(32), 0);
        [head, data].concat()
    }

    pub fn write(&self, path: &Path) {
        std::fs::write(path, self.bytes()).unwrap();
    }
}

fn q8_0(w: &[f32]) -> Vec<u8> {
    let d = w.iter().fold(0.0f32, |m, w| m.max(w.abs())) / 127.0;
    let codes = w.iter().map(|w| if d == 0.0 { 0 } else { (w / d).round() as i8 as u8 });
    f16::from_f32(d).to_le_bytes().into_iter().chain(codes).collect()
}

fn q4_0(w: &[f32]) -> Vec<u8> {
    let largest = w.iter().fold(0.0f32, |m, w| if w.abs() > m.abs() { *w } else { m });
    let d = largest / -8.0;
    let code = |w: f32| if d == 0.0 { 8 } else { ((w / d + 8.5) as u8).min(15) };
    let codes = (0..16).map(|at| code(w[at]) | code(w[at + 16]) << 4);
    f16::from_f32(d).to_le_bytes().into_iter().chain(codes).collect()
}

fn rows(tensor: &Tensor, list: impl Iterator<Item = usize>) -> Tensor {
    let width = tensor.values.len() / tensor.shape[0];
    let values: Vec<f32> =
        list.flat_map(|row| tensor.values[row * width..][..width].to_vec()).collect();
    let shape = [&[values.len() / width][..], &tensor.shape[1..]].concat();
    Tensor { shape, values }
}

/// Rows of heads of `d`, as `permute` of the converter turns them: what rotates together become neighbours.
fn permuted(tensor: &Tensor, d: usize) -> Tensor {
    let place = |row: usize| row / d * d + row % 2 * (d / 2) + row % d / 2;
    rows(tensor, (0..tensor.shape[0]).map(place))
}

/// What HuggingFace's names become.
const LANGUAGE: [(&str, &str); 18] = [
    ("self_attn.q_norm.", "attn_q_norm."),
    ("self_attn.k_norm.", "attn_k_norm."),
    ("self_attn.q_proj.", "attn_q."),
    ("self_attn.k_proj.", "attn_k."),
    ("self_attn.v_proj.", "attn_v."),
    ("self_attn.o_proj.", "attn_output."),
    ("mlp.gate_proj.", "ffn_gate."),
    ("mlp.up_proj.", "ffn_up."),
    ("mlp.down_proj.", "ffn_down."),
    ("post_attention_layernorm.", "ffn_norm."),
    ("input_layernorm.", "attn_norm."),
    ("feed_forward.w1.", "ffn_gate."),
    ("feed_forward.w3.", "ffn_up."),
    ("feed_forward.w2.", "ffn_down."),
    ("attention_norm.", "attn_norm."),
    ("attention.wo.", "attn_output."),
    ("tok_embeddings.", "token_embd."),
    ("embed_tokens.", "token_embd."),
];

const TOWER: [(&str, &str); 12] = [
    ("embeddings.class_embedding", "class_embd"),
    ("embeddings.position_embedding", "position_embd.weight"),
    ("embeddings.patch_embedding.", "patch_embd."),
    ("encoder.layers.", "blk."),
    (".norm1.", ".ln1."),
    (".norm2.", ".ln2."),
    (".attn.proj.", ".attn_out."),
    (".attn.q_norm.", ".attn_q_norm."),
    (".attn.k_norm.", ".attn_k_norm."),
    (".mlp.fc1.", ".ffn_up."),
    (".mlp.fc2.", ".ffn_down."),
    (".ls", ".ls"),
];

fn renamed(name: &str, table: &[(&str, &str)]) -> String {
    table.iter().fold(name.to_string(), |name, (from, to)| name.replacen(from, to, 1))
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn sorted(folder: &Path) -> BTreeMap<String, Tensor> {
    tensors(&folder.join("model.safetensors")).into_iter().collect()
}

/// The language model of a fixture's folder in OpenGVLab's naming, as a model of `kind`.
pub fn language(folder: &Path, kind: &str, how: As) -> File {
    let config = json(&folder.join("config.json"))["llm_config"].clone();
    let count = |key: &str| config[key].as_u64();
    let (hidden, heads) = (count("hidden_size").unwrap(), count("num_attention_heads").unwrap());
    let keys = count("num_key_value_heads").unwrap();
    let d = count("head_dim").unwrap_or(hidden / heads);
    let mut file = File::default();
    file.string("general.architecture", kind);
    for (key, value) in [
        ("block_count", count("num_hidden_layers").unwrap()),
        ("context_length", count("max_position_embeddings").unwrap()),
        ("embedding_length", hidden),
        ("feed_forward_length", count("intermediate_size").unwrap()),
        ("attention.head_count", heads),
        ("attention.head_count_kv", keys),
    ] {
        file.number(&format!("{kind}.{key}"), value);
    }
    if count("head_dim").is_some() {
        file.number(&format!("{kind}.attention.key_length"), d);
        file.number(&format!("{kind}.attention.value_length"), d);
    }
    file.float(&format!("{kind}.rope.freq_base"), config["rope_theta"].as_f64().unwrap());
    let eps = config["rms_norm_eps"].as_f64().unwrap();
    file.float(&format!("{kind}.attention.layer_norm_rms_epsilon"), eps);
    let turns = ["llama", "internlm2"].contains(&kind);
    let d = d as usize;
    for (name, tensor) in sorted(folder) {
        let Some(name) = name.strip_prefix("language_model.") else { continue };
        let name = match name {
            "model.norm.weight" => "output_norm.weight".into(),
            "lm_head.weight" | "output.weight" => "output.weight".into(),
            name => renamed(name, &LANGUAGE).replace("model.layers.", "blk.").replace("model.", ""),
        };
        if let Some(block) = name.strip_suffix("attention.wqkv.weight") {
            // Groups of some queries, a key and a value.
            let each = (heads / keys + 2) as usize;
            let of = |part: &dyn Fn(usize) -> bool| {
                rows(&tensor, (0..tensor.shape[0]).filter(|row| part(row / d % each)))
            };
            let turned = |tensor: Tensor| if turns { permuted(&tensor, d) } else { tensor };
            let q = turned(of(&|part| part < each - 2));
            let k = turned(of(&|part| part == each - 2));
            let v = of(&|part| part == each - 1);
            for (part, tensor) in [("q", q), ("k", k), ("v", v)] {
                file.tensor(&format!("{block}attn_{part}.weight"), &tensor, how);
            }
            continue;
        }
        let rotated = name.contains("attn_q.") || name.contains("attn_k.");
        let tensor = if turns && rotated { permuted(&tensor, d) } else { tensor };
        file.tensor(&name, &tensor, how);
    }
    file
}

/// The tower and projector of a fixture's folder in OpenGVLab's naming.
pub fn projector(folder: &Path, how: As) -> File {
    let config = json(&folder.join("config.json"))["vision_config"].clone();
    let mut file = File::default();
    file.string("general.architecture", "clip");
    file.flag("clip.has_vision_encoder", true);
    file.string("clip.projector_type", "internvl");
    file.flag("clip.use_gelu", true);
    for (key, name) in [
        ("image_size", "image_size"),
        ("patch_size", "patch_size"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("block_count", "num_hidden_layers"),
        ("attention.head_count", "num_attention_heads"),
    ] {
        file.number(&format!("clip.vision.{key}"), config[name].as_u64().unwrap());
    }
    file.number("clip.vision.projector.scale_factor", 2);
    let eps = config["layer_norm_eps"].as_f64().unwrap();
    file.float("clip.vision.attention.layer_norm_epsilon", eps);
    file.floats("clip.vision.image_mean", &[0.485, 0.456, 0.406]);
    file.floats("clip.vision.image_std", &[0.229, 0.224, 0.225]);
    for (name, tensor) in sorted(folder) {
        if let Some(rest) = name.strip_prefix("mlp1.") {
            file.tensor(&format!("mm.model.mlp.{rest}"), &tensor, how);
        }
        let Some(name) = name.strip_prefix("vision_model.") else { continue };
        let mut name = format!("v.{}", renamed(name, &TOWER));
        if name.contains(".ls") {
            name += ".weight";
        }
        let Some((block, tail)) = name.split_once("attn.qkv.") else {
            file.tensor(&name, &tensor, how);
            continue;
        };
        let third = tensor.shape[0] / 3;
        for (at, part) in ["q", "k", "v"].into_iter().enumerate() {
            let own = rows(&tensor, at * third..(at + 1) * third);
            file.tensor(&format!("{block}attn_{part}.{tail}"), &own, how);
        }
    }
    file
}

/// Adds the tokenizer of a fixture's folder, of `count` tokens.
pub fn add_tokenizer(file: &mut File, folder: &Path, count: usize) {
    let (vocabulary, added) =
        (json(&folder.join("vocab.json")), json(&folder.join("added_tokens.json")));
    let mut tokens: Vec<(String, i32)> = (0..count).map(|id| (format!("[PAD{id}]"), 5)).collect();
    for (list, kind) in [(&vocabulary, 1), (&added, 3)] {
        for (token, id) in list.as_object().unwrap() {
            tokens[id.as_u64().unwrap() as usize] = (token.clone(), kind);
        }
    }
    let merges = std::fs::read_to_string(folder.join("merges.txt")).unwrap();
    file.string("tokenizer.ggml.model", "gpt2");
    file.string("tokenizer.ggml.pre", "qwen2");
    file.strings("tokenizer.ggml.tokens", tokens.iter().map(|(token, _)| token.as_str()));
    let kinds: Vec<i32> = tokens.iter().map(|(_, kind)| *kind).collect();
    file.integers("tokenizer.ggml.token_type", &kinds);
    file.strings(
        "tokenizer.ggml.merges",
        merges.lines().filter(|line| !line.starts_with("#version")),
    );
}
