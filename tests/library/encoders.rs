//! Every encoder of the fixtures opens as it was released, its tensors read as canonical ones.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::{Path, PathBuf};

use crate::common::*;
use internvit::Checkpoint;
use internvit::model::{
    Activation, Classifier, FinalNorm, Joint, Order, Pool, Position, QkNorm, Relative, Rope, Spec,
    TextHead, TextPool,
};
use internvit::weights::{Conversion, QuantFormat, StoredType, convert};

/// The folders of the fixtures that hold one encoder each.
fn cases() -> Vec<PathBuf> {
    let all = std::fs::read_dir(golden("")).unwrap().map(|entry| entry.unwrap().path());
    let whole =
        |path: &PathBuf| path.join("case.json").exists() && path.join("model.safetensors").exists();
    let mut list: Vec<PathBuf> = all.filter(whole).collect();
    list.sort();
    list
}

fn open(path: &Path) -> Checkpoint {
    wait(Checkpoint::open_path(path)).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn spec(name: &str) -> Spec {
    open(&golden(name)).spec
}

#[test]
fn every_case_opens() {
    let cases = cases();
    assert!(cases.len() >= 29, "{} cases", cases.len());
    let problems: Vec<String> = cases
        .iter()
        .filter_map(|path| wait(Checkpoint::open_path(path)).err())
        .map(|error| error.to_string())
        .collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

/// What a conversion writes is the same encoder with the same values, whatever was cut, turned, or not
/// stored; read whole and by rows.
#[test]
fn converted_cases_are_the_same() {
    for path in cases() {
        let checkpoint = open(&path);
        let folder = scratch(path.file_name().unwrap().to_str().unwrap());
        let shard_bytes = 1 << 30;
        let plain = Conversion { dtype: None, quant: None, shard_bytes, overwrite: true };
        wait(convert(&checkpoint, &folder, &plain, &mut |_, _| ())).unwrap();
        let again = open(&folder);
        let names: Vec<&String> = again.manifest.tensors.keys().collect();
        assert_eq!(names, checkpoint.manifest.tensors.keys().collect::<Vec<_>>());
        for name in names {
            let what = format!("{}: {name}", path.display());
            let values = wait(checkpoint.tensor(name)).unwrap();
            assert_eq!(wait(again.tensor(name)).unwrap(), values, "{what}");
            let shape = &checkpoint.manifest.tensors[name].shape;
            assert_eq!(values.len(), shape.iter().product::<usize>(), "{what}");
            let row = values.len() / shape[0];
            let some = shape[0] / 3..shape[0].div_ceil(2);
            let rows = wait(checkpoint.rows(name, some.clone())).unwrap();
            assert_eq!(rows, values[some.start * row..some.end * row], "{what}");
        }
        // A converted file stores the keys' bias, which is zero.
        let mut spec = again.spec.clone();
        spec.key_bias = checkpoint.spec.key_bias;
        assert_eq!(spec, checkpoint.spec, "{}", path.display());
    }
}

/// Eight bits are made of the canonical matrix, so a matrix that was in pieces is rounded alike.
#[test]
fn few_bits_of_pieces() {
    for name in ["vit22b_block", "siglip", "eva02_clip_timm", "clip_openclip"] {
        let (checkpoint, quant) = (open(&golden(name)), QuantFormat::Int8);
        let folder = scratch(name);
        let conversion =
            Conversion { dtype: None, quant: Some(quant), shard_bytes: 1 << 30, overwrite: true };
        wait(convert(&checkpoint, &folder, &conversion, &mut |_, _| ())).unwrap();
        let again = open(&folder);
        for block in ["encoder.layers.0.attn.qkv.weight", "encoder.layers.1.mlp.fc1.weight"] {
            let k = checkpoint.manifest.tensors[block].shape[1];
            let rounded = quant.quantise(&wait(checkpoint.tensor(block)).unwrap(), k).values();
            assert_eq!(wait(again.tensor(block)).unwrap(), rounded, "{name}: {block}");
        }
    }
}

/// The stored bytes of a piece, a transposed matrix, a cut one, and patches with their channels last.
#[test]
fn pieces_lie_where_they_should() {
    let raw = |case: &str| tensors(&golden(case).join("model.safetensors"));
    let read = |case: &str, name: &str| wait(open(&golden(case)).tensor(name)).unwrap();

    let proj = &raw("clip_openclip")["visual.proj"];
    let [c, p] = proj.shape[..] else { panic!() };
    let turned = read("clip_openclip", "projection.weight");
    assert_eq!(turned.len(), c * p);
    assert!((0..c * p).all(|at| turned[at] == proj.values[at % c * p + at / c]));

    let all = &raw("siglip")["vision_model.head.attention.in_proj_weight"].values;
    let both = [read("siglip", "pool.q.weight"), read("siglip", "pool.kv.weight")].concat();
    assert_eq!((all, both.len() / 3), (&both, 40 * 40));

    let block = &raw("vit22b_block")["blocks.1.in_proj.weight"].values;
    let names = ["encoder.layers.1.mlp.fc1.weight", "encoder.layers.1.attn.qkv.weight"];
    assert_eq!(*block, names.map(|name| read("vit22b_block", name)).concat());

    let linear = &raw("siglip2_naflex")["vision_model.embeddings.patch_embedding.weight"].values;
    let kernel = read("siglip2_naflex", "embeddings.patch_embedding.weight");
    let (patch, pixels) = (8, 64);
    for (at, value) in kernel.iter().enumerate() {
        let (output, rest) = (at / (3 * pixels), at % (3 * pixels));
        let (channel, y, x) = (rest / pixels, rest % pixels / patch, rest % patch);
        assert_eq!(*value, linear[(output * pixels + y * patch + x) * 3 + channel]);
    }

    let bias = read("dinov3", "encoder.layers.0.attn.qkv.bias");
    let raw = raw("dinov3");
    assert_eq!(bias[..48], raw["layer.0.attention.q_proj.bias"].values);
    assert_eq!(bias[48..96], [0.0; 48]);
    assert_eq!(bias[96..], raw["layer.0.attention.v_proj.bias"].values);
}

/// The axes of a case of each family, as the table of the field has them.
#[test]
fn axes() {
    let s = spec("vit_classification");
    assert_eq!((s.dense, s.classifier, s.norm.eps), (false, Classifier::Classes(6), 1e-12));
    assert!(spec("vit_pooler_interpolated").dense);
    let s = spec("deit_distilled");
    assert_eq!((s.prefix_tokens(), s.classifier), (2, Classifier::Distilled(6)));
    assert_eq!(spec("mae_encoder").pool, Pool::None);
    let s = spec("beit_classification");
    assert_eq!((s.relative, s.position, s.key_bias), (Relative::Blocks, Position::None, false));
    let s = spec("clip_quick_gelu");
    assert_eq!(s.classifier, Classifier::Projection { width: 40, bias: false });
    assert_eq!((s.mlp.activation, s.stem_norm), (Activation::Quick, true));
    assert_eq!(spec("clip_openclip").mlp.activation, Activation::Erf);
    let s = spec("openvision");
    assert_eq!((s.stem_norm, s.pool, s.final_norm), (false, Pool::Mean, FinalNorm::Pooled));
    assert_eq!((s.norm.eps, s.patch_bias), (1e-6, false));
    for case in ["siglip", "siglip2_fixed", "siglip2_naflex", "siglip_vision_only"] {
        let s = spec(case);
        assert_eq!((s.pool, s.prefix_tokens(), s.mlp.activation), (Pool::Map, 0, Activation::Tanh));
    }
    let outputs = [
        ("paligemma_tower", "projector_output", vec![32]),
        ("janus_tower", "aligner_output", vec![32, 32]),
        ("tokenflow_tower", "semantic_features", vec![48, 8]),
    ];
    for (case, output, widths) in outputs {
        let s = spec(case);
        let projector = s.projector.unwrap();
        assert_eq!((projector.output.as_str(), projector.widths), (output, widths), "{case}");
        assert_eq!((s.pool, s.unused), (Pool::None, usize::from(case == "tokenflow_tower")));
    }
    let s = spec("dinov2_classification");
    assert_eq!(s.classifier, Classifier::ClassesOfBoth(7));
    for (case, qkv, pool) in [("dinov3", true, Pool::Cls), ("dinov3_timm", false, Pool::Mean)] {
        let s = spec(case);
        assert!(matches!(s.rope, Rope::Axial { theta: 100.0, .. }));
        assert_eq!((s.qkv_bias, s.pool, s.prefix_tokens(), s.norm.eps), (qkv, pool, 5, 1e-5));
        assert_eq!(s.final_norm, FinalNorm::Tokens);
    }
    let s = spec("eva02_timm");
    assert_eq!((s.sizes.mlp, s.final_norm, s.pool), (128, FinalNorm::Pooled, Pool::Mean));
    assert_eq!((s.qkv_bias, s.key_bias, s.sub_norm.mlp), (true, false, false));
    let s = spec("eva02_clip_timm");
    assert_eq!((s.sizes.mlp, s.sub_norm.attention, s.sub_norm.mlp), (106, true, true));
    assert_eq!((s.classifier, s.final_norm), (Classifier::Classes(24), FinalNorm::Tokens));
    let s = spec("eva02_clip_openclip");
    assert_eq!([s.sizes.hidden, s.sizes.layers, s.sizes.heads, s.sizes.mlp], [64, 2, 1, 170]);
    assert_eq!(s.classifier, Classifier::Projection { width: 24, bias: true });
    let s = spec("swin_classification");
    let windows = s.windows.unwrap();
    assert_eq!((windows.side, windows.depths, windows.heads), (4, vec![2, 2], vec![3, 6]));
    assert_eq!((s.sizes.hidden, s.sizes.mlp, s.sizes.layers), (48, 96, 2));
    let s = spec("vit22b_block");
    assert_eq!((s.order, s.qk_norm, s.pool), (Order::Parallel, QkNorm::PerHead, Pool::Map));
    assert!(!s.prefix.cls && !s.qkv_bias);
    let s = spec("vit_timm");
    assert_eq!((s.norm.eps, s.classifier), (1e-6, Classifier::Classes(9)));
    assert_eq!(open(&golden("vit_timm")).stored_type("classifier.bias"), StoredType::F32);
}

/// Towers for texts, of every case that has one.
#[test]
fn texts() {
    let cases = [
        ("clip_quick_gelu", true, TextPool::LargestId, TextHead::Projection(40), Joint::Softmax),
        ("clip_openclip", true, TextPool::LargestId, TextHead::Projection(24), Joint::Softmax),
        (
            "eva02_clip_openclip",
            true,
            TextPool::LargestId,
            TextHead::Projection(24),
            Joint::Softmax,
        ),
        ("openvision", false, TextPool::Last, TextHead::Projection(40), Joint::Softmax),
        ("siglip", false, TextPool::Last, TextHead::Pooler(40), Joint::Sigmoid),
        ("siglip2_fixed", false, TextPool::Last, TextHead::Pooler(48), Joint::Sigmoid),
        ("siglip2_naflex", false, TextPool::Last, TextHead::Pooler(40), Joint::Sigmoid),
    ];
    for (case, causal, pool, head, joint) in cases {
        let checkpoint = wait(open(&golden(case)).with_text()).unwrap();
        let text = checkpoint.text().unwrap();
        assert_eq!((text.causal, text.pool, text.head), (causal, pool, head), "{case}");
        assert_eq!(text.joint, joint, "{case}");
        let table = &checkpoint.manifest.tensors["text.embeddings.token_embedding.weight"];
        assert_eq!(table.shape, [text.vocabulary, text.tower.sizes.hidden], "{case}");
        assert_eq!(wait(checkpoint.tensor("logit_scale")).unwrap().len(), 1, "{case}");
        for (name, tensor) in &checkpoint.manifest.tensors {
            assert_eq!(wait(checkpoint.tensor(name)).unwrap().len(), tensor.len(), "{case} {name}");
        }
    }
    let turned = wait(open(&golden("clip_openclip")).with_text()).unwrap();
    let raw =
        &tensors(&golden("clip_openclip").join("model.safetensors"))["text_projection"].values;
    let projection = wait(turned.tensor("text.projection.weight")).unwrap();
    assert!((0..24 * 32).all(|at| projection[at] == raw[at % 32 * 24 + at / 32]));
    assert!(wait(open(&golden("vit_timm")).with_text()).is_err());
}

/// A photograph as each case's own processor prepares it.
#[test]
fn photographs_are_prepared_as_by_their_processors() {
    let folder = golden("preprocess_encoders");
    let bytes = std::fs::read(sample("chelsea.png")).unwrap();
    let photo = internvit::image::decode("chelsea.png", &bytes).unwrap();
    for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
        let Some(case) = file.to_str().unwrap().strip_suffix(".safetensors") else { continue };
        let case = Path::new(case).file_name().unwrap().to_str().unwrap();
        let checkpoint = open(&golden(case));
        assert!(checkpoint.notes.is_empty(), "{case}: {:?}", checkpoint.notes);
        let Spec { preprocessing, sizes, .. } = &checkpoint.spec;
        let picture = preprocessing.fit(sizes, None, None).apply(&photo).unwrap();
        let found =
            internvit::image::pixel_values(std::slice::from_ref(&picture), &preprocessing.normal)
                .unwrap();
        let expected = &tensors(&file)["pixel_values"];
        let (width, height, patch) = (picture.width as usize, picture.height as usize, sizes.patch);
        // A row a patch, pixel by pixel, for those of any aspect ratio; rows behind them are padding.
        let flat: Vec<f32> = match expected.shape.len() {
            3 => (0..width * height / (patch * patch))
                .flat_map(|row| (0..patch * patch * 3).map(move |at| (row, at)))
                .map(|(row, at)| {
                    let (across, pixel) = (width / patch, at / 3);
                    let y = row / across * patch + pixel / patch;
                    let x = row % across * patch + pixel % patch;
                    found[(at % 3 * height + y) * width + x]
                })
                .collect(),
            _ => found,
        };
        let length = flat.len();
        assert!(length == expected.values.len() || expected.shape.len() == 3, "{case}");
        let off = flat.iter().zip(&expected.values).map(|(a, b)| (a - b).abs());
        let most = off.fold(0.0f32, f32::max);
        assert!(most <= 1e-5, "{case}: {most}");
    }
}
