use super::*;

/// CLIP's vocabulary as open_clip brings it.
const PAIRS: &str = TOKENIZERS[3];

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// A tower for texts of CLIP's size in what counts here.
fn spec(case: &str) -> TextSpec {
    let folder = Path::new(GOLDEN).join(case);
    let checkpoint = pollster::block_on(async {
        Checkpoint::open_path(&folder).await.unwrap().with_text().await.unwrap()
    });
    TextSpec { length: 77, ..checkpoint.text().unwrap().clone() }
}

/// The rows of the fixture, by the tokenizer made of CLIP's vocabulary: as open_clip and as transformers.
#[test]
fn rows_of_clip() {
    let pairs = unpacked(&Path::new(GOLDEN).join(PAIRS)).unwrap();
    let json = clip_tokenizer_of_pairs(&pairs);
    let rows = json_of(&Path::new(GOLDEN).join("clip_tokenizer.json")).unwrap();
    let rows = rows["rows"].as_array().unwrap();
    assert!(rows.len() >= 30);
    // The same by the two files of transformers.
    let merges = format!(
        "#version: 0.2\n{}",
        pairs.lines().skip(1).take(48894).collect::<Vec<_>>().join("\n")
    );
    let two_files = clip_tokenizer(json["model"]["vocab"].clone(), &merges);
    assert_eq!(two_files, json);
    for (case, repairs) in [("clip_openclip", true), ("clip_quick_gelu", false)] {
        let tokenizer =
            Tokenizer::new(&json.to_string(), &TextSpec { repairs, ..spec(case) }).unwrap();
        for row in rows {
            let text = row["text"].as_str().unwrap();
            let other = row.get("ids_transformers").filter(|_| !repairs);
            let expected: Vec<u32> =
                serde_json::from_value(other.unwrap_or(&row["ids"]).clone()).unwrap();
            assert_eq!(tokenizer.read(text).unwrap().ids, expected, "{case} {text:?}");
        }
    }
}

/// Towers that look at padding are given it, up to the whole length.
#[test]
fn padding() {
    let json =
        clip_tokenizer_of_pairs(&unpacked(&Path::new(GOLDEN).join(PAIRS)).unwrap()).to_string();
    for (case, filled) in [("siglip", Some(1)), ("openvision", Some(0)), ("clip_openclip", None)] {
        let ids = Tokenizer::new(&json, &TextSpec { repairs: false, ..spec(case) })
            .unwrap()
            .read("A cat")
            .unwrap()
            .ids;
        let padding = filled.map_or(vec![], |id| vec![id; 73]);
        assert_eq!(ids, [vec![49406, 320, 2368, 49407], padding].concat(), "{case}");
    }
    // What is too long loses its middle: by the library's truncation, and by the tower's own.
    let whole: Vec<u32> = (1..=100).collect();
    let cut = spec("clip_openclip").fitted(whole, 1);
    assert_eq!((cut.len(), cut[0], cut[75], cut[76]), (77, 1, 76, 100));
    let long = "cat ".repeat(100);
    let ids = Tokenizer::new(&json, &spec("clip_openclip")).unwrap().read(&long).unwrap().ids;
    assert_eq!((ids.len(), ids[76]), (77, 49407));
}

#[test]
fn damaged_files_are_refused() {
    for json in
        ["", "{}", "[1]", r#"{"model": {"type": "BPE", "vocab": {"a": 1}, "merges": ["x y"]}}"#]
    {
        assert!(Tokenizer::new(json, &spec("siglip")).is_err(), "{json}");
    }
}
