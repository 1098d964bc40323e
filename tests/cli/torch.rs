//! What PyTorch wrote (`tests/torch/make.py`): read without running it, or refused.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::PathBuf;

use crate::common::*;
use internvit::model::HeadKind;
use internvit::weights::{Source, Stored, StoredType, read_header};
use internvit::{Checkpoint, Result};

fn fixture(name: &str) -> PathBuf {
    crate::common::root().join("tests/torch").join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    std::fs::read(fixture(name)).unwrap()
}

fn header(bytes: Vec<u8>) -> Result<Vec<Stored>> {
    wait(read_header(&Source::memory("x.pth", bytes)))
}

fn refused(what: &str, bytes: Vec<u8>, expected: &str) {
    let error = header(bytes).unwrap_err().to_string();
    assert!(error.contains(expected), "{what}: expected {expected:?} in {error:?}");
    assert!(error.starts_with("x.pth: ") && !error.contains('\n'), "{what}: {error:?}");
}

#[test]
fn every_way_of_saving_gives_the_same_tensors() {
    let expected = tensors(&fixture("expected.safetensors"));
    let files = [
        ("plain.pth", StoredType::F32),
        ("protocol4.pth", StoredType::F32),
        ("older.pth", StoredType::F32),
        ("half.pth", StoredType::F16),
        ("bfloat.pth", StoredType::Bf16),
        ("shared.pth", StoredType::F32),
        ("older-shared.pth", StoredType::F32),
        ("mmseg.pth", StoredType::F32),
        ("older-mmseg.pth", StoredType::F32),
        ("unsigned.pth", StoredType::F32),
    ];
    for (file, dtype) in files {
        let mut headers = header(bytes(file)).unwrap();
        if file == "unsigned.pth" {
            // An integer that no encoder has is skipped only where it cannot be the encoder's.
            let counter = headers.iter().position(|s| s.key == "counter").unwrap();
            let counter = headers.remove(counter);
            assert_eq!((counter.dtype, counter.dtype_name.as_str()), (None, "U16"));
            continue;
        }
        let checkpoint = wait(Checkpoint::open_path(&fixture(file))).unwrap();
        assert_eq!(checkpoint.manifest.tensors.len(), expected.len());
        for (name, tensor) in &expected {
            assert_eq!(wait(checkpoint.tensor(name)).unwrap(), tensor.values, "{file}: {name}");
            assert_eq!(checkpoint.stored_type(name), dtype, "{file}: {name}");
        }
    }
}

#[test]
fn heads_of_mmsegmentation() {
    let config = std::fs::read_to_string(fixture("config.json")).unwrap();
    let segmentation =
        r#", "segmentation": {"head": "linear", "out_indices": [1], "num_classes": 3}}"#;
    let config = config.trim_end().strip_suffix('}').unwrap().to_string() + segmentation;
    let open = |file: &str| {
        let source = Source::memory("x.pth", bytes(file));
        wait(Checkpoint::open("folder", &config, vec![source])).unwrap()
    };
    let head = tensors(&fixture("head.safetensors"));
    for file in ["mmseg.pth", "older-mmseg.pth"] {
        let checkpoint = open(file);
        assert_eq!(checkpoint.head.as_ref().unwrap().spec.kind, HeadKind::Linear);
        // The convolution, with the BatchNorm before it folded in.
        let weight = wait(checkpoint.tensor("head.conv_seg.weight")).unwrap();
        let value = |name: &str| &head[&format!("decode_head.{name}")].values;
        for (i, found) in weight[..3 * 8].iter().enumerate() {
            let scale =
                value("norm.weight")[i % 8] / (value("norm.running_var")[i % 8] + 1e-5).sqrt();
            assert!((found - value("conv_seg.weight")[i] * scale).abs() < 1e-6, "{file}: {i}");
        }
    }
}

/// A folder as the hub has it: parts of `pytorch_model` with their index, or one file.
#[test]
fn folders_of_the_hub() {
    let folder = scratch("torch-folder");
    let expected = tensors(&fixture("expected.safetensors"));
    std::fs::copy(fixture("config.json"), folder.join("config.json")).unwrap();
    let same = || {
        let checkpoint = wait(Checkpoint::open_path(&folder)).unwrap();
        for (name, tensor) in &expected {
            assert_eq!(wait(checkpoint.tensor(name)).unwrap(), tensor.values, "{name}");
        }
    };
    std::fs::copy(fixture("half.pth"), folder.join("pytorch_model.bin")).unwrap();
    same();
    let part = "pytorch_model-00001-of-00001.bin";
    std::fs::rename(folder.join("pytorch_model.bin"), folder.join(part)).unwrap();
    let map: serde_json::Map<_, _> = expected.keys().map(|k| (k.clone(), part.into())).collect();
    let index = serde_json::json!({ "weight_map": map }).to_string();
    std::fs::write(folder.join("pytorch_model.bin.index.json"), index).unwrap();
    same();
    std::fs::remove_file(folder.join(part)).unwrap();
    let error = wait(Checkpoint::open_path(&folder)).err().unwrap().to_string();
    assert!(error.contains(&format!("{part}: missing")), "{error}");
}

#[test]
fn what_is_no_row_by_row_weight_is_named() {
    let cases = [
        (
            "transposed.pth",
            "fc1.weight: expected type F32, F16 or BF16, found F32 with strides [1, 16]",
        ),
        (
            "expanded.pth",
            "found F32 with strides [0, 0], not row by row: save it with .contiguous()",
        ),
        ("double.pth", "fc1.weight: expected type F32, F16 or BF16, found F64"),
        ("unsigned.pth", "counter: unexpected tensor"),
    ];
    for (file, expected) in cases {
        let error = wait(Checkpoint::open_path(&fixture(file))).err().unwrap().to_string();
        assert!(error.contains(expected), "{file}: expected {expected:?} in {error:?}");
    }
}

/// The command would leave a file in the folder where it runs. No tensor depends on what it gives.
#[test]
fn commands_are_not_run() {
    let folder = scratch("torch-evil");
    for file in ["evil.pth", "older-evil.pth"] {
        assert!(header(bytes(file)).unwrap().len() > 20);
        let path = fixture(file);
        let mut command = crate::run::program();
        command.args(["info", "--model", path.to_str().unwrap()]).current_dir(&folder);
        assert!(command.output().unwrap().status.success());
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "something was run");
    }
    refused("a module", bytes("module.pth"), "torch.nn.modules.linear.Linear is not allowed");
}

/// Cut anywhere, a file is refused: all that is checked stands at its end, or comes in order.
#[test]
fn files_cut_short_are_refused() {
    for file in ["half.pth", "older.pth"] {
        let whole = bytes(file);
        for length in (16..whole.len()).step_by(5) {
            let error = header(whole[..length].to_vec()).err();
            let error = error.unwrap_or_else(|| panic!("{file}: {length} bytes are accepted"));
            assert!(!error.to_string().contains('\n'), "{error}");
        }
    }
    refused(
        "zip",
        bytes("half.pth")[..9000].to_vec(),
        "cut short: the zip archive has no directory",
    );
    refused("older", bytes("older.pth")[..2000].to_vec(), "the pickle is cut short or too long");
    refused("older", bytes("older.pth")[..9000].to_vec(), "cut short");
}

/// A wrong byte anywhere gives an error or tensors within the file, never a panic.
#[test]
fn wrong_bytes_do_no_harm() {
    for file in ["half.pth", "older-shared.pth", "older-mmseg.pth"] {
        let whole = bytes(file);
        for at in (0..whole.len()).step_by(5) {
            let mut changed = whole.clone();
            changed[at] ^= [0x01, 0x80, 0xff][at % 3];
            for stored in header(changed).unwrap_or_default() {
                assert!(stored.range.start <= stored.range.end, "{file}: byte {at}");
                assert!(stored.range.end <= whole.len() as u64, "{file}: byte {at}");
            }
        }
    }
}

/// A file of the older format around a pickle.
fn older(pickle: &[u8]) -> Vec<u8> {
    let start = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e\x80\x02M\xe9\x03.";
    [start, &b"\x80\x02}X\x0d\0\0\0little_endian\x88s."[..], b"\x80\x02", pickle].concat()
}

/// A pickle of one tensor "t" with these arguments in a storage of `len` values, and its file.
fn tensor(len: u32, arguments: &[u8]) -> Vec<u8> {
    let storage = b"}X\x01\0\0\0tctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\n";
    let rest = [&b"FloatStorage\nX\x01\0\0\0kX\x03\0\0\0cpuJ"[..], &len.to_le_bytes(), b"NtQ"];
    let end = [arguments, b"\x89NtRs.\x80\x02]X\x01\0\0\0ka."].concat();
    let mut file = older(&[&storage[..], &rest.concat(), &end].concat());
    file.extend(u64::from(len).to_le_bytes());
    file.extend(vec![0; len as usize * 4]);
    file
}

#[test]
fn places_and_sizes_are_checked() {
    let good = header(tensor(6, b"K\x00K\x02K\x03\x86K\x03K\x01\x86")).unwrap();
    assert_eq!((good[0].shape.clone(), good[0].range.end - good[0].range.start), (vec![2, 3], 24));
    let good = header(tensor(6, b"K\x04K\x02\x85K\x01\x85")).unwrap();
    assert_eq!(good[0].range.end - good[0].range.start, 8);
    let empty = header(tensor(6, b"K\x06K\x00\x85K\x01\x85")).unwrap();
    assert_eq!((empty[0].shape.clone(), empty[0].range.is_empty()), (vec![0], true));

    let beyond = "reaches beyond its storage";
    let strange = "no tensor is described like this";
    let huge = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("offset", b"K\x01K\x02K\x03\x86K\x03K\x01\x86".to_vec(), beyond),
        ("long", b"K\x00K\x07\x85K\x01\x85".to_vec(), beyond),
        ("strided", b"K\x00K\x02\x85K\x06\x85".to_vec(), beyond),
        ("huge", [b"K\x00", &huge[..], &huge[..], b"\x86K\x00K\x00\x86"].concat(), beyond),
        ("offset", [&huge[..], b"K\x02\x85K\x01\x85"].concat(), beyond),
        ("stride", [b"K\x00K\x03\x85", &huge[..], b"\x85"].concat(), beyond),
        ("negative", b"K\x00J\xff\xff\xff\xff\x85K\x01\x85".to_vec(), strange),
        ("negative", b"J\xff\xff\xff\xffK\x02\x85K\x01\x85".to_vec(), strange),
        ("ranks", b"K\x00K\x02\x85K\x03K\x01\x86".to_vec(), strange),
    ];
    for (what, arguments, expected) in cases {
        refused(what, tensor(6, &arguments), expected);
    }
    let mut other = tensor(6, b"K\x00K\x02\x85K\x01\x85");
    let at = other.len() - 32;
    other[at] = 7;
    refused("length", other, "storage k: another length than its tensors say");
}

#[test]
fn pickles_are_bounded() {
    let deep = [vec![b'('; 1001], b".".to_vec()].concat();
    let many = [b"N".as_slice(), &[b'2'; 1 << 21], b"."].concat();
    let cases: [(&str, Vec<u8>, &str); 17] = [
        ("depth", deep, "more than 1000 containers in each other"),
        ("steps", many, "more than 2097152 steps"),
        ("text", b"X\xff\xff\xff\xff.".to_vec(), "cut short"),
        ("text", b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff.".to_vec(), "cut short"),
        ("empty", b".".to_vec(), "a value is missing"),
        ("tuple", b"K\x01\x87.".to_vec(), "a value is missing"),
        ("mark", b"t.".to_vec(), "a mark is missing"),
        ("below a mark", b"K\x01(0.".to_vec(), "a value is missing"),
        ("memo", b"h\x05.".to_vec(), "nothing was remembered as 5"),
        ("append", b"K\x01K\x02a.".to_vec(), "appends to a number"),
        ("item", b"]K\x01K\x02s.".to_vec(), "sets an item of a list"),
        ("pair", b"}(K\x01u.".to_vec(), "a key without a value"),
        ("call", b"K\x01)R.".to_vec(), "calls a number with a tuple"),
        ("object", b"K\x01)\x81.".to_vec(), "makes an object of a number"),
        ("extension", b"\x82\x01.".to_vec(), "byte 47 of the pickle: opcode 0x82"),
        ("place", b"X\x01\0\0\0kQ.".to_vec(), "refers to something that is no storage"),
        (
            "global",
            b"\x8c\x08builtins\x8c\x04eval\x93.\x80\x02].".to_vec(),
            "builtins.eval is not allowed",
        ),
    ];
    for (what, pickle, expected) in cases {
        refused(what, older(&pickle), expected);
    }
    let last = b"\x80\x02].";
    let system = b"(ios\nsystem\n.\x80\x02].";
    refused("instance", older(system), "os.system is not allowed in a checkpoint; nothing was run");
    for (what, pickle) in
        [("a number", &b"K\x05."[..]), ("a list", b"]."), ("nothing in it", b"}.")]
    {
        refused(what, older(&[pickle, &last[..]].concat()), "no state dict");
    }
    // A dictionary that holds itself is no state dict either, and no endless one.
    let cycle = b"}q\x00X\x0a\0\0\0state_dicth\x00s.\x80\x02].";
    refused("cycle", older(cycle), "no state dict");
}

/// What lies beside the tensors is opaque, whatever it is made by; nothing of it is run.
#[test]
fn values_beside_the_tensors_are_opaque() {
    let beside: [(&str, &[u8]); 9] = [
        ("a command", b"cposix\nsystem\nX\x09\0\0\0touch ran\x85R"),
        ("a namespace", b"cargparse\nNamespace\n)\x81}X\x02\0\0\0lrK\x01sb"),
        ("a path", b"cpathlib\nPosixPath\nX\x01\0\0\0a\x85R"),
        ("a dictionary of its own", b"cyacs.config\nCfgNode\n)\x81}X\x01\0\0\0aK\x01sb"),
        ("items of it", b"cyacs.config\nCfgNode\n)\x81X\x01\0\0\0aK\x01s"),
        (
            "an array",
            b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\0\x85C\x01b\x87R(K\x01tb",
        ),
        (
            "a default dictionary",
            b"ccollections\ndefaultdict\ncbuiltins\nlist\n\x85RX\x01\0\0\0a]s",
        ),
        ("a set", b"\x8f(K\x01K\x02\x90"),
        ("arguments by name", b"cx\nY\n)}\x92"),
    ];
    let plain = tensor(2, b"K\x00K\x02\x85K\x01\x85");
    // The dictionary of the file's one tensor begins behind the magic number and two pickles.
    let start = plain.windows(2).rposition(|w| w == b"}X").unwrap();
    let start = plain[..=start].windows(4).rposition(|w| w == b"\x80\x02}X").unwrap() + 2;
    for (what, value) in beside {
        let mut file = plain.clone();
        let pair = [b"}X\x05\0\0\0other", value, b"s"].concat();
        // In place of the empty dictionary one that holds the value.
        file.splice(start..=start, pair);
        let list = header(file).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((list.len(), list[0].key.as_str()), (1, "t"), "{what}");
    }
}

/// Two encoders in one file are told apart by their prefixes.
#[test]
fn one_of_several_encoders_is_chosen() {
    let folder = scratch("torch-prefix");
    let encoder = golden("encoder_rms_qknorm_f16");
    let all = tensors(&encoder.join("model.safetensors"));
    let named = |prefix: &str, scale: f32| {
        let scaled = move |t: &internvit::Tensor| t.values.iter().map(|v| v * scale).collect();
        let one = |(name, t): (&String, &internvit::Tensor)| {
            (format!("{prefix}.{name}"), t.shape.clone(), scaled(t))
        };
        all.iter().map(one).collect::<Vec<(String, Vec<usize>, Vec<f32>)>>()
    };
    let list = [named("student.backbone", 1.0), named("teacher.backbone", 0.5)].concat();
    let views: Vec<_> = list
        .iter()
        .map(|(name, shape, v)| (name.clone(), shape.clone(), internvit::weights::Values::F32(v)))
        .collect();
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::copy(encoder.join("config.json"), folder.join("config.json")).unwrap();
    internvit::weights::write_safetensors(&folder.join("model.safetensors"), &views).unwrap();
    let error = wait(Checkpoint::open_path(&folder)).err().unwrap().to_string();
    assert!(error.contains("\"student.backbone\", \"teacher.backbone\""), "{error}");
    let open = |prefix| wait(Checkpoint::open_path_with(&folder, Some(prefix)));
    let read = |prefix| wait(open(prefix).unwrap().tensor("encoder.layers.0.ls1")).unwrap();
    let (student, teacher) = (read("student.backbone."), read("teacher"));
    assert!(student.iter().zip(&teacher).all(|(s, t)| *t == 0.5 * s));
    assert!(open("pupil").err().unwrap().to_string().contains("expected that of one encoder"));
}
