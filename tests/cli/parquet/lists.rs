//! The lists of a table: hidden states, and that those of one length are known as such to Arrow's readers.

use arrow_schema::{DataType, Schema};
use base64::Engine;

use super::*;
use crate::common::*;
use crate::run::*;

/// The columns as Arrow's readers find them in the file's metadata.
fn arrow(path: &Path) -> Schema {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap();
    let said = pairs.iter().find(|pair| pair.key == "ARROW:schema").unwrap();
    let bytes = base64::prelude::BASE64_STANDARD.decode(said.value.as_ref().unwrap()).unwrap();
    arrow_ipc::convert::try_schema_from_ipc_buffer(&bytes).unwrap()
}

/// The length of the lists of a column; `None` where they are of any.
fn width(path: &Path, column: &str) -> Option<i32> {
    match arrow(path).field_with_name(column).unwrap().data_type() {
        DataType::FixedSizeList(element, width) => {
            assert_eq!((element.name().as_str(), element.is_nullable()), ("element", false));
            Some(*width)
        }
        DataType::List(_) => None,
        other => panic!("{column}: {other}"),
    }
}

#[test]
fn hidden_states_are_columns() {
    let (folder, model, photos) = scene("parquet-hidden", 20);
    fs::write(photos.join("broken.png"), "no photograph").unwrap();
    let (table, tensor) = (folder.join("f.parquet"), folder.join("f.safetensors"));
    assert_eq!(counts(&encode(&photos, &model, &table, &["--hidden-states", "0,-1"])), [20, 0, 1]);
    fs::remove_file(photos.join("broken.png")).unwrap();
    ok(&[&arguments(&photos, &model, &tensor)[..], &["--hidden-states", "0,-1"]].concat());
    let states = tensors(&tensor);
    let found = rows(&table);
    for name in ["hidden_states.0", "hidden_states.2"] {
        assert_eq!(states[name].shape, [20, 17, 32]);
        for (row, tokens) in found.iter().zip(states[name].values.chunks_exact(17 * 32)) {
            assert_eq!(bits(&list(&row[name])), bits(tokens), "{name}");
        }
        assert_eq!(found[20][name], Field::Null);
        assert_eq!(width(&table, name), Some(17 * 32));
    }
    assert_eq!(about(&table)["hidden_states"], serde_json::json!([0, 2]));
    let names: Vec<String> = arrow(&table).fields().iter().map(|f| f.name().clone()).collect();
    let columns: Vec<&String> = found[0].keys().collect();
    assert_eq!(names.len(), columns.len());
    assert!(names.iter().all(|name| columns.contains(&name)), "{names:?}");
    let more = ["--hidden-states", "3"];
    fails(&[&arguments(&photos, &model, &table)[..], &more].concat(), "layer 3");
}

/// Lists of photographs that keep their shape have lengths of their own, and one such photograph is enough.
#[test]
fn lists_of_one_length_are_fixed() {
    let (folder, model, photos) = scene("parquet-widths", 3);
    let tall = photos.join("tall.png");
    image::save_buffer(&tall, &[7; 16 * 48 * 3], 16, 48, image::ExtendedColorType::Rgb8).unwrap();
    let out = folder.join("f.parquet");
    encode(&photos, &model, &out, &["--patch-tokens", "--resize", "native"]);
    assert_eq!(width(&out, "cls_embedding"), Some(32));
    let lengths: Vec<usize> = rows(&out).iter().map(|r| list(&r["patch_tokens"]).len()).collect();
    assert!(lengths.iter().any(|length| *length != lengths[0]), "{lengths:?}");
    assert_eq!(width(&out, "patch_tokens"), None);
    let same = folder.join("g.parquet");
    encode(&photos, &model, &same, &["--patch-tokens"]);
    assert_eq!(width(&same, "patch_tokens"), Some(16 * 32));
    // All fail: nothing is known of the lengths.
    fs::write(folder.join("broken.png"), "no photograph").unwrap();
    let none = folder.join("h.parquet");
    fails(&arguments(&folder.join("broken.png"), &model, &none), "no photograph could be encoded");
    assert_eq!(width(&none, "cls_embedding"), None);
}

/// A table that was begun before there were fixed sizes is added to, with plain lists.
#[test]
fn older_tables_keep_plain_lists() {
    let (folder, model, photos) = scene("parquet-older", 2);
    let out = folder.join("f.parquet");
    encode(&photos, &model, &out, &[]);
    // Of one length to the byte, so that no offset changes.
    let mut bytes = fs::read(&out).unwrap();
    let said = b"\"widths\"";
    let at = bytes.windows(said.len()).position(|window| window == said).unwrap();
    bytes[at + 1] = b'x';
    fs::write(&out, bytes).unwrap();
    photo(&photos.join("more.png"), 7);
    assert_eq!(counts(&encode(&photos, &model, &out, &[])), [1, 2, 0]);
    assert_eq!((rows(&out).len(), width(&out, "cls_embedding")), (3, None));
}
