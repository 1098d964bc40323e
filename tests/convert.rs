//! Converted checkpoints: the same features, the same bytes each time, whole or not at all.
#![allow(clippy::unwrap_used, reason = "tests")]

mod common;
#[path = "common/cli.rs"]
mod run;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::*;
use internvit::model::{canonical_config, parse_config};
use internvit::weights::{
    Conversion, Converted, Source, StoredType, Values, convert, init_checkpoint, read_header,
    write_safetensors,
};
use internvit::{Checkpoint, Device, Encoder, Images};
use run::*;
use serde_json::{Value, json};

const WHOLE: Conversion =
    Conversion { dtype: None, quant: None, shard_bytes: 512_000_000, overwrite: false };

fn open(path: &Path) -> Checkpoint {
    wait(Checkpoint::open_path(path)).unwrap()
}

fn converted(source: &Path, out: &Path, conversion: &Conversion) -> Converted {
    wait(convert(&open(source), out, conversion, &mut |_, _| ())).unwrap()
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let read =
        |path: PathBuf| if path.is_dir() { Vec::new() } else { std::fs::read(path).unwrap() };
    entries.map(|e| (e.file_name().into_string().unwrap(), read(e.path()))).collect()
}

fn torch(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/torch").join(name)
}

/// Hidden states of all layers, or the logits of a head.
fn output(path: &Path, side: usize) -> Vec<f32> {
    let checkpoint = open(path);
    let (layers, head) = (checkpoint.spec.sizes.layers, checkpoint.head.is_some());
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let values = noise(7, 3 * side * side);
    let images = Images::PixelValues { shape: [1, 3, side, side], values: &values };
    if head {
        return wait(encoder.segment(images, &mut on)).unwrap().values;
    }
    let features = wait(encoder.encode(images, &[layers], &mut on)).unwrap();
    features.tensors[&format!("hidden_states.{layers}")].values.clone()
}

#[test]
fn every_source_gives_the_same_features() {
    let folder = scratch("convert-sources");
    let sources = [
        (golden("encoder_hf_native"), 56),
        (golden("encoder_ln_bias_bf16"), 56),
        (golden("encoder_rms_qknorm_f16"), 56),
        (golden("segment_mmseg_linear"), 56),
        (golden("segment_mmseg_uper"), 56),
        (torch("mmseg.pth"), 8),
        (torch("older.pth"), 8),
        (torch("bfloat.pth"), 8),
    ];
    for (number, (source, side)) in sources.iter().enumerate() {
        for shard_bytes in [512_000_000, 20_000] {
            let out = folder.join(format!("{number}-{shard_bytes}"));
            converted(source, &out, &Conversion { shard_bytes, ..WHOLE });
            assert_eq!(output(&out, *side), output(source, *side), "{source:?}");
            let (before, after) = (open(source), open(&out));
            assert_eq!(after.spec, before.spec, "{source:?}");
            for (name, tensor) in &after.manifest.tensors {
                assert_eq!(tensor.parts[0].key, *name, "canonical names");
                assert_eq!(after.stored_type(name), before.stored_type(name), "{source:?}: {name}");
            }
        }
    }
}

/// A shard holds as many tensors as fit; one that is larger has a shard of its own.
#[test]
fn shards_and_their_index() {
    let folder = scratch("convert-shards");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(16, 2, 32, 3, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    // The patch embedding has 37632 bytes.
    let limit = 8000;
    let done = converted(&source, &out, &Conversion { shard_bytes: limit, ..WHOLE });
    let index: Value =
        serde_json::from_slice(&files(&out)["model.safetensors.index.json"]).unwrap();
    let map = index["weight_map"].as_object().unwrap();
    assert_eq!(
        (map.len(), index["metadata"]["total_size"].as_u64()),
        (done.tensors, Some(done.bytes))
    );
    let shards: Vec<_> = done.files.iter().filter(|f| f.name.ends_with(".safetensors")).collect();
    assert!(shards.len() > 4);
    for (number, shard) in shards.iter().enumerate() {
        assert_eq!(
            shard.name,
            format!("model-{:05}-of-{:05}.safetensors", number + 1, shards.len())
        );
        let list = wait(read_header(&Source::file(&out.join(&shard.name)).unwrap())).unwrap();
        assert!(shard.size <= limit || list.len() == 1, "{}: {} bytes", shard.name, shard.size);
        for stored in list {
            assert_eq!(map[&stored.key], json!(shard.name));
            let bytes = stored.dtype.unwrap().bytes() as u64;
            assert!(stored.range.start.is_multiple_of(bytes), "{}: not aligned", stored.key);
        }
    }
    assert!(shards.iter().any(|s| s.size > limit), "a tensor larger than a shard");
}

/// Any two runs write the same bytes, whichever format the same tensors came in.
#[test]
fn conversions_are_reproducible_and_the_manifest_is_right() {
    use sha2::{Digest, Sha256};
    let folder = scratch("convert-twice");
    let conversion = Conversion { shard_bytes: 4000, dtype: Some(StoredType::Bf16), ..WHOLE };
    let sources = ["plain.pth", "plain.pth", "older.pth", "half.pth", "shared.pth"];
    let outs: Vec<_> = (0..sources.len()).map(|i| folder.join(i.to_string())).collect();
    for (source, out) in sources.iter().zip(&outs) {
        converted(&torch(source), out, &conversion);
    }
    let first = files(&outs[0]);
    for (source, out) in sources.iter().zip(&outs) {
        assert_eq!(files(out), first, "{source}");
    }
    let manifest: Value = serde_json::from_slice(&first["manifest.json"]).unwrap();
    let listed = manifest["files"].as_object().unwrap();
    assert_eq!(listed.len(), first.len() - 1, "all but the manifest itself");
    for (name, entry) in listed {
        let digest: String =
            Sha256::digest(&first[name]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(*entry, json!({ "size": first[name].len(), "sha256": digest }), "{name}");
    }
    // Nothing is left beside the folders.
    assert_eq!(files(&folder).len(), outs.len());
}

#[test]
fn number_types() {
    let folder = scratch("convert-types");
    let exact = tensors(&torch("expected.safetensors"));
    for (dtype, name) in
        [(StoredType::F32, "float32"), (StoredType::F16, "float16"), (StoredType::Bf16, "bfloat16")]
    {
        for source in ["plain.pth", "half.pth", "bfloat.pth"] {
            let out = folder.join(format!("{source}-{name}"));
            converted(&torch(source), &out, &Conversion { dtype: Some(dtype), ..WHOLE });
            let checkpoint = open(&out);
            let config: Value = serde_json::from_str(&checkpoint.config).unwrap();
            assert_eq!(config["torch_dtype"], name);
            for (tensor, expected) in &exact {
                assert_eq!(checkpoint.stored_type(tensor), dtype);
                assert_eq!(wait(checkpoint.tensor(tensor)).unwrap(), expected.values, "{tensor}");
            }
        }
    }
}

#[test]
fn values_beyond_a_type_are_refused() {
    let folder = scratch("convert-overflow");
    let (source, out) = (folder.join("source"), folder.join("out"));
    let text = config(16, 2, 32, 1, "");
    init_checkpoint("c", &text, 1, StoredType::F32, &source, &|_, _| ()).unwrap();
    let file = source.join("model.safetensors");
    let mut list = tensors(&file);
    let mut try_with = |value: f32, dtype: StoredType| {
        list.get_mut("encoder.layers.0.mlp.fc1.weight").unwrap().values[200] = value;
        let views: Vec<_> = list
            .iter()
            .map(|(n, t)| (n.clone(), t.shape.clone(), Values::F32(&t.values)))
            .collect();
        write_safetensors(&file, &views).unwrap();
        let conversion = Conversion { dtype: Some(dtype), overwrite: true, ..WHOLE };
        wait(convert(&open(&source), &out, &conversion, &mut |_, _| ()))
    };
    for (value, dtype) in [
        (65519.9, StoredType::F16),
        (f32::NEG_INFINITY, StoredType::F16),
        (3.38e38, StoredType::Bf16),
        (f32::MAX, StoredType::F32),
    ] {
        try_with(value, dtype).unwrap();
    }
    let before = files(&out);
    for (value, dtype, expected) in [
        (
            65520.0,
            StoredType::F16,
            "encoder.layers.0.mlp.fc1.weight: 65520 is beyond the range of F16",
        ),
        (-1e6, StoredType::F16, "fc1.weight: -1000000 is beyond the range of F16"),
        (f32::MAX, StoredType::Bf16, "is beyond the range of Bf16"),
    ] {
        let error = try_with(value, dtype).unwrap_err().to_string();
        assert!(error.contains(expected), "expected {expected:?} in {error:?}");
    }
    assert_eq!(files(&out), before, "what was there stays");
    assert_eq!(files(&folder).len(), 2, "nothing half-written stays");
}

/// The configuration says all that is read, and keeps what else it said.
#[test]
fn configurations_are_complete() {
    let canonical = |text: &str| canonical_config("c", text, Some("bfloat16")).unwrap();
    let ours = canonical(&config(16, 2, 32, 2, r#", "layer_norm_eps": 1e-6, "dropout": 0.0"#));
    assert_eq!(
        ours,
        json!({ "model_type": "intern_vit_6b", "hidden_size": 16, "num_attention_heads": 2,
                "intermediate_size": 32, "num_hidden_layers": 2, "image_size": 56, "patch_size": 14,
                "num_channels": 3, "norm_type": "layer_norm", "qkv_bias": true, "hidden_act": "gelu",
                "qk_normalization": false, "layer_norm_eps": 1e-6, "dropout": 0.0,
                "torch_dtype": "bfloat16" })
    );
    let cases = [
        r#"{"model_type": "intern_vit_6b"}"#,
        r#"{"model_type": "internvl_vision"}"#,
        r#"{"model_type": "internvl_vision", "use_qk_norm": true, "attention_bias": true,
            "image_size": [28, 28], "use_mean_pooling": false, "norm_type": "rms_norm"}"#,
        r#"{"llm_config": {"hidden_size": 9}, "vision_config": {"num_attention_heads": 50, "use_moe": false},
            "segmentation": {"head": "uper"}, "random_weights": true}"#,
    ];
    for text in cases {
        let value = canonical(text);
        let again = parse_config("c", &value.to_string()).unwrap();
        assert_eq!(again, parse_config("c", text).unwrap(), "{text}");
        assert_eq!(canonical(&value.to_string()), value, "{text}");
    }
    let vlm = canonical(cases[3]);
    assert_eq!((&vlm["use_moe"], &vlm["random_weights"]), (&json!(false), &json!(true)));
    assert!(vlm["segmentation"]["head"] == "uper" && vlm.get("llm_config").is_none());
}

#[test]
fn folders_are_kept_or_replaced() {
    let folder = scratch("convert-folders");
    let (out, source) = (folder.join("out"), torch("mmseg.pth"));
    let args = |more: &[&'static str]| {
        let mut args = vec!["convert".to_string(), text(&source).into(), "--out".into()];
        args.push(text(&out).into());
        args.extend(more.iter().map(|arg| arg.to_string()));
        args
    };
    let run =
        |more: &[&'static str]| ok(&args(more).iter().map(String::as_str).collect::<Vec<_>>());
    let refused = |more: &[&'static str], expected: &str| {
        fails(&args(more).iter().map(String::as_str).collect::<Vec<_>>(), expected);
    };
    std::fs::create_dir(&out).unwrap();
    let said: Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert_eq!(said["left_out"], json!({ "auxiliary_head": 1, "decode_head": 7 }));
    assert_eq!(
        (said["tensors"].as_u64(), said["files"][0]["name"].as_str()),
        (Some(32), Some("config.json"))
    );
    let before = files(&out);

    refused(&[], "not empty; a model in it is replaced only where overwriting is asked for");
    assert_eq!(files(&out), before);
    run(&["--overwrite", "--shard-size", "4kB"]);
    assert!(files(&out).len() > before.len() && !out.join("model.safetensors").exists());
    run(&["--overwrite"]);
    assert_eq!(files(&out), before);

    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    refused(&["--overwrite"], "notes.txt: no file of a model, so it is not replaced");
    assert_eq!(files(&out).len(), before.len() + 1);
    std::fs::remove_file(out.join("notes.txt")).unwrap();
    fails(
        &["convert", text(&out), "--out", text(&out), "--overwrite"],
        "the source is in this folder",
    );
    fails(
        &["convert", text(&out), "--out", text(&folder), "--overwrite"],
        "the source is in this folder",
    );
    for size in ["0", "x", "5TB", "-1MB", "99999999999GB"] {
        let size = format!("--shard-size={size}");
        fails(&["convert", text(&source), "--out", "x", &size], "expected a size such as 512MB");
    }
    fails(&["convert", text(&torch("module.pth")), "--out", "x"], "Linear is not allowed");
    assert_eq!(files(&folder).len(), 1);
}

/// Ended at any moment, a conversion leaves no folder or a whole one, and the next one ends as if
/// nothing had been.
#[test]
#[cfg(unix)]
fn ended_in_the_middle() {
    use std::process::{Command, Stdio};
    let folder = scratch("convert-killed");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(128, 2, 512, 6, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    let undisturbed = folder.join("undisturbed");
    let start = std::time::Instant::now();
    let command = |out: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
        command.args(["convert", text(&source), "--shard-size", "300kB", "--overwrite", "--out"]);
        command.arg(out).stderr(Stdio::null());
        command
    };
    assert!(command(&undisturbed).status().unwrap().success());
    let (whole, expected) = (start.elapsed(), files(&undisturbed));
    let mut cut = 0;
    for round in 0..24u32 {
        if round == 12 {
            // From here on a folder is there that is to be replaced.
            std::fs::remove_dir_all(&out).unwrap_or_default();
            std::fs::create_dir(&out).unwrap();
            std::fs::write(out.join("config.json"), "{}").unwrap();
        }
        let before = out.exists().then(|| files(&out));
        let mut child = command(&out).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(f64::from(round % 12 + 1) / 12.0));
        child.kill().unwrap();
        cut += u32::from(!child.wait().unwrap().success());
        let after = out.exists().then(|| files(&out));
        let aside = |name: &String| name.starts_with(".out.") && name.ends_with(".old");
        let put_aside = after.is_none() && names(&folder).iter().any(aside);
        assert!(
            after == before || after.as_ref() == Some(&expected) || put_aside,
            "round {round}: something half-written"
        );
        if round % 4 == 3 {
            assert!(command(&out).status().unwrap().success());
            assert_eq!(files(&out), expected, "round {round}");
            assert_eq!(files(&folder).len(), 3, "round {round}: nothing else is left");
            std::fs::remove_dir_all(&out).unwrap();
        }
    }
    assert!(cut > 4, "only {cut} conversions were ended");
}

/// The states in which a process can be ended between two renamings, made by hand.
#[test]
fn exchanges_cut_in_the_middle() {
    let folder = scratch("convert-exchange");
    let [out, old, part] =
        ["out", ".out.aB3dE6gH9jK2.old", ".out.aB3dE6gH9jK2.part"].map(|name| folder.join(name));
    let overwrite = Conversion { overwrite: true, ..WHOLE };
    let source = torch("half.pth");
    converted(&source, &out, &WHOLE);
    let expected = files(&out);

    // The old folder was put aside, the new one not yet in its place.
    std::fs::rename(&out, &old).unwrap();
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("config.json"), "{").unwrap();
    let error = wait(convert(&open(&source), &out, &WHOLE, &mut |_, _| ())).unwrap_err();
    assert!(error.to_string().contains("not empty"), "{error}");
    assert_eq!(files(&out), expected, "what was there is put back");
    // The new folder is in its place, the old one not yet gone.
    std::fs::create_dir(&old).unwrap();
    std::fs::write(old.join("model-00001-of-00002.safetensors"), "old").unwrap();
    converted(&source, &out, &overwrite);
    assert_eq!((files(&out), files(&folder).len()), (expected.clone(), 1));
    // Folders of these names that are somebody's own are left alone.
    std::fs::create_dir(&part).unwrap();
    std::fs::write(part.join("letter.txt"), "mine").unwrap();
    converted(&source, &out, &overwrite);
    assert_eq!((files(&part).len(), files(&out)), (1, expected));
    std::fs::remove_dir_all(&part).unwrap();
    // Another process is at it.
    let lock = std::fs::File::create(folder.join(".out.lock")).unwrap();
    lock.lock().unwrap();
    let error = wait(convert(&open(&source), &out, &overwrite, &mut |_, _| ())).unwrap_err();
    assert!(error.to_string().contains("another run is writing it"), "{error}");
    drop(lock);
    assert!(folder.join(".out.lock").exists(), "a file of somebody's own");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|e| e.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Many at once into one folder: each writes it or says that another does, and there is always a
/// whole model. INTERNVIT_ROUNDS is how often.
#[test]
fn many_at_once() {
    use std::process::{Command, Stdio};
    let rounds = std::env::var("INTERNVIT_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let folder = scratch("convert-many");
    let (source, out) = (torch("half.pth"), folder.join("out"));
    converted(&source, &out, &WHOLE);
    let expected = files(&out);
    let (mut wrote, mut refused) = (0, 0);
    for round in 0..rounds {
        let children: Vec<_> = (0..16)
            .map(|_| {
                let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
                command.args(["convert", text(&source), "--overwrite", "--out", text(&out)]);
                command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in children {
            // At every moment, where the system exchanges folders in one step.
            while cfg!(target_os = "linux") && child.try_wait().unwrap().is_none() {
                assert!(out.is_dir(), "round {round}: the folder vanished");
            }
            let output = child.wait_with_output().unwrap();
            let error = String::from_utf8_lossy(&output.stderr).into_owned();
            let ours = error.lines().find(|line| line.starts_with("internvit: "));
            match output.status.success() {
                true => wrote += 1,
                false => refused += 1,
            }
            assert!(
                ours.is_none_or(|line| line.ends_with("out: another run is writing it"))
                    && output.status.success() == ours.is_none(),
                "round {round}: {error}"
            );
        }
        assert_eq!(files(&out), expected, "round {round}");
        assert_eq!(names(&folder), ["out"], "round {round}");
    }
    println!("{rounds} rounds: {wrote} wrote, {refused} were refused");
}

/// Ctrl-C leaves nothing, and what was there before.
#[test]
#[cfg(unix)]
fn interrupted() {
    use std::process::{Command, Stdio};
    let folder = scratch("convert-interrupted");
    let (source, out) = (folder.join("source"), folder.join("out"));
    init_checkpoint("c", &config(128, 2, 512, 6, ""), 1, StoredType::F32, &source, &|_, _| ())
        .unwrap();
    let mut stopped = 0;
    for round in 0..8 {
        let mut command = Command::new(env!("CARGO_BIN_EXE_internvit"));
        command.args(["convert", text(&source), "--shard-size", "300kB", "--out", text(&out)]);
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        while names(&folder).len() < 3 && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(3 * round));
        let pid = child.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().unwrap();
        let output = child.wait_with_output().unwrap();
        stopped += u32::from(!output.status.success());
        assert!(output.status.success() || output.stderr.is_empty(), "{output:?}");
        let left = names(&folder);
        assert_eq!(left.len(), 1 + usize::from(out.exists()), "round {round}: {left:?}");
        let _ = std::fs::remove_dir_all(&out);
    }
    assert!(stopped > 0, "none was stopped");
}

/// Links under the names that a conversion uses: what they lead to stays.
#[test]
#[cfg(unix)]
fn links_are_not_followed() {
    use std::os::unix::fs::symlink;
    let folder = scratch("convert-links");
    let (source, out) = (torch("half.pth"), folder.join("out"));
    let victims = folder.join("victims");
    std::fs::create_dir(&victims).unwrap();
    let victim = victims.join("config.json");
    std::fs::write(&victim, "precious").unwrap();
    let run = || wait(convert(&open(&source), &out, &WHOLE, &mut |_, _| ()));
    symlink(&victim, folder.join(".out.lock")).unwrap();
    let error = run().err().unwrap().to_string();
    assert!(error.contains(".out.lock: a link, which is not followed here"), "{error}");
    std::fs::remove_file(folder.join(".out.lock")).unwrap();
    // A folder of somebody else's, linked or put there under the name of a leftover.
    for ending in ["part", "old"] {
        symlink(&victims, folder.join(format!(".out.aB3dE6gH9jK2.{ending}"))).unwrap();
        symlink(&victims, folder.join(format!(".out.{ending}"))).unwrap();
    }
    run().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    // A lock's file that is somebody's own, as another name of the victim.
    std::fs::hard_link(&victim, folder.join(".out.lock")).unwrap();
    std::fs::remove_dir_all(&out).unwrap();
    run().unwrap();
    assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    assert!(folder.join(".out.lock").exists());
}

/// A disk that is full in the middle, played by a limit on the size of files.
#[test]
#[cfg(unix)]
fn nothing_half_written_stays_on_a_full_disk() {
    let folder = scratch("convert-full");
    let script = "trap '' XFSZ; ulimit -f 4; exec \"$0\" convert \"$1\" --out \"$2\"";
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_internvit"), text(&torch("plain.pth"))]);
    let output = command.arg(folder.join("out")).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("model.safetensors: ") && error.contains("os error"), "{error}");
    assert_eq!(files(&folder).len(), 0);
}

/// However large the source is, a few pieces of it are in memory.
#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded() {
    use std::io::{Read, Write};
    let folder = scratch("convert-memory");
    let source = folder.join("source");
    std::fs::create_dir(&source).unwrap();
    let text = config(1024, 16, 4096, 1, "");
    std::fs::write(source.join("config.json"), &text).unwrap();
    // A hole of zeros in place of 53 MB of weights.
    let (mut header, mut at) = (serde_json::Map::new(), 0);
    for want in internvit::plan::tensors(&parse_config("c", &text).unwrap()) {
        let end = at + 4 * want.shape.iter().product::<usize>();
        let entry = json!({ "dtype": "F32", "shape": want.shape, "data_offsets": [at, end] });
        header.insert(want.name, entry);
        at = end;
    }
    let header = Value::Object(header).to_string();
    let mut file = std::fs::File::create(source.join("model.safetensors")).unwrap();
    file.write_all(&(header.len() as u64).to_le_bytes()).unwrap();
    file.write_all(header.as_bytes()).unwrap();
    file.set_len((8 + header.len() + at) as u64).unwrap();

    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_internvit"));
    command.args(["convert", source.to_str().unwrap(), "--shard-size", "20MB", "--out"]);
    let mut child = command.arg(folder.join("out")).spawn().unwrap();
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let mut status = String::new();
        let path = format!("/proc/{}/status", child.id());
        let _ = std::fs::File::open(path).and_then(|mut file| file.read_to_string(&mut status));
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) << 10);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(child.wait().unwrap().success());
    println!("{} MB of weights, {} MB of memory", at >> 20, peak >> 20);
    assert!(at > 50_000_000 && (1 << 20..40_000_000).contains(&peak), "{peak} bytes");
    std::fs::remove_dir_all(folder).unwrap();
}
