//! How a model is found: by its files' content, in containers of any name, and refused before it is
//! downloaded where it is something else.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use crate::common::*;
use crate::run::*;
use crate::served::{Hub, of};
use internvit::Checkpoint;
use internvit::weights::{Source, read_header};
use zip::write::SimpleFileOptions;

fn fixture(name: &str) -> PathBuf {
    crate::common::root().join("tests/torch").join(name)
}

/// A file of torch's, whatever its name says, and safetensors under the names of others.
#[test]
fn the_content_counts_and_not_the_name() {
    let folder = scratch("found-names");
    for (number, (file, name)) in [
        ("plain.pth", "model.safetensors"),
        ("plain.pth", "weights.pt"),
        ("older.pth", "checkpoint.ckpt"),
        ("older.pth", "model.safetensors"),
        ("expected.safetensors", "pytorch_model.bin"),
        ("expected.safetensors", "model.pth"),
    ]
    .into_iter()
    .enumerate()
    {
        let own = folder.join(number.to_string());
        fs::create_dir_all(&own).unwrap();
        fs::copy(fixture("config.json"), own.join("config.json")).unwrap();
        fs::copy(fixture(file), own.join(name)).unwrap();
        let opened = wait(Checkpoint::open_path(&own));
        assert!(opened.is_ok(), "{file} as {name}: {}", opened.err().unwrap());
        wait(Checkpoint::open_path(&own.join(name))).unwrap();
    }
}

/// An archive with empty files of these names.
fn archive(names: &[&str]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for name in names {
        writer.start_file(*name, stored).unwrap();
        writer.write_all(b"\x80\x02}.").unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn archives_of_other_kinds_are_named() {
    let program = "a TorchScript program, expected a state dict: save it by";
    for (names, expected) in [
        (&["m/data.pkl", "m/constants.pkl", "m/code/__torch__.py"][..], program),
        (&["m/data.pkl", "m/constants.pkl"], program),
        (&["m/code/a.py", "m/version"], program),
        (&["a.npy", "b.npy"], "an archive of NumPy's arrays"),
        (&["word/document.xml"], "a ZIP archive that is not PyTorch's"),
        (&["a/data.pkl", "b/data.pkl"], "a ZIP archive that is not PyTorch's"),
    ] {
        for name in ["model.safetensors", "model.pth"] {
            let source = Source::memory(name, archive(names));
            let error = wait(read_header(&source)).err().unwrap().to_string();
            assert!(error.contains(expected), "{names:?}: {error}");
        }
    }
}

/// A state dict in a container, in the older format: `{name: {…}}`, with numbers beside it.
#[test]
fn state_dicts_are_found_in_containers() {
    let bytes = fs::read(fixture("older.pth")).unwrap();
    let config = fs::read_to_string(fixture("config.json")).unwrap();
    // The checkpoint is the fourth pickle; here three shorter ones come before it.
    let start = (0..bytes.len() - 4).filter(|at| bytes[*at..].starts_with(b"\x80\x02")).nth(3);
    let start = start.unwrap() + 2;
    let list = bytes[start..].windows(4).position(|w| w == b".\x80\x02]").unwrap() + start;
    for names in [
        &["state_dict"][..],
        &["model"],
        &["module"],
        &["model_state_dict"],
        &["net"],
        &["teacher"],
        &["ema"],
        &["state_dict_ema"],
        &["model_ema"],
        &["params"],
        &["anything at all"],
        &["ckpt", "state_dict"],
    ] {
        let mut wrapped = bytes[..start].to_vec();
        for name in names {
            wrapped.extend(b"}(X\x05\0\0\0epochK\x07X");
            wrapped.extend((name.len() as u32).to_le_bytes());
            wrapped.extend(name.as_bytes());
        }
        wrapped.extend(&bytes[start..list]);
        wrapped.extend(names.iter().map(|_| b'u'));
        wrapped.extend(&bytes[list..]);
        let source = Source::memory("x.pth", wrapped);
        let opened = wait(Checkpoint::open("folder", &config, vec![source]));
        assert!(opened.is_ok(), "{names:?}: {}", opened.err().unwrap());
    }
}

/// What is no InternViT is known by its configuration, before its weights are fetched.
#[test]
fn other_models_of_the_hub_are_not_downloaded() {
    let hub = Hub::start(&scratch("found-hub"));
    for (name, config, expected) in [
        ("acme/timm", r#"{"architecture":"resnet50","num_classes":1000}"#, "resnet50"),
        ("acme/bert", r#"{"model_type":"bert","hidden_size":768}"#, "bert"),
        (
            "acme/blip",
            r#"{"model_type":"blip","vision_config":{"model_type":"blip_vision_model"}}"#,
            "blip",
        ),
        ("acme/text", "no json", "config.json"),
        ("acme/empty", "{}", "config.json"),
    ] {
        let folder = hub.repository(name);
        fs::write(folder.join("config.json"), config).unwrap();
        fs::write(folder.join("model.safetensors"), vec![0; 2 << 20]).unwrap();
        let error = hub.refuses(name);
        assert!(error.contains(expected), "{name}: {error}");
        let log = hub.log();
        assert_eq!(of(&log, "model.safetensors").count(), 0, "{name}");
    }
}

/// Photographs from standard input, in every command that takes one.
#[test]
fn standard_input_is_a_photograph_everywhere() {
    let folder = scratch("found-stdin");
    let cat = sample("chelsea.png");
    let small = ["--device", "cpu", "--image-size", "56"];
    let points = ["--point", "a:1,1", "--point", "b:400,200"];
    let other = text(&cat);
    for (words, file) in [
        (&[&["encode", "-", "--out", "x.npz"][..], &small].concat()[..], "x.npz"),
        (&[&["encode", "-", other, "--out", "two.npz"][..], &small].concat(), "two.npz"),
        (&[&["encode", "-", "--out", "t.parquet"][..], &small].concat(), "t.parquet"),
        (&[&["look", "-", "--view", "norms"][..], &small].concat(), "stdin-norms.png"),
        (
            &[&["look", other, "--other", "-", "--view", "similarity", "--at", "9,9"][..], &small]
                .concat(),
            "chelsea-similarity.png",
        ),
        (&["segment", "-", "--device", "cpu", "--window", "56", "--labels", "l.png"], "l.png"),
        (&["segment", "-", "--device", "cpu", "--window", "56", "--labels", "maps"], "maps"),
        (
            &[&["teach", "-", "--out", "h.safetensors"][..], &small, &points].concat(),
            "h.safetensors",
        ),
        (&["preprocess", "-", "--size", "56", "--out", "p.npy"], "p.npy"),
    ] {
        let mut command = crate::run::program();
        command.args(words).current_dir(&folder).stdin(fs::File::open(&cat).unwrap());
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && folder.join(file).exists(), "{words:?}: {said}");
    }
    // It can be read once.
    let twice = ["look", "-", "--other", "-", "--view", "similarity", "--at", "9,9"];
    let mut command = crate::run::program();
    command.args(twice).args(small).current_dir(&folder).stdin(fs::File::open(&cat).unwrap());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("standard input"), "{said}");
}

/// What `preprocess` writes every command reads that takes pixel values, and names are beside tensors.
#[test]
fn pixel_values_and_names() {
    let folder = scratch("found-pixels");
    let cat = sample("chelsea.png");
    let at = |name: &str| folder.join(name).to_str().unwrap().to_string();
    let mut all = Vec::new();
    for ending in ["safetensors", "npz", "npy"] {
        let (pixels, out) = (at(&format!("p.{ending}")), at("maps.safetensors"));
        ok(&["preprocess", text(&cat), "--size", "56", "--out", &pixels]);
        ok(&["segment", "--pixel-values", &pixels, "--device", "cpu", "--out", &out]);
        all.push(tensors(Path::new(&out)).remove("logits").unwrap().values);
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
    let out = at("x.safetensors");
    ok(&["encode", text(&cat), "--device", "cpu", "--image-size", "56", "--out", &out]);
    let source = Source::file(Path::new(&out)).unwrap();
    let names = wait(internvit::weights::read_metadata(&source, "images")).unwrap().unwrap();
    let names: Vec<String> = serde_json::from_str(&names).unwrap();
    assert_eq!(names, [text(&cat)]);
}

/// The folder in which one is has no name of its own: the model is called by its path.
#[test]
fn the_folder_itself_is_named() {
    let folder = scratch("here");
    let config = config(16, 2, 32, 1, "");
    let dtype = internvit::weights::StoredType::F32;
    internvit::weights::init_checkpoint("config.json", &config, 1, dtype, &folder, &|_, _| ())
        .unwrap();
    for model in [".", "model.safetensors", "./model.safetensors"] {
        let mut command = program();
        command.current_dir(&folder).args(["info", "--model", model, "--json"]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{model}: {}", String::from_utf8_lossy(&output.stderr));
        let value: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let name = Path::new(value["model"].as_str().unwrap());
        assert!(name.is_absolute() && name.ends_with("here"), "{model}: {value}");
    }
}
