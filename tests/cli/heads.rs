//! Segmentation heads against fixtures computed in float64.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::ops::ControlFlow;

use crate::common::*;
use crate::run::*;
use internvit::features::Classifier;
use internvit::gpu::{Gpu, GpuWeights, PreparedPlan};
use internvit::model::{HeadKind, HeadSpec};
use internvit::plan::{Map, Plan, Role, Slot, Value, record_head};
use internvit::weights::{
    Head, LinearHead, Method, Source, StoredType, Values, init_checkpoint, read_header,
    write_safetensors, write_safetensors_with,
};
use internvit::{Checkpoint, Device, Encoder, Images, Tensor, reference};

const TOLERANCE: f64 = 1e-5;

fn segment(fixture: &str, gpu: Option<Gpu>) -> Tensor {
    let checkpoint = wait(Checkpoint::open_path(&golden(fixture))).unwrap();
    let mut encoder = match gpu {
        Some(gpu) => wait(Encoder::load(checkpoint, gpu, &mut on_bytes)),
        None => wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)),
    }
    .unwrap();
    let input = tensors(&golden(fixture).join("input.safetensors")).remove("pixel_values").unwrap();
    let shape: [usize; 4] = input.shape.as_slice().try_into().unwrap();
    let images = Images::PixelValues { shape, values: &input.values };
    wait(encoder.segment(images, &mut on)).unwrap()
}

#[test]
fn whole_models_match_float64() {
    for fixture in ["segment_mmseg_linear", "segment_mmseg_uper"] {
        let expected = tensors(&golden(fixture).join("expected.safetensors"));
        let logits = &expected["logits"];
        let check = |who: &str, found: &Tensor| {
            assert_eq!(found.shape, logits.shape, "{who} {fixture}");
            assert_close(&format!("{who} {fixture}"), &found.values, &logits.values, TOLERANCE);
        };
        check("cpu", &segment(fixture, None));
        if let Some(gpu) = gpu() {
            check("gpu", &segment(fixture, Some(gpu)));
        }
        if let Some(mut gpu) = small_gpu() {
            gpu.caps.software = !gpu.caps.software;
            check("other variant", &segment(fixture, Some(gpu)));
        }
    }
}

/// A head on the outputs of some blocks, without names and colours.
fn head_spec(kind: HeadKind, out_indices: &[usize], classes: usize) -> HeadSpec {
    let (out_indices, names, palette) = (out_indices.to_vec(), Vec::new(), Vec::new());
    HeadSpec { kind, out_indices, classes, names, palette, whole: false }
}

/// A checkpoint whose head is UPerNet with the fixture's tensors.
fn uper() -> (Checkpoint, HeadSpec, usize) {
    let folder = scratch("uper-head");
    let config = config(16, 2, 32, 4, "");
    let mut checkpoint = random_checkpoint("uper-head", &config);
    let spec = head_spec(HeadKind::Uper, &[0, 1, 2, 3], 7);
    let source = Source::file(&golden("uper_head/head.safetensors")).unwrap();
    wait(checkpoint.attach_head(spec.clone(), source)).unwrap();
    assert!(folder.exists());
    (checkpoint, spec, 12)
}

#[test]
fn pyramid_and_upernet_match_float64() {
    let (checkpoint, spec, d) = uper();
    let input = tensors(&golden("uper_head/input.safetensors"));
    let expected = tensors(&golden("uper_head/expected.safetensors"));
    let mut plan = Plan::new(1);
    let mut levels = Vec::new();
    for i in 0..4 {
        let slot = plan.add(Slot::new(&format!("level.{i}"), [1, 64, 16], Role::Input));
        levels.push(Map { slot, size: [8, 8] });
    }
    let logits = record_head(&mut plan, &spec, d, &levels);
    assert_eq!(logits.size, [32, 32]);
    // [1, C, h, w] to [h·w, C].
    let rows: Vec<Vec<f32>> =
        (0..4).map(|i| to_rows(&input[&format!("level.{i}")].values, 16)).collect();
    let inputs: Vec<_> =
        levels.iter().zip(&rows).map(|(map, rows)| (map.slot, Value::F32(rows))).collect();
    let found =
        wait(reference::run(&plan, 1, &checkpoint, &inputs, &mut async |step: &_, v: &[f32]| {
            // The pyramid's levels are values on the way.
            let slot = &plan.slots[step_slot(step)];
            let level = [("head.up1.3", 0), ("head.up2.0", 1), ("head.up4", 3)];
            if let Some((_, i)) = level.iter().find(|(name, _)| *name == slot.name) {
                let name = format!("fpn.{i}");
                assert_close(&name, v, &to_rows(&expected[&name].values, 16), TOLERANCE);
            }
            ControlFlow::Continue(())
        }))
        .unwrap();
    let wanted = to_rows(&expected["logits"].values, 7);
    assert_close("twins: logits", &drop_padding(&found[0].1), &wanted, TOLERANCE);

    let Some(gpu) = gpu() else { return };
    let mut go_on = async |_| ControlFlow::Continue(());
    let weights = GpuWeights::upload(&gpu, std::slice::from_ref(&plan), &checkpoint, &mut go_on);
    let mut prepared =
        wait(PreparedPlan::new(&gpu, plan.clone(), &wait(weights).unwrap())).unwrap();
    wait(prepared.run(&gpu, 1, &inputs, None, &mut on)).unwrap();
    let found = wait(prepared.read(&gpu, logits.slot, 1)).unwrap();
    assert_close("gpu: logits", &drop_padding(&found), &wanted, TOLERANCE);
}

fn step_slot(step: &internvit::plan::Step) -> usize {
    step.y
}

fn to_rows(planes: &[f32], c: usize) -> Vec<f32> {
    let area = planes.len() / c;
    (0..area).flat_map(|p| (0..c).map(move |i| planes[i * area + p])).collect()
}

/// Seven classes of eight columns.
fn drop_padding(rows: &[f32]) -> Vec<f32> {
    rows.chunks_exact(8).flat_map(|row| &row[..7]).copied().collect()
}

#[test]
fn wrong_heads_are_named() {
    let config = config(16, 2, 32, 4, "");
    let cases: [(HeadKind, &[usize], usize, &str, &str); 2] = [
        (HeadKind::Linear, &[0], 5, "input", "decode_head.conv_seg.weight: missing"),
        (HeadKind::Uper, &[0, 1, 2, 3], 9, "head", "expected shape [9, 12, 1, 1]"),
    ];
    for (kind, out_indices, classes, file, expected) in cases {
        let mut checkpoint = random_checkpoint("wrong-head", &config);
        let spec = head_spec(kind, out_indices, classes);
        let file = golden("uper_head").join(file).with_extension("safetensors");
        let source = Source::file(&file).unwrap();
        assert!(!wait(read_header(&source)).unwrap().is_empty());
        refused("a head", wait(checkpoint.attach_head(spec, source)), expected);
    }
}

/// The folded tensors of a head have the sizes that the plan expects.
#[test]
fn folding_pads_classes() {
    let (checkpoint, spec, d) = uper();
    let head: &Head = checkpoint.head.as_ref().unwrap();
    assert_eq!((head.padded_classes(), head.channels, spec.classes), (8, d, 7));
    let weight = wait(checkpoint.tensor("head.conv_seg.weight")).unwrap();
    assert_eq!(weight.len(), 8 * 12);
    assert!(weight[7 * 12..].iter().all(|v| *v == 0.0));
    assert_eq!(wait(checkpoint.tensor("head.up1.0.weight")).unwrap().len(), 4 * 16 * 16);
    assert_eq!(wait(checkpoint.tensor("head.bottleneck.weight")).unwrap().len(), 12 * 9 * 64);
}

fn integers(path: &std::path::Path, name: &str) -> (Vec<usize>, Vec<i32>) {
    let bytes = std::fs::read(path).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let view = file.tensor(name).unwrap();
    let values = view.data().as_chunks::<4>().0.iter().map(|b| i32::from_le_bytes(*b)).collect();
    (view.shape().to_vec(), values)
}

#[test]
fn the_command_line_gives_the_fixtures_labels() {
    let out = scratch("cli-segment").join("maps.safetensors");
    for fixture in ["segment_mmseg_linear", "segment_mmseg_uper"] {
        let (model, input) = (golden(fixture), golden(fixture).join("input.safetensors"));
        let args = ["segment", "--model", text(&model), "--pixel-values", text(&input)];
        ok(&[&args[..], &["--device", "cpu", "--out", text(&out)]].concat());
        let expected = golden(fixture).join("expected.safetensors");
        assert_eq!(integers(&out, "labels"), integers(&expected, "labels"), "{fixture}");
        let (found, expected) = (tensors(&out), tensors(&expected));
        assert_close(fixture, &found["logits"].values, &expected["logits"].values, TOLERANCE);
    }
}

/// A wide photograph is covered by windows; several photographs go to folders.
#[test]
fn photographs_are_segmented_in_windows() {
    let folder = scratch("cli-windows");
    let model = golden("segment_mmseg_linear");
    let photos = [sample("coffee.png"), sample("rocket.jpg")];
    let (pictures, labels) = (folder.join("pictures"), folder.join("labels"));
    let args = ["segment", text(&photos[0]), text(&photos[1]), "--model", text(&model)];
    let more = ["--device", "cpu", "--json", "--picture", text(&pictures)];
    ok(&[&args[..], &more, &["--labels", text(&labels)]].concat());
    for (name, size) in [("coffee", (600, 400)), ("rocket", (640, 427))] {
        for folder in [&pictures, &labels] {
            let file = folder.join(format!("{name}.png"));
            let picture = internvit::image::decode(name, &std::fs::read(file).unwrap()).unwrap();
            assert_eq!((picture.width, picture.height), size, "{name}");
        }
    }
    let headless = golden("encoder_rms_qknorm_f16");
    let args = ["segment", text(&photos[0]), "--json", "--model", text(&headless)];
    fails(&args, "no segmentation head");
}

/// What is taught on one photograph is applied to others, and to itself with the same result.
#[test]
fn a_taught_head_is_applied() {
    let folder = scratch("cli-teach");
    let (head, first) = (folder.join("taught.safetensors"), folder.join("first.png"));
    let cat = sample("chelsea.png");
    let args = ["teach", text(&cat), "--method", "linear", "--device", "cpu", "--layer", "4,12"];
    let points = ["--point", "cat:225,150", "--point", "cat:60,280", "--point", "wall:440,10"];
    ok(&[&args[..], &points, &["--out", text(&head), "--picture", text(&first)]].concat());

    let labels = folder.join("labels.png");
    let args = ["segment", text(&cat), "--device", "cpu", "--head", text(&head)];
    let said = ok(&[&args[..], &["--json", "--labels", text(&labels)]].concat());
    assert!(said.contains("\"wall\"") && said.contains("\"cat\""), "{said}");
    // The head was taught on the whole photograph, and is applied to it whole.
    let again = folder.join("again.png");
    ok(&[&args[..], &["--picture", text(&again)]].concat());
    let [a, b] = [&first, &again]
        .map(|f| internvit::image::decode("map", &std::fs::read(f).unwrap()).unwrap());
    let same = a.rgb.iter().zip(&b.rgb).filter(|(a, b)| a == b).count();
    assert!(same as f64 > 0.995 * a.rgb.len() as f64, "{same} of {}", a.rgb.len());
    let picture = internvit::image::decode("l", &std::fs::read(labels).unwrap()).unwrap();
    let at = |x: usize, y: usize| picture.rgb.as_chunks::<3>().0[y * 451 + x];
    let palette = internvit::view::default_palette(2);
    let found = [at(225, 150), at(440, 10)];
    assert_eq!(found, palette[..], "the taught points keep their classes");

    for (point, expected) in [("cat", "expected CLASS:X,Y"), ("cat:1,2", "at least two classes")] {
        fails(&["teach", text(&cat), "--point", point, "--out", "x.safetensors"], expected);
    }
}

#[test]
fn segmentation_configurations() {
    use internvit::model::{ade20k, parse_config, parse_head};
    let said = |inner: &str| config(16, 2, 32, 4, &format!(r#", "segmentation": {{{inner}}}"#));
    let head = |inner: &str| {
        let said = said(inner);
        parse_head("config.json", &said, &parse_config("config.json", &said).unwrap())
    };
    let ade = head(r#""head": "uper", "out_indices": [0, 1, 2, 3], "num_classes": 150"#);
    let ade = ade.unwrap().unwrap();
    assert_eq!((ade.names[2].as_str(), ade.palette[2]), ("sky", [6, 230, 230]));
    assert_eq!((ade.names[149].as_str(), ade.palette[149]), ("flag", [92, 0, 255]));
    assert_eq!(ade20k().count(), 150);
    let cases = [
        (r#""head": "fcn""#, "segmentation.head: expected"),
        (
            r#""head": "linear", "out_indices": [4], "num_classes": 2"#,
            "expected one or more numbers below 4",
        ),
        (r#""head": "linear", "out_indices": [3], "num_classes": 0"#, "num_classes: expected"),
        (
            r#""head": "linear", "out_indices": [3], "num_classes": 2, "classes": ["a"]"#,
            "segmentation.classes: expected one entry for each of 2 classes",
        ),
    ];
    for (inner, expected) in cases {
        let error = head(inner).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    }
}

/// A linear head on 16 channels with a number of classes, its classifier's weights all of one value.
fn linear(
    folder: &std::path::Path,
    classes: usize,
    change: impl Fn(&str, &mut Vec<f32>),
) -> String {
    let path = folder.join(format!("{classes}.safetensors"));
    let list = [
        ("conv_seg.weight", vec![classes, 16, 1, 1]),
        ("conv_seg.bias", vec![classes]),
        ("norm.weight", vec![16]),
        ("norm.bias", vec![16]),
        ("norm.running_mean", vec![16]),
        ("norm.running_var", vec![16]),
    ];
    let tensors = list.map(|(name, shape)| {
        let mut values: Vec<f32> =
            noise(1, shape.iter().product()).iter().map(|v| v.abs()).collect();
        change(name, &mut values);
        (format!("decode_head.{name}"), shape, values)
    });
    let list: Vec<_> =
        tensors.iter().map(|(n, s, v)| (n.clone(), s.clone(), Values::F32(v))).collect();
    write_safetensors(&path, &list).unwrap();
    path.to_str().unwrap().into()
}

/// A head passes the same checks whichever way it comes: described by its file, by the model's
/// configuration, by the shape of a tensor, or by a caller.
#[test]
fn numbers_of_classes_are_bounded() {
    let folder = scratch("heads-classes");
    let config = config(16, 2, 32, 2, "");
    let model = folder.join("m");
    init_checkpoint("config.json", &config, 1, StoredType::F32, &model, &|_, _| ()).unwrap();
    let cat = sample("chelsea.png");
    for classes in [0, 4097, 1_000_000] {
        let expected = format!("{classes} classes: expected 1 to 4096");
        let head = linear(&folder, classes, |_, _| ());
        let args = ["segment", text(&cat), "--model", text(&model), "--device", "cpu"];
        let args = [&args[..], &["--json", "--head", &head]].concat();
        fails(&args, &expected);
        fails(&args, &head);

        let mut checkpoint = wait(Checkpoint::open_path(&model)).unwrap();
        let spec = head_spec(HeadKind::Linear, &[1], classes);
        let source = || Source::file(head.as_ref()).unwrap();
        refused("a caller's", wait(checkpoint.attach_head(spec.clone(), source())), &expected);
        let beyond = HeadSpec { out_indices: vec![2], classes: 2, ..spec };
        refused("a block", wait(checkpoint.attach_head(beyond, source())), "of 2");
        let said = format!(
            r#"{{"segmentation": {{"head": "linear", "out_indices": [1], "num_classes": {classes}}}}}"#
        );
        let parsed = internvit::model::parse_head("c", &said, &checkpoint.spec);
        refused("a configuration's", parsed, "num_classes: expected a number from 1 to 4096");
    }
    let head = LinearHead {
        layers: vec![0],
        names: vec!["a".into()],
        palette: vec![[0; 3]],
        classifier: Classifier {
            mean: vec![0.0; 16],
            variance: vec![1.0; 16],
            hidden: None,
            weight: vec![1.0; 16],
            bias: vec![0.0],
        },
        method: Method::Linear,
    };
    refused("the layer before the first", head.to_bytes(), "layer 0");
    let names = vec![String::new(); 4097];
    refused("many", LinearHead { layers: vec![1], names, ..head }.to_bytes(), "4097 classes");
}

/// Weights that no training leaves are refused by name, and what is beyond f32 once a norm is folded in.
#[test]
fn weights_that_are_no_numbers_are_named() {
    let folder = scratch("heads-values");
    let model = random_checkpoint("heads-values-model", &config(16, 2, 32, 2, ""));
    let spec = model.spec.clone();
    let cases: [(&str, f32, &str); 7] = [
        ("conv_seg.weight", f32::NAN, "decode_head.conv_seg.weight: value 3 is NaN"),
        ("conv_seg.bias", f32::INFINITY, "decode_head.conv_seg.bias: value 3 is inf"),
        ("norm.weight", f32::NEG_INFINITY, "decode_head.norm.weight: value 3 is -inf"),
        ("norm.running_mean", f32::NAN, "decode_head.norm.running_mean: value 3 is NaN"),
        (
            "norm.running_var",
            -1.0,
            "decode_head.norm.running_var: value 3 is -1, expected a variance",
        ),
        ("norm.weight", 3e38, "beyond f32"),
        ("zeros", 0.0, "decode_head.conv_seg.weight: all values are 0"),
    ];
    for (name, value, expected) in cases {
        let head = linear(&folder, 5, |tensor, values| {
            if tensor == name {
                values[3] = value;
            }
            if tensor == "conv_seg.weight" && value == 3e38 {
                values[3] = value;
            }
            if tensor == "conv_seg.weight" && name == "zeros" {
                values.fill(0.0);
            }
        });
        let description = head_spec(HeadKind::Linear, &[1], 5);
        let mut model = wait(Checkpoint::open_path(&scratch_path("heads-values-model"))).unwrap();
        wait(model.attach_head(description, Source::file(head.as_ref()).unwrap())).unwrap();
        let loaded = wait(Encoder::load(model, &Device::Cpu, &mut on_bytes)).map(|_| ());
        refused(name, loaded, expected);
        // The same as a file that says what it is.
        let mut tensors: Vec<_> = tensors(head.as_ref()).into_iter().collect();
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        let list: Vec<_> = tensors
            .iter()
            .map(|(n, t)| (n.clone(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        let said = r#"{"head": "linear", "out_indices": [1], "num_classes": 5, "classes": ["a", "b", "c", "d", "e"]}"#;
        let metadata = std::collections::HashMap::from([("segmentation".into(), said.into())]);
        write_safetensors_with(head.as_ref(), &list, Some(metadata)).unwrap();
        let taught = wait(LinearHead::read(&Source::file(head.as_ref()).unwrap(), &spec));
        refused(name, taught.map(|_| ()), expected);
    }
}
