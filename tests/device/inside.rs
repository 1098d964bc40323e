//! What an encoder shows of its inside: attention against softmax in f64 from the checkpoint's
//! tensors, its rollout, and features that stay on the device.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::ops::ControlFlow;

use crate::common::*;
use internvit::model::{NormKind, QkNorm};
use internvit::plan::{Input, Op, Step, Value, record};
use internvit::{Checkpoint, Device, Encoder, Features, Images, reference};

/// LayerNorm with bias; RMSNorm with normed queries and keys; the same LayerNorm for two heads.
const FIXTURES: [&str; 3] = ["encoder_ln_bias_bf16", "encoder_rms_qknorm_f16", "encoder_hf_native"];

/// A matrix as rows of f64.
type Rows = Vec<Vec<f64>>;

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

fn to_f32(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

fn rms(row: &[f64], weight: &[f64], eps: f64) -> Vec<f64> {
    let scale = (dot(row, row) / row.len() as f64 + eps).sqrt();
    row.iter().zip(weight).map(|(v, w)| v / scale * w).collect()
}

fn layer_norm(row: &[f64], weight: &[f64], bias: &[f64], eps: f64) -> Vec<f64> {
    let mean = row.iter().sum::<f64>() / row.len() as f64;
    let centred: Vec<f64> = row.iter().map(|v| v - mean).collect();
    rms(&centred, weight, eps).iter().zip(bias).map(|(v, b)| v + b).collect()
}

/// For each head the attention `[N, N]` of block `layer` (from 1) on `hidden` `[N, C]`.
fn attention_twin(checkpoint: &Checkpoint, hidden: &[f32], layer: usize) -> Vec<Rows> {
    let spec = &checkpoint.spec;
    let (c, heads, eps) = (spec.sizes.hidden, spec.sizes.heads, f64::from(spec.norm.eps));
    let tensor = |name: &str| {
        wide(&wait(checkpoint.tensor(&format!("encoder.layers.{}.{name}", layer - 1))).unwrap())
    };
    let weight = tensor("norm1.weight");
    let normed: Rows = match spec.norm.kind {
        NormKind::Rms => hidden.chunks(c).map(|row| rms(&wide(row), &weight, eps)).collect(),
        NormKind::Layer => {
            let bias = tensor("norm1.bias");
            hidden.chunks(c).map(|row| layer_norm(&wide(row), &weight, &bias, eps)).collect()
        }
        other => panic!("{other:?}: no fixture of this test"),
    };
    let matrix = tensor("attn.qkv.weight");
    let bias = if spec.qkv_bias { tensor("attn.qkv.bias") } else { vec![0.0; 3 * c] };
    let part = |third: usize, norm: &str| -> Rows {
        let outputs = third * c..(third + 1) * c;
        let product = |x: &Vec<f64>| {
            outputs.clone().map(|o| dot(x, &matrix[o * c..(o + 1) * c]) + bias[o]).collect()
        };
        let rows: Rows = normed.iter().map(product).collect();
        match spec.qk_norm {
            QkNorm::None => rows,
            QkNorm::FullWidth => {
                let weight = tensor(norm);
                rows.iter().map(|row| rms(row, &weight, eps)).collect()
            }
            other => panic!("{other:?}: no fixture of this test"),
        }
    };
    let (queries, keys) = (part(0, "attn.q_norm.weight"), part(1, "attn.k_norm.weight"));
    let d = c / heads;
    let one = |head: usize| {
        let softmax = |q: &Vec<f64>| {
            let score = |k: &Vec<f64>| {
                let channels = head * d..(head + 1) * d;
                (dot(&q[channels.clone()], &k[channels]) / (d as f64).sqrt()).exp()
            };
            let scores: Vec<f64> = keys.iter().map(score).collect();
            let sum: f64 = scores.iter().sum();
            scores.iter().map(|s| s / sum).collect()
        };
        queries.iter().map(softmax).collect()
    };
    (0..heads).map(one).collect()
}

fn head_mean(heads: &[Rows]) -> Rows {
    let n = heads[0].len();
    let entry =
        |i: usize, j: usize| heads.iter().map(|h| h[i][j]).sum::<f64>() / heads.len() as f64;
    (0..n).map(|i| (0..n).map(|j| entry(i, j)).collect()).collect()
}

/// The encoder on the CPU, and on the GPU where there is one.
fn encoders(fixture: &str) -> Vec<Encoder> {
    let open = || wait(Checkpoint::open_path(&golden(fixture))).unwrap();
    let cpu = wait(Encoder::load(open(), &Device::Cpu, &mut on_bytes)).unwrap();
    let gpu = gpu().map(|gpu| wait(Encoder::load(open(), gpu, &mut on_bytes)).unwrap());
    std::iter::once(cpu).chain(gpu).collect()
}

fn input(fixture: &str) -> internvit::Tensor {
    tensors(&golden(fixture).join("input.safetensors")).remove("pixel_values").unwrap()
}

fn encode(encoder: &mut Encoder, fixture: &str, taps: &[usize]) -> Features {
    let input = input(fixture);
    let shape = input.shape.as_slice().try_into().unwrap();
    let images = Images::PixelValues { shape, values: &input.values };
    wait(encoder.encode(images, taps, &mut on)).unwrap()
}

/// The first picture's tokens.
fn first(features: &Features, name: &str) -> Vec<f32> {
    let tensor = &features.tensors[name];
    tensor.values[..tensor.shape[1] * tensor.shape[2]].to_vec()
}

#[test]
fn attention_is_softmax_of_the_models_own_queries_and_keys() {
    for fixture in FIXTURES {
        for mut encoder in encoders(fixture) {
            let who = if encoder.gpu().is_some() { "gpu" } else { "cpu" };
            let features = encode(&mut encoder, fixture, &[0, 1]);
            for layer in [1, 2] {
                let hidden = first(&features, &format!("hidden_states.{}", layer - 1));
                let found =
                    wait(encoder.attention(&hidden, features.grid.unwrap(), layer)).unwrap();
                let twin = attention_twin(encoder.checkpoint(), &hidden, layer);
                assert_eq!((found.heads, found.tokens()), (twin.len(), twin[0].len()));
                let mean = head_mean(&twin);
                for query in [0, 1, found.tokens() - 1] {
                    let what = format!("{who} {fixture} block {layer} token {query}");
                    for (head, rows) in twin.iter().enumerate() {
                        let row = found.row(head, query).unwrap();
                        assert_close(&what, &row, &to_f32(&rows[query]), 1e-5);
                        let sum: f64 = row.iter().map(|v| f64::from(*v)).sum();
                        assert!((sum - 1.0).abs() < 1e-6, "{what}: {sum}");
                    }
                    assert_close(&what, &found.mean(query).unwrap(), &to_f32(&mean[query]), 1e-5);
                }
            }
        }
    }
}

#[test]
fn rollout_is_the_product_of_all_blocks() {
    for fixture in FIXTURES {
        for mut encoder in encoders(fixture) {
            let layers = encoder.spec().sizes.layers;
            let features = encode(&mut encoder, fixture, &(0..layers).collect::<Vec<_>>());
            let hidden = |layer: usize| first(&features, &format!("hidden_states.{}", layer - 1));
            let n = features.tensors["last_hidden_state"].shape[1];
            let identity = |i: usize, j: usize| f64::from(u8::from(i == j));
            // ½(Aₗ + I) · … · ½(A₁ + I), whole.
            let mut product: Rows =
                (0..n).map(|i| (0..n).map(|j| identity(i, j)).collect()).collect();
            for layer in (1..=layers).rev() {
                let a = head_mean(&attention_twin(encoder.checkpoint(), &hidden(layer), layer));
                let half = |k: usize, j: usize| 0.5 * (a[k][j] + identity(k, j));
                let entry = |row: &[f64], j: usize| (0..n).map(|k| row[k] * half(k, j)).sum();
                product =
                    product.iter().map(|row| (0..n).map(|j| entry(row, j)).collect()).collect();
            }
            for query in [0, n / 2] {
                let mut row: Vec<f64> = (0..n).map(|j| identity(query, j)).collect();
                for layer in (1..=layers).rev() {
                    row = wait(encoder.attention(&hidden(layer), features.grid.unwrap(), layer))
                        .unwrap()
                        .through(&row)
                        .unwrap();
                }
                assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-5);
                assert_close(fixture, &to_f32(&row), &to_f32(&product[query]), 1e-5);
            }
        }
    }
}

/// Where distances count too: rows of attention times values are what the twin of the operation gives.
#[test]
fn attention_counts_distances() {
    for fixture in ["beit_classification", "beit_interpolated"] {
        let checkpoint = wait(Checkpoint::open_path(&golden(fixture))).unwrap();
        let given =
            tensors(&golden(fixture).join("input.safetensors")).remove("pixel_values").unwrap();
        let [_, channels, height, width] = given.shape[..] else { panic!("{:?}", given.shape) };
        let pixels = &given.values[..channels * height * width];
        let (spec, input) = (checkpoint.spec.clone(), Input::PixelValues { height, width });
        let grid = input.grid(spec.sizes.patch).unwrap();
        let taps: Vec<usize> = (0..=spec.sizes.layers).collect();
        let plan = record(&spec, input, 1, &taps);
        let host = wait(checkpoint.host_inputs(grid)).unwrap();
        let host = host.iter().map(|made| (made.slot.as_str(), made.values.as_slice()));
        let inputs: Vec<_> = [("pixels", pixels)]
            .into_iter()
            .chain(host)
            .filter_map(|(name, values)| Some((plan.slot(name)?, Value::F32(values))))
            .collect();
        let mut made = HashMap::new();
        let keep = &mut async |step: &Step, values: &[f32]| {
            made.insert(step.y, values.to_vec());
            ControlFlow::Continue(())
        };
        wait(reference::run(&plan, 1, &checkpoint, &inputs, keep)).unwrap();
        let encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
        let attentions = plan.steps.iter().filter_map(|step| match &step.op {
            Op::Attention(op) => Some((step.layer, op.v, &made[&step.y])),
            _ => None,
        });
        let (c, d) = (spec.sizes.hidden, spec.sizes.hidden / spec.sizes.heads);
        let mut blocks = 0;
        for (layer, v, expected) in attentions {
            let name = format!("hidden_states.{}", layer - 1);
            let state = plan.outputs.iter().find(|(output, _)| *output == name).unwrap().1;
            let found = wait(encoder.attention(&made[&state], grid, layer)).unwrap();
            let values = &made[&v.slot][v.plane * expected.len()..][..expected.len()];
            let mut all = Vec::new();
            for query in 0..found.tokens() {
                for head in 0..spec.sizes.heads {
                    let row = found.row(head, query).unwrap();
                    let channel = |at: usize| head * d + at;
                    let sum = |at| {
                        row.iter()
                            .zip(values.chunks_exact(c))
                            .map(move |(w, v)| w * v[at])
                            .sum::<f32>()
                    };
                    all.extend((0..d).map(|at| sum(channel(at))));
                }
            }
            assert_close(&format!("{fixture} block {layer}"), &all, expected, 1e-5);
            blocks += 1;
        }
        assert_eq!(blocks, spec.sizes.layers);
    }
}

/// Buffers and bindings are made for the first pictures of a size, staging memory included, and for no later ones.
#[test]
fn later_pictures_make_nothing_on_the_device() {
    for fixture in FIXTURES {
        let Some(mut encoder) = encoders(fixture).into_iter().nth(1) else { return };
        let made = |encoder: &Encoder| encoder.gpu().unwrap().made();
        let loaded = made(&encoder);
        encode(&mut encoder, fixture, &[1]);
        let first = made(&encoder);
        assert!(first > loaded + 10, "{loaded}, then {first}");
        for _ in 0..2 {
            encode(&mut encoder, fixture, &[1]);
            assert_eq!(made(&encoder), first, "{fixture}");
        }
    }
}

#[test]
fn unknown_blocks_are_refused() {
    let encoder = encoders(FIXTURES[2]).remove(0);
    for layer in [0, 3] {
        let error = wait(encoder.attention(&[0.0; 64], [1, 1], layer)).unwrap_err().to_string();
        assert!(error.contains("the model has blocks 1 to 2"), "{error}");
    }
}

/// The same bits, also where a batch takes several runs; and they outlive the next run.
#[test]
fn features_kept_on_the_device_are_the_encoders() {
    let fixture = "encoder_interpolated_nonsquare";
    let mut list = encoders(fixture);
    if let Some(mut gpu) = gpu() {
        gpu.caps.max_binding = 384 << 10;
        let checkpoint = wait(Checkpoint::open_path(&golden(fixture))).unwrap();
        list.push(wait(Encoder::load(checkpoint, gpu, &mut on_bytes)).unwrap());
    }
    for mut encoder in list {
        let input = input(fixture);
        let shape: [usize; 4] = input.shape.as_slice().try_into().unwrap();
        let images = Images::PixelValues { shape, values: &input.values };
        let held = wait(encoder.encode_to(
            images,
            &[0, 1],
            internvit::session::Residency::Device,
            &mut on,
        ))
        .unwrap();
        let other = vec![0.5; input.values.len()];
        let images = Images::PixelValues { shape, values: &other };
        wait(encoder.encode_to(images, &[0, 1], internvit::session::Residency::Device, &mut on))
            .unwrap();
        let expected = encode(&mut encoder, fixture, &[0, 1]);
        assert_eq!((held.batch, held.grid, held.prefix), (shape[0], expected.grid, 1));
        for name in ["hidden_states.0", "hidden_states.1", "last_hidden_state"] {
            assert!(held.names().any(|other| other == name), "{name}");
            let found = wait(held.tensor(encoder.session(), name)).unwrap();
            assert!(found == expected.tensors[name], "{name} differs");
        }
        let error =
            wait(held.tensor(encoder.session(), "hidden_states.2")).unwrap_err().to_string();
        assert_eq!(error, "no tensor called hidden_states.2");
    }
}
