//! Files of GGUF: types to the last bit, and every way in which one can be wrong.
#![allow(clippy::unwrap_used, reason = "tests")]

use crate::common::*;
use crate::gguf::{As, File, language, projector};
use internvit::weights::{Blocks, QuantFormat, Source, StoredType, read_header};
use internvit::{Checkpoint, Error, Result};

fn fixture(name: &str) -> std::path::PathBuf {
    golden("internvl").join(name)
}

/// Every tensor of a file as f32, with the name of its type.
fn decoded(path: &std::path::Path) -> Vec<(String, String, Vec<usize>, Vec<f32>)> {
    let source = Source::file(path).unwrap();
    let list = wait(read_header(&source)).unwrap();
    let value = |stored: internvit::weights::Stored| {
        let bytes = wait(source.read(stored.range)).unwrap();
        let values = match Blocks::named(&stored.dtype_name) {
            Some(blocks) => blocks.decode(&bytes),
            None => stored.dtype.unwrap().decode(&bytes),
        };
        (stored.key, stored.dtype_name, stored.shape, values)
    };
    list.into_iter().map(value).collect()
}

/// The fixtures' expected values are those of the package `gguf`; the second file has the types that the first has not.
#[test]
fn types_are_those_of_the_reference_to_the_last_bit() {
    let mut types = Vec::new();
    for name in ["gguf_types", "gguf_five_bits"] {
        let expected = tensors(&fixture(name).join("expected.safetensors"));
        let found = decoded(&fixture(name).join("model.gguf"));
        assert_eq!(found.len(), expected.len());
        for (key, kind, shape, values) in found {
            assert_eq!(shape, expected[&key].shape, "{key}");
            let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&values), bits(&expected[&key].values), "{key} {kind}");
            types.push(kind);
        }
    }
    types.sort();
    let all =
        ["BF16", "F16", "F32", "Q4_0", "Q4_1", "Q4_K", "Q5_0", "Q5_1", "Q5_K", "Q6_K", "Q8_0"];
    assert_eq!(types, all);
}

/// Of llama.cpp's own Q4_0 the 4 bits here lose nothing, though they are found anew.
#[test]
fn four_bits_of_gguf_are_four_bits_here() {
    let found = decoded(&fixture("gguf_types").join("model.gguf"));
    let (_, _, shape, values) = found.into_iter().find(|(_, kind, ..)| kind == "Q4_0").unwrap();
    assert_eq!(QuantFormat::Int4.quantise(&values, shape[1]).values(), values);
}

fn small() -> File {
    let mut file = language(&fixture("internvl_qwen2_openvl"), "qwen2", As::F32);
    file.number("general.alignment", 32);
    file
}

fn open(bytes: Vec<u8>) -> Result<Checkpoint> {
    let opened = wait(Checkpoint::open_gguf("folder", vec![Source::memory("model.gguf", bytes)]))?;
    wait(opened.with_language())
}

/// What is wrong with the file in these bytes.
#[track_caller]
fn wrong(bytes: Vec<u8>, expected: &str) {
    let error = match open(bytes) {
        Ok(_) => panic!("opens, expected: {expected}"),
        Err(error) => error.to_string(),
    };
    assert!(error.contains(expected), "expected {expected:?}, found {error:?}");
    assert!(error.starts_with("model.gguf: ") || error.starts_with("folder"), "{error}");
}

/// The bytes of a file with some replaced from a place on.
fn patched(at: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = small().bytes();
    bytes[at..at + with.len()].copy_from_slice(with);
    bytes
}

/// Where the description of a tensor begins behind its name.
fn behind(name: &str) -> usize {
    let bytes = small().bytes();
    let at = bytes.windows(name.len()).position(|window| window == name.as_bytes());
    at.unwrap() + name.len()
}

const VECTOR: &str = "output_norm.weight";
const MATRIX: &str = "blk.1.ffn_down.weight";

#[test]
fn damaged_files_are_told() {
    assert!(open(small().bytes()).is_ok());
    wrong(patched(0, b"GGUG"), "no GGUF, expected one");
    wrong(patched(4, &1u32.to_le_bytes()), "version 1 of GGUF, expected 2 or 3");
    wrong(patched(4, &3u32.to_be_bytes()), "expected byte order little, found big");
    wrong(patched(8, &u64::MAX.to_le_bytes()), "expected at most 65536 tensors and keys");
    wrong(patched(16, &65537u64.to_le_bytes()), "expected at most 65536 tensors and keys");
    // The first key's name.
    let long = (1u64 << 40).to_le_bytes();
    wrong(patched(24, &long), "byte 32: a text 1099511627776 long, but");
    let bytes = small().bytes();
    for cut in [3, 7, 20, 40, 300, 700] {
        wrong(bytes[..cut].to_vec(), "download");
    }
    wrong(bytes[..bytes.len() - 4000].to_vec(), "reach beyond the file's");
    // Shape, type and place of a tensor: a count of sides, the sides, then these.
    let at = behind(VECTOR);
    wrong(
        patched(at, &9u32.to_le_bytes()),
        "output_norm.weight: expected at most 8 dimensions, found 9",
    );
    wrong(patched(at + 4, &0u64.to_le_bytes()), "output_norm.weight: a shape of [0]");
    wrong(patched(at + 4, &u64::MAX.to_le_bytes()), "reach beyond the file's");
    let matrix = behind(MATRIX);
    wrong(patched(matrix + 4, &[0xff; 16]), "is that of no tensor");
    wrong(
        patched(at + 12, &10u32.to_le_bytes()),
        "output_norm.weight: type Q2_K: expected F32, F16, BF16, Q4_0",
    );
    wrong(patched(at + 12, &77u32.to_le_bytes()), "type 77: expected F32");
    wrong(
        patched(matrix + 4 + 16, &12u32.to_le_bytes()),
        "expected rows of whole blocks of 256 for Q4_K, found 96",
    );
    wrong(
        patched(at + 16, &7u64.to_le_bytes()),
        "expected a place that is a multiple of 32, found 7",
    );
    wrong(patched(at + 16, &(1u64 << 60).to_le_bytes()), "reach beyond the file's");
    wrong(patched(at + 16, &u64::MAX.to_le_bytes()[..]), "expected a place");
    wrong(patched(at + 16, &32u64.to_le_bytes()), "begins within");
}

#[test]
fn keys_that_make_no_sense_are_told() {
    let with = |change: &dyn Fn(&mut File)| {
        let mut file = small();
        change(&mut file);
        file.bytes()
    };
    wrong(
        with(&|file| file.number("general.alignment", 32)),
        "key general.alignment: present twice",
    );
    wrong(
        with(&|f| f.change("general.alignment", |f| f.number("general.alignment", 24))),
        "general.alignment: expected a power of two",
    );
    wrong(
        with(&|f| f.keys.push(("odd".into(), 13u32.to_le_bytes().into()))),
        "key odd: a value of type 13",
    );
    let list = |kind: u32, count: u64| {
        [&9u32.to_le_bytes()[..], &kind.to_le_bytes(), &count.to_le_bytes()].concat()
    };
    wrong(
        with(&|f| f.keys.push(("odd".into(), list(0, 1 << 40)))),
        "a list 1099511627776 long, but",
    );
    let deep = || [list(9, 1), list(9, 1)[4..].to_vec().repeat(9)].concat();
    wrong(with(&|f| f.keys.push(("odd".into(), deep()))), "key odd: lists more than 4 deep");
    let arch = |kind: &'static str| {
        with(&|f| f.change("general.architecture", |f| f.string("general.architecture", kind)))
    };
    wrong(
        arch("gemma"),
        "general.architecture: expected qwen2, qwen3, llama, internlm2 or clip, found \"gemma\"",
    );
    wrong(arch("qwen3"), "qwen3.embedding_length: missing");
    let key = "qwen2.block_count";
    wrong(
        with(&|f| f.change(key, |f| f.float(key, 1.5))),
        "qwen2.block_count: expected a whole number, found 1.5",
    );
    wrong(with(&|f| f.change(key, |f| f.number(key, 3))), "language.encoder.layers.2");
    wrong(with(&|f| f.change(key, |f| f.number(key, 1))), "blk.1.");
    wrong(
        with(&|f| f.string("qwen2.rope.scaling.type", "yarn")),
        "expected default or dynamic, found \"yarn\"",
    );
    wrong(
        with(&|f| f.number("qwen2.attention.sliding_window", 512)),
        "sliding_window: expected none, found 512",
    );
    wrong(
        with(&|f| f.number("qwen2.rope.dimension_count", 8)),
        "rope.dimension_count: expected 16, found 8",
    );
    wrong(
        with(&|f| f.number("split.count", 3)),
        "expected the parts 1 to 3 of one model, found none",
    );
    wrong(
        with(&|f| f.tensors.retain(|(name, ..)| name != VECTOR)),
        "language.layernorm.weight: missing",
    );
    wrong(
        with(&|f| f.tensors.retain(|(name, ..)| name != "token_embd.weight")),
        "token_embd.weight: missing",
    );
    let extra = |file: &mut File| {
        let tensor = internvit::Tensor { shape: vec![16], values: vec![1.0; 16] };
        file.tensor("rope_freqs.weight", &tensor, As::F32);
    };
    wrong(with(&extra), "rope_freqs.weight: unexpected tensor");
    // A vector in blocks is no rows of blocks.
    let blocks = |file: &mut File| {
        let vector = file.tensors.iter_mut().find(|(name, ..)| name == VECTOR).unwrap();
        (vector.2, vector.3) = (8, vec![0; 68]);
    };
    wrong(with(&blocks), "output_norm.weight: expected F32 or F16, found Q8_0");
}

#[test]
fn projectors_that_make_no_sense_are_told() {
    let with = |change: &dyn Fn(&mut File)| {
        let mut file = projector(&fixture("internvl_qwen2_openvl"), As::F32);
        change(&mut file);
        file.bytes()
    };
    let replaced =
        |key: &'static str, text: &'static str| with(&|f| f.change(key, |f| f.string(key, text)));
    wrong(
        replaced("clip.projector_type", "gemma3"),
        "clip.projector_type: expected \"internvl\", found \"gemma3\"",
    );
    let key = "clip.vision.projector.scale_factor";
    wrong(with(&|f| f.change(key, |f| f.number(key, 4))), "scale_factor: expected 2, found 4");
    let key = "clip.vision.patch_size";
    wrong(with(&|f| f.change(key, |f| f.string("odd", ""))), "clip.vision.patch_size: missing");
    wrong(with(&|f| f.flag("clip.use_silu", true)), "clip.use_silu: expected false");
    wrong(
        with(&|f| f.tensors.retain(|(name, ..)| !name.starts_with("mm."))),
        "mm.model.mlp.3.weight: missing",
    );
    wrong(
        with(&|f| f.tensors.retain(|(name, ..)| name != "v.blk.1.ln2.bias")),
        "encoder.layers.1.norm2.bias: missing",
    );
}

/// What is read of a file is a range of its tensor: no more than the rows that are asked for.
#[test]
fn rows_are_read_by_ranges() {
    let name = "internvl_internlm2_openvl";
    let bytes = language(&fixture(name), "llama", As::Q8_0).bytes();
    let size = bytes.len() as u64;
    let (send, seen) = std::sync::mpsc::channel();
    let read = move |range: std::ops::Range<u64>| {
        send.send(range.clone()).unwrap();
        Ok(bytes[range.start as usize..range.end as usize].to_vec())
    };
    let source = Source::ranges("model.gguf", size, read);
    let opened = wait(Checkpoint::open_gguf("folder", vec![source])).unwrap();
    let checkpoint = wait(opened.with_language()).unwrap();
    // Queries, alone or before keys and values.
    let queries = |name: &&String| name.starts_with("language.encoder.layers.1.attn.q");
    let name = checkpoint.manifest.tensors.keys().find(queries).unwrap();
    let rows = checkpoint.manifest.tensors[name].shape[0];
    let read = || seen.try_iter().map(|range| range.end - range.start).filter(|n| *n > 0);
    let all = wait(checkpoint.tensor(name)).unwrap();
    assert!(read().count() > 0);
    // Rows 3 to 5 of the second head of 16 are among its sixteen.
    let some = wait(checkpoint.rows(name, 19..21)).unwrap();
    assert_eq!(some, all[19 * 64..21 * 64]);
    assert_eq!(read().collect::<Vec<_>>(), [16 * 2 * 34]);
    let table = wait(checkpoint.rows("language.embeddings.token_embedding.weight", 7..8)).unwrap();
    assert_eq!(table.len(), 64);
    assert_eq!(read().collect::<Vec<_>>(), [2 * 34]);
    assert_eq!(checkpoint.stored_type(name), StoredType::F32);
    assert_eq!(checkpoint.stored_bytes(name), rows as u64 * 2 * 34);
}

/// Parts are one model in any order; of one the others are named.
#[test]
fn parts_are_one_model() {
    let parts = small().parts(3);
    let sources = |numbers: &[usize]| {
        let file = |at: &usize| Source::memory(&format!("{at}.gguf"), parts[*at].bytes());
        numbers.iter().map(file).collect::<Vec<_>>()
    };
    let open = |numbers: &[usize]| wait(Checkpoint::open_gguf("folder", sources(numbers)));
    let (whole, joined) = (self::open(small().bytes()).unwrap(), open(&[2, 0, 1]).unwrap());
    let joined = wait(joined.with_language()).unwrap();
    let names =
        |checkpoint: &Checkpoint| checkpoint.manifest.tensors.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&joined), names(&whole));
    for name in names(&whole) {
        assert_eq!(
            wait(joined.tensor(&name)).unwrap(),
            wait(whole.tensor(&name)).unwrap(),
            "{name}"
        );
    }
    for (numbers, found) in
        [(&[0][..], "found 1:"), (&[1, 2], "found 2, 3:"), (&[0, 1, 1], "found 1, 2, 2:")]
    {
        let error = open(numbers).err().unwrap().to_string();
        assert!(
            error.contains("expected the parts 1 to 3 of one model") && error.contains(found),
            "{error}"
        );
    }
}

#[test]
fn kinds_of_errors_are_those_of_the_fault() {
    assert!(matches!(open(patched(4, &9u32.to_le_bytes())), Err(Error::Checkpoint { .. })));
    assert!(matches!(
        open(projector(&fixture("internvl_qwen2_openvl"), As::F32).bytes()),
        Err(Error::Input(_))
    ));
}
